"""Fits of all models in models/, made once, and the command line run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import ppl
from ppl.cli import main
from tests.conftest import MODELS

NAMES = sorted(path.stem for path in MODELS.glob("*.ppl"))


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Command = Callable[..., Done]


def run(*arguments: object) -> Done:
    """`ppl ARGUMENTS...`, without a process of its own."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["ppl", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
    finally:
        sys.argv = before
    assert "Traceback" not in err.getvalue()
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all models, their data, and a fit NAME.nc of each."""
    folder = tmp_path_factory.mktemp("shop")
    for name in NAMES:
        for ending in ("ppl", "csv"):
            shutil.copy(MODELS / f"{name}.{ending}", folder)
        ppl.load(folder / f"{name}.ppl").condition(folder / f"{name}.csv").fit(draws=500).save(folder / f"{name}.nc")
    return folder


@pytest.fixture
def command(shop: Path) -> Iterator[Command]:
    """The command line, with the folder of the fits as the current one."""
    before = Path.cwd()
    os.chdir(shop)
    yield run
    os.chdir(before)
