"""positions of many chains and a step size -> positions after a trajectory: leapfrog steps of all chains in one batch.

Velocities v are standard normal in coordinates whitened by `root`: z' = root v, v' = root' d log p / dz.
"""

from __future__ import annotations

import numpy as np

from ppl.infer import watch
from ppl.infer.objective import LogDensity
from ppl.values import dataclass

MOST_ERROR = 1000.0  # nats of energy: a trajectory that gains more has left the path


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Positions z (C, D), log densities (C,) and gradients (C, D): zeros where they are not finite."""

    z: np.ndarray
    value: np.ndarray
    gradient: np.ndarray

    def where(self, chosen: np.ndarray, other: Points) -> Points:
        """These points where chosen (C,), the others elsewhere."""
        return Points(
            np.where(chosen[:, None], self.z, other.z),
            np.where(chosen, self.value, other.value),
            np.where(chosen[:, None], self.gradient, other.gradient),
        )

    def at(self, positions: np.ndarray) -> Points:
        return Points(self.z[positions], self.value[positions], self.gradient[positions])


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A proposal of every chain and how it was judged."""

    points: Points  # where the chains are now
    proposed: np.ndarray  # (C, D)
    velocity: np.ndarray  # (C, D), at the proposal
    acceptance: np.ndarray  # (C,) probabilities
    energy: np.ndarray  # (C,) before the trajectory, nats
    diverged: np.ndarray  # (C,) whether the trajectory left the path
    step: np.ndarray  # (C,)


def at(joint: LogDensity, z: np.ndarray) -> Points:
    """A gradient taken as 0 where it is not finite is a function of position like any other: steps stay reversible."""
    watch.tick(len(z))
    value, gradient = joint.value_and_gradient(z)
    finite = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
    return Points(z, np.where(finite, value, -np.inf), np.where(finite[:, None], gradient, 0.0))


def to_positions(root: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whitened (C, D) -> distances of z (C, D); `root` is a Cholesky factor (D, D) or its diagonal (D,)."""
    return v * root if root.ndim == 1 else v @ root.T


def move(
    joint: LogDensity, here: Points, root: np.ndarray, step: np.ndarray, steps: int, rng: np.random.Generator
) -> Move:
    """One trajectory of every chain, of the same number of leapfrog steps, each chain with its own step size (C,)."""
    start = rng.standard_normal(here.z.shape)
    uniform = rng.random(len(here.z))
    h = step[:, None]
    velocity, points = start, here
    for _ in range(steps):
        velocity = velocity + 0.5 * h * _whitened(root, points.gradient)
        points = at(joint, points.z + h * to_positions(root, velocity))
        velocity = velocity + 0.5 * h * _whitened(root, points.gradient)
    energy = 0.5 * (start**2).sum(axis=1) - here.value
    gained = 0.5 * (velocity**2).sum(axis=1) - points.value - energy
    gained = np.where(np.isnan(gained), np.inf, gained)
    acceptance = np.exp(-np.maximum(gained, 0.0))
    moved = points.where(uniform < acceptance, here)
    return Move(moved, points.z, velocity, acceptance, energy, gained > MOST_ERROR, step)


def _whitened(root: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return gradient * root if root.ndim == 1 else gradient @ root
