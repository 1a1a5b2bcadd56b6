"""Log densities with known moments, in the shape that inference asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Gaussian:
    """A multivariate normal, up to `offset` nats."""

    mean: np.ndarray
    covariance: np.ndarray
    offset: float = 0.0
    draws_at_once: int = 1000

    @property
    def dimension(self) -> int:
        return len(self.mean)

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.value_and_gradient(z)[0]

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r = z - self.mean
        with np.errstate(all="ignore"):  # an optimiser may overshoot to where nothing is finite
            gradient = -r @ np.linalg.inv(self.covariance)
            return self.offset + 0.5 * (r * gradient).sum(axis=1), gradient

    @property
    def log_evidence(self) -> float:
        return float(self.offset + 0.5 * np.linalg.slogdet(2 * np.pi * self.covariance)[1])


@dataclass(frozen=True)
class Gumbels:
    """Independent standard Gumbels: skewed, smooth, each with mean 0.5772 and sd 1.2825."""

    dimension: int
    draws_at_once: int = 1000

    def value(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return -(z + np.exp(-z)).sum(axis=1)

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(over="ignore"):
            return self.value(z), np.exp(-z) - 1


def random_gaussian(dimension: int, condition: float, seed: int) -> Gaussian:
    """A correlated Gaussian whose covariance has about this condition number, far from the origin."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(dimension, dimension)))
    covariance = (basis * np.geomspace(1, 1 / condition, dimension)) @ basis.T
    return Gaussian(rng.normal(size=dimension) * 30, covariance)
