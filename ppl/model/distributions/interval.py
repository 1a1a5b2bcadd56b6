"""Families on a bounded interval."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import POSITIVE, Family, Form, Parameter, Support
from ppl.model.distributions.positive import log_weibull_cdf
from ppl.numeric.special import digamma, elementwise, lbeta, log, log1mexp
from ppl.numeric.tails import cdf_within, log_beta_cdf, log_beta_sf, sf_within
from ppl.numeric.ufuncs import special as scipy_special


def _beta(x: Any, a: Any, b: Any) -> Any:
    inside = scipy_special.xlogy(a - 1, x) + scipy_special.xlog1py(b - 1, -x) - scipy_special.betaln(a, b)
    return numpy.where((x < 0) | (x > 1), -numpy.inf, inside)


beta = elementwise(
    _beta,
    lambda x, a, b: (a - 1) / x - (b - 1) / (1 - x),
    lambda x, a, b: np.log(x) - digamma(a) + digamma(a + b),
    lambda x, a, b: np.log1p(-x) - digamma(b) + digamma(a + b),
    name="beta",
)

uniform = elementwise(
    lambda x, lower, upper: numpy.where((x < lower) | (x > upper), -numpy.inf, -numpy.log(upper - lower) + 0.0 * x),
    None,
    lambda x, lower, upper: 1 / (upper - lower) + 0.0 * x,
    lambda x, lower, upper: -1 / (upper - lower) + 0.0 * x,
    name="uniform",
)


def _kumaraswamy(x: Any, a: Any, b: Any) -> Any:
    log_rest = log1mexp(a * numpy.log(x))  # log(1 - x**a)
    inside = numpy.log(a * b) + scipy_special.xlogy(a - 1, x) + numpy.where(b == 1, 0.0, (b - 1) * log_rest)
    return numpy.where((x < 0) | (x > 1), -numpy.inf, inside)


def _odds(x: Any, a: Any) -> Any:
    """x**a / (1 - x**a)."""
    return 1 / np.expm1(-a * np.log(x))


kumaraswamy = elementwise(
    _kumaraswamy,
    lambda x, a, b: (a - 1 - (b - 1) * a * _odds(x, a)) / x,
    lambda x, a, b: 1 / a + np.log(x) * (1 - (b - 1) * _odds(x, a)),
    lambda x, a, b: 1 / b + log1mexp(a * np.log(x)),
    name="kumaraswamy",
)


def log_kumaraswamy_cdf(x: Any, a: Any, b: Any) -> Any:
    """log(1 - (1 - x**a)**b); far below it is log(b x**a)."""
    power = a * log(x)
    far = power < -36.0
    rest = log(-log1mexp(np.where(far, -36.0, power)))
    return log_weibull_cdf(log(b) + np.where(far, power, rest))


log_within_unit = cdf_within(log, upper=1.0)

BETA = Family(
    "Beta",
    (Form((Parameter("a", POSITIVE), Parameter("b", POSITIVE)), beta),),
    Support("interval", 0.0, 1.0),
    draw=lambda rng, shape, a, b: rng.beta(a, b, shape),
    mean=lambda a, b: a / (a + b),
    log_cdf=cdf_within(lambda x, a, b: log_beta_cdf(a, b, x), upper=1.0),
    log_sf=sf_within(lambda x, a, b: log_beta_sf(a, b, x), upper=1.0),
    quantile=lambda u, a, b: scipy_special.betaincinv(a, b, u),
)
UNIFORM = Family(
    "Uniform",
    (Form((Parameter("lower"), Parameter("upper")), uniform),),
    Support("interval", "lower", "upper"),
    draw=lambda rng, shape, lower, upper: lower + (upper - lower) * rng.random(shape),
    mean=lambda lower, upper: 0.5 * (lower + upper),
    log_cdf=lambda x, lower, upper: log_within_unit((x - lower) / (upper - lower)),
    log_sf=lambda x, lower, upper: log_within_unit((upper - x) / (upper - lower)),
    quantile=lambda u, lower, upper: lower + (upper - lower) * u,
)

KUMARASWAMY = Family(
    "Kumaraswamy",
    (Form((Parameter("a", POSITIVE), Parameter("b", POSITIVE)), kumaraswamy),),
    Support("interval", 0.0, 1.0),
    draw=lambda rng, shape, a, b: (-numpy.expm1(-rng.standard_exponential(shape) / b)) ** (1 / a),
    mean=lambda a, b: b * np.exp(lbeta(1 + 1 / a, b)),
    log_cdf=cdf_within(log_kumaraswamy_cdf, upper=1.0),
    log_sf=sf_within(lambda x, a, b: b * log1mexp(a * log(x)), upper=1.0),
    quantile=lambda u, a, b: (-numpy.expm1(numpy.log1p(-u) / b)) ** (1 / a),
)

FAMILIES = (BETA, UNIFORM, KUMARASWAMY)
