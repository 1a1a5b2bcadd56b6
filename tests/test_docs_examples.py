"""docs/examples: a page for every model of models/deep, with its text, commands that there are, and small pictures.

The fits take minutes and are run by docs/examples/make.py; here their commands are read as the command line reads them.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ppl.cli.group import commands
from ppl.report.plots.kinds import KINDS
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "examples"
MODELS = ROOT / "models" / "deep"
PAGES = sorted(set(FOLDER.glob("*.md")) - {FOLDER / "README.md"})
_LARGEST, _LARGEST_TOGETHER = 60_000, 1_000_000  # bytes


def block(page: Path, mark: str) -> str:
    [found] = re.findall(rf"^```{mark}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found


pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def test_every_model_has_a_page_and_the_index_names_it() -> None:
    assert [page.stem for page in PAGES] == sorted(path.stem for path in MODELS.glob("*.ppl"))
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"]({page.name})" not in index] == []


@pages
def test_shows_the_model_and_what_its_fit_says(page: Path) -> None:
    assert block(page, "ppl") == (MODELS / f"{page.stem}.ppl").read_text(encoding="utf-8")
    assert block(page, "text").startswith("verdict: ")
    for heading in ("## How to read it", "## What to distrust"):
        assert heading in page.read_text(encoding="utf-8")


@pages
def test_commands_are_as_the_command_line_takes_them(page: Path) -> None:
    """The first fits the model to its table; the others read what it writes."""
    lines = [shlex.split(line) for line in block(page, "sh").splitlines()]
    data = re.search(r"^# Data: (\S+?\.csv)", block(page, "ppl"), re.MULTILINE)
    assert data and lines[0][:4] == ["ppl", "fit", f"{page.stem}.ppl", data[1]]
    for _, command, *arguments in lines:
        context = commands.commands[command].make_context(command, list(arguments))  # exits where it does not hold
        if command == "fit":
            fit = context.params["output"]
        else:
            assert context.params["fit"] == fit
        if command == "plot":
            assert context.params["kind"] in KINDS


@pages
def test_pictures_are_those_of_its_commands(page: Path) -> None:
    drawn = [name for line in block(page, "sh").splitlines() for name in re.findall(r"-o (\S+\.png)", line)]
    shown = re.findall(r"!\[[^]]+\]\((\S+)\)", page.read_text(encoding="utf-8"))
    assert drawn == shown and drawn
    for name in shown:
        assert (FOLDER / name).read_bytes().startswith(b"\x89PNG")
        assert (FOLDER / name).stat().st_size < _LARGEST


def test_pictures_are_small_and_all_used() -> None:
    pictures = list(FOLDER.glob("*.png"))
    assert sum(path.stat().st_size for path in pictures) < _LARGEST_TOGETHER
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in pictures if f"({path.name})" not in shown] == []
