"""plan, logits, noise -> weights of relaxed discrete latents, the probabilities of their values, and minus the entropy.

The guide of each element is a categorical distribution of its own, q. Softmax of (log q + Gumbel noise) / temperature
are weights (Jang, Gu, Poole 2017); the largest of them stands where a draw from q does (Gumbel 1954).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import autograd.numpy as np
import numpy

from ppl.infer.stochastic.plan import Plan
from ppl.numeric.gather import pick
from ppl.numeric.reduce import log_softmax, softmax
from ppl.rewrite.relax import Soft
from ppl.rewrite.simplex_tables import shares_of, weights_of

_NEVER = -1e4  # a logit whose probability is 0, and of which 0 times the logarithm is


def put_in(plan: Plan, logits: Any, noise: Any, values: dict[str, Any], hard: bool = False) -> Any:
    """Puts weights (S, *shape, K) and probabilities (1, *shape, K) into `values`; with `hard` the weights are corners.

    Gives the sum of q log q over all elements, in nats.
    """
    total: Any = 0.0
    for soft, own in _slices(plan):
        shape = soft.possible.shape
        given = np.reshape(pick(logits, (own,)), (1, *shape)) + _offsets(soft)
        log_q = log_softmax(given, -1)
        q = np.exp(log_q)
        noisy = given + np.reshape(pick(noise, (slice(None), own)), (-1, *shape))
        values[weights_of(soft.name)] = corners(noisy) if hard else softmax(noisy / plan.temperature, -1)
        values[shares_of(soft.name)] = q
        total = total + np.sum(q * log_q)
    return total


def corners(noisy: numpy.ndarray) -> numpy.ndarray:
    """1 for the largest along the last axis, 0 for the others."""
    return (numpy.argmax(noisy, axis=-1)[..., None] == numpy.arange(noisy.shape[-1])).astype(noisy.dtype)


def log_probabilities(plan: Plan, logits: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """log q (*shape, K) of each latent."""
    found = {}
    for soft, own in _slices(plan):
        found[soft.name] = numpy.asarray(log_softmax(logits[own].reshape(soft.possible.shape) + _offsets(soft), -1))
    return found


def draw(
    plan: Plan, phi: numpy.ndarray, rng: numpy.random.Generator, count: int, even: float = 0.0
) -> tuple[dict[str, numpy.ndarray], numpy.ndarray]:
    """Values (S, *shape) of each latent from q, a share of which is spread evenly over all values, and log q (S,)."""
    found, total = {}, numpy.zeros(count)
    for soft, log_q in zip(plan.soft, log_probabilities(plan, plan.cut(phi)[3]).values(), strict=True):
        q = (1 - even) * numpy.exp(log_q) + even * soft.possible / soft.possible.sum(axis=-1, keepdims=True)
        ends = numpy.cumsum(q, axis=-1)
        goal = rng.random((count, *soft.shape)) * ends[..., -1]
        places = numpy.zeros(goal.shape, dtype=numpy.int64)
        for k in range(len(soft.values) - 1):
            places += goal >= ends[..., k]
        found[soft.name] = soft.values[places]
        chosen = numpy.take_along_axis(q[None], places[..., None], axis=-1)
        total += numpy.log(chosen).reshape(count, -1).sum(axis=1)
    return found, total


def gumbel(plan: Plan, rng: numpy.random.Generator, draws: int, dtype: Any = numpy.float64) -> numpy.ndarray:
    """Noise (S, numbers of all relaxed latents)."""
    return rng.gumbel(size=(draws, sum(soft.size for soft in plan.soft))).astype(dtype)


def _slices(plan: Plan) -> Iterator[tuple[Soft, slice]]:
    at = 0
    for soft in plan.soft:
        yield soft, slice(at, at + soft.size)
        at += soft.size


def _offsets(soft: Soft) -> numpy.ndarray:
    return numpy.where(soft.possible, 0.0, _NEVER)
