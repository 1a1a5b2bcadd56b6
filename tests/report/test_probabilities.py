"""Posterior probabilities of discrete values: in the table, in JSON, in the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.report import tables

Y = np.array([-1.2, 2.0, 2.5])
TEXT = "mu ~ Normal(0, 1)\nz[N] ~ Categorical([0.3, 0.7])\ny ~ Normal([-1, 1][z], 1)\nx ~ Normal(mu, 1)"


@pytest.fixture(scope="module")
def fit() -> ppl.Fit:
    return ppl.from_text(TEXT).condition({"y": Y, "N": 3, "x": Y}).fit()


def _exact() -> np.ndarray:
    weights = np.array([0.3, 0.7]) * stats.norm.pdf(Y[:, None], [-1, 1], 1)
    return (weights / weights.sum(axis=1, keepdims=True)).T


def test_they_are_exact(fit: ppl.Fit) -> None:
    np.testing.assert_allclose(fit.probabilities["z"], _exact(), rtol=1e-12)


def test_the_table_shows_them(fit: ppl.Fit) -> None:
    lines = str(fit.summary()).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("probability of"))
    assert lines[start].split() == ["probability", "of", "1", "2"]
    assert lines[start + 1].split() == ["z[1]", *(f"{p:.3f}" for p in _exact()[:, 0])]


def test_json(fit: ppl.Fit) -> None:
    found = json.loads(tables.as_json(fit.record))["probabilities"]
    assert list(found) == ["z[1]", "z[2]", "z[3]"]
    assert found["z[2]"]["2"] == pytest.approx(_exact()[1, 1])


def test_the_file_holds_them(fit: ppl.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.probabilities["z"], fit.probabilities["z"])
    assert again.record.probabilities["z"].values == ("1", "2")
    assert str(again.summary()) == str(fit.summary())


def test_levels_name_the_values() -> None:
    data = {"g": np.array(["a", "b", None, "b"], dtype=object), "y": np.array([0.1, 1.0, 0.9, 1.2])}
    text = "w[2] ~ Dirichlet(1)\nm[g] ~ Normal(0, 1)\ng ~ Categorical(w)\ny ~ Normal(m[g], 1)"
    fit = ppl.from_text(text).condition(data).fit()
    assert fit.record.probabilities["g"].values == ("a", "b")
    assert fit.probabilities["g"].sum() == pytest.approx(1.0)


def test_a_rare_value_is_no_long_tail() -> None:
    """Few draws of a value that hardly ever occurs say nothing against the fit."""
    text = "mu ~ Normal(0, 1)\nz ~ Bernoulli(0.001)\ny ~ Normal(mu + 0.1*z, 1)"
    assert ppl.from_text(text).condition({"y": Y}).fit().verdict == "good"
