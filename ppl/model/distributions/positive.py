"""Families on the positive half line."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import POSITIVE, Family, Form, Parameter, Support
from ppl.model.distributions.real_line import HALF_LOG_TWO_PI, cauchy, normal, student
from ppl.numeric.invert import invert
from ppl.numeric.normal_tails import log_inverse_gaussian_cdf, log_inverse_gaussian_sf
from ppl.numeric.special import digamma, elementwise, erf, lgamma, log, log1mexp, log1p, log_Phi
from ppl.numeric.tails import cdf_within, log_beta_cdf, log_gamma_cdf, log_gamma_sf, log_student_cdf, sf_within
from ppl.numeric.ufuncs import special as scipy_special

LOG_TWO = numpy.log(2.0)
ROOT_TWO = numpy.sqrt(2.0)
ABOVE_ZERO = Support("interval", 0.0)


def cut(value: Any) -> Any:
    """A density's value function, minus infinity for negative x."""

    def inside(x: Any, *parameters: Any) -> Any:
        return numpy.where(x < 0, -numpy.inf, value(numpy.where(x < 0, 1.0, x), *parameters))

    inside.__name__ = value.__name__
    return inside


half_normal = elementwise(
    cut(lambda x, sd: LOG_TWO + normal(x, 0.0, sd)),
    lambda x, sd: -x / (sd * sd),
    lambda x, sd: ((x / sd) ** 2 - 1) / sd,
    name="half_normal",
)
half_cauchy = elementwise(
    cut(lambda x, scale: LOG_TWO + cauchy(x, 0.0, scale)),
    lambda x, scale: -2 * x / (scale * scale + x * x),
    lambda x, scale: (x * x - scale * scale) / (scale * (scale * scale + x * x)),
    name="half_cauchy",
)


def half_student(x: Any, df: Any, scale: Any) -> Any:
    return LOG_TWO + student(x, df, 0.0, scale) + _zero_or_minus_infinity(x)


_zero_or_minus_infinity = elementwise(lambda x: numpy.where(x < 0, -numpy.inf, 0.0), None, name="above_zero")

log_normal = elementwise(
    cut(lambda x, mean, sd: numpy.where(x > 0, normal(numpy.log(x), mean, sd) - numpy.log(x), -numpy.inf)),
    lambda x, mean, sd: ((mean - np.log(x)) / (sd * sd) - 1) / x,
    lambda x, mean, sd: (np.log(x) - mean) / (sd * sd),
    lambda x, mean, sd: (((np.log(x) - mean) / sd) ** 2 - 1) / sd,
    name="log_normal",
)
exponential = elementwise(
    cut(lambda x, rate: numpy.log(rate) - rate * x),
    lambda x, rate: -rate + 0.0 * x,
    lambda x, rate: 1 / rate - x,
    name="exponential",
)


def _gamma(x: Any, shape: Any, rate: Any) -> Any:
    scaled = rate * x
    return numpy.log(rate) + scipy_special.xlogy(shape - 1, scaled) - scaled - scipy_special.gammaln(shape)


gamma = elementwise(
    cut(_gamma),
    lambda x, shape, rate: (shape - 1) / x - rate,
    lambda x, shape, rate: np.log(rate * x) - digamma(shape),
    lambda x, shape, rate: shape / rate - x,
    name="gamma",
)


def _inverse_gamma(x: Any, shape: Any, scale: Any) -> Any:
    ratio = scale / x
    inside = shape * numpy.log(ratio) - numpy.log(x) - ratio - scipy_special.gammaln(shape)
    return numpy.where(x > 0, inside, -numpy.inf)


inverse_gamma = elementwise(
    cut(_inverse_gamma),
    lambda x, shape, scale: (scale / x - shape - 1) / x,
    lambda x, shape, scale: np.log(scale / x) - digamma(shape),
    lambda x, shape, scale: shape / scale - 1 / x,
    name="inverse_gamma",
)


def _weibull(x: Any, shape: Any, scale: Any) -> Any:
    t = x / scale
    return numpy.log(shape / scale) + scipy_special.xlogy(shape - 1, t) - t**shape


