"""Weighted quantiles: the ones of whole sorted columns, whatever the bins that say where they lie."""

from __future__ import annotations

import numpy as np
import pytest

from ppl.report.summarise import weighted_quantiles

LEVELS = np.array([0.05, 0.5, 0.95])


def slowly(column: np.ndarray, weights: np.ndarray) -> list[float]:
    """One by one: between the two elements whose middles of weight lie around a level."""
    pairs = sorted(zip(column.tolist(), weights.tolist(), strict=True))
    found, before = [], 0.0
    middles = []
    for value, weight in pairs:
        middles.append((before + 0.5 * weight, value))
        before += weight
    for level in LEVELS:
        above = next(i for i, (middle, _) in enumerate(middles) if middle >= level)
        (m0, v0), (m1, v1) = middles[above - 1], middles[above]
        found.append(v0 + (v1 - v0) * (level - m0) / (m1 - m0))
    return found


@pytest.mark.parametrize("power", [0.0, 1.0, 8.0])
@pytest.mark.parametrize("count", [500, 40_000])
def test_weighted_quantiles(power: float, count: int) -> None:
    rng = np.random.default_rng(3)
    values = np.column_stack(
        [
            rng.normal(size=count),
            np.exp(5 * rng.normal(size=count)),
            np.sort(rng.random(count)),
            rng.standard_cauchy(count) ** 3,
            np.where(rng.random(count) < 0.5, 0.0, rng.normal(1.0, 1e-12, count)),
        ]
    )
    weights = rng.exponential(size=count) ** power
    weights /= weights.sum()
    found = weighted_quantiles(np.ascontiguousarray(values.T), weights, LEVELS)
    for i in range(values.shape[1]):
        np.testing.assert_allclose(found[:, i], slowly(values[:, i], weights), rtol=1e-9)


def test_one_value_and_infinite_ones() -> None:
    values = np.ones((40_000, 2))
    values[:20_000, 1] = np.inf
    found = weighted_quantiles(values.T, np.full(40_000, 1 / 40_000), LEVELS)
    np.testing.assert_array_equal(found[:, 0], 1.0)
    assert found[0, 1] == 1.0 and found[2, 1] == np.inf
