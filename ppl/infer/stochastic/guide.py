"""a guide's parameters and standard draws -> draws of the guide with their log density, and the way back for gradients.

A guide is a frozen value that knows its shape; what is fitted is the vector phi (P,). S draws of D coordinates come
from noise eps (S, E) by a smooth map (the reparameterisation of Kingma and Welling 2014), so gradients of the ELBO by
phi go through the draws: by autograd, or by an adjoint that the guide brings along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import autograd.numpy as np
import numpy
from autograd.core import make_vjp

from ppl.infer.objective import LogDensity
from ppl.values import dataclass


class Guide(Protocol):
    """`start` gives parameters of a guide with means mu (D,) and sds sigma (D,), or close to it; `draw` is
    differentiable by autograd in phi: draws z (S, D) and log q (S,) in nats.
    """

    @property
    def dimension(self) -> int: ...
    def start(self, mu: numpy.ndarray, sigma: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray: ...
    def noise(self, rng: numpy.random.Generator, draws: int) -> numpy.ndarray: ...
    def draw(self, phi: Any, eps: Any) -> tuple[Any, Any]: ...


@runtime_checkable
class WithDensity(Protocol):
    """A guide whose log density is known at any points z (S, D): differentiable by autograd in both."""

    def log_prob(self, phi: Any, z: Any) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Draws z (S, D) with log q (S,); `pull_back` takes gradients by both to that by phi (P,).

    `score` gives the gradient of log q by z (S, D) with phi held; None where the guide does not know it.
    """

    z: numpy.ndarray
    log_q: numpy.ndarray
    pull_back: Callable[[numpy.ndarray, numpy.ndarray], numpy.ndarray]
    score: Callable[[], numpy.ndarray] | None


@runtime_checkable
class WithAdjoint(Protocol):
    """A guide that brings its own way back."""

    def drawn(self, phi: numpy.ndarray, eps: numpy.ndarray) -> Drawn: ...


def drawn(guide: Guide, phi: numpy.ndarray, eps: numpy.ndarray) -> Drawn:
    """Draws with the way back: the guide's own, or autograd's."""
    if isinstance(guide, WithAdjoint):
        return guide.drawn(phi, eps)
    backward, both = make_vjp(lambda phi: _side_by_side(*guide.draw(phi, eps)), phi)
    z, log_q = both[:, :-1], both[:, -1]
    score = None
    if isinstance(guide, WithDensity):
        density = guide.log_prob
        score = lambda: make_vjp(lambda z: density(phi, z), z)[0](numpy.ones(len(z)))  # noqa: E731
    return Drawn(z, log_q, lambda by_z, by_log_q: backward(numpy.column_stack([by_z, by_log_q])), score)


def _side_by_side(z: Any, log_q: Any) -> Any:
    return np.concatenate([z, np.reshape(log_q, (len(log_q), 1))], axis=1)


def negative_elbo(
    joint: LogDensity, guide: Guide, phi: numpy.ndarray, eps: numpy.ndarray, path: bool = True
) -> tuple[float, numpy.ndarray]:
    """The negative ELBO over draws eps (S, E), in nats, and its gradient by phi (P,).

    With `path`, and where the guide has a score, that of log q is taken through the draws alone (Roeder, Wu, Duvenaud
    2017): what is left out has mean zero, and where guide and posterior agree nothing of the noise remains. Infinite,
    with a gradient of zeros, where a draw has no density.
    """
    with numpy.errstate(all="ignore"):
        made = drawn(guide, phi, eps)
        draws = len(made.z)
        nothing = numpy.inf, numpy.zeros(len(phi))
        if not numpy.isfinite(made.z).all():
            return nothing
        values, gradients = joint.value_and_gradient(made.z)
        if not numpy.isfinite(values).all() or not numpy.isfinite(gradients).all():
            return nothing
        value = float((made.log_q - values).mean())
        if path and made.score is not None:
            return value, made.pull_back((made.score() - gradients) / draws, numpy.zeros(draws))
        return value, made.pull_back(-gradients / draws, numpy.full(draws, 1.0 / draws))
