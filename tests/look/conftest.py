"""Fits of all models in models/, made once, and the command line run in this process, where warnings are errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ppl
from ppl.cli import main
from tests.conftest import MODELS

NAMES = sorted(path.stem for path in MODELS.glob("*.ppl"))


@pytest.fixture(scope="session")
def fits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The fit file of every model."""
    folder = tmp_path_factory.mktemp("fits")
    found = {}
    for name in NAMES:
        found[name] = folder / f"{name}.nc"
        ppl.load(MODELS / f"{name}.ppl").condition(MODELS / f"{name}.csv").fit(draws=300).save(found[name])
    return found


HOSTILE = """\
tau ~ HalfCauchy(5)
a[`<b>"x"</b> $\\alpha_1$`] ~ Normal(0, tau)
β[größe] ~ Normal(0, 1)
w ~ Cauchy(0, 1)
k = exp(exp(w))
c = 1 + 0*tau
n ~ Poisson(exp(tau))
`y & z` ~ Normal(a[`<b>"x"</b> $\\alpha_1$`] + β[größe], 1)
"""


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit with names that are markup, formulas and letters of other scripts; 200 groups with long labels; a constant,
    whole numbers, and draws that are infinite.
    """
    labels = [f"<script>alert({i})</script> is a very long label, the {i}th of 200" for i in range(100)]
    labels += [f"日本語 $x_{i}^2$ العربية" for i in range(100)]
    columns = {
        '<b>"x"</b> $\\alpha_1$': labels + labels,
        "größe": ["S", "M", "L", "हिन्दी"] * 100,
        "y & z": [((i * 7919) % 401 - 200) / 100 for i in range(400)],
    }
    path = tmp_path_factory.mktemp("hostile") / "<i>fit.nc"
    posterior = ppl.from_text(HOSTILE, "<img src=x onerror=alert(1)>.ppl").condition(columns)
    posterior.fit(draws=300, guide="meanfield").save(path)
    return path


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in an empty folder."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["ppl", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        found = capsys.readouterr()
        return Done(int(exit_.value.code or 0), found.out, found.err)

    return run


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Hide packages, as if they were not installed."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
