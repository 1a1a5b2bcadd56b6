"""Families of vectors: the last axis is the event."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast

from ppl.model.distributions.family import (
    KERNEL,
    POSITIVE,
    SYMMETRIC,
    TRIANGULAR,
    Family,
    Form,
    Parameter,
    Support,
)
from ppl.model.distributions.real_line import HALF_LOG_TWO_PI
from ppl.numeric.linear import apply_to_vectors, cholesky, inverse_lower, transpose
from ppl.numeric.special import digamma, elementwise, lgamma, weigh
from ppl.numeric.ufuncs import special as scipy_special

_JITTER = 1e-9


@primitive
def dirichlet(x: Any, concentration: Any) -> Any:
    """Dirichlet log density by the measure of the first K - 1 coordinates (Stan's and scipy's).

    That the coordinates sum to 1 is not looked at.
    """
    concentration = concentration + numpy.zeros(numpy.shape(x)[-1])  # one number serves all coordinates
    with numpy.errstate(all="ignore"):
        total = scipy_special.gammaln(concentration.sum(axis=-1))
        each = scipy_special.xlogy(concentration - 1.0, x) - scipy_special.gammaln(concentration)
        return numpy.where((x < 0).any(axis=-1), -numpy.inf, total + each.sum(axis=-1))


def _dirichlet_by_x(answer: Any, x: Any, concentration: Any) -> Any:
    meta = np.metadata(x)
    power = concentration - 1.0
    slope = np.where(power == 0, 0.0, power / np.where(power == 0, 1.0, x))
    return lambda g: unbroadcast(weigh(np.expand_dims(g, -1), slope), meta)


def _dirichlet_by_concentration(answer: Any, x: Any, concentration: Any) -> Any:
    meta = np.metadata(concentration)
    concentration = concentration + numpy.zeros(np.shape(x)[-1])
    slope = np.log(x) + digamma(np.sum(concentration, axis=-1, keepdims=True)) - digamma(concentration)
    return lambda g: unbroadcast(weigh(np.expand_dims(g, -1), slope), meta)


defvjp(dirichlet, _dirichlet_by_x, _dirichlet_by_concentration)


def mv_normal_chol(x: Any, mean: Any, chol: Any) -> Any:
    """Normal vectors with covariance `chol @ chol.T`."""
    whitened = apply_to_vectors(inverse_lower(chol), x - mean)
    log_diagonal = np.sum(np.log(np.diagonal(chol, axis1=-1, axis2=-2)), axis=-1)
    length = np.shape(chol)[-1]
    return -0.5 * np.sum(whitened**2, axis=-1) - log_diagonal - length * HALF_LOG_TWO_PI


def mv_normal_cov(x: Any, mean: Any, cov: Any) -> Any:
    return mv_normal_chol(x, mean, cholesky(cov))


def mv_normal_prec(x: Any, mean: Any, prec: Any) -> Any:
    """With the precision matrix: no inverse is taken."""
    root = cholesky(prec)
    whitened = apply_to_vectors(transpose(root), x - mean)
    log_diagonal = np.sum(np.log(np.diagonal(root, axis1=-1, axis2=-2)), axis=-1)
    return -0.5 * np.sum(whitened**2, axis=-1) + log_diagonal - np.shape(prec)[-1] * HALF_LOG_TWO_PI


# (df + n)/2 log(1 + distance/df); so far out that the squares overflow, its slopes are none, and do not count
_student_tail = elementwise(
    lambda distance, df, n: 0.5 * (df + n) * numpy.log1p(distance / df),
    lambda distance, df, n: 0.5 * (df + n) / (df + distance),
    lambda distance, df, n: 0.5 * np.log1p(distance / df) - 0.5 * (df + n) / (df * (1 + df / distance)),
    None,
    name="student_tail",
)


def mv_student_chol(x: Any, df: Any, mean: Any, chol: Any) -> Any:
    """Student vectors whose scale matrix is `chol @ chol.T`."""
    n = np.shape(chol)[-1]
    distance = np.sum(apply_to_vectors(inverse_lower(chol), x - mean) ** 2, axis=-1)
    log_diagonal = np.sum(np.log(np.diagonal(chol, axis1=-1, axis2=-2)), axis=-1)
    constant = lgamma(0.5 * (df + n)) - lgamma(0.5 * df) - 0.5 * n * np.log(numpy.pi * df)
    return constant - log_diagonal - _student_tail(distance, df, n)


def mv_student_cov(x: Any, df: Any, mean: Any, cov: Any) -> Any:
    return mv_student_chol(x, df, mean, cholesky(cov))


def with_jitter(cov: Any) -> Any:
    """A matrix with 1e-9 of its mean diagonal added there: matrices of kernels are singular but for rounding."""
    n = np.shape(cov)[-1]
    middle = np.sum(cov * numpy.eye(n), axis=(-1, -2), keepdims=True) / n
    return cov + _JITTER * middle * numpy.eye(n)


def gaussian_process(x: Any, cov: Any, mean: Any) -> Any:
    return mv_normal_chol(x, mean, cholesky(with_jitter(cov)))


def _chol_of_prec(mean: Any, prec: Any) -> tuple[Any, Any]:
    return mean, cholesky(np.linalg.inv(prec))


def draw_dirichlet(rng: numpy.random.Generator, shape: tuple[int, ...], concentration: Any) -> Any:
    concentration = numpy.broadcast_to(concentration, shape)
    # log of a Gamma(a) draw as log Gamma(a + 1) + log(U)/a: tiny concentrations do not underflow to 0/0
    logs = numpy.log(rng.standard_gamma(concentration + 1.0)) + numpy.log(rng.random(shape)) / concentration
    weights = numpy.exp(logs - logs.max(axis=-1, keepdims=True, initial=-numpy.inf))
    return weights / weights.sum(axis=-1, keepdims=True)


def _draw_mv_normal(rng: numpy.random.Generator, shape: tuple[int, ...], mean: Any, chol: Any) -> Any:
    return mean + (chol @ rng.standard_normal(shape)[..., None])[..., 0]


def _draw_mv_student(rng: numpy.random.Generator, shape: tuple[int, ...], df: Any, mean: Any, chol: Any) -> Any:
    stretch = numpy.sqrt(df / rng.chisquare(df, shape[:-1]))[..., None]
    return mean + stretch * _draw_mv_normal(rng, shape, 0.0, chol)


def _known_first(
    x: numpy.ndarray, new: numpy.ndarray, mean: Any, chol: Any
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Where the elements stand once the known ones come first; the mean and the Cholesky factor in that order."""
    order = numpy.argsort(new, kind="stable")
    mean = numpy.broadcast_to(mean, x.shape)[..., order]
    if (order == numpy.arange(len(order))).all():
        return order, mean, chol
    cov = (chol @ numpy.swapaxes(chol, -1, -2))[..., order, :][..., order]
    return order, mean, numpy.linalg.cholesky(cov)


