"""Draws of simulated names where their parameters are none the family can have, or larger than can be drawn."""

from __future__ import annotations

import numpy as np
import pytest

import ppl
from ppl.compile.simulate import simulate

WRONG = {
    "Normal(0, 1*m)": [2.0, -1.0, np.nan],
    "Normal(1*m, 1)": [2.0, np.inf, np.nan],
    "Gamma(1*m, 1)": [2.0, -1.0, np.nan],
    "StudentT(1*m, 0, 1)": [2.0, -1.0, np.nan],
    "Beta(2, 1*m)": [2.0, 0.0, np.nan],
    "Poisson(1*m)": [2.0, -1.0, np.nan],
    "Binomial(10, 1*m)": [0.5, 1.5, np.nan],
    "Bernoulli(1*m)": [0.5, 1.5, np.nan],
    "NegBinomial(1*m, 2)": [2.0, -1.0, np.nan],
    "Categorical([m, 1 - m])": [0.5, 1.5, np.nan],
    "MvNormal([m, 0], [[1*m, 0], [0, 1]])": [2.0, np.nan, np.nan],
}


def draws_at(distribution: str, m: list[float]) -> np.ndarray:
    model = ppl.from_text(f"m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nx ~ {distribution}").condition({"y": 1.0}).model
    return simulate(model, {"m": np.array(m)}, len(m), np.random.default_rng(1))["x"]


@pytest.mark.parametrize("distribution", WRONG)
def test_wrong_parameters_give_no_number(distribution: str) -> None:
    found = draws_at(distribution, WRONG[distribution]).reshape(3, -1)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()
    assert np.isnan(draws_at(distribution, WRONG[distribution][1:])).all()


@pytest.mark.parametrize("distribution", ["Poisson(1*m)", "NegBinomial(1*m, 2)", "Poisson(log=log(m))"])
def test_rates_beyond_reason_are_capped(distribution: str) -> None:
    found = draws_at(distribution, [3.0, 1e300])
    assert found[0] < 1000
    assert 1e16 < found[1] < 1e19
