"""Log tail probabilities -> autograd primitives that hold where the probability itself underflows.

There the incomplete gamma and beta functions come from a series or a continued fraction instead of scipy. Derivatives
by x are density over probability; by the other arguments they are central differences, good to about 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric.special import elementwise, lbeta, lgamma, numeric_partial
from ppl.numeric.ufuncs import special

Function = Callable[..., Any]
_UNDERFLOWS = 1e-250  # below it scipy (1.17) is off by factors for large arguments of betainc
_TINY = 1e-300  # stands for zero in a denominator
_MOST_STEPS = 10_000


def cdf_within(log_cdf: Function, upper: float = numpy.inf) -> Function:
    """log P(X <= x) for any x, from what holds between 0 and `upper`, where X lies; beyond, the gradient is 0."""
    return _constant_beyond(log_cdf, -numpy.inf, 0.0, upper)


def sf_within(log_sf: Function, upper: float = numpy.inf) -> Function:
    """The same for log P(X > x)."""
    return _constant_beyond(log_sf, 0.0, -numpy.inf, upper)


def _constant_beyond(log_tail: Function, below: float, above: float, upper: float) -> Function:
    def whole(x: Any, *parameters: Any) -> Any:
        inside = (x > 0) & (x < upper)
        found = log_tail(np.where(inside, x, 0.5), *parameters)
        return np.where(inside, found, np.where(x < upper, below, above))

    return whole


def _log_or(far: Function, probability: Any, *arguments: Any) -> Any:
    """log of a probability; where that underflows, `far(*arguments)`."""
    result = numpy.asarray(numpy.log(probability))
    tiny = numpy.broadcast_to(probability < _UNDERFLOWS, result.shape)
    if tiny.any():
        result[tiny] = far(*(numpy.broadcast_to(argument, result.shape)[tiny] for argument in arguments))
    return result


def _lower_gamma_far(a: Any, x: Any) -> Any:
    """x**a exp(-x) / gamma(a + 1) (1 + x/(a+1) + x**2/((a+1)(a+2)) + ...), DLMF 8.7.1."""
    term, total = numpy.ones(x.shape), numpy.ones(x.shape)
    for k in range(1, _MOST_STEPS):
        term = term * x / (a + k)
        total = total + term
        if not (term > 1e-17 * total).any():
            break
    return a * numpy.log(x) - x - special.gammaln(a + 1) + numpy.log(total)


def _continued_fraction(start: Any, steps: Function) -> Any:
    """start + a_1/(b_1 + a_2/(b_2 + ...)) by Lentz's method; `steps(k)` gives a_k and b_k."""
    value = numpy.where(start == 0, _TINY, start)
    c, d = value, numpy.zeros(value.shape)
    for k in range(1, _MOST_STEPS):
        a, b = steps(k)
        d = b + a * d
        d = 1 / numpy.where(d == 0, _TINY, d)
        c = b + a / c
        c = numpy.where(c == 0, _TINY, c)
        value = value * c * d
        if not (numpy.abs(c * d - 1) > 1e-15).any():
            break
    return value


def _upper_gamma_far(a: Any, x: Any) -> Any:
    """x**a exp(-x) / gamma(a) over a continued fraction, DLMF 8.9.2 in its even part."""
    fraction = _continued_fraction(x + 1 - a, lambda k: (k * (a - k), x + 2 * k + 1 - a))
    return a * numpy.log(x) - x - special.gammaln(a) - numpy.log(fraction)


def _beta_far(a: Any, b: Any, x: Any, rest: Any) -> Any:
    """x**a (1-x)**b / (a B(a, b)) over a continued fraction, DLMF 8.17.22; `rest` is 1 - x."""

    def steps(k: int) -> tuple[Any, float]:
        m = k // 2
        if k % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1.0
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1.0

    fraction = _continued_fraction(numpy.ones(x.shape), steps)
    return a * numpy.log(x) + b * numpy.log(rest) - special.betaln(a, b) - numpy.log(a) - numpy.log(fraction)


def _log_gamma_cdf(a: Any, x: Any) -> Any:
    return _log_or(_lower_gamma_far, special.gammainc(a, x), a, x)


def _log_gamma_sf(a: Any, x: Any) -> Any:
    return _log_or(_upper_gamma_far, special.gammaincc(a, x), a, x)


def _log_beta_cdf(a: Any, b: Any, x: Any) -> Any:
    return _log_or(_beta_far, special.betainc(a, b, x), a, b, x, 1 - x)


def _log_beta_sf(a: Any, b: Any, x: Any) -> Any:
    return _log_or(_beta_far, special.betaincc(a, b, x), b, a, 1 - x, x)


def _student_far(df: Any, t: Any) -> Any:
    """Half of the probability that a Beta(df/2, 1/2) variable is below df / (df + t**2)."""
    square = t * t
    return _beta_far(0.5 * df, 0.5 + 0 * df, df / (df + square), square / (df + square)) - numpy.log(2)


def _log_student_cdf(df: Any, t: Any) -> Any:
    nowhere = numpy.isneginf(t)
    t = numpy.where(nowhere, 0.0, t)
    return numpy.where(nowhere, -numpy.inf, _log_or(_student_far, special.stdtr(df, t), df, t))


def _gamma_log_density(a: Any, x: Any) -> Any:
    return (a - 1) * np.log(x) - x - lgamma(a)


def _beta_log_density(a: Any, b: Any, x: Any) -> Any:
    return (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - lbeta(a, b)


def _student_log_density(df: Any, t: Any) -> Any:
    return -lbeta(0.5 * df, 0.5) - 0.5 * np.log(df) - 0.5 * (df + 1) * np.log1p(t * t / df)


log_gamma_cdf: Function = elementwise(
    _log_gamma_cdf,
    numeric_partial(_log_gamma_cdf, 0),
    lambda a, x: np.exp(_gamma_log_density(a, x) - log_gamma_cdf(a, x)),
    name="log_gamma_cdf",
)
log_gamma_sf: Function = elementwise(
    _log_gamma_sf,
    numeric_partial(_log_gamma_sf, 0),
    lambda a, x: -np.exp(_gamma_log_density(a, x) - log_gamma_sf(a, x)),
    name="log_gamma_sf",
)
log_beta_cdf: Function = elementwise(
    _log_beta_cdf,
    numeric_partial(_log_beta_cdf, 0),
    numeric_partial(_log_beta_cdf, 1),
    lambda a, b, x: np.exp(_beta_log_density(a, b, x) - log_beta_cdf(a, b, x)),
    name="log_beta_cdf",
)
log_beta_sf: Function = elementwise(
    _log_beta_sf,
    numeric_partial(_log_beta_sf, 0),
    numeric_partial(_log_beta_sf, 1),
    lambda a, b, x: -np.exp(_beta_log_density(a, b, x) - log_beta_sf(a, b, x)),
    name="log_beta_sf",
)
log_student_cdf: Function = elementwise(
    _log_student_cdf,
    numeric_partial(_log_student_cdf, 0),
    lambda df, t: np.exp(_student_log_density(df, t) - log_student_cdf(df, t)),
    name="log_student_cdf",
)
