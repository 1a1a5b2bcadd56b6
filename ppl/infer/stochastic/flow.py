"""parameters and noise -> draws of a normalising flow: standard normals through invertible layers, then scaled.

The whole flow is one primitive of autograd with an adjoint of its own (Rezende and Mohamed 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive

from ppl.infer.draws import fresh
from ppl.infer.stochastic.gaussians import log_standard
from ppl.infer.stochastic.guide import Drawn
from ppl.infer.stochastic.layers import Layer, MaskedAffine, Planar
from ppl.values import dataclass

_HIDDEN = 32  # units of a layer's network, or as many as twice the coordinates
_COUPLINGS, _AUTOREGRESSIVE, _PLANES = 6, 6, 24  # layers


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """z = mu + sigma f(eps), f the layers one after another. Phi: mu, log sigma, the layers' parameters."""

    dimension: int
    layers: tuple[Layer, ...]

    def start(self, mu: np.ndarray, sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([mu, np.log(sigma), *(layer.first(rng) for layer in self.layers)])

    def noise(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        return fresh(rng, draws, self.dimension)

    def _split(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        sizes = [self.dimension, self.dimension, *(layer.size for layer in self.layers)]
        mu, log_sigma, *thetas = np.split(phi, np.cumsum(sizes)[:-1])
        return mu, log_sigma, thetas

    def draw(self, phi: Any, eps: Any) -> tuple[Any, Any]:
        both = _draw(phi, eps, self)
        return both[:, :-1], both[:, -1]

    def drawn(self, phi: np.ndarray, eps: np.ndarray) -> Drawn:
        mu, log_sigma, thetas = self._split(phi)
        x, log_q, kept = eps, log_standard(eps) - log_sigma.sum(), []
        for layer, theta in zip(self.layers, thetas, strict=True):
            x, log_det, own = layer.forward(theta, x)
            log_q = log_q - log_det
            kept.append(own)
        sigma = np.exp(log_sigma)

        def pull_back(by_z: np.ndarray, by_log_q: np.ndarray) -> np.ndarray:
            found = [(by_z * x).sum(axis=0) * sigma - by_log_q.sum(), by_z.sum(axis=0)]
            by_x = by_z * sigma
            for layer, own in zip(reversed(self.layers), reversed(kept), strict=True):
                by_x, by_theta = layer.backward(own, by_x, -by_log_q)
                found.append(by_theta)
            by_log_sigma, by_mu, *by_thetas = found
            return np.concatenate([by_mu, by_log_sigma, *reversed(by_thetas)])

        def score() -> np.ndarray:
            carried = -eps
            for layer, own in zip(self.layers, kept, strict=True):
                carried = layer.carry(own, carried)
            return carried / sigma

        return Drawn(mu + sigma * x, log_q, pull_back, score)

    def through(self, phi: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The points (S, D) that eps are mapped to, and the log determinants there (S,)."""
        mu, log_sigma, thetas = self._split(phi)
        x, total = eps, np.full(len(eps), log_sigma.sum())
        for layer, theta in zip(self.layers, thetas, strict=True):
            x, log_det, _ = layer.forward(theta, x)
            total = total + log_det
        return mu + np.exp(log_sigma) * x, total

    def back(self, phi: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The points that are mapped to z, and the log determinants of the way there."""
        mu, log_sigma, thetas = self._split(phi)
        x, total = (z - mu) * np.exp(-log_sigma), np.full(len(z), log_sigma.sum())
        for layer, theta in zip(reversed(self.layers), reversed(thetas), strict=True):
            x, log_det = layer.inverse(theta, x)
            total = total + log_det
        return x, total

    def log_prob(self, phi: np.ndarray, z: np.ndarray) -> np.ndarray:
        """By the inverse of every layer; not for autograd."""
        x, log_det = self.back(phi, z)
        return log_standard(x) - log_det


@primitive
def _draw(phi: np.ndarray, eps: np.ndarray, flow: Flow) -> np.ndarray:
    made = flow.drawn(phi, eps)
    return np.column_stack([made.z, made.log_q])


def _draw_backward(answer: Any, phi: np.ndarray, eps: np.ndarray, flow: Flow) -> Any:
    return lambda g: flow.drawn(phi, eps).pull_back(g[:, :-1], g[:, -1])


defvjp(_draw, _draw_backward, None, None, argnums=[0, 1, 2])


def planar(dimension: int) -> Flow:
    return Flow(dimension, tuple(Planar(dimension) for _ in range(_PLANES)))


def real_nvp(dimension: int) -> Flow:
    """Couplings of the even coordinates to the odd, back, of the first half to the second, and back."""
    every, half = range(dimension), (dimension + 1) // 2
    splits: list[tuple[Sequence[int], Sequence[int]]] = [(every[::2], every[1::2]), (every[:half], every[half:])]
    return _masked(dimension, [tuple(split[:: 1 - 2 * back]) for split in splits for back in (0, 1)], _COUPLINGS)


def inverse_autoregressive(dimension: int) -> Flow:
    """Each coordinate by those before it, in order and in reverse."""
    order = [(i,) for i in range(dimension)]
    return _masked(dimension, [order, order[::-1]], _AUTOREGRESSIVE)


def _masked(dimension: int, orders: Sequence[Sequence[Sequence[int]]], layers: int) -> Flow:
    hidden = max(_HIDDEN, 2 * dimension)
    orders = [[group for group in order if len(group)] for order in orders]
    return Flow(dimension, tuple(MaskedAffine.of(orders[k % len(orders)], hidden) for k in range(layers)))
