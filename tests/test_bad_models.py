"""Every model in tests/bad is refused with the message that stands beside it.

NAME.ppl is the model, NAME.csv and NAME.json its data (where neither stands, the table of `schools.csv`),
NAME.COLUMN.csv a table over the levels of a column, and NAME.expected the whole message. Where a NAME begins
with `relaxed_`, its `z` is to be relaxed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import ppl

BAD = Path(__file__).parent / "bad"


@pytest.mark.parametrize("model", sorted(BAD.glob("*.ppl")), ids=lambda path: path.stem)
def test_message(model: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    data = [f"{model.stem}{ending}" for ending in (".csv", ".json") if (BAD / f"{model.stem}{ending}").exists()]
    tables = {path.name.split(".")[1]: path.name for path in BAD.glob(f"{model.stem}.*.csv")}
    with pytest.raises(ppl.PplError) as caught:
        _loaded(model).condition(*(data or ["schools.csv"]), **tables).fit()
    golden(model.with_suffix(".expected"), f"exit {caught.value.exit_code}\n{caught.value}\n")


def _loaded(model: Path) -> ppl.Model:
    loaded = ppl.load(os.path.relpath(model, BAD))
    return loaded.relax("z") if model.stem.startswith("relaxed_") else loaded


def test_there_are_enough() -> None:
    assert len(list(BAD.glob("*.ppl"))) >= 60
