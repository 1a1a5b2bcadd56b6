"""Points -> covariances of Gaussian processes, smooth where two points are the same.

All are written in squared distances and not in distances, whose gradient has a pole at 0. Formulas as in Stan's
Functions Reference, "Gaussian Process Covariance Functions"; Rasmussen and Williams 2006, chapter 4.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast

from ppl.numeric.special import elementwise


@primitive
def squared_distances(x: Any, y: Any) -> Any:
    """Points (..., n, d) and (..., m, d) -> squared Euclidean distances (..., n, m), exactly 0 between equal points."""
    outer = numpy.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    total = numpy.zeros((*outer, x.shape[-2], y.shape[-2]))
    for i in range(x.shape[-1]):
        total += numpy.square(x[..., :, None, i] - y[..., None, :, i])
    return total


def _pull(g: Any, x: Any, y: Any) -> Any:
    """For every point of x the sum over those of y of 2 g (x - y)."""
    return 2.0 * (x * np.sum(g, axis=-1, keepdims=True) - np.matmul(g, y))


defvjp(
    squared_distances,
    lambda answer, x, y: lambda g, meta=np.metadata(x): unbroadcast(_pull(g, x, y), meta),
    lambda answer, x, y: lambda g, meta=np.metadata(y): unbroadcast(_pull(np.swapaxes(g, -1, -2), y, x), meta),
)


def squared_distances_on_line(x: Any, y: Any) -> Any:
    """Points (..., n) and (..., m) on a line -> squared distances (..., n, m)."""
    return squared_distances(np.expand_dims(x, -1), np.expand_dims(y, -1))


def exp_quad(distances: Any, alpha: Any, rho: Any) -> Any:
    """alpha^2 exp(-d^2 / (2 rho^2)), for squared distances d^2."""
    return alpha * alpha * np.exp(distances * (-0.5 / (rho * rho)))


def matern32(distances: Any, alpha: Any, rho: Any) -> Any:
    """alpha^2 (1 + s) exp(-s), s = sqrt(3) d / rho, for squared distances d^2."""
    return alpha * alpha * rough_once(distances * (3.0 / (rho * rho)))


def matern52(distances: Any, alpha: Any, rho: Any) -> Any:
    """alpha^2 (1 + s + s^2 / 3) exp(-s), s = sqrt(5) d / rho, for squared distances d^2."""
    return alpha * alpha * rough_twice(distances * (5.0 / (rho * rho)))


def periodic(distances: Any, alpha: Any, rho: Any, period: Any) -> Any:
    """alpha^2 exp(-2 sin^2(pi d / period) / rho^2), for squared distances d^2."""
    return alpha * alpha * np.exp(sine_squared(distances * (numpy.pi / period) ** 2) * (-2.0 / (rho * rho)))


def _decay(u: Any) -> Any:
    return numpy.exp(-numpy.sqrt(u))


# Functions of u = s^2 and not of s: by u they have slopes at 0. Where even the second derivative has a pole there,
# it only ever meets the square of a distance of 0.
decay_slope = elementwise(
    lambda u: numpy.where(u > 0, -0.5 * _decay(u) / numpy.sqrt(numpy.where(u > 0, u, 1.0)), 0.0), name="decay_slope"
)
decay = elementwise(_decay, decay_slope, name="decay")
rough_once = elementwise(lambda u: (1.0 + numpy.sqrt(u)) * _decay(u), lambda u: -0.5 * decay(u), name="rough_once")
rough_twice = elementwise(
    lambda u: (1.0 + numpy.sqrt(u) + u / 3.0) * _decay(u), lambda u: (-1.0 / 6.0) * rough_once(u), name="rough_twice"
)


def _sinc_slope(u: Any) -> Any:
    """The derivative of sin(t) / t by u, t = 2 sqrt(u); by its series where the difference would cancel."""
    t = 2.0 * numpy.sqrt(u)
    far = t > 1e-2
    safe = numpy.where(far, t, 1.0)
    return numpy.where(far, 2.0 * (safe * numpy.cos(safe) - numpy.sin(safe)) / safe**3, -2.0 / 3.0 + t * t / 15.0)


sinc_slope = elementwise(_sinc_slope, name="sinc_slope")
sinc = elementwise(lambda u: numpy.sinc(2.0 * numpy.sqrt(u) / numpy.pi), sinc_slope, name="sinc")
sine_squared = elementwise(lambda u: numpy.square(numpy.sin(numpy.sqrt(u))), sinc, name="sine_squared")
