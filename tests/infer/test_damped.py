"""Damped Newton steps arrive where Newton's own do not."""

from __future__ import annotations

import numpy as np
import pytest

from ppl.infer.damped import damped_newton
from ppl.infer.optimise import Minimum


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x
    value = (1 - a) ** 2 + 100 * (b - a * a) ** 2
    return float(value), np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])


def rosenbrock_curved(x: np.ndarray) -> np.ndarray:
    a, b = x
    return np.array([[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200.0]])


def saddle(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x
    return float(0.25 * a**4 - 0.5 * a**2 + b * b), np.array([a**3 - a, 2 * b])


def start(function, at: list[float]) -> Minimum:
    value, gradient = function(np.array(at))
    return Minimum(np.array(at), value, gradient, (value,))


def test_along_a_curved_valley() -> None:
    found = damped_newton(rosenbrock, start(rosenbrock, [-1.2, 1.0]), rosenbrock_curved, 1e-12, 100)
    assert found.x == pytest.approx([1.0, 1.0], abs=1e-5)
    assert len(found.trace) < 40


def test_away_from_a_saddle() -> None:
    """Newton's own step from here leads to the saddle at 0."""
    found = damped_newton(saddle, start(saddle, [1e-3, 0.5]), lambda x: np.diag([3 * x[0] ** 2 - 1, 2.0]), 1e-12, 100)
    assert found.x == pytest.approx([1.0, 0.0], abs=1e-5)


def test_every_step_goes_down() -> None:
    found = damped_newton(rosenbrock, start(rosenbrock, [3.0, -2.0]), rosenbrock_curved, 1e-12, 100)
    assert (np.diff(found.trace) < 0).all()


def test_no_steps_without_a_finite_hessian() -> None:
    begin = start(rosenbrock, [0.0, 0.0])
    found = damped_newton(rosenbrock, begin, lambda x: np.full((2, 2), np.nan), 1e-12, 10)
    assert found.value == begin.value and found.trace == begin.trace
