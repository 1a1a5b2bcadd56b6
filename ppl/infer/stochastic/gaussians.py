"""parameters and noise -> draws of Gaussian guides: a mean field, all covariances, a few factors; and a point."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from scipy.linalg import solve_triangular

from ppl.infer.draws import fresh
from ppl.infer.stochastic.guide import Drawn
from ppl.numeric.gather import Positions, add_up, pick
from ppl.numeric.linear import log_determinant
from ppl.values import dataclass

HALF_LOG_TWO_PI = 0.5 * numpy.log(2 * numpy.pi)
_SPREAD = 0.01  # of the factors of a low-rank guide at the start: at zero all have the gradient zero


def log_standard(eps: Any) -> Any:
    """The log density of standard normals (S, D) -> (S,)."""
    return -0.5 * np.sum(eps * eps, axis=1) - eps.shape[1] * HALF_LOG_TWO_PI


def part(phi: Any, start: int, size: int) -> Any:
    return pick(phi, (slice(start, start + size),))


@dataclass(frozen=True, slots=True)
class Point:
    """All mass at phi (D,): maximum likelihood, or a posterior mode. Its log q is taken as 0."""

    dimension: int

    def start(self, mu: numpy.ndarray, sigma: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        return numpy.array(mu, dtype=float)

    def noise(self, rng: numpy.random.Generator, draws: int) -> numpy.ndarray:
        return numpy.zeros((draws, 0))

    def draw(self, phi: Any, eps: Any) -> tuple[Any, Any]:
        return np.reshape(phi, (1, self.dimension)) + numpy.zeros((len(eps), 1)), numpy.zeros(len(eps))


@dataclass(frozen=True, slots=True)
class Factorised:
    """z = mu + sigma eps. Phi: mu, log sigma."""

    dimension: int

    def start(self, mu: numpy.ndarray, sigma: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        return numpy.concatenate([mu, numpy.log(sigma)])

    def noise(self, rng: numpy.random.Generator, draws: int) -> numpy.ndarray:
        return fresh(rng, draws, self.dimension)

    def draw(self, phi: Any, eps: Any) -> tuple[Any, Any]:
        mu, log_sigma = part(phi, 0, self.dimension), part(phi, self.dimension, self.dimension)
        return mu + np.exp(log_sigma) * eps, log_standard(eps) - np.sum(log_sigma)

    def drawn(self, phi: numpy.ndarray, eps: numpy.ndarray) -> Drawn:
        """By hand: a tenth of the time of autograd."""
        mu, log_sigma = numpy.split(phi, 2)
        sigma = numpy.exp(log_sigma)

        def pull_back(by_z: numpy.ndarray, by_log_q: numpy.ndarray) -> numpy.ndarray:
            by_log_sigma = (by_z * eps).sum(axis=0) * sigma - by_log_q.sum()
            return numpy.concatenate([by_z.sum(axis=0), by_log_sigma])

        return Drawn(mu + sigma * eps, log_standard(eps) - log_sigma.sum(), pull_back, lambda: -eps / sigma)

    def log_prob(self, phi: Any, z: Any) -> Any:
        mu, log_sigma = part(phi, 0, self.dimension), part(phi, self.dimension, self.dimension)
        return log_standard((z - mu) * np.exp(-log_sigma)) - np.sum(log_sigma)


@dataclass(frozen=True, slots=True)
class FullCovariance:
    """z = mu + diag(sigma) L eps, L lower triangular with ones on its diagonal. Phi: mu, log sigma, L below it."""

    dimension: int

    def start(self, mu: numpy.ndarray, sigma: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        below = self.dimension * (self.dimension - 1) // 2
        return numpy.concatenate([mu, numpy.log(sigma), numpy.zeros(below)])

    def noise(self, rng: numpy.random.Generator, draws: int) -> numpy.ndarray:
        return fresh(rng, draws, self.dimension)

    def _places(self) -> numpy.ndarray:
        size = self.dimension
        return numpy.ravel_multi_index(numpy.tril_indices(size, -1), (size, size))

    def _lower(self, phi: Any) -> Any:
        size, places = self.dimension, self._places()
        below = part(phi, 2 * size, len(places))
        return np.reshape(add_up(below, Positions(places, size * size), -1), (size, size)) + numpy.eye(size)

    def draw(self, phi: Any, eps: Any) -> tuple[Any, Any]:
        mu, log_sigma = part(phi, 0, self.dimension), part(phi, self.dimension, self.dimension)
        z = mu + np.exp(log_sigma) * np.dot(eps, np.transpose(self._lower(phi)))
        return z, log_standard(eps) - np.sum(log_sigma)

    def drawn(self, phi: numpy.ndarray, eps: numpy.ndarray) -> Drawn:
        mu, log_sigma, _ = numpy.split(phi, [self.dimension, 2 * self.dimension])
        sigma, lower = numpy.exp(log_sigma), self._lower(phi)
        units = eps @ lower.T

        def pull_back(by_z: numpy.ndarray, by_log_q: numpy.ndarray) -> numpy.ndarray:
            by_log_sigma = (by_z * units).sum(axis=0) * sigma - by_log_q.sum()
            by_lower = ((by_z * sigma).T @ eps).reshape(-1)[self._places()]
            return numpy.concatenate([by_z.sum(axis=0), by_log_sigma, by_lower])

        def score() -> numpy.ndarray:
            return -solve_triangular(lower, eps.T, trans="T", lower=True, unit_diagonal=True).T / sigma

        return Drawn(mu + sigma * units, log_standard(eps) - log_sigma.sum(), pull_back, score)

    def log_prob(self, phi: Any, z: Any) -> Any:
        mu, log_sigma = part(phi, 0, self.dimension), part(phi, self.dimension, self.dimension)
        scaled = np.transpose((z - mu) * np.exp(-log_sigma))
        return log_standard(np.transpose(np.linalg.solve(self._lower(phi), scaled))) - np.sum(log_sigma)


@dataclass(frozen=True, slots=True)
class Factors:
    """z = mu + sigma (eps + U eta), U (D, rank): Ong, Nott, Smith 2018. Phi: mu, log sigma, U."""

    dimension: int
    rank: int

    def start(self, mu: numpy.ndarray, sigma: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        factors = rng.normal(0.0, _SPREAD, self.dimension * self.rank)
        return numpy.concatenate([mu, numpy.log(sigma), factors])

    def noise(self, rng: numpy.random.Generator, draws: int) -> numpy.ndarray:
        return fresh(rng, draws, self.dimension + self.rank)

    def _factors(self, phi: Any) -> Any:
        return np.reshape(part(phi, 2 * self.dimension, self.dimension * self.rank), (self.dimension, self.rank))

    def draw(self, phi: Any, eps: Any) -> tuple[Any, Any]:
        mu, log_sigma = part(phi, 0, self.dimension), part(phi, self.dimension, self.dimension)
        own, shared = eps[:, : self.dimension], eps[:, self.dimension :]
        units = own + np.dot(shared, np.transpose(self._factors(phi)))
        return mu + np.exp(log_sigma) * units, self._log_density(phi, units)

    def log_prob(self, phi: Any, z: Any) -> Any:
        mu, log_sigma = part(phi, 0, self.dimension), part(phi, self.dimension, self.dimension)
        return self._log_density(phi, (z - mu) * np.exp(-log_sigma))

    def _log_density(self, phi: Any, units: Any) -> Any:
        """Of z, from (z - mu) / sigma, whose covariance is I + U U': by the identity of Woodbury."""
        factors = self._factors(phi)
        inner = numpy.eye(self.rank) + np.dot(np.transpose(factors), factors)
        along = np.dot(units, factors)
        explained = np.sum(along * np.transpose(np.linalg.solve(inner, np.transpose(along))), axis=1)
        log_det = 0.5 * log_determinant(inner) + np.sum(part(phi, self.dimension, self.dimension))
        return log_standard(units) + 0.5 * explained - log_det
