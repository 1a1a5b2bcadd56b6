"""log joint and starting points -> where to begin: Newton's way up, judged by the ELBO at every step.

The mode itself is not the goal: in a hierarchy the density may grow without bound where a scale goes to zero. The ELBO
of the Gaussian at each point says when to turn back (as in Pathfinder, Zhang et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppl.infer import curvature
from ppl.infer.curvature import Directions
from ppl.infer.objective import ENTROPY_OF_ONE, LogDensity, MeanField

_MOST_STEPS = 60
_PATIENCE = 5  # steps without a better ELBO
_DAMPING = np.array([0.0, 1e-3, 1e-1, 10.0])  # of the scaled curvature
_LENGTHS = np.array([1.0, 0.5, 0.2, 0.05, 0.01, 1e-3])
_FLAT = 1e-11  # relative curvature below which a direction counts as flat
_LARGEST_SCALE = 1e4


@dataclass(frozen=True, slots=True, eq=False)
class Summit:
    """The best point of one way up.

    `precision` is the curvature there made positive definite (D, D), `elbo` that of the mean field `guide` it gives.
    `arrived` says whether the way ended in a proper mode.
    """

    guide: MeanField
    precision: np.ndarray
    elbo: float
    arrived: bool


def climb(joint: LogDensity, start: np.ndarray, directions: Directions, eps: np.ndarray) -> Summit | None:
    """Damped Newton steps from a starting point z (D,); None where the log joint is not finite there."""
    values, gradients = joint.value_and_gradient(start[None])
    value, gradient, z = float(values[0]), gradients[0], start
    if not np.isfinite(value) or not np.isfinite(gradient).all():
        return None
    scale = np.full(len(z), 0.1)
    best: Summit | None = None
    since_best, arrived = 0, False
    for _ in range(_MOST_STEPS):
        precision = -curvature.hessian(_gradient_of(joint), z, scale, directions, joint.draws_at_once)
        if not np.isfinite(precision).all():
            break
        spectrum = _Spectrum.of(precision)
        scale = spectrum.scales()
        guide = MeanField(z, np.log(scale))
        elbo = _elbo(joint, guide, eps)
        if best is None or elbo > best.elbo + 1e-3:
            since_best = 0
        if best is None or elbo > best.elbo:
            best = Summit(guide, spectrum.positive(), elbo, False)
        since_best += 1
        decrement = float(gradient @ spectrum.solve(gradient, 0.0))
        if decrement < 1e-8 and spectrum.definite:
            arrived = True
            break
        if since_best > _PATIENCE:
            break
        steps = np.concatenate([_LENGTHS[:, None] * spectrum.solve(gradient, damping) for damping in _DAMPING])
        tried = joint.value(z + steps)
        if not tried.max() > value:
            arrived = spectrum.definite and decrement < 1e-4
            break
        z = z + steps[int(np.argmax(tried))]
        values, gradients = joint.value_and_gradient(z[None])
        value, gradient = float(values[0]), gradients[0]
        if not np.isfinite(gradient).all():
            break
    if best is None:
        return None
    return Summit(best.guide, best.precision, best.elbo, arrived)


def _gradient_of(joint: LogDensity) -> curvature.Gradient:
    return lambda points: joint.value_and_gradient(points)[1]


def _elbo(joint: LogDensity, guide: MeanField, eps: np.ndarray) -> float:
    return float(joint.value(guide.draws(eps)).mean() + guide.log_sigma.sum() + len(guide.mu) * ENTROPY_OF_ONE)


@dataclass(frozen=True, slots=True)
class _Spectrum:
    """A symmetric matrix, scaled to unit diagonal, by its eigenvectors: what is negative is turned positive."""

    unit: np.ndarray  # (D,) what each coordinate was divided by
    values: np.ndarray
    vectors: np.ndarray

    @staticmethod
    def of(matrix: np.ndarray) -> _Spectrum:
        diagonal = np.abs(np.diag(matrix))
        unit = np.sqrt(np.maximum(diagonal, 1e-12 * max(1.0, float(diagonal.max(initial=0.0)))))
        unit = np.where(unit > 0, unit, 1.0)
        values, vectors = np.linalg.eigh(matrix / unit / unit[:, None])
        return _Spectrum(unit, values, vectors)

    @property
    def definite(self) -> bool:
        return bool((self.values > _FLAT).all())

    def _sizes(self, damping: float) -> np.ndarray:
        return np.maximum(np.abs(self.values), _FLAT) + damping

    def solve(self, right: np.ndarray, damping: float) -> np.ndarray:
        turned = self.vectors.T @ (right / self.unit)
        return self.vectors @ (turned / self._sizes(damping)) / self.unit

    def positive(self) -> np.ndarray:
        return (self.vectors * self._sizes(0.0)) @ self.vectors.T * self.unit * self.unit[:, None]

    def scales(self) -> np.ndarray:
        """One over the root of the diagonal of the positive matrix, within reason."""
        sizes = (self.vectors**2 @ self._sizes(0.0)) * self.unit**2
        return np.minimum(1.0 / np.sqrt(sizes), _LARGEST_SCALE)
