"""Supports -> maps from all of R^n: one row a transform, each with its inverse and its log Jacobian.

z is unconstrained, theta constrained. `lower` and `upper` are arrays that broadcast against z, or None. Functions work
over leading axes of draws; only `constrain` and `log_jacobian` are differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric import reduce
from ppl.numeric.linear import apply_to_vectors, inverse_lower
from ppl.numeric.shape import join
from ppl.numeric.special import exp, inv_logit, log, softplus
from ppl.numeric.ufuncs import special as scipy_special
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Transform:
    """`log_jacobian(z, lower, upper)` is log |d theta / d z|: elementwise, or one number an event of `event_rank`
    axes. `free(n)` is how many coordinates, all along one axis, an event has that is n long, or an n x n matrix.
    """

    name: str
    constrain: Callable[[Any, Any, Any], Any]
    unconstrain: Callable[[Any, Any, Any], Any]
    log_jacobian: Callable[[Any, Any, Any], Any]
    event_rank: int = 0
    free: Callable[[int], int] = lambda n: n


IDENTITY = Transform(
    "real",
    lambda z, lower, upper: z,
    lambda theta, lower, upper: theta,
    lambda z, lower, upper: 0.0 * z,
)
ABOVE = Transform(
    "above",
    lambda z, lower, upper: lower + exp(z),
    lambda theta, lower, upper: numpy.log(theta - lower),
    lambda z, lower, upper: z,
)
BELOW = Transform(
    "below",
    lambda z, lower, upper: upper - exp(z),
    lambda theta, lower, upper: numpy.log(upper - theta),
    lambda z, lower, upper: z,
)
BETWEEN = Transform(
    "between",
    lambda z, lower, upper: lower + (upper - lower) * inv_logit(z),
    lambda theta, lower, upper: scipy_special.logit((theta - lower) / (upper - lower)),
    lambda z, lower, upper: log(upper - lower) - softplus(z) - softplus(-z),
)
NONCENTRED = Transform(
    "non-centred",
    lambda z, location, scale: location + scale * z,
    lambda theta, location, scale: (theta - location) / scale,
    lambda z, location, scale: log(scale) + 0.0 * z,
)
NONCENTRED_LOG = Transform(
    "non-centred logarithm",
    lambda z, location, scale: exp(location + scale * z),
    lambda theta, location, scale: (numpy.log(theta) - location) / scale,
    lambda z, location, scale: log(scale) + location + scale * z,
)
NONCENTRED_VECTOR = Transform(
    "non-centred vector",
    lambda z, mean, chol: mean + apply_to_vectors(chol, z),
    lambda theta, mean, chol: apply_to_vectors(inverse_lower(chol), theta - mean),
    lambda z, mean, chol: np.sum(log(np.diagonal(chol, axis1=-1, axis2=-2)), axis=-1) + 0.0 * np.sum(z, axis=-1),
    event_rank=1,
)


@dataclass(frozen=True, slots=True)
class LocationScale:
    """How a family's values follow from standard ones: a transform that takes location and scale for its bounds, or the
    mean and the Cholesky factor of the covariance.
    `places` are where these stand among the canonical parameters.
    """

    transform: Transform
    places: tuple[int, int]


LOCATION_SCALE = {
    "Normal": LocationScale(NONCENTRED, (0, 1)),
    "StudentT": LocationScale(NONCENTRED, (1, 2)),
    "Cauchy": LocationScale(NONCENTRED, (0, 1)),
    "Laplace": LocationScale(NONCENTRED, (0, 1)),
    "Logistic": LocationScale(NONCENTRED, (0, 1)),
    "Gumbel": LocationScale(NONCENTRED, (0, 1)),
    "SkewNormal": LocationScale(NONCENTRED, (0, 1)),
    "LogNormal": LocationScale(NONCENTRED_LOG, (0, 1)),
    "MvNormal": LocationScale(NONCENTRED_VECTOR, (0, 1)),
    "MvStudentT": LocationScale(NONCENTRED_VECTOR, (1, 2)),
    "GP": LocationScale(NONCENTRED_VECTOR, (0, 1)),
}


@cache
def _helmert(n: int) -> numpy.ndarray:
    """An orthonormal basis (n - 1, n) of the vectors that sum to 0."""
    basis = numpy.zeros((n - 1, n))
    for i in range(1, n):
        basis[i - 1, :i] = 1.0
        basis[i - 1, i] = -float(i)
        basis[i - 1] /= numpy.sqrt(i * (i + 1.0))
    return basis


def _to_simplex(z: Any, lower: Any, upper: Any) -> Any:
    """The inverse of the isometric log ratio (Egozcue et al. 2003): softmax of z in a basis of the zero-sum space."""
    return reduce.softmax(np.matmul(z, _helmert(np.shape(z)[-1] + 1)), -1)


def _from_simplex(theta: Any, lower: Any, upper: Any) -> Any:
    return numpy.log(theta) @ _helmert(theta.shape[-1]).T


def _simplex_log_jacobian(z: Any, lower: Any, upper: Any) -> Any:
    """log |d(theta_1..theta_{n-1}) / dz| = sum log theta + log(n)/2."""
    n = np.shape(z)[-1] + 1
    return np.sum(reduce.log_softmax(np.matmul(z, _helmert(n)), -1), axis=-1) + 0.5 * numpy.log(n)


SIMPLEX = Transform(
    "simplex", _to_simplex, _from_simplex, _simplex_log_jacobian, event_rank=1, free=lambda n: max(0, n - 1)
)


def _steps(z: Any, first: Any) -> Any:
    """`first`, and every further element exp(z) above the one before."""
    return np.cumsum(join(-1, first, exp(z[..., 1:])), axis=-1)


def _to_ordered(z: Any, lower: Any, upper: Any) -> Any:
    """The first element is free, or exp(z) above the bound; every further one lies exp(z) above the one before."""
    return _steps(z, z[..., :1] if lower is None else lower + exp(z[..., :1]))


def _from_ordered(theta: Any, lower: Any, upper: Any) -> Any:
    first = theta[..., :1] if lower is None else numpy.log(theta[..., :1] - lower)
    return numpy.concatenate([first, numpy.log(numpy.diff(theta, axis=-1))], axis=-1)


def _to_ordered_below(z: Any, lower: Any, upper: Any) -> Any:
    """The mirror image: downwards from the bound, the last element first."""
    return -_steps(z[..., ::-1], exp(z[..., -1:]) - upper)[..., ::-1]


def _from_ordered_below(theta: Any, lower: Any, upper: Any) -> Any:
    return numpy.concatenate([numpy.log(numpy.diff(theta, axis=-1)), numpy.log(upper - theta[..., -1:])], axis=-1)


def _to_ordered_between(z: Any, lower: Any, upper: Any) -> Any:
    """The gaps below, between and above n elements are a simplex of n + 1."""
    gaps = _to_simplex(z, None, None)
    return lower + (upper - lower) * np.cumsum(gaps, axis=-1)[..., :-1]


def _from_ordered_between(theta: Any, lower: Any, upper: Any) -> Any:
    share = (theta - lower) / (upper - lower)
    last = (upper - theta[..., -1:]) / (upper - lower)
    return _from_simplex(numpy.concatenate([share[..., :1], numpy.diff(share, axis=-1), last], axis=-1), None, None)


def _ordered_between_log_jacobian(z: Any, lower: Any, upper: Any) -> Any:
    wide = np.sum(log(upper - lower) + numpy.zeros(np.shape(z)[-1]), axis=-1)
    return _simplex_log_jacobian(z, None, None) + wide


ORDERED = Transform(
    "ordered", _to_ordered, _from_ordered, lambda z, lower, upper: np.sum(z[..., 1:], axis=-1), event_rank=1
)
ORDERED_ABOVE = Transform(
    "ordered above", _to_ordered, _from_ordered, lambda z, lower, upper: np.sum(z, axis=-1), event_rank=1
)
ORDERED_BELOW = Transform(
    "ordered below", _to_ordered_below, _from_ordered_below, lambda z, lower, upper: np.sum(z, axis=-1), event_rank=1
)
ORDERED_BETWEEN = Transform(
    "ordered between", _to_ordered_between, _from_ordered_between, _ordered_between_log_jacobian, event_rank=1
)


def _lengths(n: int) -> numpy.ndarray:
    """Those of the rows of Helmert's matrix before they are divided by them."""
    i = numpy.arange(1.0, n)
    return numpy.sqrt(i * (i + 1))


def _to_zero_sum(z: Any, lower: Any, upper: Any) -> Any:
    """z times Helmert's basis, by running sums: vectors may be long."""
    n = np.shape(z)[-1] + 1
    z = z / _lengths(n)
    none = numpy.zeros((*np.shape(z)[:-1], 1))
    from_here_on = np.cumsum(z[..., ::-1], axis=-1)[..., ::-1]
    return join(-1, from_here_on, none) - join(-1, none, numpy.arange(1.0, n) * z)


def _from_zero_sum(theta: Any, lower: Any, upper: Any) -> Any:
    n = theta.shape[-1]
    return (numpy.cumsum(theta[..., :-1], axis=-1) - numpy.arange(1.0, n) * theta[..., 1:]) / _lengths(n)


# By an orthonormal basis: densities of vectors that sum to 0 are by the area of the plane they lie in.
ZERO_SUM = Transform(
    "zero sum",
    _to_zero_sum,
    _from_zero_sum,
    lambda z, lower, upper: 0.0 * np.sum(z, axis=-1),
    event_rank=1,
    free=lambda n: max(0, n - 1),
)
