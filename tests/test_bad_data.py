"""Every data file in tests/bad_data is refused with the message that stands beside it.

NAME.csv, .tsv, .json, .npz or .parquet is the data, NAME.expected the whole message; NAME.ppl is the model, where it
takes one to show the mistake (else `model.ppl`, y ~ Normal(mu, sigma) with sigma a column).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ppl

BAD = Path(__file__).parent / "bad_data"
ENDINGS = {".csv", ".tsv", ".json", ".npz", ".parquet", ".txt"}


@pytest.mark.parametrize("data", sorted(p for p in BAD.iterdir() if p.suffix in ENDINGS), ids=lambda path: path.name)
def test_message(data: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    model = f"{data.stem}.ppl" if (BAD / f"{data.stem}.ppl").exists() else "model.ppl"
    with pytest.raises(ppl.PplError) as caught:
        ppl.load(model).condition(data.name)
    golden(data.with_name(f"{data.name}.expected"), f"exit {caught.value.exit_code}\n{caught.value}\n")


def test_there_are_enough() -> None:
    assert len(list(BAD.glob("*.expected"))) >= 40
