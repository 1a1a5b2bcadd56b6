"""log joint of all rows, and of some that count as all -> these, made exact about a mode up to second order.

    log p(z)  ~  w(z) + (p - w) + (p - w)' d + d (p - w)'' d / 2,    d = z - m

with w the log joint of M of N rows that count N/M times, and the brackets taken at m: the difference estimator of a sum
(Bardenet, Doucet, Holmes 2017; Quiroz, Kohn, Villani, Tran 2019). What is left out are higher orders of the rows, as
far as M of them do not show these: a posterior sd from m about sqrt(D^3 / (N M)) nats, so the less, the more rows.
"""

from __future__ import annotations

import numpy as np

from ppl.infer import curvature
from ppl.infer.climb import Summit
from ppl.infer.curvature import Directions
from ppl.infer.importance import resample
from ppl.infer.meanfield import newton_step
from ppl.infer.objective import LogDensity, MeanField
from ppl.infer.optimise import lbfgs
from ppl.values import dataclass

CLOSE = 0.03  # nats, rms over the posterior: no mean is off by more of its sds
_COMPARED = 64  # draws of the posterior
_TOLERANCE = 1e-3  # nats, that a Newton step to the mode would still gain
_MOST_GRADIENTS = 60
_REACH = 2.0  # times what sqrt(D) + 3 sds are: what is proposed lies within
_ASIDE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Expanded:
    """`some` plus a quadratic in z - `at`: by its value (), gradient (D,) and Hessian (D, D) there.

    Farther out than `reach` sds, by the `precision` (D, D) of the whole, it is what it is there: a quadratic has no
    bound, and need not fall.
    """

    some: LogDensity
    at: np.ndarray
    lacking: float
    gradient: np.ndarray
    hessian: np.ndarray
    precision: np.ndarray

    @property
    def dimension(self) -> int:
        return self.some.dimension

    @property
    def draws_at_once(self) -> int:
        return self.some.draws_at_once

    @property
    def reach(self) -> float:
        return _REACH * (np.sqrt(self.dimension) + _ASIDE)

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.some.value(z) + self._quadratic(z)[0]

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = self.some.value_and_gradient(z)
        more, more_slope = self._quadratic(z)
        return value + more, slope + more_slope

    def _quadratic(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Its values (S,) and gradients (S, D)."""
        apart = z - self.at
        leaning = apart @ self.precision
        squared = np.einsum("sd,sd->s", leaning, apart)
        shrunk = np.minimum(1.0, self.reach / np.sqrt(np.maximum(squared, 1e-300)))
        near = shrunk[:, None] * apart
        slope = self.gradient + near @ self.hessian
        value = self.lacking + 0.5 * np.einsum("sd,sd->s", near, self.gradient + slope)
        outward = np.where(shrunk < 1.0, np.einsum("sd,sd->s", apart, slope) / np.maximum(squared, 1e-300), 0.0)
        return value, shrunk[:, None] * (slope - outward[:, None] * leaning)


def expanded(
    whole: LogDensity, some: LogDensity, summit: Summit, directions: Directions
) -> tuple[Expanded, Summit] | None:
    """About the mode of the whole, looked for from that of some rows; and that mode.

    None where there is none.
    """
    covariance = np.linalg.inv(summit.precision)

    def falling(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = whole.value_and_gradient(z[None])
        return -float(value[0]), -slope[0]

    mode = lbfgs(falling, summit.guide.mu, lambda slope: covariance @ slope, _TOLERANCE, _MOST_GRADIENTS)
    of_whole, of_some = (_precision(density, mode.x, summit, directions) for density in (whole, some))
    left = newton_step(of_whole, mode.gradient)
    if left is None or -left @ mode.gradient > 1.0:
        return None
    value, slope = some.value_and_gradient(mode.x[None])
    lacking = -mode.value - float(value[0])
    found = Expanded(some, mode.x, lacking, -mode.gradient - slope[0], of_some - of_whole, of_whole)
    sigma = 1.0 / np.sqrt(np.diag(of_whole))
    return found, Summit(MeanField(mode.x, np.log(sigma)), of_whole, summit.elbo, True, summit.path)


def _precision(density: LogDensity, z: np.ndarray, summit: Summit, directions: Directions) -> np.ndarray:
    """Minus the Hessian (D, D) at z (D,)."""

    def gradient(points: np.ndarray) -> np.ndarray:
        return density.value_and_gradient(points)[1]

    return -curvature.hessians(gradient, z[None], summit.guide.sigma, directions, 2 * len(directions))[0]


def misfit(whole: LogDensity, by_some: Expanded, z: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> float:
    """The rms difference in nats, constants apart, over weighted proposals z (P, D): at 64 drawn from them."""
    chosen = z[resample(weights, _COMPARED, rng)]
    return float(np.std(whole.value(chosen) - by_some.value(chosen)))
