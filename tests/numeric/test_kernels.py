"""Covariance functions beside loops over pairs of points and scipy's distances, gradients beside differences."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from scipy.spatial.distance import cdist

from ppl.numeric import kernels
from tests.witness import assert_close, assert_gradients, functions_of

RNG = np.random.default_rng(8)
X, Y = RNG.standard_normal((5, 2)), RNG.standard_normal((3, 2))

PLAIN: dict[str, Callable[..., float]] = {  # of a distance, as the Functions Reference of Stan has them
    "exp_quad": lambda d, alpha, rho: alpha**2 * np.exp(-(d**2) / (2 * rho**2)),
    "matern32": lambda d, alpha, rho: alpha**2 * (1 + np.sqrt(3) * d / rho) * np.exp(-np.sqrt(3) * d / rho),
    "matern52": lambda d, alpha, rho: (
        alpha**2 * (1 + np.sqrt(5) * d / rho + 5 * d**2 / (3 * rho**2)) * np.exp(-np.sqrt(5) * d / rho)
    ),
    "periodic": lambda d, alpha, rho, period: alpha**2 * np.exp(-2 * np.sin(np.pi * d / period) ** 2 / rho**2),
}
NUMBERS = {name: (1.3, 0.7, 2.1)[: 3 if name == "periodic" else 2] for name in PLAIN}
kernel = pytest.mark.parametrize("name", PLAIN)


@kernel
@pytest.mark.parametrize("other", [X, Y])
def test_covariances(name: str, other: np.ndarray) -> None:
    distances = cdist(X, other)
    expected = np.array([[PLAIN[name](d, *NUMBERS[name]) for d in row] for row in distances])
    assert_close(getattr(kernels, name)(kernels.squared_distances(X, other), *NUMBERS[name]), expected, 1e-12, 1e-12)


@kernel
def test_gradients(name: str) -> None:
    function = getattr(kernels, name)
    distances = cdist(X, Y, "sqeuclidean")
    numbers = [np.array(number) for number in NUMBERS[name]]
    assert_gradients(function, distances, *numbers)
    by_draws = [number * np.array([0.8, 1.0, 1.4]).reshape(3, 1, 1) for number in numbers]
    assert_gradients(function, distances, *by_draws)


@kernel
def test_gradients_by_points(name: str) -> None:
    """With every point beside itself: by the points a kernel is smooth at distance 0, and has no pole."""

    def covariances(x: Any) -> Any:
        return getattr(kernels, name)(kernels.squared_distances(x, x), *NUMBERS[name])

    def between_two(x: Any) -> Any:
        return getattr(kernels, name)(kernels.squared_distances_on_line(x, np.array([0.4])), *NUMBERS[name])[0, 0]

    assert_gradients(covariances, X)
    slope = elementwise_grad(covariances)(X)
    assert np.isfinite(slope).all()
    assert grad(between_two)(np.array([0.4]))[0] == 0


@kernel
def test_gradients_by_scales_at_distance_zero(name: str) -> None:
    zeros = np.zeros((2, 2))
    slopes = [grad(lambda *n: anp.sum(getattr(kernels, name)(zeros, *n)), i)(*NUMBERS[name]) for i in range(2)]
    assert_close(slopes, [4 * 2 * NUMBERS[name][0], 0.0], 1e-14, 0)


@kernel
def test_second_derivatives(name: str) -> None:
    function = getattr(kernels, name)
    distances = cdist(X, Y, "sqeuclidean")
    first, *rest = (np.array(number) for number in NUMBERS[name])
    assert_gradients(elementwise_grad(lambda d: function(d, first, *rest)), distances)
    assert_gradients(elementwise_grad(lambda rho: anp.sum(function(distances, first, rho, *rest[1:]))), rest[0])


@kernel
def test_second_derivatives_at_distance_zero(name: str) -> None:
    distances = cdist(X, X, "sqeuclidean")
    first, rho, *rest = (np.array(number) for number in NUMBERS[name])
    assert_gradients(elementwise_grad(lambda r: anp.sum(getattr(kernels, name)(distances, first, r, *rest))), rho)


@pytest.mark.parametrize(("of_x", "of_y"), [((), ()), ((3,), ()), ((), (3,)), ((2, 1), (3,)), ((2, 3), (2, 3))])
def test_squared_distances(of_x: tuple[int, ...], of_y: tuple[int, ...]) -> None:
    x, y = RNG.standard_normal((*of_x, 4, 2)), RNG.standard_normal((*of_y, 3, 2))
    batch = np.broadcast_shapes(of_x, of_y)
    expected = np.empty((*batch, 4, 3))
    for place in np.ndindex(*batch):
        wide = np.broadcast_to(x, (*batch, 4, 2))[place], np.broadcast_to(y, (*batch, 3, 2))[place]
        expected[place] = cdist(*wide, "sqeuclidean")
    assert_close(kernels.squared_distances(x, y), expected, 1e-12, 1e-12)
    assert_gradients(kernels.squared_distances, x, y)
    line = kernels.squared_distances_on_line(x[..., 0], y[..., 0])
    assert_close(line, kernels.squared_distances(x[..., :1], y[..., :1]), 0, 0)
    assert_gradients(kernels.squared_distances_on_line, x[..., 0], y[..., 0])


def test_equal_points_are_at_distance_zero() -> None:
    far = 1e8 + RNG.standard_normal((6, 3))
    assert (np.diagonal(kernels.squared_distances(far, far)) == 0).all()


@pytest.mark.parametrize(
    "name", ["decay", "decay_slope", "rough_once", "rough_twice", "sinc", "sinc_slope", "sine_squared"]
)
def test_profiles(name: str) -> None:
    u = np.array([1e-7, 1e-5, 3e-5, 0.01, 0.7, 3.0, 40.0])
    s = np.sqrt(u)
    expected = {
        "decay": np.exp(-s),
        "decay_slope": -np.exp(-s) / (2 * s),
        "rough_once": (1 + s) * np.exp(-s),
        "rough_twice": (1 + s + s**2 / 3) * np.exp(-s),
        "sinc": np.sin(2 * s) / (2 * s),
        "sinc_slope": _sinc_slope(u),
        "sine_squared": np.sin(s) ** 2,
    }[name]
    assert_close(getattr(kernels, name)(u), expected, 1e-9, 1e-12)
    if name not in ("decay_slope", "sinc_slope"):
        assert_gradients(getattr(kernels, name), u[3:])


def _sinc_slope(u: np.ndarray) -> np.ndarray:
    """By the power series of sin(t) / t = sum (-4 u)^k / (2k + 1)!, in exact integers."""
    return np.array([sum(k * (-4.0) ** k * one ** (k - 1) / factorial(2 * k + 1) for k in range(1, 60)) for one in u])


def test_every_function_is_tested() -> None:
    assert functions_of(kernels) == {*PLAIN, "squared_distances", "squared_distances_on_line"}
