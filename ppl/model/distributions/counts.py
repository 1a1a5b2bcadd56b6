"""Families of whole numbers and categories. Categories count from 0 here; the language counts them from 1."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast
from scipy import special as scipy_special

from ppl.model.distributions.family import COUNT, NONNEGATIVE, POSITIVE, SIMPLEX, UNIT, Family, Form, Parameter, Support
from ppl.numeric.special import digamma, elementwise, inv_logit, softplus, weigh


def _only_counts(x: Any, inside: Any, upper: Any = numpy.inf) -> Any:
    return numpy.where((x < 0) | (x > upper) | (x != numpy.floor(x)), -numpy.inf, inside)


def _log_choose(n: Any, k: Any) -> Any:
    return -numpy.log1p(n) - scipy_special.betaln(n - k + 1.0, k + 1.0)


bernoulli = elementwise(
    lambda x, p: _only_counts(x, numpy.log(numpy.where(x == 1, p, 1.0 - p)), 1),
    None,
    lambda x, p: np.where(x == 1, 1.0 / np.where(x == 1, p, 1.0), -1.0 / np.where(x == 1, 1.0, 1.0 - p)),
    name="bernoulli",
)
bernoulli_logit = elementwise(
    lambda x, logit: _only_counts(x, -numpy.logaddexp(0.0, numpy.where(x == 1, -logit, logit)), 1),
    None,
    lambda x, logit: x - inv_logit(logit),
    name="bernoulli_logit",
)


def _binomial(x: Any, n: Any, p: Any) -> Any:
    inside = _log_choose(n, x) + scipy_special.xlogy(x, p) + scipy_special.xlog1py(n - x, -p)
    return _only_counts(x, inside, n)


def _binomial_by_p(x: Any, n: Any, p: Any) -> Any:
    hits = np.where(x > 0, x / np.where(x > 0, p, 1.0), 0.0)
    misses = np.where(n > x, (n - x) / np.where(n > x, 1.0 - p, 1.0), 0.0)
    return hits - misses


binomial = elementwise(_binomial, None, None, _binomial_by_p, name="binomial")


def _binomial_logit(x: Any, n: Any, logit: Any) -> Any:
    # x log p + (n - x) log(1 - p), each tail from the side on which it is exact
    inside = -x * numpy.logaddexp(0.0, -logit) - (n - x) * numpy.logaddexp(0.0, logit)
    return _only_counts(x, _log_choose(n, x) + inside, n)


binomial_logit = elementwise(
    _binomial_logit, None, None, lambda x, n, logit: x - n * inv_logit(logit), name="binomial_logit"
)

poisson = elementwise(
    lambda x, rate: _only_counts(x, scipy_special.xlogy(x, rate) - rate - scipy_special.gammaln(x + 1.0)),
    None,
    lambda x, rate: np.where(x > 0, x / np.where(x > 0, rate, 1.0), 0.0) - 1.0,
    name="poisson",
)
poisson_log = elementwise(
    lambda x, log: _only_counts(
        x, numpy.where(x == 0, 0.0, x * numpy.where(x == 0, 0.0, log)) - numpy.exp(log) - scipy_special.gammaln(x + 1.0)
    ),
    None,
    lambda x, log: x - np.exp(log),
    name="poisson_log",
)


def _negative_binomial(x: Any, mean: Any, size: Any) -> Any:
    # -betaln(k, x + 1) - log(k + x) is lgamma(x + k) - lgamma(k) - lgamma(x + 1) without its cancellation
    choose = -scipy_special.betaln(size, x + 1.0) - numpy.log(size + x)
    return _only_counts(
        x, choose - size * numpy.log1p(mean / size) + scipy_special.xlogy(x, mean) - scipy_special.xlogy(x, mean + size)
    )


def _negative_binomial_by_size(x: Any, mean: Any, size: Any) -> Any:
    return digamma(x + size) - digamma(size) - np.log1p(mean / size) + (mean - x) / (mean + size)


negative_binomial = elementwise(
    _negative_binomial,
    None,
    lambda x, mean, size: np.where(x > 0, x / np.where(x > 0, mean, 1.0), 0.0) - (x + size) / (mean + size),
    _negative_binomial_by_size,
    name="negative_binomial",
)


def _negative_binomial_log(x: Any, log: Any, size: Any) -> Any:
    shifted = log - numpy.log(size)
    choose = -scipy_special.betaln(size, x + 1.0) - numpy.log(size + x)
    inside = -size * numpy.logaddexp(0.0, shifted) - x * numpy.logaddexp(0.0, -shifted)
    return _only_counts(x, choose + inside)


negative_binomial_log = elementwise(
    _negative_binomial_log,
    None,
    lambda x, log, size: x - (x + size) * inv_logit(log - np.log(size)),
    lambda x, log, size: (
        digamma(x + size)
        - digamma(size)
        - softplus(log - np.log(size))
        + inv_logit(log - np.log(size))
        - x / (size * (1 + np.exp(log - np.log(size))))
    ),
    name="negative_binomial_log",
)


def _chosen(x: Any, table: Any) -> Any:
    """`table[..., x]`, the last axis of the table picked by codes, the axes before it broadcast against those of x."""
    codes = numpy.asarray(x)
    plates = numpy.broadcast_shapes(codes.shape, table.shape[:-1])
    wide = numpy.broadcast_to(table, (*plates, table.shape[-1]))
    inside = (codes >= 0) & (codes < table.shape[-1]) & (codes == numpy.floor(codes))
    safe = numpy.broadcast_to(numpy.where(inside, codes, 0).astype(numpy.int64), plates)
    picked = numpy.take_along_axis(wide, safe[..., None], axis=-1)[..., 0]
    return numpy.where(inside, picked, numpy.nan)


def _is_category(x: Any, count: int) -> Any:
    return (numpy.asarray(x)[..., None] == numpy.arange(count)).astype(float)


@primitive
def categorical(x: Any, p: Any) -> Any:
    with numpy.errstate(all="ignore"):
        return numpy.nan_to_num(numpy.log(_chosen(x, p)), nan=-numpy.inf, posinf=numpy.inf, neginf=-numpy.inf)


def _categorical_backward(answer: Any, x: Any, p: Any) -> Any:
    meta = np.metadata(p)
    hit = _is_category(x, p.shape[-1])
    return lambda g: unbroadcast(weigh(g[..., None], hit / np.where(hit > 0, p, 1.0)), meta)


defvjp(categorical, _categorical_backward, argnums=[1])


@primitive
def categorical_logit(x: Any, logit: Any) -> Any:
    with numpy.errstate(all="ignore"):
        value = _chosen(x, logit) - scipy_special.logsumexp(logit, axis=-1)
        return numpy.nan_to_num(value, nan=-numpy.inf, posinf=numpy.inf, neginf=-numpy.inf)


def softmax(x: Any) -> Any:
    """exp(x) / sum(exp(x)) over the last axis."""
    weights = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True)


def _categorical_logit_backward(answer: Any, x: Any, logit: Any) -> Any:
    meta = np.metadata(logit)
    hit = _is_category(x, logit.shape[-1])
    return lambda g: unbroadcast(g[..., None] * (hit - softmax(logit)), meta)


defvjp(categorical_logit, _categorical_logit_backward, argnums=[1])


def _draw_category(rng: numpy.random.Generator, shape: tuple[int, ...], p: Any) -> Any:
    cumulated = numpy.cumsum(numpy.broadcast_to(p, (*shape, p.shape[-1])), axis=-1)
    uniform = rng.random(shape)[..., None] * cumulated[..., -1:]
    return (uniform >= cumulated).sum(axis=-1)


def _draw_negative_binomial(rng: numpy.random.Generator, shape: tuple[int, ...], mean: Any, size: Any) -> Any:
    return rng.poisson(rng.standard_gamma(size, shape) * (mean / size))


BERNOULLI = Family(
    "Bernoulli",
    (
        Form((Parameter("p", UNIT),), bernoulli),
        Form((Parameter("logit"),), bernoulli_logit, lambda logit: (inv_logit(logit),)),
    ),
    Support("integer", 0, 1),
    draw=lambda rng, shape, p: (rng.random(shape) < p).astype(numpy.int64),
    mean=lambda p: p,
)
BINOMIAL = Family(
    "Binomial",
    (
        Form((Parameter("n", COUNT), Parameter("p", UNIT)), binomial),
        Form((Parameter("n", COUNT), Parameter("logit")), binomial_logit, lambda n, logit: (n, inv_logit(logit))),
    ),
    Support("integer", 0, "n"),
    draw=lambda rng, shape, n, p: rng.binomial(numpy.asarray(n).astype(numpy.int64), p, shape),
    mean=lambda n, p: n * p,
)
POISSON = Family(
    "Poisson",
    (
        Form((Parameter("rate", NONNEGATIVE),), poisson),
        Form((Parameter("log"),), poisson_log, lambda log: (np.exp(log),)),
    ),
    Support("integer", 0),
    draw=lambda rng, shape, rate: rng.poisson(rate, shape),
    mean=lambda rate: rate,
)
NEG_BINOMIAL = Family(
    "NegBinomial",
    (
        Form((Parameter("mean", POSITIVE), Parameter("size", POSITIVE)), negative_binomial),
        Form(
            (Parameter("log"), Parameter("size", POSITIVE)),
            negative_binomial_log,
            lambda log, size: (np.exp(log), size),
        ),
    ),
    Support("integer", 0),
    draw=_draw_negative_binomial,
    mean=lambda mean, size: mean + 0.0 * size,
)
CATEGORICAL = Family(
    "Categorical",
    (
        Form((Parameter("p", SIMPLEX, event_rank=1),), categorical),
        Form((Parameter("logit", event_rank=1),), categorical_logit, lambda logit: (softmax(logit),)),
    ),
    Support("category"),
    draw=_draw_category,
)

FAMILIES = (BERNOULLI, BINOMIAL, POISSON, NEG_BINOMIAL, CATEGORICAL)
