"""Families of whole numbers."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.count_tails import cdf_of_counts, cdf_up_to_n, sf_of_counts, sf_up_to_n, summed_tail
from ppl.model.distributions.family import (
    COUNT,
    NONNEGATIVE,
    POSITIVE,
    UNIT,
    WHOLE,
    Family,
    Form,
    Parameter,
    Support,
)
from ppl.numeric.special import digamma, elementwise, floor, inv_logit, log, log1mexp, log1p, softplus
from ppl.numeric.tails import log_beta_cdf, log_beta_sf, log_gamma_cdf, log_gamma_sf
from ppl.numeric.ufuncs import special as scipy_special

_LARGEST_RATE = 1e18  # and number of trials: larger ones cannot be drawn


def _only_counts(x: Any, inside: Any, upper: Any = numpy.inf) -> Any:
    outside = numpy.logical_or(numpy.logical_or(x < 0, x > upper), x != numpy.floor(x))  # `|` could not be staged
    return numpy.where(outside, -numpy.inf, inside)


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


def _geometric(x: Any, p: Any) -> Any:
    return _only_counts(x, numpy.log(p) + scipy_special.xlog1py(x, -p))


geometric = elementwise(
    _geometric,
    None,
    lambda x, p: 1 / p - np.where(x > 0, x / np.where(x > 0, 1.0 - p, 1.0), 0.0),
    name="geometric",
)
geometric_logit = elementwise(
    lambda x, logit: _only_counts(x, -numpy.logaddexp(0.0, -logit) - x * numpy.logaddexp(0.0, logit)),
    None,
    lambda x, logit: inv_logit(-logit) - x * inv_logit(logit),
    name="geometric_logit",
)


def _discrete_uniform(x: Any, low: Any, high: Any) -> Any:
    outside = (x < low) | (x > high) | (x != numpy.floor(x))
    return numpy.where(outside, -numpy.inf, -numpy.log(high - low + 1.0))


log_share = elementwise(lambda share: numpy.log(numpy.clip(share, 0.0, 1.0)), None, name="log_share")
discrete_uniform = elementwise(_discrete_uniform, None, None, None, name="discrete_uniform")


def _beta_binomial(x: Any, n: Any, a: Any, b: Any) -> Any:
    inside = _log_choose(n, x) + scipy_special.betaln(x + a, n - x + b) - scipy_special.betaln(a, b)
    return _only_counts(x, inside, n)


def _beta_binomial_by_a(x: Any, n: Any, a: Any, b: Any) -> Any:
    return digamma(x + a) - digamma(a) - digamma(n + a + b) + digamma(a + b)


def _beta_binomial_by_b(x: Any, n: Any, a: Any, b: Any) -> Any:
    return _beta_binomial_by_a(n - x, n, b, a)


beta_binomial = elementwise(
    _beta_binomial,
    None,
    None,
    _beta_binomial_by_a,
    _beta_binomial_by_b,
    name="beta_binomial",
)


log_beta_binomial_cdf, log_beta_binomial_sf = (
    summed_tail(
        _beta_binomial,
        (_beta_binomial_by_a, _beta_binomial_by_b),
        upper,
        f"log_beta_binomial_{name}",
    )
    for name, upper in (("cdf", False), ("sf", True))
)


def _by_mean(mean: Any, precision: Any) -> tuple[Any, Any]:
    return mean * precision, (1 - mean) * precision


def _draw_negative_binomial(rng: numpy.random.Generator, shape: tuple[int, ...], mean: Any, size: Any) -> Any:
    return rng.poisson(numpy.minimum(rng.standard_gamma(size, shape) * (mean / size), _LARGEST_RATE))


BERNOULLI = Family(
    "Bernoulli",
    (
        Form((Parameter("p", UNIT),), bernoulli),
        Form((Parameter("logit"),), bernoulli_logit, lambda logit: (inv_logit(logit),)),
    ),
    Support("integer", 0, 1),
    draw=lambda rng, shape, p: (rng.random(shape) < p).astype(numpy.int64),
    mean=lambda p: p,
    log_cdf=cdf_of_counts(lambda x, p: log1p(-p) + 0.0 * x, n=1),
    log_sf=sf_of_counts(lambda x, p: log(p) + 0.0 * x, n=1),
)
BINOMIAL = Family(
    "Binomial",
    (
        Form((Parameter("n", COUNT), Parameter("p", UNIT)), binomial),
        Form((Parameter("n", COUNT), Parameter("logit")), binomial_logit, lambda n, logit: (n, inv_logit(logit))),
    ),
    Support("integer", 0, "n"),
    draw=lambda rng, shape, n, p: rng.binomial(numpy.minimum(n, _LARGEST_RATE).astype(numpy.int64), p, shape),
    mean=lambda n, p: n * p,
    log_cdf=cdf_up_to_n(lambda x, n, p: log_beta_sf(x + 1, n - x, p)),
    log_sf=sf_up_to_n(lambda x, n, p: log_beta_cdf(x + 1, n - x, p)),
)
POISSON = Family(
    "Poisson",
    (
        Form((Parameter("rate", NONNEGATIVE),), poisson),
        Form((Parameter("log"),), poisson_log, lambda log: (np.exp(log),)),
    ),
    Support("integer", 0),
    draw=lambda rng, shape, rate: rng.poisson(numpy.minimum(rate, _LARGEST_RATE), shape),
    mean=lambda rate: rate,
    log_cdf=cdf_of_counts(lambda x, rate: log_gamma_sf(x + 1, rate)),
    log_sf=sf_of_counts(lambda x, rate: log_gamma_cdf(x + 1, rate)),
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
    log_cdf=cdf_of_counts(lambda x, mean, size: log_beta_cdf(size, x + 1, size / (mean + size))),
    log_sf=sf_of_counts(lambda x, mean, size: log_beta_cdf(x + 1, size, mean / (mean + size))),
)
GEOMETRIC = Family(
    "Geometric",
    (
        Form((Parameter("p", UNIT),), geometric),
        Form((Parameter("logit"),), geometric_logit, lambda logit: (inv_logit(logit),)),
    ),
    Support("integer", 0),
    draw=lambda rng, shape, p: numpy.floor(rng.standard_exponential(shape) / -numpy.log1p(-p)),
    mean=lambda p: (1 - p) / p,
    log_cdf=cdf_of_counts(lambda x, p: log1mexp((x + 1) * log1p(-p))),
    log_sf=sf_of_counts(lambda x, p: (x + 1) * log1p(-p)),
)
DISCRETE_UNIFORM = Family(
    "DiscreteUniform",
    (Form((Parameter("low", WHOLE), Parameter("high", WHOLE)), discrete_uniform),),
    Support("integer", "low", "high"),
    draw=lambda rng, shape, low, high: low + numpy.floor((high - low + 1.0) * rng.random(shape)),
    mean=lambda low, high: 0.5 * (low + high),
    log_cdf=lambda x, low, high: log_share((floor(x) - low + 1) / (high - low + 1)),
    log_sf=lambda x, low, high: log_share((high - floor(x)) / (high - low + 1)),
)
BETA_BINOMIAL = Family(
    "BetaBinomial",
    (
        Form((Parameter("n", COUNT), Parameter("a", POSITIVE), Parameter("b", POSITIVE)), beta_binomial),
        Form(
            (Parameter("n", COUNT), Parameter("mean", UNIT), Parameter("precision", POSITIVE)),
            lambda x, n, mean, precision: beta_binomial(x, n, *_by_mean(mean, precision)),
            lambda n, mean, precision: (n, *_by_mean(mean, precision)),
        ),
    ),
    Support("integer", 0, "n"),
    draw=lambda rng, shape, n, a, b: rng.binomial(numpy.asarray(n).astype(numpy.int64), rng.beta(a, b, shape), shape),
    mean=lambda n, a, b: n * a / (a + b),
    log_cdf=cdf_up_to_n(log_beta_binomial_cdf),
    log_sf=sf_up_to_n(log_beta_binomial_sf),
)
FAMILIES = (BERNOULLI, BINOMIAL, POISSON, NEG_BINOMIAL, GEOMETRIC, DISCRETE_UNIFORM, BETA_BINOMIAL)
