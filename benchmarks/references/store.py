"""summaries -> models/NAME.reference.json, one line a parameter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "models"
_DIGITS = 6  # of the sd; the other numbers get as many decimals


def write(model: str, source: str, params: Mapping[str, Mapping[str, float]]) -> None:
    """`params` holds mean, sd, q5, q50, q95 and mcse_mean by label."""
    lines = [f"  {json.dumps(label, ensure_ascii=False)}: {_rounded(numbers)}" for label, numbers in params.items()]
    head = [f' "model": {json.dumps(model)},', f' "source": {json.dumps(source)},', ' "params": {']
    text = "\n".join(["{", *head, ",\n".join(lines), " }", "}"]) + "\n"
    (MODELS / f"{model}.reference.json").write_text(text, encoding="utf-8")


def _rounded(numbers: Mapping[str, float]) -> str:
    decimals = _DIGITS - 1 - math.floor(math.log10(numbers["sd"]))
    return json.dumps({key: round(float(value), decimals) for key, value in numbers.items()})
