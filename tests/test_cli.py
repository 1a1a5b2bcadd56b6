"""The command line as a user meets it: what it prints where, its exit codes, and what it leaves on disk."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import arviz
import numpy as np
import pytest

import ppl
from tests.conftest import MODELS, Run

SCHOOLS = (MODELS / "eight_schools.ppl", MODELS / "eight_schools.csv")
STATISTICS = {"mean", "sd", "q5", "q50", "q95", "mcse"}


@pytest.fixture(scope="module")
def schools_fit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A fit file of eight schools, and what `ppl fit --json` printed while writing it."""
    folder = tmp_path_factory.mktemp("fit")
    command = [sys.executable, "-m", "ppl", "fit", *map(str, SCHOOLS), "-o", "fit.nc", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return folder / "fit.nc", done.stdout


def test_fit_prints_a_table_and_the_verdict(ppl_command: Run) -> None:
    done = ppl_command("fit", *SCHOOLS)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["mean", "sd", "5%", "50%", "95%", "mcse"]
    assert any(line.startswith("mu ") for line in lines)
    assert any(line.startswith("theta[Choate] ") for line in lines)
    assert "verdict: good" in lines
    assert "Pareto k" in lines[-1]
    assert "nats" in lines[-1]
    assert "evaluations" in lines[-1]
    assert done.stderr == "observed: y [rows (8)]\n"
    assert "\x1b" not in done.stdout + done.stderr


def test_json(schools_fit: tuple[Path, str]) -> None:
    found = json.loads(schools_fit[1])
    assert found["verdict"] == "good"
    assert found["reasons"] == []
    assert found["model"].endswith("eight_schools.ppl")
    assert found["pareto_k"] < 0.7
    assert found["seconds"] > 0
    assert isinstance(found["elbo"], float)
    assert set(found["variables"]["theta[St. Paul's]"]) == STATISTICS
    assert found["variables"]["tau"]["q5"] < found["variables"]["tau"]["q50"] < found["variables"]["tau"]["q95"]


def test_summary_repeats_the_fit(schools_fit: tuple[Path, str], ppl_command: Run) -> None:
    shown = ppl_command("summary", schools_fit[0], "--json")
    assert json.loads(shown.stdout) == json.loads(schools_fit[1])
    table = ppl_command("summary", schools_fit[0])
    assert "theta[Choate]" in table.stdout
    assert "verdict: good" in table.stdout


def test_summary_as_csv(schools_fit: tuple[Path, str], ppl_command: Run) -> None:
    rows = list(csv.DictReader(ppl_command("summary", schools_fit[0], "--csv").stdout.splitlines()))
    variables = json.loads(schools_fit[1])["variables"]
    assert {row["variable"] for row in rows} == set(variables)
    for row in rows:
        assert {k: float(v) for k, v in row.items() if k != "variable"} == variables[row["variable"]]


def test_the_file_opens_in_arviz(schools_fit: tuple[Path, str]) -> None:
    data = arviz.from_netcdf(str(schools_fit[0]))
    assert {"posterior", "observed_data", "sample_stats"} <= set(data.groups())
    theta = data.posterior["theta"]
    assert theta.dims == ("chain", "draw", "school")
    assert "Choate" in theta.coords["school"].values
    assert theta.shape == (1, 4000, 8)
    np.testing.assert_array_equal(sorted(data.observed_data["y"].values), [-3, -1, 1, 7, 8, 12, 18, 28])
    summary = json.loads(schools_fit[1])["variables"]
    assert float(data.posterior["mu"].mean()) == pytest.approx(summary["mu"]["mean"], abs=0.1)
    assert float(data.posterior["tau"].quantile(0.95)) == pytest.approx(summary["tau"]["q95"], rel=0.1)


def test_check_names_every_name(ppl_command: Run) -> None:
    done = ppl_command("check", *SCHOOLS)
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert "observed" in rows["y"]
    assert "HalfCauchy" in rows["tau"]
    assert "above 0" in rows["tau"]
    assert "school (8)" in rows["theta"]
    without = ppl_command("check", SCHOOLS[0])
    assert without.returncode == 0
    assert "random" in without.stdout


@pytest.mark.parametrize(
    ("stage", "text"),
    [("syntax", "Tilde at"), ("graph", "observed   y ~ Normal"), ("joint", "Normal.log_prob"), ("names", "HalfCauchy")],
)
def test_check_shows_every_stage(stage: str, text: str, ppl_command: Run) -> None:
    done = ppl_command("check", *SCHOOLS, "--show", stage)
    assert done.returncode == 0
    assert text in done.stdout


# -- exit codes and messages ------------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        stem, ending = name.rsplit("_", 1)
        (folder / f"{stem}.{ending}").write_text(text)


def test_exit_code_of_a_bad_model(tmp_path: Path, ppl_command: Run) -> None:
    write(tmp_path, m_ppl="mu ~ Normal(0, 1)\ny ~ Normal(mu, sgima)\n", d_csv="y,sigma\n1,2\n")
    done = ppl_command("fit", "m.ppl", "d.csv")
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.startswith("m.ppl:2:16: error: `sgima`")


def test_exit_code_of_bad_data(tmp_path: Path, ppl_command: Run) -> None:
    write(tmp_path, m_ppl="mu ~ Normal(0, 1)\ny ~ Normal(mu, 1)\n", d_csv="y,x\n1,2\n3\n", e_csv="y\n1\ntwo\n")
    assert ppl_command("fit", "m.ppl", "d.csv").returncode == 5
    text = ppl_command("fit", "m.ppl", "e.csv")
    assert text.returncode == 5
    assert 'e.csv, row 2, column y: "two" is not a number' in text.stderr


def test_exit_code_of_files(tmp_path: Path, ppl_command: Run) -> None:
    write(tmp_path, m_ppl="mu ~ Normal(0, 1)\ny ~ Normal(mu, 1)\n", d_csv="y\n1\n")
    assert ppl_command("fit", "none.ppl", "d.csv").returncode == 6
    assert ppl_command("fit", "m.ppl", "none.csv").returncode == 6
    assert ppl_command("fit", "m.ppl", "d.csv", "-o", "nowhere/fit.nc").returncode == 6
    assert ppl_command("summary", "none.nc").returncode == 6
    (tmp_path / "junk.nc").write_bytes(b"not netcdf")
    junk = ppl_command("summary", "junk.nc")
    assert junk.returncode == 6
    assert "junk.nc: not a fit that ppl wrote" in junk.stderr


def test_exit_code_of_wrong_usage(tmp_path: Path, ppl_command: Run) -> None:
    write(tmp_path, m_ppl="mu ~ Normal(0, 1)\ny ~ Normal(mu, 1)\n", d_csv="y\n1\n")
    for arguments in (["fit"], ["nonsense"], ["fit", "m.ppl", "d.csv", "--draws", "3"]):
        assert ppl_command(*arguments).returncode == 2
    assert ppl_command("fit", "m.ppl", "d.csv", "-o", "d.csv").returncode == 2
    assert (tmp_path / "d.csv").read_text() == "y\n1\n"


def test_a_model_of_priors_and_factors_needs_no_data(tmp_path: Path, ppl_command: Run) -> None:
    """Two normal factors of sd 1, the prior one of them: mean 1, sd sqrt(1/2)."""
    write(tmp_path, m_ppl="x ~ Normal(0, 1)\nfactor -0.5*(x - 2)^2\n", d_ppl="mu ~ Normal(0, 1)\ny ~ Normal(mu, s)\n")
    done = ppl_command("fit", "m.ppl", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)["variables"]["x"]
    assert (found["mean"], found["sd"]) == (pytest.approx(1, abs=0.01), pytest.approx(0.5**0.5, abs=0.01))
    for command in ("fit", "prior", "simulate"):
        forgotten = ppl_command(command, "d.ppl")
        assert forgotten.returncode == 4
        assert forgotten.stderr.startswith("no data are given; they stand behind the model: d.ppl DATA\n")
        assert "`s` is neither defined nor in the data" in forgotten.stderr


def test_exit_code_of_a_fit_not_to_be_used(tmp_path: Path, ppl_command: Run) -> None:
    """The file is written all the same."""
    write(tmp_path, m_ppl="m ~ Normal(0, 10)\ny ~ Normal(m^2, 1)\n", d_csv="y\n25\n25.1\n")
    done = ppl_command("fit", "m.ppl", "d.csv", "--guide", "meanfield", "-o", "fit.nc")
    assert done.returncode == 3
    assert "verdict: do not use" in done.stdout
    assert "other mode" in done.stdout
    assert ppl_command("summary", "fit.nc").returncode == 0


def test_no_traceback_for_anything(tmp_path: Path, ppl_command: Run) -> None:
    (tmp_path / "latin.ppl").write_bytes("mu ~ Normal(0, 1) # caf\xe9\n".encode("latin-1"))
    (tmp_path / "empty.ppl").write_text("")
    write(tmp_path, d_csv="y\n1\n")
    for arguments in (["check", "latin.ppl"], ["check", "empty.ppl"], ["check", "."], ["fit", "empty.ppl", "d.csv"]):
        done = ppl_command(*arguments)
        assert done.returncode in (4, 6)
        assert "Traceback" not in done.stderr


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, ppl_command: Run) -> None:
    write(tmp_path, m_ppl="m ~ Normal(0, 1)\ny ~ Normal(m, 1)\n", d_csv="y\n1\n")
    (tmp_path / "fit.nc").write_text("precious")
    assert ppl_command("fit", "m.ppl", "none.csv", "-o", "fit.nc").returncode == 6
    assert (tmp_path / "fit.nc").read_text() == "precious"
    assert ppl_command("fit", "m.ppl", "d.csv", "-o", "fit.nc").returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.csv", "fit.nc", "m.ppl"]