weibull = elementwise(
    cut(_weibull),
    lambda x, shape, scale: (shape - 1 - shape * (x / scale) ** shape) / x,
    lambda x, shape, scale: 1 / shape + np.log(x / scale) * (1 - (x / scale) ** shape),
    lambda x, shape, scale: shape / scale * ((x / scale) ** shape - 1),
    name="weibull",
)


rayleigh = elementwise(
    cut(lambda x, scale: numpy.log(x) - 2 * numpy.log(scale) - 0.5 * (x / scale) ** 2),
    lambda x, scale: 1 / x - x / (scale * scale),
    lambda x, scale: ((x / scale) ** 2 - 2) / scale,
    name="rayleigh",
)
pareto = elementwise(
    lambda x, scale, shape: numpy.where(
        x < scale, -numpy.inf, numpy.log(shape / scale) - (shape + 1) * numpy.log(numpy.maximum(x / scale, 1.0))
    ),
    lambda x, scale, shape: -(shape + 1) / x,
    lambda x, scale, shape: shape / scale + 0.0 * x,
    lambda x, scale, shape: 1 / shape - np.log(x / scale),
    name="pareto",
)


def _inverse_gaussian(x: Any, mean: Any, shape: Any) -> Any:
    away = (x - mean) / mean
    inside = 0.5 * numpy.log(shape) - 1.5 * numpy.log(x) - HALF_LOG_TWO_PI - 0.5 * shape * away * away / x
    return numpy.where(x > 0, inside, -numpy.inf)


inverse_gaussian = elementwise(
    cut(_inverse_gaussian),
    lambda x, mean, shape: -1.5 / x - 0.5 * shape * (1 / (mean * mean) - 1 / (x * x)),
    lambda x, mean, shape: shape * (x - mean) / mean**3,
    lambda x, mean, shape: 0.5 / shape - 0.5 * ((x - mean) / mean) ** 2 / x,
    name="inverse_gaussian",
)


def inverse_gaussian_quantile(u: Any, mean: Any, shape: Any) -> Any:
    """By bisection over log x, from the tail in which it lies."""
    u, mean, shape = numpy.broadcast_arrays(u, mean, shape)

    def rising(log_ratio: Any) -> Any:
        x = mean * numpy.exp(log_ratio)
        from_above = -log_inverse_gaussian_sf(x, mean, shape) + numpy.log1p(-u)
        return numpy.where(u < 0.5, log_inverse_gaussian_cdf(x, mean, shape) - numpy.log(u), from_above)

    return mean * numpy.exp(invert(rising, numpy.zeros(u.shape)))


def log_weibull_cdf(s: Any) -> Any:
    """log(1 - exp(-exp(s))), which far below is s."""
    return np.where(s < -50.0, s, log1mexp(-np.exp(s)))


log_pareto_cdf = cdf_within(lambda excess, shape: log1mexp(-shape * log1p(excess)))
log_pareto_sf = sf_within(lambda excess, shape: -shape * log1p(excess))


def half_cauchy_quantile(u: Any) -> Any:
    """tan(pi u / 2), from the end that is nearer."""
    return numpy.where(u < 0.5, numpy.tan(0.5 * numpy.pi * u), 1 / numpy.tan(0.5 * numpy.pi * (1 - u)))


def half_student_cdf(t: Any, df: Any) -> Any:
    """log P(|T| <= t): up to the shoulders by T**2 / (df + T**2), a Beta variable, beyond by the upper tail."""
    below = np.where(t * t < df, t, 0.0) ** 2
    inner = log_beta_cdf(0.5, 0.5 * df, below / (df + below))
    return np.where(t * t < df, inner, log1mexp(LOG_TWO + log_student_cdf(df, -t)))


def half_student_quantile(u: Any, df: Any) -> Any:
    """In the same two pieces."""
    ratio = scipy_special.betaincinv(0.5, 0.5 * df, u)
    return numpy.where(ratio < 0.5, numpy.sqrt(df * ratio / (1 - ratio)), -scipy_special.stdtrit(df, 0.5 * (1 - u)))


_SCALE = (Parameter("scale", POSITIVE),)

