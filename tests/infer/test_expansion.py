"""Some rows made exact to second order about the mode: against all rows, and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from ppl.infer import expansion
from ppl.infer.climb import Summit
from ppl.infer.curvature import plan
from ppl.infer.draws import generator
from ppl.infer.expansion import Expanded
from ppl.infer.objective import MeanField

D, ROWS = 3, 400


class Logistic:
    """Rows x (N, D), all outcomes 1, counted `weight` times, and a standard normal prior."""

    dimension, draws_at_once = D, 64

    def __init__(self, x: np.ndarray, weight: float):
        self.x, self.weight = x, weight

    def value(self, z: np.ndarray) -> np.ndarray:
        return -self.weight * np.logaddexp(0, -z @ self.x.T).sum(axis=1) - 0.5 * (z**2).sum(axis=1)

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = 1 / (1 + np.exp(z @ self.x.T))
        return self.value(z), self.weight * p @ self.x - z


def logistic() -> tuple[Logistic, Logistic]:
    """All rows, and a quarter of them."""
    x = np.random.default_rng(3).normal(0.0, 1.0, (ROWS, D))
    return Logistic(x, 1.0), Logistic(x[: ROWS // 4], 4.0)


def about_the_mode(whole: Logistic, some: Logistic) -> tuple[Expanded, Summit]:
    start = Summit(MeanField(np.full(D, 0.3), np.full(D, -1.0)), 60 * np.eye(D), 0.0, True)
    found = expansion.expanded(whole, some, start, plan(np.ones((D, D), dtype=bool)))
    assert found is not None
    return found


def test_exact_to_second_order_about_the_mode() -> None:
    whole, some = logistic()
    by_some, summit = about_the_mode(whole, some)
    np.testing.assert_allclose(whole.value_and_gradient(summit.guide.mu[None])[1], 0, atol=0.5)
    along = np.array([0.5, -0.3, 0.8])
    near, far = (
        np.abs(whole.value(z) - by_some.value(z))[0] for z in (by_some.at + size * along[None] for size in (0.05, 0.1))
    )
    assert far < 0.02 * np.abs(whole.value(z := by_some.at + 0.1 * along[None]) - some.value(z))[0]
    assert far == pytest.approx(8 * near, rel=0.2)  # the third order is the first that is left
    p = 1 / (1 + np.exp(whole.x @ by_some.at))
    np.testing.assert_allclose(summit.precision, (whole.x * (p * (1 - p))[:, None]).T @ whole.x + np.eye(D), rtol=1e-4)


@pytest.mark.parametrize("size", [0.3, 3.0, 30.0])
def test_gradient(size: float) -> None:
    """Near the mode, and where the quadratic is what it is at some distance."""
    by_some = about_the_mode(*logistic())[0]
    z = by_some.at + size * np.random.default_rng(0).normal(0.0, 1.0, (5, D))
    value, gradient = by_some.value_and_gradient(z)
    np.testing.assert_array_equal(value, by_some.value(z))
    steps = 1e-5 * np.eye(D)
    differences = np.array([by_some.value(z + step) - by_some.value(z - step) for step in steps]).T / 2e-5
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-4)


def test_it_falls_far_out() -> None:
    """Though the quadratic rises without bound along a direction in which these rows are the more curved."""
    whole, some = logistic()
    by_some, _ = about_the_mode(whole, some)
    values, vectors = np.linalg.eigh(by_some.hessian)
    assert values[-1] > 1.0
    out = by_some.at + np.array([[300.0], [-300.0]]) * vectors[:, -1]
    assert (by_some.value(out) < by_some.value(by_some.at[None]) - 1000).all()


def test_no_mode() -> None:
    """A saddle is none."""

    class Saddle(Logistic):
        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return -(z**2) @ np.array([1.0, 1.0, -1.0]), -2 * z * np.array([1.0, 1.0, -1.0])

    start = Summit(MeanField(np.zeros(D), np.zeros(D)), np.eye(D), 0.0, True)
    saddle = Saddle(np.ones((4, D)), 1.0)
    assert expansion.expanded(saddle, saddle, start, plan(np.ones((D, D), dtype=bool))) is None


def test_misfit_is_that_of_weighted_draws() -> None:
    """A constant is none; what weighs nothing does not count."""
    whole, some = logistic()
    by_some, _ = about_the_mode(whole, some)
    z = by_some.at + np.random.default_rng(1).normal(0.0, 0.1, (500, D))
    off = whole.value(z) - by_some.value(z)
    found = expansion.misfit(whole, by_some, z, np.full(500, 1 / 500), generator(1, 2))
    assert found == pytest.approx(off.std(), rel=0.3)
    weights = np.where(np.arange(500) < 250, 1 / 250, 0.0)
    z[250:] = 1e3
    assert expansion.misfit(whole, by_some, z, weights, generator(1, 2)) < 1.0