def test_long_derived_names_only_when_asked(tmp_path: Path, ppl_command: Run) -> None:
    rows = "\n".join(f"{i % 7},{i}" for i in range(50))
    write(tmp_path, m_ppl="a ~ Normal(0, 5)\nfitted = a + 0*x\ny ~ Normal(fitted, 2)\n", d_csv=f"y,x\n{rows}\n")
    short = json.loads(ppl_command("fit", "m.ppl", "d.csv", "--json").stdout)["variables"]
    assert set(short) == {"a"}
    long = json.loads(ppl_command("fit", "m.ppl", "d.csv", "--json", "--all").stdout)["variables"]
    assert len(long) == 51
    assert "fitted[50]" in long
    assert "not shown: fitted" in ppl_command("fit", "m.ppl", "d.csv").stdout


def test_axes_named_like_variables_and_each_other(tmp_path: Path, ppl_command: Run) -> None:
    """An axis may share its name with a latent, two axes may share theirs, a name may hold a slash."""
    model = "K ~ Normal(0, 1)\ng[g] ~ Normal(K, 1)\nM[2, 2] ~ Normal(0, 1)\ny/2 ~ Normal(g[g], 1)\n"
    model = model.replace("g[g] ~", "e[g] ~").replace("Normal(g[g]", "Normal(e[g] + M[1, 2]")
    write(tmp_path, m_ppl=model, d_csv="y,g\n1,b\n2,a\n0,a\n")
    assert ppl_command("fit", "m.ppl", "d.csv", "-o", "fit.nc").returncode == 0
    shown = json.loads(ppl_command("summary", "fit.nc", "--json").stdout)["variables"]
    assert set(shown) == {"K", "e[a]", "e[b]", "M[1,1]", "M[1,2]", "M[2,1]", "M[2,2]"}
    arviz.from_netcdf(str(tmp_path / "fit.nc"))


