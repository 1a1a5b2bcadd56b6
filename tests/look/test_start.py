"""`ppl new`, `ppl doctor` and `ppl completion`: the first things a newcomer does."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import ppl
from ppl.cli import doctor
from tests.conftest import MODELS
from tests.look.conftest import NAMES, Command


def test_new_lists_all_examples(command: Command) -> None:
    done = command("new")
    assert done.code == 0
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.out.splitlines()}
    assert sorted(listed) == NAMES
    assert listed["eight_schools"] == "Eight schools coached their pupils for a test (Rubin 1981)."
    assert listed["beta_binomial"] == "Which share of a lot of seed germinates?"
    assert all(len(about) > 20 and about[-1] in ".?" for about in listed.values())
    assert "ppl new NAME" in done.err


@pytest.mark.parametrize("name", NAMES)
def test_new_copies_what_can_be_fitted(name: str, command: Command, in_folder: Path) -> None:
    done = command("new", name, "mine/first")
    assert done.code == 0
    assert done.out.splitlines() == [f"mine/first/{name}.ppl", f"mine/first/{name}.csv"]
    assert done.err == f"to fit it: ppl fit mine/first/{name}.ppl mine/first/{name}.csv\n"
    for line in done.out.splitlines():
        assert Path(line).read_bytes() == (MODELS / Path(line).name).read_bytes()
    assert ppl.load(f"mine/first/{name}.ppl").condition(f"mine/first/{name}.csv").model.observed


def test_new_overwrites_nothing(command: Command, in_folder: Path) -> None:
    (in_folder / "poisson.csv").write_text("mine")
    done = command("new", "poisson")
    assert (done.code, done.out) == (6, "")
    assert done.err == "poisson.csv is there already; name another folder\n"
    assert (in_folder / "poisson.csv").read_text() == "mine"
    assert not (in_folder / "poisson.ppl").exists()


def test_new_refuses(command: Command, in_folder: Path) -> None:
    done = command("new", "eight_school")
    assert (done.code, done.err) == (2, "there is no example `eight_school`; did you mean `eight_schools`?\n")
    (in_folder / "file").write_text("")
    assert command("new", "poisson", "file").code == 2


def test_doctor(command: Command) -> None:
    done = command("doctor")
    assert done.code == 0
    for word in ("ppl", ppl.__version__, "python", "numpy", "scipy", "jinja2", "plot", "notebook", "cores", "BLAS"):
        assert word in done.out
    assert "MISSING" not in done.out


def test_doctor_says_what_is_missing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    known = doctor.version

    def lacking(name: str) -> str:
        if name in ("matplotlib", "xarray", "lark"):
            raise PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(doctor, "version", lacking)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    done = command("doctor")
    assert done.code == 6, "lark is needed"
    assert "MISSING: pip install lark" in done.out
    assert "lacks matplotlib: pip install 'ppl[plot]'  (`ppl plot`, and the pictures of `ppl report`)" in done.out
    assert "lacks xarray: pip install 'ppl[notebook]'" in done.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, command: Command) -> None:
    done = command("completion", shell)
    assert done.code == 0
    assert "_PPL_COMPLETE" in done.out
    assert "ppl completion" in done.err
    assert command("completion", "cmd").code == 2


def test_completion_completes(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the script asks ppl for: the commands that begin so."""
    monkeypatch.setenv("_PPL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "ppl pl")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert "plain,plot" in command().out
