"""What was observed stands in the fit file as it was given, however the statements pick it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppl

MATRIX = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "loops": ("p ~ Beta(1, 1)\nfor i in 1..3, j in 1..2 { y[i,j] ~ Bernoulli(p) }", {"y": MATRIX}),
    "pieces": ("p ~ Beta(1, 1)\ny[:, 1] ~ Bernoulli(p)\nfor i in 1..3 { y[i,2] ~ Bernoulli(p/2) }", {"y": MATRIX}),
    "whole": ("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": MATRIX}),
    "gaps": ("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": np.array([1.0, np.nan, 2.0])}),
}


@pytest.mark.parametrize("name", CASES)
def test_columns(name: str, tmp_path: Path) -> None:
    text, data = CASES[name]
    fit = ppl.from_text(text).condition(data).fit()
    fit.save(tmp_path / "fit.nc")
    found = ppl.read_fit(tmp_path / "fit.nc").record.observed
    assert list(found) == ["y"]
    np.testing.assert_array_equal(found["y"].values, data["y"])


def test_texts_with_gaps(tmp_path: Path) -> None:
    data = {"g": np.array(["b", None, "a"], dtype=object), "y": np.ones(3)}
    fit = ppl.from_text("w[2] ~ Dirichlet(1)\ng ~ Categorical(w)\nlog(y) ~ Normal(w[1], 1)").condition(data).fit()
    fit.save(tmp_path / "fit.nc")
    found = ppl.read_fit(tmp_path / "fit.nc").record.observed
    assert [str(x) if isinstance(x, str) else x.decode() for x in found["g"].values.tolist()] == ["b", "", "a"]
    np.testing.assert_array_equal(found["log(y)"].values, np.zeros(3))