def _given_known(
    rng: numpy.random.Generator, x: numpy.ndarray, new: numpy.ndarray, mean: Any, chol: Any, df: Any = None
) -> numpy.ndarray:
    """Elements given the others: with x = mean + L eps, those known tell their eps, and the others' is drawn anew;
    of a t with df degrees of freedom on the scale that the known ones tell (Roth 2013, equation 10).
    """
    order, mean, chol = _known_first(x, new, mean, chol)
    n, known = int((~new).sum()), x[..., order]
    eps = rng.standard_normal(x.shape)
    deviation = known[..., :n] - mean[..., :n]
    eps[..., :n] = numpy.linalg.solve(chol[..., :n, :n], deviation[..., None])[..., 0]
    if df is not None:
        stretch = df + (eps[..., :n] ** 2).sum(axis=-1)
        eps[..., n:] *= numpy.sqrt(stretch / rng.chisquare(numpy.broadcast_to(df + n, x.shape[:-1])))[..., None]
    drawn = mean + (chol @ eps[..., None])[..., 0]
    found = numpy.empty(x.shape)
    found[..., order] = numpy.concatenate([known[..., :n], drawn[..., n:]], axis=-1)
    return found


def _go_on_normal(rng: numpy.random.Generator, x: Any, new: numpy.ndarray, mean: Any, chol: Any) -> numpy.ndarray:
    return _given_known(rng, x, new, mean, chol)


def _go_on_student(
    rng: numpy.random.Generator, x: Any, new: numpy.ndarray, df: Any, mean: Any, chol: Any
) -> numpy.ndarray:
    return _given_known(rng, x, new, mean, chol, df)


DIRICHLET = Family(
    "Dirichlet",
    (Form((Parameter("concentration", POSITIVE, event_rank=1),), dirichlet),),
    Support("simplex"),
    draw=draw_dirichlet,
    mean=lambda concentration: concentration / numpy.sum(concentration, axis=-1, keepdims=True),
    event_rank=1,
)
MV_NORMAL = Family(
    "MvNormal",
    (
        Form(
            (Parameter("mean", event_rank=1), Parameter("cov", SYMMETRIC, event_rank=2)),
            mv_normal_cov,
            lambda mean, cov: (mean, cholesky(cov)),
        ),
        Form((Parameter("mean", event_rank=1), Parameter("chol", TRIANGULAR, event_rank=2)), mv_normal_chol),
        Form(
            (Parameter("mean", event_rank=1), Parameter("prec", SYMMETRIC, event_rank=2)), mv_normal_prec, _chol_of_prec
        ),
    ),
    Support("real"),
    draw=_draw_mv_normal,
    go_on=_go_on_normal,
    mean=lambda mean, chol: mean,
    event_rank=1,
)

_DF, _MEAN = Parameter("df", POSITIVE), Parameter("mean", event_rank=1)

MV_STUDENT_T = Family(
    "MvStudentT",
    (
        Form(
            (_DF, _MEAN, Parameter("cov", SYMMETRIC, event_rank=2)),
            mv_student_cov,
            lambda df, mean, cov: (df, mean, cholesky(cov)),
        ),
        Form((_DF, _MEAN, Parameter("chol", TRIANGULAR, event_rank=2)), mv_student_chol),
    ),
    Support("real"),
    draw=_draw_mv_student,
    go_on=_go_on_student,
    mean=lambda df, mean, chol: numpy.where(numpy.asarray(df)[..., None] > 1, mean, numpy.nan),
    event_rank=1,
)
GAUSSIAN_PROCESS = Family(
    "GP",
    (
        Form(
            (Parameter("cov", KERNEL, event_rank=2), Parameter("mean", event_rank=1, default=0.0)),
            gaussian_process,
            lambda cov, mean: (mean, cholesky(with_jitter(cov))),
        ),
    ),
    Support("real"),
    draw=_draw_mv_normal,
    go_on=_go_on_normal,
    mean=lambda mean, chol: mean,
    event_rank=1,
)

FAMILIES = (DIRICHLET, MV_NORMAL, MV_STUDENT_T, GAUSSIAN_PROCESS)
