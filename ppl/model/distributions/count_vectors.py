"""Families of vectors of counts with a given sum: the last axis is the event."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast

from ppl.model.distributions.categories import softmax
from ppl.model.distributions.family import COUNT, POSITIVE, SIMPLEX, Family, Form, Parameter, Support
from ppl.model.distributions.vectors import draw_dirichlet
from ppl.numeric.reduce import log_softmax
from ppl.numeric.special import digamma, weigh
from ppl.numeric.ufuncs import special as scipy_special


def _only_sums(x: Any, n: Any, inside: Any) -> Any:
    wrong = ((x < 0) | (x != numpy.floor(x))).any(axis=-1) | (x.sum(axis=-1) != n)
    return numpy.where(wrong, -numpy.inf, inside)


def _log_arrangements(x: Any, n: Any) -> Any:
    """log of n! / (x_1! x_2! ...)."""
    return scipy_special.gammaln(n + 1.0) - scipy_special.gammaln(x + 1.0).sum(axis=-1)


@primitive
def multinomial(x: Any, n: Any, p: Any) -> Any:
    with numpy.errstate(all="ignore"):
        return _only_sums(x, n, _log_arrangements(x, n) + scipy_special.xlogy(x, p).sum(axis=-1))


def _multinomial_by_p(answer: Any, x: Any, n: Any, p: Any) -> Any:
    meta = np.metadata(p)
    return lambda g: unbroadcast(weigh(np.expand_dims(g, -1), np.where(x > 0, x / np.where(x > 0, p, 1.0), 0.0)), meta)


defvjp(multinomial, None, None, _multinomial_by_p)


@primitive
def multinomial_logit(x: Any, n: Any, logit: Any) -> Any:
    with numpy.errstate(all="ignore"):
        log_p = log_softmax(logit, -1)
        chosen = numpy.where(x == 0, 0.0, x * log_p)
        return _only_sums(x, n, _log_arrangements(x, n) + chosen.sum(axis=-1))


def _multinomial_by_logit(answer: Any, x: Any, n: Any, logit: Any) -> Any:
    meta = np.metadata(logit)
    return lambda g: unbroadcast(weigh(np.expand_dims(g, -1), x - np.expand_dims(n, -1) * softmax(logit)), meta)


defvjp(multinomial_logit, None, None, _multinomial_by_logit)


@primitive
def dirichlet_multinomial(x: Any, n: Any, concentration: Any) -> Any:
    """With lgamma(x + a) - lgamma(a) - lgamma(x + 1) as -log(x) - log B(a, x), and so for the sums."""
    concentration = concentration + numpy.zeros(numpy.shape(x)[-1])
    with numpy.errstate(all="ignore"):
        total = concentration.sum(axis=-1)
        whole = numpy.where(n > 0, numpy.log(n) + scipy_special.betaln(total, numpy.where(n > 0, n, 1.0)), 0.0)
        safe = numpy.where(x > 0, x, 1.0)
        parts = numpy.where(x > 0, numpy.log(safe) + scipy_special.betaln(concentration, safe), 0.0)
        return _only_sums(x, n, whole - parts.sum(axis=-1))


def _dirichlet_multinomial_by_concentration(answer: Any, x: Any, n: Any, concentration: Any) -> Any:
    meta = np.metadata(concentration)
    concentration = concentration + numpy.zeros(np.shape(x)[-1])
    total = np.sum(concentration, axis=-1, keepdims=True)
    slope = digamma(x + concentration) - digamma(concentration)
    slope = slope + digamma(total) - digamma(total + np.expand_dims(n, -1))
    return lambda g: unbroadcast(weigh(np.expand_dims(g, -1), slope), meta)


defvjp(dirichlet_multinomial, None, None, _dirichlet_multinomial_by_concentration)


def _draw_multinomial(rng: numpy.random.Generator, shape: tuple[int, ...], n: Any, p: Any) -> Any:
    """One binomial after another, of what is left."""
    p = numpy.broadcast_to(p, shape)
    left = numpy.broadcast_to(n, shape[:-1]).astype(numpy.int64)
    share_left = numpy.cumsum(p[..., ::-1], axis=-1)[..., ::-1]  # of this element and those after it
    drawn = numpy.zeros(shape, dtype=numpy.int64)
    for i in range(shape[-1]):
        share = numpy.where(share_left[..., i] > 0, p[..., i] / numpy.maximum(share_left[..., i], 1e-300), 0.0)
        drawn[..., i] = rng.binomial(left, numpy.clip(share, 0.0, 1.0)) if i < shape[-1] - 1 else left
        left = left - drawn[..., i]
    return drawn


def _draw_dirichlet_multinomial(rng: numpy.random.Generator, shape: tuple[int, ...], n: Any, concentration: Any) -> Any:
    return _draw_multinomial(rng, shape, n, draw_dirichlet(rng, shape, concentration))


def _shares(n: Any, weights: Any) -> Any:
    return np.expand_dims(n, -1) * weights / np.sum(weights, axis=-1, keepdims=True)


MULTINOMIAL = Family(
    "Multinomial",
    (
        Form((Parameter("n", COUNT), Parameter("p", SIMPLEX, event_rank=1)), multinomial),
        Form(
            (Parameter("n", COUNT), Parameter("logit", event_rank=1)),
            multinomial_logit,
            lambda n, logit: (n, softmax(logit)),
        ),
    ),
    Support("counts", 0, "n"),
    draw=_draw_multinomial,
    mean=_shares,
    event_rank=1,
)
DIRICHLET_MULTINOMIAL = Family(
    "DirichletMultinomial",
    (Form((Parameter("n", COUNT), Parameter("concentration", POSITIVE, event_rank=1)), dirichlet_multinomial),),
    Support("counts", 0, "n"),
    draw=_draw_dirichlet_multinomial,
    mean=_shares,
    event_rank=1,
)

FAMILIES = (MULTINOMIAL, DIRICHLET_MULTINOMIAL)
