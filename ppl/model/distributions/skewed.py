"""Families on the real line that lean to one side."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import POSITIVE, Family, Form, Parameter, Support
from ppl.model.distributions.positive import log_weibull_cdf
from ppl.model.distributions.real_line import HALF_LOG_TWO_PI
from ppl.numeric.invert import invert
from ppl.numeric.normal_tails import (
    log_ex_gaussian_cdf,
    log_ex_gaussian_sf,
    log_ex_gaussian_share,
    log_skew_normal_cdf,
)
from ppl.numeric.special import elementwise, inverse_mills
from ppl.numeric.ufuncs import special as scipy_special

LOG_TWO = numpy.log(2.0)


def _gumbel(x: Any, location: Any, scale: Any) -> Any:
    z = (x - location) / scale
    return -z - numpy.exp(-z) - numpy.log(scale)


gumbel = elementwise(
    _gumbel,
    lambda x, location, scale: np.expm1((location - x) / scale) / scale,
    lambda x, location, scale: -np.expm1((location - x) / scale) / scale,
    lambda x, location, scale: -((x - location) / scale * np.expm1((location - x) / scale) + 1) / scale,
    name="gumbel",
)


def _skew_normal(x: Any, location: Any, scale: Any, shape: Any) -> Any:
    z = (x - location) / scale
    return LOG_TWO - 0.5 * z * z - HALF_LOG_TWO_PI - numpy.log(scale) + scipy_special.log_ndtr(shape * z)


def _skew_normal_by_x(x: Any, location: Any, scale: Any, shape: Any) -> Any:
    z = (x - location) / scale
    return (shape * inverse_mills(shape * z) - z) / scale


skew_normal = elementwise(
    _skew_normal,
    _skew_normal_by_x,
    lambda *a: -_skew_normal_by_x(*a),
    lambda x, location, scale, shape: (
        -((x - location) / scale * scale * _skew_normal_by_x(x, location, scale, shape) + 1) / scale
    ),
    lambda x, location, scale, shape: (x - location) / scale * inverse_mills(shape * (x - location) / scale),
    name="skew_normal",
)


def ex_gaussian(x: Any, mean: Any, sd: Any, rate: Any) -> Any:
    """Stan's `exp_mod_normal`: the sum of a Normal(mean, sd) and an Exponential(rate) variable."""
    return np.log(rate) + log_ex_gaussian_share((x - mean) / sd, rate * sd)


def _quantile(log_cdf: Any, log_sf: Any, u: Any, *shapes: Any) -> Any:
    """By bisection, from the tail in which it lies."""
    u = u + numpy.zeros(numpy.broadcast_shapes(*map(numpy.shape, (u, *shapes))))

    def rising(z: Any) -> Any:
        return numpy.where(u < 0.5, log_cdf(z, *shapes) - numpy.log(u), numpy.log1p(-u) - log_sf(z, *shapes))

    return invert(rising, numpy.zeros(u.shape))


def log_skew_normal_sf(z: Any, shape: Any) -> Any:
    """The mirror image."""
    return log_skew_normal_cdf(-z, -shape)


def _draw_skew_normal(rng: numpy.random.Generator, size: tuple[int, ...], location: Any, scale: Any, shape: Any) -> Any:
    """(|u| shape + v) / sqrt(1 + shape**2) for standard normal u and v, Azzalini (1986)."""
    u, v = rng.standard_normal(size), rng.standard_normal(size)
    return location + scale * (numpy.abs(u) * shape + v) / numpy.hypot(1.0, shape)


GUMBEL = Family(
    "Gumbel",
    (Form((Parameter("location"), Parameter("scale", POSITIVE)), gumbel),),
    Support("real"),
    draw=lambda rng, shape, location, scale: location - scale * numpy.log(rng.standard_exponential(shape)),
    mean=lambda location, scale: location + numpy.euler_gamma * scale,
    log_cdf=lambda x, location, scale: -np.exp((location - x) / scale),
    log_sf=lambda x, location, scale: log_weibull_cdf((location - x) / scale),
    quantile=lambda u, location, scale: location - scale * numpy.log(-numpy.log(u)),
)
SKEW_NORMAL = Family(
    "SkewNormal",
    (Form((Parameter("location"), Parameter("scale", POSITIVE), Parameter("shape")), skew_normal),),
    Support("real"),
    draw=_draw_skew_normal,
    mean=lambda location, scale, shape: (
        location + scale * numpy.sqrt(2 / numpy.pi) * shape / numpy.sqrt(1 + shape * shape)
    ),
    log_cdf=lambda x, location, scale, shape: log_skew_normal_cdf((x - location) / scale, shape),
    log_sf=lambda x, location, scale, shape: log_skew_normal_sf((x - location) / scale, shape),
    quantile=lambda u, location, scale, shape: (
        location + scale * _quantile(log_skew_normal_cdf, log_skew_normal_sf, u, shape)
    ),
)
EX_GAUSSIAN = Family(
    "ExGaussian",
    (Form((Parameter("mean"), Parameter("sd", POSITIVE), Parameter("rate", POSITIVE)), ex_gaussian),),
    Support("real"),
    draw=lambda rng, shape, mean, sd, rate: (
        mean + sd * rng.standard_normal(shape) + rng.standard_exponential(shape) / rate
    ),
    mean=lambda mean, sd, rate: mean + 1 / rate + 0.0 * sd,
    log_cdf=lambda x, mean, sd, rate: log_ex_gaussian_cdf((x - mean) / sd, rate * sd),
    log_sf=lambda x, mean, sd, rate: log_ex_gaussian_sf((x - mean) / sd, rate * sd),
    quantile=lambda u, mean, sd, rate: mean + sd * _quantile(log_ex_gaussian_cdf, log_ex_gaussian_sf, u, rate * sd),
)

FAMILIES = (GUMBEL, SKEW_NORMAL, EX_GAUSSIAN)
