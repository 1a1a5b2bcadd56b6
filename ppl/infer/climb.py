"""log joint and starting points -> where to begin: Newton's ways up, judged by the ELBO at every step.

The mode itself is not the goal: in a hierarchy the density may grow without bound where a scale goes to zero. The ELBO
of the Gaussian at each point says when to turn back (as in Pathfinder, Zhang et al. 2022).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.infer import curvature, watch
from ppl.infer.curvature import Directions
from ppl.infer.objective import ENTROPY_OF_ONE, LogDensity, MeanField
from ppl.values import dataclass

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
    `arrived` says whether the way ended in a proper mode, `path` holds the ELBOs on the way there.
    """

    guide: MeanField
    precision: np.ndarray
    elbo: float
    arrived: bool
    path: tuple[float, ...] = ()


def climb(joint: LogDensity, starts: np.ndarray, directions: Directions, eps: np.ndarray) -> list[Summit | None]:
    """Damped Newton steps from starting points z (N, D), all ways at once; None where the log joint is not finite."""
    ways = _Ways.of(joint, starts)
    for _ in range(_MOST_STEPS):
        if not len(ways.going):
            break
        precision = -curvature.hessians(
            _gradient_of(joint), ways.z[ways.going], ways.scale[ways.going], directions, joint.draws_at_once
        )
        finite = np.isfinite(precision).all(axis=(1, 2))
        ways.going = ways.going[finite]
        spectra = _Spectra.of(precision[finite])
        ways.look_around(joint, spectra, eps)
        ways.step(joint, spectra)
    return [
        None if found is None else replace(found, arrived=bool(arrived))
        for found, arrived in zip(ways.best, ways.arrived, strict=True)
    ]


def _gradient_of(joint: LogDensity) -> curvature.Gradient:
    return lambda points: joint.value_and_gradient(points)[1]


@dataclass(slots=True)
class _Ways:
    """N ways up, and which of them are still `going`."""

    z: np.ndarray  # (N, D)
    value: np.ndarray
    gradient: np.ndarray
    scale: np.ndarray  # (N, D) over which the gradient changes
    best: list[Summit | None]
    since_best: np.ndarray
    arrived: np.ndarray
    going: np.ndarray  # positions
    paths: list[tuple[float, ...]]  # the ELBO at every step

    @staticmethod
    def of(joint: LogDensity, starts: np.ndarray) -> _Ways:
        value, gradient = joint.value_and_gradient(starts)
        going = np.flatnonzero(np.isfinite(value) & np.isfinite(gradient).all(axis=1))
        n = len(starts)
        scale = np.full(starts.shape, 0.1)
        if len(going):
            best = going[np.argmax(value[going])]
            watch.note(np.nan, starts[best], np.log(scale[best]))
        return _Ways(
            starts.copy(),
            value,
            gradient,
            scale,
            [None] * n,
            np.zeros(n, dtype=int),
            np.zeros(n, dtype=bool),
            going,
            [()] * n,
        )

    def look_around(self, joint: LogDensity, spectra: _Spectra, eps: np.ndarray) -> None:
        """The mean field of the curvature at every point: kept where its ELBO is the best on this way."""
        scale = self.scale[self.going] = spectra.scales()
        z = self.z[self.going]
        values = joint.value((z[:, None] + scale[:, None] * eps).reshape(-1, z.shape[1])).reshape(len(z), -1)
        elbos = values.mean(axis=1) + np.log(scale).sum(axis=1) + z.shape[1] * ENTROPY_OF_ONE
        for k, i in enumerate(self.going):
            best, elbo = self.best[i], float(elbos[k])
            self.paths[i] += (elbo,)
            if best is None or elbo > best.elbo + 1e-3:
                self.since_best[i] = 0
            if best is None or elbo > best.elbo:
                watch.note(elbo, z[k].copy(), np.log(scale[k]))
                self.best[i] = Summit(
                    MeanField(z[k].copy(), np.log(scale[k])), spectra.positive(k), elbo, False, self.paths[i]
                )
        self.since_best[self.going] += 1

    def step(self, joint: LogDensity, spectra: _Spectra) -> None:
        """To the best of a few damped and shortened Newton steps; ways that arrive or lead nowhere end."""
        newton = spectra.solve(self.gradient[self.going], 0.0)
        decrement = (self.gradient[self.going] * newton).sum(axis=1)
        arrived = spectra.definite & (decrement < 1e-8)
        self.arrived[self.going[arrived]] = True
        on = ~arrived & (self.since_best[self.going] <= _PATIENCE)
        if not on.any():
            self.going = self.going[on]
            return
        steps = [
            length * damped
            for damped in (spectra.solve(self.gradient[self.going], damping) for damping in _DAMPING)
            for length in _LENGTHS
        ]
        trials = self.z[self.going[on]][:, None] + np.stack(steps, axis=1)[on]
        tried = joint.value(trials.reshape(-1, trials.shape[2])).reshape(trials.shape[:2])
        chosen = np.argmax(tried, axis=1)
        which = np.arange(len(chosen))
        better = tried[which, chosen] > self.value[self.going[on]]
        stuck = self.going[on][~better]
        self.arrived[stuck] = spectra.definite[on][~better] & (decrement[on][~better] < 1e-4)
        self.going = self.going[on][better]
        self.z[self.going] = trials[which, chosen][better]
        if len(self.going):
            self.value[self.going], self.gradient[self.going] = joint.value_and_gradient(self.z[self.going])
            self.going = self.going[np.isfinite(self.gradient[self.going]).all(axis=1)]


@dataclass(frozen=True, slots=True)
class _Spectra:
    """Symmetric matrices (N, D, D), scaled to unit diagonals, by eigenvectors: what is negative is turned positive."""

    unit: np.ndarray  # (N, D) what each coordinate was divided by
    values: np.ndarray  # (N, D)
    vectors: np.ndarray  # (N, D, D)

    @staticmethod
    def of(matrices: np.ndarray) -> _Spectra:
        diagonal = np.abs(np.diagonal(matrices, axis1=1, axis2=2))
        least = 1e-12 * np.maximum(1.0, diagonal.max(axis=1, initial=0.0, keepdims=True))
        unit = np.sqrt(np.maximum(diagonal, least))
        values, vectors = np.linalg.eigh(matrices / unit[:, None] / unit[:, :, None])
        return _Spectra(unit, values, vectors)

    @property
    def definite(self) -> np.ndarray:
        return np.asarray((self.values > _FLAT).all(axis=1))

    def _sizes(self, damping: float) -> np.ndarray:
        return np.maximum(np.abs(self.values), _FLAT) + damping

    def solve(self, right: np.ndarray, damping: float) -> np.ndarray:
        """(N, D) -> (N, D)."""
        turned = np.swapaxes(self.vectors, 1, 2) @ (right / self.unit)[:, :, None]
        return (self.vectors @ (turned / self._sizes(damping)[:, :, None]))[:, :, 0] / self.unit

    def positive(self, k: int) -> np.ndarray:
        """One of the matrices made positive definite."""
        unit = self.unit[k]
        vectors = self.vectors[k]
        return np.asarray((vectors * self._sizes(0.0)[k]) @ vectors.T * unit * unit[:, None])

    def scales(self) -> np.ndarray:
        """One over the root of the diagonals of the positive matrices, within reason."""
        sizes = (self.vectors**2 @ self._sizes(0.0)[:, :, None])[:, :, 0] * self.unit**2
        return np.minimum(1.0 / np.sqrt(sizes), _LARGEST_SCALE)