HALF_NORMAL = Family(
    "HalfNormal",
    (Form((Parameter("sd", POSITIVE),), half_normal),),
    ABOVE_ZERO,
    draw=lambda rng, shape, sd: sd * numpy.abs(rng.standard_normal(shape)),
    mean=lambda sd: sd * numpy.sqrt(2 / numpy.pi),
    log_cdf=cdf_within(lambda x, sd: log(erf(x / (ROOT_TWO * sd)))),
    log_sf=sf_within(lambda x, sd: LOG_TWO + log_Phi(-x / sd)),
    quantile=lambda u, sd: sd * ROOT_TWO * scipy_special.erfinv(u),
)
HALF_CAUCHY = Family(
    "HalfCauchy",
    (Form(_SCALE, half_cauchy),),
    ABOVE_ZERO,
    draw=lambda rng, shape, scale: scale * numpy.abs(rng.standard_cauchy(shape)),
    log_cdf=cdf_within(lambda x, scale: log(2 / numpy.pi * np.arctan2(x, scale))),
    log_sf=sf_within(lambda x, scale: log(2 / numpy.pi * np.arctan2(scale, x))),
    quantile=lambda u, scale: scale * half_cauchy_quantile(u),
)
HALF_STUDENT_T = Family(
    "HalfStudentT",
    (Form((Parameter("df", POSITIVE), Parameter("scale", POSITIVE)), half_student),),
    ABOVE_ZERO,
    draw=lambda rng, shape, df, scale: scale * numpy.abs(rng.standard_t(df, shape)),
    mean=lambda df, scale: numpy.where(
        df > 1, 2 * scale * numpy.sqrt(df) * numpy.exp(-scipy_special.betaln(0.5 * df, 0.5)) / (df - 1), numpy.nan
    ),
    log_cdf=cdf_within(lambda x, df, scale: half_student_cdf(x / scale, df)),
    log_sf=sf_within(lambda x, df, scale: LOG_TWO + log_student_cdf(df, -x / scale)),
    quantile=lambda u, df, scale: scale * half_student_quantile(u, df),
)
LOG_NORMAL = Family(
    "LogNormal",
    (Form((Parameter("mean"), Parameter("sd", POSITIVE)), log_normal),),
    ABOVE_ZERO,
    draw=lambda rng, shape, mean, sd: numpy.exp(mean + sd * rng.standard_normal(shape)),
    mean=lambda mean, sd: np.exp(mean + 0.5 * sd * sd),
    log_cdf=cdf_within(lambda x, mean, sd: log_Phi((log(x) - mean) / sd)),
    log_sf=sf_within(lambda x, mean, sd: log_Phi((mean - log(x)) / sd)),
    quantile=lambda u, mean, sd: numpy.exp(mean + sd * scipy_special.ndtri(u)),
)
EXPONENTIAL = Family(
    "Exponential",
    (Form((Parameter("rate", POSITIVE),), exponential),),
    ABOVE_ZERO,
    draw=lambda rng, shape, rate: rng.standard_exponential(shape) / rate,
    mean=lambda rate: 1 / rate,
    log_cdf=cdf_within(lambda x, rate: log1mexp(-rate * x)),
    log_sf=sf_within(lambda x, rate: -rate * x),
    quantile=lambda u, rate: -numpy.log1p(-u) / rate,
)
GAMMA = Family(
    "Gamma",
    (Form((Parameter("shape", POSITIVE), Parameter("rate", POSITIVE)), gamma),),
    ABOVE_ZERO,
    draw=lambda rng, size, shape, rate: rng.standard_gamma(shape, size) / rate,
    mean=lambda shape, rate: shape / rate,
    log_cdf=cdf_within(lambda x, shape, rate: log_gamma_cdf(shape, rate * x)),
    log_sf=sf_within(lambda x, shape, rate: log_gamma_sf(shape, rate * x)),
    quantile=lambda u, shape, rate: scipy_special.gammaincinv(shape, u) / rate,
)
INV_GAMMA = Family(
    "InvGamma",
    (Form((Parameter("shape", POSITIVE), Parameter("scale", POSITIVE)), inverse_gamma),),
    ABOVE_ZERO,
    draw=lambda rng, size, shape, scale: scale / rng.standard_gamma(shape, size),
    mean=lambda shape, scale: numpy.where(shape > 1, scale / (shape - 1), numpy.nan),
    log_cdf=cdf_within(lambda x, shape, scale: log_gamma_sf(shape, scale / x)),
    log_sf=sf_within(lambda x, shape, scale: log_gamma_cdf(shape, scale / x)),
    quantile=lambda u, shape, scale: scale / scipy_special.gammainccinv(shape, u),
)
WEIBULL = Family(
    "Weibull",
    (Form((Parameter("shape", POSITIVE), Parameter("scale", POSITIVE)), weibull),),
    ABOVE_ZERO,
    draw=lambda rng, size, shape, scale: scale * rng.standard_exponential(size) ** (1 / shape),
    mean=lambda shape, scale: scale * np.exp(lgamma(1 + 1 / shape)),
    log_cdf=cdf_within(lambda x, shape, scale: log_weibull_cdf(shape * log(x / scale))),
    log_sf=sf_within(lambda x, shape, scale: -((x / scale) ** shape)),
    quantile=lambda u, shape, scale: scale * (-numpy.log1p(-u)) ** (1 / shape),
)

