"""Quantiles of gamma distributions against scipy's, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ppl.numeric.gamma import quantiles


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.5, 20.0])
def test_quantiles(shape: float) -> None:
    edges = [1e-15, 1e-6, 0.0099999, 0.01, 0.0100001, 0.5, 0.9899999, 0.99, 0.9900001, 1 - 1e-15]
    u = np.concatenate([edges, np.random.default_rng(0).random(20_000)])
    found = quantiles(shape, u)
    np.testing.assert_allclose(found, stats.gamma(shape).ppf(u), rtol=3e-9)
    assert (np.diff(found[np.argsort(u)]) >= 0).all()


def test_none() -> None:
    assert quantiles(3.5, np.zeros(0)).shape == (0,)
