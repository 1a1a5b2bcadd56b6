"""Fits that are watched, interrupted and resumed: what they show and leave behind; resumed ones end the same."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.cli.live import told
from ppl.infer import watch as watches
from ppl.infer.watch import Late, Progress, Watch
from ppl.report import checkpoint, recorded
from tests.conftest import MODELS

SCHOOLS = [str(MODELS / f"eight_schools.{ending}") for ending in ("ppl", "csv")]
SLOW = """k ~ Beta(2, 2)
s ~ HalfNormal(1)
h[1] = 0
for t in 2..n { h[t] = tanh(k*h[t-1]) + 0.1*x[t-1] }
x ~ Normal(h, s)
"""


@pytest.fixture(scope="module")
def schools() -> ppl.Posterior:
    return ppl.load(SCHOOLS[0]).condition(SCHOOLS[1])


@pytest.fixture(scope="module")
def whole(schools: ppl.Posterior) -> ppl.Fit:
    return schools.fit(guide="chains", draws=500)


@pytest.fixture
def at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports and checkpoints are as many as there could be."""
    monkeypatch.setattr(watches, "_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 0)


def stops_at(words: str, after: int = 1) -> Watch:
    """A watch that stops the fit at the so-manieth report that has these words, as Ctrl-C does."""
    left = [after]

    def report(progress: Progress) -> None:
        left[0] -= words in progress.phase
        if left[0] <= 0 and not watch.stopped:
            watch.stopped = True
            raise KeyboardInterrupt

    watch = Watch(report=report)
    return watch


def assert_same(found: ppl.Fit, expected: ppl.Fit) -> None:
    """To the last bit, but for the seconds."""
    assert (found.verdict, found.reasons, found.elbo) == (expected.verdict, expected.reasons, expected.elbo)
    assert found.rules == expected.rules
    assert found.record.evaluations == expected.record.evaluations
    np.testing.assert_array_equal(found.log_weights, expected.log_weights)
    np.testing.assert_array_equal(found.record.chosen, expected.record.chosen)
    for name, quantity in expected.record.quantities.items():
        for statistic in ("draws", "mean", "sd", "q5", "mcse", "behind_sd"):
            ours = getattr(found.record.quantities[name], statistic)
            np.testing.assert_array_equal(ours, getattr(quantity, statistic))
    for one, other in zip(found.record.tried, expected.record.tried, strict=True):
        assert (one.rung, one.verdict, one.path) == (other.rung, other.verdict, other.path)


@pytest.mark.usefixtures("at_every_step")
@pytest.mark.parametrize(("words", "after"), [("weights", 1), ("warm-up 3", 9), ("draw 7 of 25", 2), ("draw 61 of", 1)])
def test_resumed_fit_is_the_uninterrupted_one(
    schools: ppl.Posterior, whole: ppl.Fit, tmp_path: Path, words: str, after: int
) -> None:
    file = tmp_path / "fit.checkpoint"
    watch = stops_at(words, after)
    cut = schools.fit(guide="chains", draws=500, checkpoint=file, watch=watch)
    assert watch.stopped
    assert cut.verdict != "good"
    assert "interrupted" in cut.reasons[0]
    assert_same(schools.fit(guide="chains", draws=500, resume=file) if file.exists() else whole, whole)
    assert file.exists() == (words != "weights")


@pytest.mark.usefixtures("at_every_step")
def test_chains_that_were_judged_are_what_there_is(schools: ppl.Posterior) -> None:
    """Interrupted after the first look, at 25 draws: chains are the rung taken, at best usable."""
    found = schools.fit(guide="chains", draws=500, watch=stops_at("draw 40 of 50"))
    rhat = next(rule for rule in found.rules if rule.name == "R-hat")
    assert rhat.number is not None
    assert found.verdict != "good"
    assert "interrupted" in " ".join(found.reasons)


@pytest.mark.usefixtures("at_every_step")
def test_rungs_of_the_ladder_are_resumed(tmp_path: Path) -> None:
    """Coordinates that are centred in part, too; and a finished checkpoint gives the fit at once."""
    file = tmp_path / "fit.checkpoint"
    villages = ppl.load(MODELS / "varying_intercepts.ppl").condition(MODELS / "varying_intercepts.csv")
    expected = villages.fit(guide="partial", draws=500)
    cut = villages.fit(guide="partial", draws=500, checkpoint=file, watch=stops_at("partly centred", 10))
    assert cut.record.tried[0].rung.startswith("partly centred")
    assert cut.verdict != "good"
    assert_same(villages.fit(guide="partial", draws=500, resume=file), expected)
    again = Watch()
    assert_same(villages.fit(guide="partial", draws=500, resume=file, watch=again), expected)
    assert again.evaluations == 0


@pytest.mark.usefixtures("at_every_step")
def test_a_guide_that_was_under_way(schools: ppl.Posterior) -> None:
    """Draws of the best mean field that was seen; before there is any, an interruption is an interruption."""
    found = schools.fit(draws=500, watch=stops_at("guide", 3))
    assert found.verdict == "do not use"
    assert "before there was a first result" in found.reasons[0]
    assert np.isfinite(found.elbo)
    assert np.isfinite(found.draws["theta"]).all()
    assert found.record.quantities["mu"].sd > 0
    with pytest.raises(KeyboardInterrupt):
        schools.fit(watch=stops_at("", 1))


def test_a_record_that_takes_too_long(schools: ppl.Posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made anew of few draws, without the names that are simulated or derived."""
    made: Callable[..., object] = recorded.recorded
    calls = []

    def slow(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            raise Late
        return made(*arguments)

    monkeypatch.setattr(recorded, "recorded", slow)
    found = schools.fit(guide="meanfield")
    assert len(calls) == 2
    assert found.draws["mu"].shape == (1000,)
    assert len(found.log_weights) == 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "with --seed 1, not 2"),
        ({"draws": 600}, "with --draws 500, not 600"),
        ({"guide": "auto"}, "with --guide meanfield, not auto"),
    ],
)
def test_checkpoints_of_other_fits(
    schools: ppl.Posterior, tmp_path: Path, changes: dict[str, int], message: str
) -> None:
    file = tmp_path / "fit.checkpoint"
    schools.fit(guide="meanfield", draws=500, checkpoint=file)
    with pytest.raises(ppl.UsageError, match=message):
        schools.fit(resume=file, **{"guide": "meanfield", "draws": 500, **changes})


def test_checkpoints_that_cannot_be_used(schools: ppl.Posterior, tmp_path: Path) -> None:
    file = tmp_path / "fit.checkpoint"
    schools.fit(guide="meanfield", draws=500, checkpoint=file)
    text, data = (Path(name).read_text() for name in SCHOOLS)
    table = tmp_path / "other.csv"
    table.write_text(data.replace("28", "29"))
    with pytest.raises(ppl.UsageError, match=r"other data \(y\)"):
        ppl.load(SCHOOLS[0]).condition(table).fit(guide="meanfield", draws=500, resume=file)
    with pytest.raises(ppl.UsageError, match="another model"):
        ppl.from_text(text + "# more\n").condition(SCHOOLS[1]).fit(guide="meanfield", draws=500, resume=file)
    with pytest.raises(ppl.FileError, match="no such checkpoint"):
        schools.fit(resume=tmp_path / "none")
    with pytest.raises(ppl.FileError, match="is a folder"):
        schools.fit(resume=tmp_path)
    whole = file.read_bytes()
    other = tmp_path / "other.checkpoint"
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, x=np.zeros(3))
    for damaged in (b"", b"not at all", whole[: len(whole) // 2], whole[:3000] + b"\1" * 50 + whole[3050:]):
        other.write_bytes(damaged)
        with pytest.raises(ppl.FileError, match="damaged"):
            schools.fit(guide="meanfield", draws=500, resume=other)
    with pytest.raises(ppl.FileError, match="damaged"):
        schools.fit(guide="meanfield", draws=500, resume=foreign)
    with np.load(file) as kept:
        about = json.loads(bytes(kept["about"]))
        arrays = {name: kept[name] for name in kept.files if name not in ("about", "0/z")}
    np.savez(foreign, about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **arrays)
    with pytest.raises(ppl.FileError, match="damaged"):
        schools.fit(guide="meanfield", draws=500, resume=foreign)


def run(arguments: list[str], folder: Path, stderr: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ppl", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=stderr)


def test_ctrl_c(tmp_path: Path) -> None:
    """Off a terminal nothing is shown; the fit ends soon, exits with 130 and leaves a file that can be read."""
    x = np.random.default_rng(1).normal(size=3000).tolist()
    (tmp_path / "slow.ppl").write_text(SLOW)
    (tmp_path / "slow.json").write_text(json.dumps({"n": len(x), "x": x}))
    process = run(["fit", "slow.ppl", "slow.json", "-o", "fit.nc"], tmp_path, subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"observed")
    time.sleep(3)
    pressed = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert time.perf_counter() - pressed < 8  # 2 on a machine that does nothing else
    assert process.returncode == 130
    assert errors.decode().splitlines() == ["interrupted: this is what there is", "written to fit.nc"]
    found = ppl.read_fit(tmp_path / "fit.nc")
    assert found.verdict == "do not use"
    assert "interrupted" in found.reasons[0]


def test_a_line_on_a_terminal(tmp_path: Path) -> None:
    primary, secondary = pty.openpty()
    process = run(["fit", *SCHOOLS], tmp_path, secondary)
    os.close(secondary)
    written = b""
    try:
        while piece := os.read(primary, 65536):
            written += piece
    except OSError:
        pass
    os.close(primary)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = written.decode().split("\r")
    assert any(line.startswith("mean field") and "gradients" in line for line in lines)
    assert lines[-1] == ""  # the line is wiped
    assert not lines[-2].strip()
    assert b"gradients" not in output


def test_what_the_line_says() -> None:
    assert told(Progress("mean field", float("nan"), 0, 0.04)) == "mean field · 0 gradients · 0.0 s"
    expected = "chains, draw 3 of 25 · ELBO -1,234.50 nats · 5,120 gradients · 61.2 s"
    assert told(Progress("chains, draw 3 of 25", -1234.5, 5120, 61.24)) == expected


def test_output_and_checkpoint_are_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(["fit", *SCHOOLS, "-o", "a.nc", "--checkpoint", "a.nc"], tmp_path, subprocess.PIPE)
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 2
    assert b"is the checkpoint of this fit" in errors