# -- terminals and signals --------------------------------------------------------------------------------------------


def on_a_terminal(folder: Path, environment: dict[str, str]) -> str:
    """What `ppl fit` of eight schools writes to a terminal."""
    primary, secondary = pty.openpty()
    command = [sys.executable, "-m", "ppl", "fit", *map(str, SCHOOLS)]
    process = subprocess.Popen(
        command, cwd=folder, stdout=secondary, stderr=secondary, stdin=secondary, env=os.environ | environment
    )
    os.close(secondary)
    output = b""
    while True:
        try:
            piece = os.read(primary, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(primary)
    assert process.wait(timeout=60) == 0
    return output.decode()


def test_colour_on_a_terminal_only(tmp_path: Path) -> None:
    coloured = on_a_terminal(tmp_path, {"TERM": "xterm-256color", "COLUMNS": "100"})
    assert "\x1b[32mverdict: good" in coloured
    plain = on_a_terminal(tmp_path, {"TERM": "xterm-256color", "COLUMNS": "100", "NO_COLOR": "1"})
    assert "verdict: good" in plain
    assert "\x1b[32m" not in plain


def test_a_reader_that_leaves_early(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ppl fit {SCHOOLS[0]} {SCHOOLS[1]} | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_interrupt(tmp_path: Path) -> None:
    """Chains over many rows, to be caught at work: Ctrl-C ends it with 130 and no traceback; a file says so."""
    rng = np.random.default_rng(1)
    rows = "\n".join(f"{a},{b:.4f}" for a, b in zip(rng.integers(0, 2, 60_000), rng.normal(size=60_000), strict=True))
    write(
        tmp_path, m_ppl="a ~ Normal(0, 1)\nb ~ Normal(0, 1)\ny ~ Bernoulli(logit = a + b*x)\n", d_csv=f"y,x\n{rows}\n"
    )
    command = [sys.executable, "-m", "ppl", "fit", "m.ppl", "d.csv", "--guide", "chains", "-o", "fit.nc"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("observed")
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    if (tmp_path / "fit.nc").exists():
        assert ppl.read_fit(tmp_path / "fit.nc").verdict != "good"


def test_readme_shows_what_the_first_command_prints(ppl_command: Run) -> None:
    """Every line of the README's table stands in the output, its numbers to two digits."""
    readme = (MODELS.parent / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```")[1].strip().splitlines()
    done = ppl_command("fit", *SCHOOLS)
    printed = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    for line in shown:
        if line == "..." or "Pareto k" in line:
            continue
        candidates = [other.split() for other in printed if other.split()[:1] == line.split()[:1]]
        assert candidates, line
        for ours, theirs in zip(line.split()[1:], candidates[0][1:], strict=True):
            try:
                assert float(ours) == pytest.approx(float(theirs), rel=0.02, abs=0.02)
            except ValueError:
                assert ours == theirs
