"""Elementwise functions beside plain Python, and their first and second derivatives beside differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from scipy import special as scipy_special

from ppl.numeric import special
from tests.witness import assert_close, assert_gradients, functions_of

REAL = np.array([-7.3, -2.1, -0.8, -0.2, 0.3, 0.9, 1.7, 4.4, 9.6])
POSITIVE = np.array([0.05, 0.4, 0.9, 1.6, 3.3, 8.0, 40.0])
UNIT = np.array([0.02, 0.2, 0.5, 0.7, 0.97])
OTHER = np.array([2.5, 0.35, -1.2])[:, None]  # second arguments, over an axis in front
OTHER_POSITIVE = np.array([2.5, 0.3, 1.2])[:, None]


def log1mexp(x: float) -> float:
    return math.log(-math.expm1(x)) if x > -1e-3 else math.log1p(-math.exp(x))


def log_phi(x: float) -> float:
    """By the complement of erf where that does not underflow."""
    return math.log(math.erfc(-x / math.sqrt(2)) / 2)


def normal_density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Row:
    """A function, what it says at one number at a time, and arguments, away from its kinks."""

    function: Callable[..., Any]
    witness: Callable[..., float]
    arguments: tuple[np.ndarray, ...] = (REAL,)
    by: tuple[int, ...] | None = None  # the arguments it is differentiated by
    times: int = 2  # how often it can be differentiated


ROWS = {
    "exp": Row(special.exp, math.exp),
    "expm1": Row(special.expm1, math.expm1),
    "log": Row(special.log, math.log, (POSITIVE,)),
    "log10": Row(special.log10, math.log10, (POSITIVE,)),
    "log1p": Row(special.log1p, math.log1p, (POSITIVE,)),
    "sqrt": Row(special.sqrt, math.sqrt, (POSITIVE,)),
    "square": Row(special.square, lambda x: x * x),
    "reciprocal": Row(special.reciprocal, lambda x: 1 / x),
    "absolute": Row(special.absolute, abs),
    "floor": Row(special.floor, math.floor),
    "sin": Row(special.sin, math.sin),
    "cos": Row(special.cos, math.cos),
    "tan": Row(special.tan, math.tan),
    "tanh": Row(special.tanh, math.tanh),
    "relu": Row(special.relu, lambda x: max(x, 0.0)),
    "divide": Row(special.divide, lambda x, y: x / y, (REAL, OTHER)),
    "power": Row(special.power, math.pow, (POSITIVE, OTHER)),
    "power of a negative": Row(special.power, math.pow, (REAL, np.array([[-2.0], [3.0]])), (0,)),
    "smaller": Row(special.smaller, min, (REAL, OTHER)),
    "larger": Row(special.larger, max, (REAL, OTHER)),
    "choose": Row(special.choose, lambda test, x, y: x if test else y, (np.array([0, 1, 2]), OTHER, OTHER.T), (1, 2)),
    "inv_logit": Row(special.inv_logit, lambda x: 1 / (1 + math.exp(-x))),
    "logit": Row(special.logit, lambda p: math.log(p / (1 - p)), (UNIT,)),
    "softplus": Row(special.softplus, lambda x: math.log1p(math.exp(x))),
    "erf": Row(special.erf, math.erf),
    "Phi": Row(special.Phi, lambda x: math.erfc(-x / math.sqrt(2)) / 2),
    "log_Phi": Row(special.log_Phi, log_phi),
    "normal_density": Row(special.normal_density, normal_density),
    "inverse_mills": Row(special.inverse_mills, lambda x: normal_density(x) / math.exp(log_phi(x))),
    "lgamma": Row(special.lgamma, math.lgamma, (POSITIVE,)),
    "lbeta": Row(
        special.lbeta,
        lambda a, b: math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b),
        (POSITIVE, OTHER_POSITIVE),
    ),
    "lchoose": Row(
        special.lchoose,
        lambda n, k: math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1),
        (POSITIVE + 3, OTHER_POSITIVE),
    ),
    "log1mexp": Row(special.log1mexp, log1mexp, (-np.concatenate([POSITIVE, [0.69, 0.7]]),)),
    "weigh": Row(special.weigh, lambda g, slope: g * slope, (REAL, OTHER)),
    # zeta(s, x) is the sum over 1 / (x + k) ** s
    "trigamma": Row(special.trigamma, lambda x: scipy_special.zeta(2, x), (POSITIVE,)),
    "tetragamma": Row(special.tetragamma, lambda x: -2 * scipy_special.zeta(3, x), (POSITIVE,), times=1),
    "polygamma_3": Row(special.polygamma_3, lambda x: 6 * scipy_special.zeta(4, x), (POSITIVE,), times=0),
    "digamma": Row(
        special.digamma,
        lambda n: sum(1 / k for k in range(1, int(n))) - np.euler_gamma,
        (np.array([1.0, 2.0, 3.0, 10.0, 200.0]),),
    ),
}


def test_every_function_has_a_row() -> None:
    assert functions_of(special) - {"elementwise", "numeric_partial"} <= set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_value(name: str) -> None:
    row = ROWS[name]
    expected = np.vectorize(row.witness, otypes=[float])(*row.arguments)
    assert_close(row.function(*row.arguments), expected, 1e-12, 1e-12)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.times >= 1])
def test_first_derivative(name: str) -> None:
    row = ROWS[name]
    assert_gradients(row.function, *row.arguments, by=row.by)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.times >= 2])
def test_second_derivative(name: str) -> None:
    row = ROWS[name]
    for i in range(len(row.arguments)) if row.by is None else row.by:

        def slope(*arguments: Any, i: int = i) -> Any:
            return elementwise_grad(lambda *given: row.function(*given) + 0.0 * given[i], i)(*arguments)

        assert_gradients(slope, *row.arguments, by=row.by)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (special.softplus, (-1000.0,), 0.0),
        (special.softplus, (1000.0,), 1000.0),
        (special.inv_logit, (-700.0,), math.exp(-700)),
        (special.log_Phi, (-1e5,), -0.5e10 - math.log(1e5) - 0.5 * math.log(2 * math.pi) - 1e-10),
        (special.log_Phi, (40.0,), 0.0),
        (special.inverse_mills, (-1e8,), 1e8),  # -x - 1/x + ..., by the asymptotic series
        (special.inverse_mills, (-1e3,), 1e3 + 1e-3 - 2e-9),
        (special.inverse_mills, (60.0,), 0.0),
        (special.log1mexp, (-1e-300,), -300 * math.log(10)),
        (special.log1mexp, (-1e3,), 0.0),
        (special.lchoose, (1e10, 3.0), math.log(1e10 * (1e10 - 1) * (1e10 - 2) / 6)),
        (special.lchoose, (1e10, 0.0), 0.0),
        (special.lchoose, (7.0, 7.0), 0.0),
        (special.lchoose, (3.0, 4.0), -math.inf),
        (special.lchoose, (3.0, 5.0), -math.inf),
        (special.power, (0.0, 0.0), 1.0),
        (special.weigh, (0.0, math.inf), 0.0),
        (special.weigh, (0.0, math.nan), 0.0),
        (special.weigh, (2.0, math.inf), math.inf),
    ],
)
def test_value_far_out(function: Callable[..., Any], arguments: tuple[float, ...], expected: float) -> None:
    assert_close(function(*arguments), expected, 1e-12, 1e-300)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (special.absolute, 0.0, 0.0),
        (special.relu, 0.0, 0.0),
        (special.log_Phi, -1e8, 1e8),
        (special.softplus, 800.0, 1.0),
        (special.logit, 1e-300, 1e300),
        (lambda x: special.larger(x, 2.0), 2.0, 0.5),
        (lambda x: special.smaller(2.0, x), 2.0, 0.5),
        (lambda x: special.power(x, 0.0), 0.0, 0.0),
        (lambda x: special.power(x, 1.0), 0.0, 1.0),
        (lambda x: special.power(x, 2.0), 0.0, 0.0),
        (lambda y: special.power(0.0, y), 2.0, 0.0),
        (lambda x: special.choose(x > 0, special.log(x), x), 0.0, 1.0),
        (lambda x: special.choose(x > 0, special.sqrt(x), x), 0.0, 1.0),
        (lambda x: special.choose(x > 0, special.log(x), 3.0), -1.0, 0.0),
        (lambda x: special.choose(x != 0, special.reciprocal(x), 3.0), 0.0, 0.0),
        (lambda x: special.choose(x != 0, special.divide(1.0, x), 3.0), 0.0, 0.0),
        (lambda x: anp.where(x > 0, special.lgamma(x), 3.0), 0.0, 0.0),
        (lambda x: special.weigh(0.0, special.reciprocal(x)), 0.0, 0.0),
    ],
)
def test_slope_at_a_corner(function: Callable[[Any], Any], x: float, expected: float) -> None:
    """At kinks the middle; where the other branch was taken, nothing from this one."""
    assert_close(elementwise_grad(function)(np.array([x])), np.array([expected]), 1e-12, 0)


def test_partial_that_is_zero_or_missing() -> None:
    scaled = special.elementwise(lambda x, y, z: x * z, lambda x, y, z: z + 0 * x, None)
    assert grad(scaled, 0)(2.0, 3.0, 5.0) == 5.0
    assert grad(scaled, 1)(2.0, 3.0, 5.0) == 0.0
    with pytest.raises(NotImplementedError):
        grad(scaled, 2)(2.0, 3.0, 5.0)


def test_numeric_partial() -> None:
    by_second = special.numeric_partial(lambda x, y: x * np.exp(y), 1)
    assert_close(by_second(REAL, 0.3), REAL * math.exp(0.3), 1e-8, 0)
