"""Families of matrices: the last two axes are the event."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import POSITIVE, SYMMETRIC, Family, Form, Parameter, Support
from ppl.numeric.linear import cholesky, inverse_lower, transpose
from ppl.numeric.special import lgamma

LOG_TWO, LOG_PI = numpy.log(2.0), numpy.log(numpy.pi)


def log_diagonal(root: Any) -> Any:
    """The logarithms of the diagonals of Cholesky factors."""
    return np.log(np.diagonal(root, axis1=-1, axis2=-2))


def lkj_log_constant(n: int, shape: Any) -> Any:
    """The constant of det(R)^(shape - 1) over n x n correlation matrices R, by the elements below the diagonal.

    Lewandowski, Kurowicka and Joe 2009, in the form of Stan's manual.
    """
    orders = numpy.arange(1, n)
    shape = np.expand_dims(shape, -1)
    each = lgamma(shape + 0.5 * (n - 1)) - lgamma(shape + 0.5 * (n - 1 - orders)) - 0.5 * orders * LOG_PI
    return np.sum(each, axis=-1)


def lkj(x: Any, shape: Any) -> Any:
    log_determinant = 2 * np.sum(log_diagonal(cholesky(x)), axis=-1)
    return lkj_log_constant(np.shape(x)[-1], shape) + (shape - 1) * log_determinant


def lkj_cholesky(x: Any, shape: Any) -> Any:
    """The density of the factor by its elements below the diagonal: |d R / d L| is the product of L_ii^(n - i)."""
    n = np.shape(x)[-1]
    powers = numpy.arange(n - 1, -1, -1.0) + 2 * (np.expand_dims(shape, -1) - 1)
    return lkj_log_constant(n, shape) + np.sum((powers * log_diagonal(x))[..., 1:], axis=-1)


def _draw_lkj_cholesky(rng: numpy.random.Generator, shape: tuple[int, ...], eta: Any) -> numpy.ndarray:
    """Column after column of partial correlations, each a beta variable: the vine of the paper."""
    n = shape[-1]
    root = numpy.zeros(shape)
    left = numpy.ones(shape[:-1])  # of the squared length of each row
    for j in range(n):
        root[..., j, j] = numpy.sqrt(left[..., j])
        if j < n - 1:
            b = numpy.expand_dims(eta + 0.5 * (n - 2 - j), -1)
            partial = 2 * rng.beta(b, b, (*shape[:-2], n - 1 - j)) - 1
            root[..., j + 1 :, j] = partial * numpy.sqrt(left[..., j + 1 :])
            left[..., j + 1 :] *= 1 - partial**2
    return root


def _draw_lkj(rng: numpy.random.Generator, shape: tuple[int, ...], eta: Any) -> numpy.ndarray:
    root = _draw_lkj_cholesky(rng, shape, eta)
    return numpy.asarray(root @ transpose(root))


def log_multigamma(n: int, a: Any) -> Any:
    """log of the multivariate gamma function."""
    return 0.25 * n * (n - 1) * LOG_PI + np.sum(lgamma(np.expand_dims(a, -1) - 0.5 * numpy.arange(n)), axis=-1)


def _squares(x: Any) -> Any:
    return np.sum(x * x, axis=(-1, -2))


def wishart(x: Any, df: Any, scale: Any) -> Any:
    """By the elements of the lower triangle; minus infinity where `df` is not above n - 1."""
    n = np.shape(x)[-1]
    root, of_scale = cholesky(x), cholesky(scale)
    trace = _squares(np.matmul(inverse_lower(of_scale), root))
    logs = (df - n - 1) * np.sum(log_diagonal(root), axis=-1) - df * np.sum(log_diagonal(of_scale), axis=-1)
    density = logs - 0.5 * trace - 0.5 * df * n * LOG_TWO - log_multigamma(n, 0.5 * df)
    return np.where(df > n - 1, density, -numpy.inf)


def inv_wishart(x: Any, df: Any, scale: Any) -> Any:
    n = np.shape(x)[-1]
    root, of_scale = cholesky(x), cholesky(scale)
    trace = _squares(np.matmul(inverse_lower(root), of_scale))
    logs = df * np.sum(log_diagonal(of_scale), axis=-1) - (df + n + 1) * np.sum(log_diagonal(root), axis=-1)
    density = logs - 0.5 * trace - 0.5 * df * n * LOG_TWO - log_multigamma(n, 0.5 * df)
    return np.where(df > n - 1, density, -numpy.inf)


def _bartlett(rng: numpy.random.Generator, shape: tuple[int, ...], df: Any) -> numpy.ndarray:
    """The Cholesky factor of a Wishart matrix whose scale is the identity."""
    n = shape[-1]
    factor = numpy.tril(rng.standard_normal(shape), -1)
    diagonal = numpy.sqrt(rng.chisquare(numpy.expand_dims(df, -1) - numpy.arange(n), shape[:-1]))
    factor[..., numpy.arange(n), numpy.arange(n)] = diagonal
    return factor


def _draw_wishart(rng: numpy.random.Generator, shape: tuple[int, ...], df: Any, scale: Any) -> numpy.ndarray:
    root = cholesky(scale) @ _bartlett(rng, shape, df)
    return numpy.asarray(root @ transpose(root))


def _draw_inv_wishart(rng: numpy.random.Generator, shape: tuple[int, ...], df: Any, scale: Any) -> numpy.ndarray:
    root = cholesky(scale) @ transpose(inverse_lower(_bartlett(rng, shape, df)))
    return numpy.asarray(root @ transpose(root))


def _matrix(x: Any) -> numpy.ndarray:
    """A number for each matrix, lined up with its elements."""
    return numpy.asarray(x)[..., None, None]


def _inv_wishart_mean(df: Any, scale: Any) -> numpy.ndarray:
    above = _matrix(df) - numpy.shape(scale)[-1] - 1
    return numpy.asarray(numpy.where(above > 0, scale / numpy.where(above > 0, above, 1.0), numpy.nan))


def enough_freedom(n: int, df: Any, scale: Any) -> tuple[str, str] | None:
    if df is not None and (numpy.asarray(df) <= n - 1).any():
        return "df", f"above {n - 1}, one less than the matrices have rows"
    return None


LKJ = Family(
    "LKJ",
    (Form((Parameter("shape", POSITIVE),), lkj),),
    Support("correlation"),
    draw=_draw_lkj,
    event_rank=2,
)
LKJ_CHOLESKY = Family(
    "LKJCholesky",
    (Form((Parameter("shape", POSITIVE),), lkj_cholesky),),
    Support("cholesky_correlation"),
    draw=_draw_lkj_cholesky,
    event_rank=2,
)
WISHART = Family(
    "Wishart",
    (
        Form(
            (Parameter("df", POSITIVE), Parameter("scale", SYMMETRIC, event_rank=2)),
            wishart,
            misfit=enough_freedom,
        ),
    ),
    Support("covariance"),
    draw=_draw_wishart,
    mean=lambda df, scale: _matrix(df) * scale,
    event_rank=2,
)
INV_WISHART = Family(
    "InvWishart",
    (
        Form(
            (Parameter("df", POSITIVE), Parameter("scale", SYMMETRIC, event_rank=2)),
            inv_wishart,
            misfit=enough_freedom,
        ),
    ),
    Support("covariance"),
    draw=_draw_inv_wishart,
    mean=_inv_wishart_mean,
    event_rank=2,
)

FAMILIES = (LKJ, LKJ_CHOLESKY, WISHART, INV_WISHART)
