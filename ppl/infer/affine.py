"""Gaussian guides z = mu + A eps and fixed draws -> the optimum of the ELBO: a full A, or a diagonal and a few columns.

The objective is that of `objective.py` with another A: deterministic, minimised by L-BFGS in coordinates whitened by a
covariance that is known beforehand. A guide is a family with packed parameters; at an optimum over enough draws
Sigma = A A' is the inverse of the mean of minus the Hessian (Opper and Archambeau 2009), so Sigma times the mean
gradient is a Newton step of mu.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ppl.infer import watch
from ppl.infer.objective import ENTROPY_OF_ONE, LogDensity
from ppl.infer.optimise import lbfgs
from ppl.values import dataclass

_TOLERANCE = 1e-8  # nats, the decrease that ends the quasi-Newton steps
_MOST_EVALUATIONS = 400
_MOST_SHRINKS = 6  # halvings of a first guide that reaches where there is no density


class Family(Protocol):
    """Guides z = mu + A eps by packed parameters; `noise` is the number of columns of A."""

    @property
    def noise(self) -> int: ...
    def first(self, shrink: float) -> np.ndarray: ...
    def place(self, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
    def log_volume(self, packed: np.ndarray) -> tuple[float, np.ndarray]: ...
    def pull_back(self, packed: np.ndarray, by_mu: np.ndarray, by_root: np.ndarray) -> np.ndarray: ...
    def precondition(self, gradient: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, slots=True, eq=False)
class FullRank:
    """A = R L: R R' is a covariance to whiten by, L is lower triangular with a positive diagonal, and below it free in
    its first rows and columns.

    These belong to a block of coordinates; of the rest, given the block, only means and sds are free. Packed: the mean
    in whitened coordinates from `centre`, the logarithms of the diagonal, the free entries.
    """

    centre: np.ndarray
    whitening: np.ndarray
    log_det: float
    rows: np.ndarray
    columns: np.ndarray

    @staticmethod
    def of(centre: np.ndarray, covariance: np.ndarray, block: np.ndarray) -> FullRank:
        order = np.concatenate([block, np.setdiff1d(np.arange(len(centre)), block)])
        whitening = np.empty_like(covariance)
        lower = np.linalg.cholesky(covariance[np.ix_(order, order)])
        whitening[order] = lower
        return FullRank(centre, whitening, float(np.log(np.diag(lower)).sum()), *np.tril_indices(len(block), -1))

    @property
    def noise(self) -> int:
        return len(self.centre)

    def first(self, shrink: float) -> np.ndarray:
        return np.concatenate([np.zeros(self.noise), np.full(self.noise, np.log(shrink)), np.zeros(len(self.rows))])

    def place(self, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shift, log_diagonal, below = np.split(packed, [self.noise, 2 * self.noise])
        lower = np.diag(np.exp(log_diagonal))
        lower[self.rows, self.columns] = below
        return self.centre + self.whitening @ shift, self.whitening @ lower

    def log_volume(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = np.zeros(len(packed))
        gradient[self.noise : 2 * self.noise] = 1.0
        volume = packed[self.noise : 2 * self.noise].sum() + self.log_det
        return float(volume), gradient

    def pull_back(self, packed: np.ndarray, by_mu: np.ndarray, by_root: np.ndarray) -> np.ndarray:
        by_lower = self.whitening.T @ by_root
        diagonal = np.exp(packed[self.noise : 2 * self.noise])
        return np.concatenate(
            [self.whitening.T @ by_mu, np.diag(by_lower) * diagonal, by_lower[self.rows, self.columns]]
        )

    def precondition(self, gradient: np.ndarray) -> np.ndarray:
        """For a Gaussian posterior, whitened by its covariance, the curvature is 1, and 2 by the log diagonal."""
        found = gradient.copy()
        found[self.noise : 2 * self.noise] *= 0.5
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """A = [U, diag(s)], in units of `unit` (D,), U (D, r): a covariance diag(s^2) + U U'.

    Packed: the mean from `centre`, log s and U, all in these units; `curvature` (D, D) is the covariance to whiten the
    mean by. Ong, Nott and Smith 2018 (factor covariance).
    """

    centre: np.ndarray
    unit: np.ndarray
    curvature: np.ndarray
    log_scale: np.ndarray
    factors: np.ndarray

    @staticmethod
    def of(centre: np.ndarray, covariance: np.ndarray, rank: int) -> LowRank:
        """From the largest eigenvectors of the correlations, the rest of the variances on the diagonal."""
        unit = np.sqrt(np.diag(covariance))
        correlation = covariance / unit / unit[:, None]
        values, vectors = np.linalg.eigh(correlation)
        factors = vectors[:, -rank:] * np.sqrt(np.maximum(values[-rank:] - np.median(values), 1e-2))
        rest = np.maximum(1.0 - (factors**2).sum(axis=1), 1e-2)
        return LowRank(centre, unit, correlation, 0.5 * np.log(rest), factors)

    @property
    def noise(self) -> int:
        return self.factors.shape[0] + self.factors.shape[1]

    def _split(self, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        dimension = len(self.centre)
        shift, log_scale, factors = np.split(packed, [dimension, 2 * dimension])
        return shift, log_scale, factors.reshape(self.factors.shape)

    def first(self, shrink: float) -> np.ndarray:
        log_scale = self.log_scale + np.log(shrink)
        return np.concatenate([np.zeros(len(self.centre)), log_scale, shrink * self.factors.ravel()])

    def place(self, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shift, log_scale, factors = self._split(packed)
        root = np.concatenate([factors, np.diag(np.exp(log_scale))], axis=1)
        return self.centre + self.unit * shift, self.unit[:, None] * root

    def log_volume(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """log det(S^2 + U U') / 2 by the singular values of S^-1 U."""
        shift, log_scale, factors = self._split(packed)
        scale = np.exp(log_scale)[:, None]
        left, sizes, right = np.linalg.svd(factors / scale, full_matrices=False)
        shrunk = (left * (sizes / (1 + sizes**2))) @ right  # (I + W W')^-1 W with W = U / s
        by_factors = shrunk / scale
        by_scale = 1.0 - (by_factors * factors).sum(axis=1)
        volume = log_scale.sum() + 0.5 * np.log1p(sizes**2).sum() + np.log(self.unit).sum()
        return float(volume), np.concatenate([np.zeros_like(shift), by_scale, by_factors.ravel()])

    def pull_back(self, packed: np.ndarray, by_mu: np.ndarray, by_root: np.ndarray) -> np.ndarray:
        rank = self.factors.shape[1]
        scaled = self.unit[:, None] * by_root
        by_scale = np.diagonal(scaled[:, rank:]) * np.exp(self._split(packed)[1])
        return np.concatenate([self.unit * by_mu, by_scale, scaled[:, :rank].ravel()])

    def precondition(self, gradient: np.ndarray) -> np.ndarray:
        by_mu, by_scale, by_factors = np.split(gradient, [len(self.centre), 2 * len(self.centre)])
        return np.concatenate([self.curvature @ by_mu, 0.5 * by_scale, 0.5 * by_factors])


@dataclass(frozen=True, slots=True, eq=False)
class AffineOptimum:
    """The best guide over the fixed draws: mu (D,), A (D, noise), the ELBO in nats, and the largest step left, of mu in
    its sds or of A.
    """

    packed: np.ndarray
    mu: np.ndarray
    root: np.ndarray
    elbo: float
    step: float

    @property
    def covariance(self) -> np.ndarray:
        return self.root @ self.root.T


def maximise(joint: LogDensity, family: Family, eps: np.ndarray, begin: np.ndarray | None = None) -> AffineOptimum:
    """The ELBO's optimum over draws eps (S, noise), from packed parameters or the family's first guide."""

    def objective_of(packed: np.ndarray) -> tuple[float, np.ndarray]:
        mu, root = family.place(packed)
        z = mu + eps @ root.T
        if not np.isfinite(z).all():
            return np.inf, np.zeros(len(packed))
        values, gradients = joint.value_and_gradient(z)
        if not np.isfinite(values).all() or not np.isfinite(gradients).all():
            return np.inf, np.zeros(len(packed))
        try:
            volume, by_volume = family.log_volume(packed)
        except np.linalg.LinAlgError:  # a scale has run to nothing
            return np.inf, np.zeros(len(packed))
        pulled = family.pull_back(packed, gradients.mean(axis=0), gradients.T @ eps / len(eps))
        value = -float(values.mean()) - volume - len(mu) * ENTROPY_OF_ONE
        watch.note(-value)
        return value, -pulled - by_volume

    for halvings in range(_MOST_SHRINKS):
        start = family.first(0.5**halvings) if begin is None else begin
        if begin is not None or np.isfinite(objective_of(start)[0]):
            break
    found = lbfgs(objective_of, start, family.precondition, _TOLERANCE, _MOST_EVALUATIONS)
    mu, root = family.place(found.x)
    left = float(np.abs(family.precondition(found.gradient)).max()) if np.isfinite(found.value) else np.inf
    return AffineOptimum(found.x, mu, root, -found.value, left)


def mean_step(joint: LogDensity, optimum: AffineOptimum, eps: np.ndarray) -> float:
    """How far draws eps would move the mean: Sigma times the mean gradient, in sds, the largest."""
    _, gradients = joint.value_and_gradient(optimum.mu + eps @ optimum.root.T)
    step = optimum.root @ (optimum.root.T @ gradients.mean(axis=0))
    sds = np.sqrt((optimum.root**2).sum(axis=1))
    found = float(np.abs(step / sds).max(initial=0.0))
    return found if np.isfinite(found) else np.inf
