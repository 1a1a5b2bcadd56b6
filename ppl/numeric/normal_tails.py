"""Log tail probabilities of laws made from the normal one -> autograd primitives, without cancellation in the tails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric.quadrature import shares_and_weights
from ppl.numeric.special import elementwise, log1mexp, log_Phi
from ppl.numeric.ufuncs import special

Function = Callable[..., Any]
ROOT_TWO = numpy.sqrt(2.0)
HALF_LOG_TWO_PI = 0.5 * numpy.log(2 * numpy.pi)
_POINTS = 80  # of an integral
_RARE = 1e-3  # a probability below which differences are no longer taken


def _integral(function: Function, start: Any, end: Any) -> Any:
    """By 80 points between `start` and `end`, elementwise; good to the last digits for what is smooth."""
    width = numpy.asarray(end - start)[..., None]
    shares, weights = shares_and_weights(_POINTS)
    values = function(numpy.asarray(start)[..., None] + width * shares)
    return 0.5 * width[..., 0] * numpy.sum(weights * values, axis=-1)


def _erfcx_drop(s: Any, t: Any) -> Any:
    """erfcx(s) - erfcx(t) for 0 <= s <= t; of close ones the integral of the slope 2/sqrt(pi) - 2 s erfcx(s)."""
    s, t = numpy.broadcast_arrays(numpy.asarray(s, dtype=float), numpy.asarray(t, dtype=float))
    drop = numpy.asarray(special.erfcx(s) - special.erfcx(t))
    close = t - s < 1.0
    if close.any():
        slope = 2 / numpy.sqrt(numpy.pi)
        drop[close] = _integral(lambda x: slope - 2 * x * special.erfcx(x), s[close], t[close])
    return drop


# -- the skew normal law, Azzalini (1985): density 2 phi(z) Phi(shape z) ----------------------------------------------


def _log_skew_density(z: Any, shape: Any) -> Any:
    return numpy.log(2) - 0.5 * z * z - HALF_LOG_TWO_PI + special.log_ndtr(shape * z)


def _log_skew_far(z: Any, shape: Any) -> Any:
    """log of the integral up to z < 0 of a log-concave density, as one of exp(-v) times something smaller than 1.

    v counts in lengths over which the density at z falls by 1/e; 40 of them are enough.
    """
    at = shape * z
    slope = -z + shape * ROOT_TWO / numpy.sqrt(numpy.pi) / special.erfcx(-at / ROOT_TWO)
    density = _log_skew_density(z, shape)

    def relative(v: Any) -> Any:
        return numpy.exp(_log_skew_density(z[..., None] - v / slope[..., None], shape[..., None]) - density[..., None])

    return density - numpy.log(slope) + numpy.log(_integral(relative, numpy.zeros_like(z), numpy.full_like(z, 40.0)))


def _log_skew_normal_cdf(z: Any, shape: Any) -> Any:
    """Phi(z) - 2 T(z, shape) with Owen's T, while that is not rare."""
    z, shape = numpy.broadcast_arrays(numpy.asarray(z, dtype=float), numpy.asarray(shape, dtype=float))
    below = special.ndtr(z) - 2 * special.owens_t(z, shape)
    above = special.ndtr(-z) + 2 * special.owens_t(z, shape)
    found = numpy.asarray(numpy.where(below < 0.5, numpy.log(below), numpy.log1p(-above)))
    rare = (below < _RARE) & (z < 0) & numpy.isfinite(z)
    if rare.any():
        found[rare] = _log_skew_far(z[rare], shape[rare])
    return found


log_skew_normal_cdf: Function = elementwise(
    _log_skew_normal_cdf,
    lambda z, shape: np.exp(
        numpy.log(2) - 0.5 * z * z - HALF_LOG_TWO_PI + log_Phi(shape * z) - log_skew_normal_cdf(z, shape)
    ),
    lambda z, shape: (
        -np.exp(-0.5 * z * z * (1 + shape * shape) - log_skew_normal_cdf(z, shape)) / (numpy.pi * (1 + shape * shape))
    ),
    name="log_skew_normal_cdf",
)


# -- a normal variable plus an exponential one, in sds of the first: z, and `r` the rate of the second ----------------


def _log_share(z: Any, r: Any) -> Any:
    """log of exp(r**2/2 - r z) Phi(z - r), which is the density over r."""
    t = z - r
    scaled = -0.5 * z * z + numpy.log(0.5 * special.erfcx(-t / ROOT_TWO))
    return numpy.where(t < 0, scaled, 0.5 * r * r - r * z + special.log_ndtr(t))


log_ex_gaussian_share: Function = elementwise(
    _log_share,
    lambda z, r: np.exp(-0.5 * z * z - HALF_LOG_TWO_PI - log_ex_gaussian_share(z, r)) - r,
    lambda z, r: r - z - np.exp(-0.5 * z * z - HALF_LOG_TWO_PI - log_ex_gaussian_share(z, r)),
    name="log_ex_gaussian_share",
)


