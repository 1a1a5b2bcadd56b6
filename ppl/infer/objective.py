"""mean-field guide and fixed draws -> negative ELBO, its gradient and its Hessian.

The guide is z = mu + exp(log_sigma) * eps with one mu and one log_sigma per unconstrained coordinate (Kucukelbir et al.
2017). The draws eps stay fixed, so the objective is a plain function (Giordano, Ingram, Broderick 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ppl.infer import curvature, watch
from ppl.infer.curvature import Directions
from ppl.values import dataclass

GUIDE_DRAWS = 64  # of the guide, at first; so many draws of the log joint count as one evaluation
_AT_ONCE = 64  # draws of a log joint that is evaluated in blocks of rows
ENTROPY_OF_ONE = 0.5 * np.log(2 * np.pi * np.e)  # nats, of a standard normal


class Weighable(Protocol):
    """What proposals are weighed by: D coordinates, S draws at once."""

    @property
    def dimension(self) -> int: ...
    @property
    def draws_at_once(self) -> int: ...
    def value(self, z: np.ndarray) -> np.ndarray: ...


class LogDensity(Weighable, Protocol):
    """What inference asks of a log joint."""

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


def evaluations(gradients: int) -> int:
    """Of the ELBO, that ask for so many gradients of single draws."""
    return -(-gradients // GUIDE_DRAWS)


@dataclass(slots=True)
class Counted:
    """A log density that counts the draws at which its gradient was asked for."""

    density: LogDensity
    gradients: int = 0

    @property
    def evaluations(self) -> int:
        """Of the ELBO, that would have asked for as many."""
        return evaluations(self.gradients)

    @property
    def dimension(self) -> int:
        return self.density.dimension

    @property
    def draws_at_once(self) -> int:
        return self.density.draws_at_once

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.density.value(z)

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.gradients += len(z)
        watch.tick(len(z))
        return self.density.value_and_gradient(z)


@dataclass(frozen=True, slots=True)
class MeanField:
    """mu and log sigma, each (D,)."""

    mu: np.ndarray
    log_sigma: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        with np.errstate(over="ignore"):  # a step of the optimiser may overshoot; the ELBO there is infinite
            return np.exp(self.log_sigma)

    def draws(self, eps: np.ndarray) -> np.ndarray:
        return self.mu + self.sigma * eps

    def packed(self) -> np.ndarray:
        return np.concatenate([self.mu, self.log_sigma])

    @staticmethod
    def unpack(packed: np.ndarray) -> MeanField:
        mu, log_sigma = np.split(packed, 2)
        return MeanField(mu, log_sigma)


def entropy(guide: MeanField) -> float:
    return float(guide.log_sigma.sum() + len(guide.mu) * ENTROPY_OF_ONE)


def negative_elbo(joint: LogDensity, guide: MeanField, eps: np.ndarray) -> tuple[float, np.ndarray]:
    """The negative ELBO over the draws, in nats, and its gradient by (mu, log_sigma), (2D,).

    Infinite, with a gradient of zeros, where a draw has no density.
    """
    values, gradients = joint.value_and_gradient(guide.draws(eps))
    if not np.isfinite(values).all() or not np.isfinite(gradients).all():
        return np.inf, np.zeros(2 * len(guide.mu))
    by_mu = -gradients.mean(axis=0)
    by_log_sigma = -(gradients * eps).mean(axis=0) * guide.sigma - 1.0
    value = -float(values.mean()) - entropy(guide)
    watch.note(-value, guide.mu, guide.log_sigma)
    return value, np.concatenate([by_mu, by_log_sigma])


def hessian(
    joint: LogDensity, guide: MeanField, eps: np.ndarray, scale: np.ndarray, directions: Directions
) -> np.ndarray:
    """The Hessian (2D, 2D) of the negative ELBO by (mu, log_sigma), over these draws.

    From the Hessians of the log joint at each draw: with h = d2 log p / dz2, the blocks are the means of -h,
    -h s e' and -s e h s e' - diag(g s e).
    """
    dimension = len(guide.mu)
    z = guide.draws(eps)
    gradient: Callable[[np.ndarray], np.ndarray] = lambda points: joint.value_and_gradient(points)[1]  # noqa: E731
    shown = curvature.second_differences(gradient, z, scale, directions, joint.draws_at_once)
    spread = guide.sigma * eps
    mean_mean: list[np.ndarray] = []
    mean_scale = np.zeros((dimension, dimension))
    scale_scale: list[np.ndarray] = []
    seen = np.zeros((dimension, dimension), dtype=bool)
    for row, column, entries in zip(directions.rows, directions.columns, shown, strict=True):
        mean_mean.append(-entries.mean(axis=0))
        scale_scale.append(-(entries * spread[:, row] * spread[:, column]).mean(axis=0))
        mean_scale[row, column] = -(entries * spread[:, column]).mean(axis=0)
        seen[row, column] = True
        mirrored = -(entries * spread[:, row]).mean(axis=0)
        lacking = ~seen[column, row]
        mean_scale[column[lacking], row[lacking]] = mirrored[lacking]
    by_scale = curvature.assemble(directions, scale_scale)
    _, gradients = joint.value_and_gradient(z)
    by_scale[np.diag_indices(dimension)] -= (gradients * spread).mean(axis=0)
    by_mean = curvature.assemble(directions, mean_mean)
    return np.block([[by_mean, mean_scale], [mean_scale.T, by_scale]])


def hessian_at_mean(
    joint: LogDensity, guide: MeanField, eps: np.ndarray, scale: np.ndarray, directions: Directions
) -> np.ndarray:
    """As `hessian`, with that of the log joint at mu for that at all draws: where many rows make it nearly constant.

    With h constant and antithetic draws the mixed block is 0.
    """
    gradient: Callable[[np.ndarray], np.ndarray] = lambda points: joint.value_and_gradient(points)[1]  # noqa: E731
    shown = curvature.second_differences(gradient, guide.mu[None], scale, directions, _AT_ONCE)
    by_mean = curvature.assemble(directions, [-entries[0] for entries in shown])
    spread = guide.sigma * eps
    by_scale = by_mean * (spread.T @ spread / len(spread))
    by_scale[np.diag_indices(len(by_scale))] -= (gradient(guide.draws(eps)) * spread).mean(axis=0)
    mixed = np.zeros(by_mean.shape)
    return np.block([[by_mean, mixed], [mixed, by_scale]])
