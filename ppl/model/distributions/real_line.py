"""Families on the real line."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import POSITIVE, Family, Form, Parameter, Support
from ppl.numeric.special import digamma, elementwise, log_Phi, softplus
from ppl.numeric.tails import log_student_cdf
from ppl.numeric.ufuncs import special as scipy_special

HALF_LOG_TWO_PI = 0.5 * numpy.log(2 * numpy.pi)
LOG_PI = numpy.log(numpy.pi)


def _normal(x: Any, mean: Any, sd: Any) -> Any:
    t = (x - mean) / sd
    return numpy.where(sd > 0, -0.5 * t * t - numpy.log(sd) - HALF_LOG_TWO_PI, numpy.nan)


normal = elementwise(
    _normal,
    lambda x, mean, sd: (mean - x) / (sd * sd),
    lambda x, mean, sd: (x - mean) / (sd * sd),
    lambda x, mean, sd: (((x - mean) / sd) ** 2 - 1) / sd,
    name="normal",
)


def _student(x: Any, df: Any, location: Any, scale: Any) -> Any:
    t = (x - location) / scale
    # lgamma((df + 1)/2) - lgamma(df/2) - log(pi)/2 is -betaln(df/2, 1/2), without cancellation for large df
    constant = -scipy_special.betaln(0.5 * df, 0.5) - 0.5 * numpy.log(df) - numpy.log(scale)
    return constant - 0.5 * (df + 1) * numpy.log1p(t * t / df)


def _student_by_df(x: Any, df: Any, location: Any, scale: Any) -> Any:
    s = ((x - location) / scale) ** 2
    slope = digamma(0.5 * (df + 1)) - digamma(0.5 * df) - 1 / df
    return 0.5 * (slope - np.log1p(s / df) + (df + 1) * s / (df * (df + s)))


def _student_by_location(x: Any, df: Any, location: Any, scale: Any) -> Any:
    r = x - location
    return (df + 1) * r / (df * scale * scale + r * r)


def _student_by_scale(x: Any, df: Any, location: Any, scale: Any) -> Any:
    s = ((x - location) / scale) ** 2
    return ((df + 1) * s / (df + s) - 1) / scale


student = elementwise(
    _student,
    lambda *a: -_student_by_location(*a),
    _student_by_df,
    _student_by_location,
    _student_by_scale,
    name="student",
)


def _cauchy(x: Any, location: Any, scale: Any) -> Any:
    return -LOG_PI - numpy.log(scale) - numpy.log1p(((x - location) / scale) ** 2)


def _cauchy_by_location(x: Any, location: Any, scale: Any) -> Any:
    r = x - location
    return 2 * r / (scale * scale + r * r)


def _cauchy_by_scale(x: Any, location: Any, scale: Any) -> Any:
    r2 = (x - location) ** 2
    return (r2 - scale * scale) / (scale * (scale * scale + r2))


cauchy = elementwise(_cauchy, lambda *a: -_cauchy_by_location(*a), _cauchy_by_location, _cauchy_by_scale, name="cauchy")

laplace = elementwise(
    lambda x, location, scale: -numpy.log(2 * scale) - numpy.abs(x - location) / scale,
    lambda x, location, scale: -np.sign(x - location) / scale,
    lambda x, location, scale: np.sign(x - location) / scale,
    lambda x, location, scale: (np.abs(x - location) / scale - 1) / scale,
    name="laplace",
)


def _logistic(x: Any, location: Any, scale: Any) -> Any:
    t = numpy.abs((x - location) / scale)
    return -t - numpy.log(scale) - 2 * numpy.log1p(numpy.exp(-t))


logistic = elementwise(
    _logistic,
    lambda x, location, scale: -np.tanh((x - location) / (2 * scale)) / scale,
    lambda x, location, scale: np.tanh((x - location) / (2 * scale)) / scale,
    lambda x, location, scale: ((x - location) / scale * np.tanh((x - location) / (2 * scale)) - 1) / scale,
    name="logistic",
)


def log_cauchy_cdf(t: Any) -> Any:
    """log(1/2 + arctan(t)/pi), as arctan2(1, -t)/pi, which keeps the lower tail."""
    return np.log(np.arctan2(1.0, -t) / numpy.pi)


def cauchy_quantile(u: Any) -> Any:
    """tan(pi (u - 1/2)), from the end that is nearer."""
    return numpy.where(u < 0.5, -1.0, 1.0) / numpy.tan(numpy.pi * numpy.minimum(u, 1 - u))


def log_laplace_cdf(t: Any) -> Any:
    below = np.minimum(t, 0.0)
    above = np.maximum(t, 0.0)
    return np.where(t < 0, below - numpy.log(2), np.log1p(-0.5 * np.exp(-above)))


NORMAL = Family(
    "Normal",
    (
        Form((Parameter("mean"), Parameter("sd", POSITIVE)), normal),
        Form(
            (Parameter("mean"), Parameter("var", POSITIVE)),
            lambda x, mean, var: normal(x, mean, np.sqrt(var)),
            lambda mean, var: (mean, np.sqrt(var)),
        ),
        Form(
            (Parameter("mean"), Parameter("prec", POSITIVE)),
            lambda x, mean, prec: normal(x, mean, 1 / np.sqrt(prec)),
            lambda mean, prec: (mean, 1 / np.sqrt(prec)),
        ),
    ),
    Support("real"),
    draw=lambda rng, shape, mean, sd: mean + sd * rng.standard_normal(shape),
    mean=lambda mean, sd: mean + 0.0 * sd,
    log_cdf=lambda x, mean, sd: log_Phi((x - mean) / sd),
    log_sf=lambda x, mean, sd: log_Phi((mean - x) / sd),
    quantile=lambda u, mean, sd: mean + sd * scipy_special.ndtri(u),
)

STUDENT_T = Family(
    "StudentT",
    (Form((Parameter("df", POSITIVE), Parameter("location"), Parameter("scale", POSITIVE)), student),),
    Support("real"),
    draw=lambda rng, shape, df, location, scale: location + scale * rng.standard_t(df, shape),
    mean=lambda df, location, scale: numpy.where(df > 1, location + 0.0 * scale, numpy.nan),
    log_cdf=lambda x, df, location, scale: log_student_cdf(df, (x - location) / scale),
    log_sf=lambda x, df, location, scale: log_student_cdf(df, (location - x) / scale),
    quantile=lambda u, df, location, scale: location + scale * scipy_special.stdtrit(df, u),
)

CAUCHY = Family(
    "Cauchy",
    (Form((Parameter("location"), Parameter("scale", POSITIVE)), cauchy),),
    Support("real"),
    draw=lambda rng, shape, location, scale: location + scale * rng.standard_cauchy(shape),
    log_cdf=lambda x, location, scale: log_cauchy_cdf((x - location) / scale),
    log_sf=lambda x, location, scale: log_cauchy_cdf((location - x) / scale),
    quantile=lambda u, location, scale: location + scale * cauchy_quantile(u),
)

LAPLACE = Family(
    "Laplace",
    (Form((Parameter("location"), Parameter("scale", POSITIVE)), laplace),),
    Support("real"),
    draw=lambda rng, shape, location, scale: location + scale * rng.laplace(size=shape),
    mean=lambda location, scale: location + 0.0 * scale,
    log_cdf=lambda x, location, scale: log_laplace_cdf((x - location) / scale),
    log_sf=lambda x, location, scale: log_laplace_cdf((location - x) / scale),
    quantile=lambda u, location, scale: (
        location + scale * numpy.where(u < 0.5, numpy.log(2 * u), -numpy.log(2 * (1 - u)))
    ),
)

LOGISTIC = Family(
    "Logistic",
    (Form((Parameter("location"), Parameter("scale", POSITIVE)), logistic),),
    Support("real"),
    draw=lambda rng, shape, location, scale: location + scale * rng.logistic(size=shape),
    mean=lambda location, scale: location + 0.0 * scale,
    log_cdf=lambda x, location, scale: -softplus((location - x) / scale),
    log_sf=lambda x, location, scale: -softplus((x - location) / scale),
    quantile=lambda u, location, scale: location + scale * scipy_special.logit(u),
)

FLAT = Family(
    "Flat",
    (Form((), lambda x: 0.0 * x),),
    Support("real"),
    draw=lambda rng, shape: numpy.full(shape, numpy.nan),
    renormalised=False,
)

FAMILIES = (NORMAL, STUDENT_T, CAUCHY, LAPLACE, LOGISTIC, FLAT)