def _log_ex_gaussian_cdf(z: Any, r: Any) -> Any:
    z, r = numpy.broadcast_arrays(numpy.asarray(z, dtype=float), numpy.asarray(r, dtype=float))
    found = numpy.asarray(numpy.log(special.ndtr(z) - numpy.exp(_log_share(z, r))))
    low = (z < 0) & numpy.isfinite(z)
    if low.any():
        drop = _erfcx_drop(-z[low] / ROOT_TWO, (r[low] - z[low]) / ROOT_TWO)
        found[low] = -0.5 * z[low] ** 2 + numpy.log(0.5 * drop)
    high = z > 1
    if high.any():
        found[high] = numpy.log1p(-numpy.exp(_log_ex_gaussian_sf(z[high], r[high])))
    return found


def _log_ex_gaussian_sf(z: Any, r: Any) -> Any:
    return numpy.logaddexp(special.log_ndtr(-z), _log_share(z, r))


def _ex_gaussian_by_r(z: Any, r: Any, log_tail: Any) -> Any:
    """The derivative of the probability below by r, over that of a tail."""
    share = log_ex_gaussian_share(z, r)
    return np.exp(-0.5 * z * z - HALF_LOG_TWO_PI - log_tail) - (r - z) * np.exp(share - log_tail)


log_ex_gaussian_cdf: Function = elementwise(
    _log_ex_gaussian_cdf,
    lambda z, r: r * np.exp(log_ex_gaussian_share(z, r) - log_ex_gaussian_cdf(z, r)),
    lambda z, r: _ex_gaussian_by_r(z, r, log_ex_gaussian_cdf(z, r)),
    name="log_ex_gaussian_cdf",
)
log_ex_gaussian_sf: Function = elementwise(
    _log_ex_gaussian_sf,
    lambda z, r: -r * np.exp(log_ex_gaussian_share(z, r) - log_ex_gaussian_sf(z, r)),
    lambda z, r: -_ex_gaussian_by_r(z, r, log_ex_gaussian_sf(z, r)),
    name="log_ex_gaussian_sf",
)


# -- the inverse Gaussian law -----------------------------------------------------------------------------------------


def _arguments(x: Any, mean: Any, shape: Any) -> tuple[Any, Any]:
    """a and b of P(X <= x) = Phi(a) + exp(2 shape/mean) Phi(-b); b**2 - a**2 = 4 shape/mean."""
    root = numpy.sqrt(shape / x)
    return root * (x - mean) / mean, root * (x + mean) / mean


def _log_second(x: Any, mean: Any, shape: Any) -> Any:
    """log of exp(2 shape/mean) Phi(-b)."""
    a, b = _arguments(x, mean, shape)
    return -0.5 * a * a + numpy.log(0.5 * special.erfcx(b / ROOT_TWO))


def _log_inverse_gaussian_cdf(x: Any, mean: Any, shape: Any) -> Any:
    a, _ = _arguments(x, mean, shape)
    below = numpy.logaddexp(special.log_ndtr(a), _log_second(x, mean, shape))
    return numpy.where(a > 1, log1mexp(numpy.minimum(_log_upper(x, mean, shape), -1e-300)), below)


def _log_inverse_gaussian_sf(x: Any, mean: Any, shape: Any) -> Any:
    a, _ = _arguments(x, mean, shape)
    below = numpy.logaddexp(special.log_ndtr(a), _log_second(x, mean, shape))
    return numpy.where(a > 0, _log_upper(x, mean, shape), log1mexp(numpy.minimum(below, -1e-300)))


def _log_upper(x: Any, mean: Any, shape: Any) -> Any:
    """log P(X > x) for x above the mean."""
    a, b = _arguments(x, mean, shape)
    start = numpy.maximum(a, 0.0)
    return -0.5 * a * a + numpy.log(0.5 * _erfcx_drop(start / ROOT_TWO, numpy.maximum(b, start) / ROOT_TWO))


def _log_inverse_gaussian_density(x: Any, mean: Any, shape: Any) -> Any:
    return 0.5 * np.log(shape) - 1.5 * np.log(x) - HALF_LOG_TWO_PI - 0.5 * shape * (x - mean) ** 2 / (mean * mean * x)


def _tail_of_inverse_gaussian(value: Function, sign: float, name: str) -> Function:
    def by_mean(x: Any, mean: Any, shape: Any) -> Any:
        return -sign * 2 * shape / (mean * mean) * np.exp(second(x, mean, shape) - tail(x, mean, shape))

    def by_shape(x: Any, mean: Any, shape: Any) -> Any:
        normal = -0.5 * shape * (x - mean) ** 2 / (mean * mean * x) - HALF_LOG_TWO_PI
        log_tail = tail(x, mean, shape)
        first = 2 / mean * np.exp(second(x, mean, shape) - log_tail)
        return sign * (first - np.exp(normal - log_tail) / np.sqrt(shape * x))

    tail: Function = elementwise(
        value,
        lambda x, mean, shape: sign * np.exp(_log_inverse_gaussian_density(x, mean, shape) - tail(x, mean, shape)),
        by_mean,
        by_shape,
        name=name,
    )
    return tail


second = elementwise(_log_second, name="second")
log_inverse_gaussian_cdf = _tail_of_inverse_gaussian(_log_inverse_gaussian_cdf, 1.0, "log_inverse_gaussian_cdf")
log_inverse_gaussian_sf = _tail_of_inverse_gaussian(_log_inverse_gaussian_sf, -1.0, "log_inverse_gaussian_sf")
