"""The commands about models as a user meets them: fmt, graph, and tables given as COLUMN=FILE."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import MODELS, Run

SCHOOLS = (MODELS / "eight_schools.ppl", MODELS / "eight_schools.csv")
UGLY = "mu~Normal(0,1)   # prior\ny~Normal( mu,1 )\n"
NEAT = "mu ~ Normal(0, 1)  # prior\ny ~ Normal(mu, 1)\n"
BROKEN = "mu ~ Normal(0,\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("ugly", UGLY), ("neat", NEAT), ("broken", BROKEN)):
        (tmp_path / f"{name}.ppl").write_text(text)
    (tmp_path / "d.csv").write_text("y,g\n1,a\n2,b\n3,a\n")
    (tmp_path / "groups.csv").write_text("g,u\nb,2\na,1\n")
    return tmp_path


def unformatted(folder: Path) -> bool:
    return (folder / "ugly.ppl").read_text() == UGLY


# -- fmt --------------------------------------------------------------------------------------------------------------


def test_fmt_writes_in_place(folder: Path, ppl_command: Run) -> None:
    (folder / "ugly.ppl").chmod(0o640)
    before = (folder / "neat.ppl").stat().st_mtime_ns
    done = ppl_command("fmt", "ugly.ppl", "neat.ppl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "ugly.ppl changed\n")
    assert (folder / "ugly.ppl").read_text() == NEAT
    assert stat.S_IMODE((folder / "ugly.ppl").stat().st_mode) == 0o640
    assert (folder / "neat.ppl").stat().st_mtime_ns == before
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]
    assert ppl_command("fmt", "ugly.ppl").stderr == ""


def test_fmt_follows_a_link(folder: Path, ppl_command: Run) -> None:
    os.symlink("ugly.ppl", folder / "link.ppl")
    assert ppl_command("fmt", "link.ppl").returncode == 0
    assert (folder / "link.ppl").is_symlink()
    assert (folder / "ugly.ppl").read_text() == NEAT


def test_fmt_check(folder: Path, ppl_command: Run) -> None:
    done = ppl_command("fmt", "--check", "ugly.ppl", "neat.ppl")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ugly.ppl would change\n")
    assert unformatted(folder)
    assert ppl_command("fmt", "--check", "neat.ppl").returncode == 0


def test_fmt_diff(folder: Path, ppl_command: Run) -> None:
    done = ppl_command("fmt", "--diff", "ugly.ppl", "neat.ppl")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["--- ugly.ppl", "+++ ugly.ppl"]
    assert "-y~Normal( mu,1 )\n" in done.stdout
    assert "+y ~ Normal(mu, 1)\n" in done.stdout
    assert unformatted(folder)
    both = ppl_command("fmt", "--diff", "--check", "ugly.ppl")
    assert both.returncode == 1
    assert both.stdout == done.stdout


def test_fmt_of_standard_input(ppl_command: Run) -> None:
    done = ppl_command("fmt", "-", input=UGLY)
    assert (done.returncode, done.stdout, done.stderr) == (0, NEAT, "")
    bad = ppl_command("fmt", "-", input=BROKEN)
    assert (bad.returncode, bad.stdout) == (4, "")
    assert bad.stderr.startswith("<standard input>:1:")


def test_fmt_leaves_a_file_with_mistakes_alone(folder: Path, ppl_command: Run) -> None:
    done = ppl_command("fmt", "broken.ppl", "ugly.ppl")
    assert done.returncode == 4
    assert "broken.ppl:1:12: error: this `(` is never closed" in done.stderr
    assert (folder / "broken.ppl").read_text() == BROKEN
    assert (folder / "ugly.ppl").read_text() == NEAT


def test_fmt_of_what_is_no_model(folder: Path, ppl_command: Run) -> None:
    assert ppl_command("fmt", "none.ppl").returncode == 6
    assert ppl_command("fmt", ".").returncode == 6
    assert ppl_command("fmt").returncode == 2
    assert ppl_command("fmt", "-", "ugly.ppl").returncode == 2
    (folder / "latin.ppl").write_bytes(b"# caf\xe9\n")
    assert "not UTF-8" in ppl_command("fmt", "latin.ppl").stderr


# -- graph ------------------------------------------------------------------------------------------------------------


def test_graph_formats(ppl_command: Run) -> None:
    texts = {form: ppl_command("graph", *SCHOOLS, "--format", form).stdout for form in ("dot", "mermaid", "json")}
    assert texts["dot"].startswith("digraph ")
    assert ppl_command("graph", *SCHOOLS).stdout == texts["dot"]
    assert texts["mermaid"].startswith("flowchart TD\n")
    roles = {node["name"]: node["role"] for node in json.loads(texts["json"])["nodes"]}
    assert roles == {
        "mu": "latent", "tau": "latent", "theta_raw": "latent", "theta": "derived", "y": "observed",
        "school": "data", "sigma": "data",
    }  # fmt: skip


def test_graph_is_written_in_the_format_of_the_ending(tmp_path: Path, ppl_command: Run) -> None:
    done = ppl_command("graph", *SCHOOLS, "-o", "g.svg")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("written to g.svg\n")
    assert ElementTree.parse(tmp_path / "g.svg").getroot().tag.endswith("svg")
    ppl_command("graph", *SCHOOLS, "-o", "g.json")
    json.loads((tmp_path / "g.json").read_text())
    ppl_command("graph", *SCHOOLS, "-o", "g.mmd")
    assert (tmp_path / "g.mmd").read_text().startswith("flowchart")


def test_graph_without_data(ppl_command: Run) -> None:
    done = ppl_command("graph", SCHOOLS[0], "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    plates = {plate["axis"]: plate["nodes"] for plate in json.loads(done.stdout)["plates"]}
    assert plates == {"school": ["theta_raw"]}


def test_graph_with_mistakes(folder: Path, ppl_command: Run) -> None:
    assert ppl_command("graph", "broken.ppl").returncode == 4
    assert ppl_command("graph", "neat.ppl", "d.csv", "-o", "none/g.svg").returncode == 6
    assert ppl_command("graph", "neat.ppl", "d.csv", "-o", "d.csv").returncode == 2
    assert ppl_command("graph", "neat.ppl", "--format", "png").returncode == 2


# -- tables over levels -----------------------------------------------------------------------------------------------


def test_a_table_over_levels(folder: Path, ppl_command: Run) -> None:
    (folder / "m.ppl").write_text("a[g] ~ Normal(u, 1)\ny ~ Normal(a[g], 1)\n")
    done = ppl_command("fit", "m.ppl", "d.csv", "g=groups.csv", "-o", "fit.nc", "--json")
    assert done.returncode == 0
    # a ~ Normal(1, 1) and the values 1 and 3: the mean is (1 + 1 + 3)/3
    assert json.loads(done.stdout)["variables"]["a[a]"]["mean"] == pytest.approx(5 / 3, abs=0.05)
    assert "u" in ppl_command("check", "m.ppl", "d.csv", "g=groups.csv").stdout
    missing = ppl_command("fit", "m.ppl", "d.csv")
    assert missing.returncode == 4
    assert "`u` is neither defined nor in the data" in missing.stderr


def test_mistakes_with_tables(folder: Path, ppl_command: Run) -> None:
    (folder / "m.ppl").write_text("a[g] ~ Normal(u, 1)\ny ~ Normal(a[g], 1)\n")
    none = ppl_command("fit", "m.ppl", "d.csv", "g=none.csv")
    assert (none.returncode, none.stderr) == (6, "none.csv: there is no such file\n")
    twice = ppl_command("fit", "m.ppl", "d.csv", "g=groups.csv", "g=d.csv")
    assert twice.returncode == 2
    assert "two tables are given for `g`" in twice.stderr
    other = ppl_command("fit", "m.ppl", "d.csv", "gg=groups.csv")
    assert other.returncode == 5
    assert "the data hold no column `gg`" in other.stderr
    own = ppl_command("fit", "m.ppl", "d.csv", "g=groups.csv", "-o", "groups.csv")
    assert own.returncode == 2


def test_a_file_may_have_an_equals_sign_in_its_name(folder: Path, ppl_command: Run) -> None:
    (folder / "y=1.csv").write_text("y\n1\n2\n")
    assert ppl_command("fit", "neat.ppl", "y=1.csv").returncode == 0


def test_a_reader_of_a_graph_that_leaves_early(folder: Path) -> None:
    command = f"{sys.executable} -m ppl graph {SCHOOLS[0]} {SCHOOLS[1]} --format svg | head -1"
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
