"""log joint with points, and draws -> the negative ELBO by all coordinates and the spread of those that are no points.

Points have no spread: every draw has them at the same place, and they add nothing to the entropy. Where all coordinates
are points the objective is minus the log likelihood.
"""

from __future__ import annotations

import numpy as np

from ppl.infer import objective
from ppl.infer.curvature import Directions
from ppl.infer.objective import ENTROPY_OF_ONE, LogDensity, MeanField
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class EMObjective:
    """A function of x = (mu (D,), log sigma of the coordinates (L,) that are no points), over draws `eps` (S, D)."""

    joint: LogDensity
    points: np.ndarray  # (D,), true for points
    eps: np.ndarray  # zeros at points

    @staticmethod
    def over(joint: LogDensity, points: np.ndarray, eps: np.ndarray) -> EMObjective:
        return EMObjective(joint, points, np.where(points, 0.0, eps))

    @property
    def dimension(self) -> int:
        return len(self.points)

    @property
    def kept(self) -> np.ndarray:
        """Which of (mu, log sigma) of all coordinates (2D,) are in x."""
        return np.concatenate([np.ones(self.dimension, dtype=bool), ~self.points])

    def guide(self, x: np.ndarray) -> MeanField:
        """The spread of points is 1, and multiplied by zeros."""
        log_sigma = np.zeros(self.dimension)
        log_sigma[~self.points] = x[self.dimension :]
        return MeanField(x[: self.dimension], log_sigma)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """In nats, and the gradient."""
        value, gradient = objective.negative_elbo(self.joint, self.guide(x), self.eps)
        return value + ENTROPY_OF_ONE * float(self.points.sum()), gradient[self.kept]

    def hessian(self, x: np.ndarray, scale: np.ndarray, directions: Directions, draws: int) -> np.ndarray:
        """By x, over the first draws of both halves; `scale` (D,) is the size over which the gradient changes."""
        half = len(self.eps) // 2
        few = (
            self.eps
            if draws >= len(self.eps)
            else np.concatenate([self.eps[: draws // 2], self.eps[half:][: draws // 2]])
        )
        found = objective.hessian(self.joint, self.guide(x), few, scale, directions)
        return found[np.ix_(self.kept, self.kept)]
