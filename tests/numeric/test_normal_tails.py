"""Log tails of laws made from the normal one beside the integral of their density, scaled so as not to underflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from ppl.numeric import normal_tails as tails
from tests.witness import assert_close, assert_gradients


def log_integral(log_density: Callable[[float], float], x: float, way: float) -> float:
    """log of the integral from x on, upwards or downwards, of a density that falls that way."""
    step = 1e-6 * max(1.0, abs(x)) * way
    slope = max(-(log_density(x + step) - log_density(x - step)) / (2 * abs(step)), 1e-3)
    whole = integrate.quad(
        lambda v: np.exp(log_density(x + way * v / slope) - log_density(x)), 0, 60, epsabs=0, epsrel=1e-11, limit=500
    )[0]
    return float(log_density(x) + np.log(whole / slope))


def skew_normal(shape: float) -> Callable[[float], float]:
    return lambda z: float(np.log(2) + stats.norm.logpdf(z) + stats.norm.logcdf(shape * z))


def ex_gaussian(r: float) -> Callable[[float], float]:
    return lambda z: float(np.log(r) + r * r / 2 - r * z + stats.norm.logcdf(z - r))


def inverse_gaussian(mean: float, shape: float) -> Callable[[float], float]:
    return lambda x: float(
        0.5 * np.log(shape / (2 * np.pi)) - 1.5 * np.log(x) - shape * (x - mean) ** 2 / (2 * mean**2 * x)
    )


@pytest.mark.parametrize("shape", [-20.0, -1.5, -0.1, 0.0, 0.3, 2.0, 15.0])
@pytest.mark.parametrize("z", [-45.0, -6.0, -3.4, -2.0])
def test_skew_normal(z: float, shape: float) -> None:
    expected = log_integral(skew_normal(shape), z, -1.0)
    assert_close(tails.log_skew_normal_cdf(z, shape), expected, 1e-8, 1e-9)
    if z > -40:  # beyond, differences have lost their digits
        assert_gradients(tails.log_skew_normal_cdf, z, shape)


@pytest.mark.parametrize("shape", [400.0, 1e6])
def test_skew_normal_beside_its_edge(shape: float) -> None:
    """Below half of a normal law there is almost nothing, and above 0 that half."""
    for z in (-2 / shape, -0.5 / shape):
        expected = log_integral(skew_normal(shape), z, -1.0)
        assert_close(tails.log_skew_normal_cdf(z, shape), expected, 1e-7, 0)
    assert_close(tails.log_skew_normal_cdf(0.01, shape), np.log(2 * stats.norm.cdf(0.01) - 1), 2e-3, 0)


@pytest.mark.parametrize("r", [0.01, 0.8, 5.0])
@pytest.mark.parametrize("z", [-40.0, -7.0, -1.2])
def test_ex_gaussian_below(z: float, r: float) -> None:
    assert_close(tails.log_ex_gaussian_cdf(z, r), log_integral(ex_gaussian(r), z, -1.0), 1e-8, 1e-8)
    assert_gradients(tails.log_ex_gaussian_cdf, z, r)


@pytest.mark.parametrize("r", [0.3, 0.8, 5.0])
@pytest.mark.parametrize("z", [7.0, 60.0])
def test_ex_gaussian_above(z: float, r: float) -> None:
    assert_close(tails.log_ex_gaussian_sf(z, r), log_integral(ex_gaussian(r), z, 1.0), 1e-8, 1e-8)
    assert_gradients(tails.log_ex_gaussian_sf, z, r)


@pytest.mark.parametrize("x", [5.0, 90.0, 3000.0])
def test_inverse_gaussian_above(x: float) -> None:
    arguments: tuple[Any, ...] = (x, 2.0, 3.0)
    assert_close(tails.log_inverse_gaussian_sf(*arguments), log_integral(inverse_gaussian(2, 3), x, 1.0), 1e-8, 0)
    assert_gradients(tails.log_inverse_gaussian_sf, *arguments)


@pytest.mark.parametrize("x", [0.4, 0.02, 0.001])
def test_inverse_gaussian_below(x: float) -> None:
    """By way of 1/x, whose density falls there."""
    density = inverse_gaussian(2, 3)
    expected = log_integral(lambda y: density(1 / y) - 2 * np.log(y), 1 / x, 1.0)
    assert_close(tails.log_inverse_gaussian_cdf(x, 2.0, 3.0), expected, 1e-8, 1e-9)
    assert_gradients(tails.log_inverse_gaussian_cdf, x, 2.0, 3.0)