CHI_SQUARE = Family(
    "ChiSquare",
    (Form((Parameter("df", POSITIVE),), lambda x, df: gamma(x, 0.5 * df, 0.5)),),
    ABOVE_ZERO,
    draw=lambda rng, shape, df: 2 * rng.standard_gamma(0.5 * df, shape),
    mean=lambda df: df,
    log_cdf=cdf_within(lambda x, df: log_gamma_cdf(0.5 * df, 0.5 * x)),
    log_sf=sf_within(lambda x, df: log_gamma_sf(0.5 * df, 0.5 * x)),
    quantile=lambda u, df: 2 * scipy_special.gammaincinv(0.5 * df, u),
)
RAYLEIGH = Family(
    "Rayleigh",
    (Form((Parameter("scale", POSITIVE),), rayleigh),),
    ABOVE_ZERO,
    draw=lambda rng, shape, scale: scale * numpy.sqrt(2 * rng.standard_exponential(shape)),
    mean=lambda scale: numpy.sqrt(0.5 * numpy.pi) * scale,
    log_cdf=cdf_within(lambda x, scale: log_weibull_cdf(2 * log(x / scale) - LOG_TWO)),
    log_sf=sf_within(lambda x, scale: -0.5 * (x / scale) ** 2),
    quantile=lambda u, scale: scale * numpy.sqrt(-2 * numpy.log1p(-u)),
)
PARETO = Family(
    "Pareto",
    (Form((Parameter("scale", POSITIVE), Parameter("shape", POSITIVE)), pareto),),
    Support("interval", "scale"),
    draw=lambda rng, size, scale, shape: scale * numpy.exp(rng.standard_exponential(size) / shape),
    mean=lambda scale, shape: scale * numpy.where(shape > 1, shape / (shape - 1), numpy.inf),
    log_cdf=lambda x, scale, shape: log_pareto_cdf((x - scale) / scale, shape),
    log_sf=lambda x, scale, shape: log_pareto_sf((x - scale) / scale, shape),
    quantile=lambda u, scale, shape: scale * numpy.exp(-numpy.log1p(-u) / shape),
)
INV_GAUSSIAN = Family(
    "InvGaussian",
    (Form((Parameter("mean", POSITIVE), Parameter("shape", POSITIVE)), inverse_gaussian),),
    ABOVE_ZERO,
    draw=lambda rng, size, mean, shape: rng.wald(mean, shape, size),
    mean=lambda mean, shape: mean + 0.0 * shape,
    log_cdf=cdf_within(log_inverse_gaussian_cdf),
    log_sf=sf_within(log_inverse_gaussian_sf),
    quantile=inverse_gaussian_quantile,
)

FAMILIES = (
    HALF_NORMAL, HALF_CAUCHY, HALF_STUDENT_T, LOG_NORMAL, EXPONENTIAL, GAMMA, INV_GAMMA, WEIBULL, CHI_SQUARE, RAYLEIGH,
    PARETO, INV_GAUSSIAN,
)  # fmt: skip
