"""Log tail probabilities beside scipy, and beside hypergeometric functions where scipy's underflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import special

from ppl.numeric import tails
from tests.witness import assert_close, assert_gradients


def log_gamma_series(a: Any, x: Any) -> Any:
    return a * np.log(x) - x - special.gammaln(a + 1) + np.log(special.hyp1f1(1, a + 1, x))


def log_gamma_asymptotic(a: Any, x: Any) -> Any:
    """By Tricomi's function."""
    return -x - special.gammaln(a) + np.log(special.hyperu(1 - a, 1 - a, x))


def log_beta_series(a: Any, b: Any, x: Any) -> Any:
    constant = -np.log(a) - special.betaln(a, b)
    return constant + a * np.log(x) + b * np.log1p(-x) + np.log(special.hyp2f1(a + b, 1, a + 1, x))


SIZES = np.array([0.3, 1.0, 2.7, 20.0])
PLACES = np.array([0.05, 0.6, 3.0, 30.0])[:, None]
SHARES = np.array([0.01, 0.3, 0.8, 0.99])[:, None]

NEAR = {  # the function, arguments, the probability by scipy
    "log_gamma_cdf": (tails.log_gamma_cdf, (SIZES, PLACES), special.gammainc),
    "log_gamma_sf": (tails.log_gamma_sf, (SIZES, PLACES), special.gammaincc),
    "log_beta_cdf": (tails.log_beta_cdf, (SIZES, SIZES[::-1] + 0.1, SHARES), special.betainc),
    "log_beta_sf": (tails.log_beta_sf, (SIZES, SIZES[::-1] + 0.1, SHARES), special.betaincc),
    "log_student_cdf": (
        tails.log_student_cdf,
        (SIZES, PLACES - 2.9),
        special.stdtr,
    ),  # with df = 1 scipy errs by 1e-9 beside 0
}

LARGE = np.array([200.0, 300.5, 2000.0])
SMALL = np.array([0.6, 1.4, 8.0])
FAR = {  # the function, arguments, its value by other functions
    "log_gamma_cdf": (tails.log_gamma_cdf, (LARGE, SMALL), log_gamma_series),
    "log_gamma_sf": (tails.log_gamma_sf, (SMALL, LARGE + 800), log_gamma_asymptotic),
    "log_beta_cdf": (tails.log_beta_cdf, (LARGE, SMALL, SMALL / 100), log_beta_series),
    "log_beta_sf": (tails.log_beta_sf, (SMALL, LARGE, 1 - SMALL / 100), lambda a, b, x: log_beta_series(b, a, 1 - x)),
    "log_student_cdf": (
        tails.log_student_cdf,
        (LARGE, -1000 * LARGE),
        lambda df, t: log_beta_series(df / 2, 0.5, df / (df + t * t)) - np.log(2),
    ),
}


@pytest.mark.parametrize(("function", "arguments", "probability"), NEAR.values(), ids=NEAR)
def test_near(function: Callable[..., Any], arguments: tuple[Any, ...], probability: Callable[..., Any]) -> None:
    assert_close(function(*arguments), np.log(probability(*arguments)), 1e-12, 1e-14)
    assert_gradients(function, *arguments)


@pytest.mark.parametrize(("function", "arguments", "value"), FAR.values(), ids=FAR)
def test_far(function: Callable[..., Any], arguments: tuple[Any, ...], value: Callable[..., Any]) -> None:
    expected = value(*arguments)
    assert (expected < -750).any()
    assert_close(function(*arguments), expected, 1e-12, 0)
    assert_gradients(function, *arguments)


@pytest.mark.parametrize("within", [tails.cdf_within, tails.sf_within])
@pytest.mark.parametrize("upper", [1.0, np.inf])
def test_constant_beyond_the_ends(within: Callable[..., Any], upper: float) -> None:
    """Where the tail inside has no finite slope, the one beyond is 0 all the same."""
    log_tail = within(lambda x, scale: -scale / x, upper)
    x = np.array([-np.inf, -1.0, 0.0, 0.5, upper, upper + 1])
    below, above = (-np.inf, 0.0) if within is tails.cdf_within else (0.0, -np.inf)
    assert_close(log_tail(x, np.full(6, 3.0)), np.array([below, below, below, -6.0, above, above]))
    assert_close(elementwise_grad(log_tail, 0)(x, np.full(6, 3.0)), np.array([0.0, 0.0, 0.0, 12.0, 0.0, 0.0]))
    assert_close(elementwise_grad(log_tail, 1)(x, np.full(6, 3.0)), np.array([0.0, 0.0, 0.0, -2.0, 0.0, 0.0]))


def test_the_ends_of_student_tails() -> None:
    """What is cut at one end alone is drawn between a number and infinity: all its draws were no numbers."""
    np.testing.assert_array_equal(tails.log_student_cdf(3.0, np.array([-np.inf, np.inf])), [-np.inf, 0.0])
