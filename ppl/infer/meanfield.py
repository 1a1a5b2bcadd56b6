"""start -> the mean-field guide at its optimum: quasi-Newton steps, then Newton's, the last of them the certificate."""

from __future__ import annotations

import numpy as np

from ppl.infer import objective
from ppl.infer.curvature import Directions
from ppl.infer.objective import LogDensity, MeanField
from ppl.infer.optimise import Objective, lbfgs
from ppl.values import dataclass

CONVERGED = 0.01  # posterior sd: the largest Newton step of an optimum
_MOST_NEWTON = 8
_MOST_EVALUATIONS = 500
_TOLERANCE = 1e-7  # nats, the decrease that ends the quasi-Newton steps


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """The guide at the optimum of the ELBO over the fixed draws `eps`.

    `covariance` is the linear response: the mu-mu block of the inverse Hessian of the negative ELBO (Giordano,
    Broderick, Jordan 2018); None where that Hessian is not positive definite. `newton_step` is the largest step left,
    in posterior sds.
    """

    guide: MeanField
    eps: np.ndarray
    elbo: float
    hessian: np.ndarray
    covariance: np.ndarray | None
    newton_step: float
    trace: tuple[float, ...]


def maximise(
    joint: LogDensity,
    guide: MeanField,
    precision: np.ndarray,
    eps: np.ndarray,
    directions: Directions,
    draws_of_hessian: int,
    alike: bool = False,
) -> Optimum:
    """The ELBO's optimum from a guide and a positive definite curvature (D, D) to whiten by.

    Where the Hessians of the log joint at all draws are said to be `alike`, that at mu stands for all.
    """
    dimension = len(guide.mu)

    def objective_of(packed: np.ndarray) -> tuple[float, np.ndarray]:
        return objective.negative_elbo(joint, MeanField.unpack(packed), eps)

    whitening = np.linalg.inv(_root(precision))

    def precondition(gradient: np.ndarray) -> np.ndarray:
        """The inverse curvature for mu; for log sigma the curvature at the optimum of a Gaussian is 2."""
        by_mu = whitening.T @ (whitening @ gradient[:dimension])
        return np.concatenate([by_mu, 0.5 * gradient[dimension:]])

    found = lbfgs(objective_of, guide.packed(), precondition, _TOLERANCE, _MOST_EVALUATIONS)
    packed, value, gradient = found.x, found.value, found.gradient
    trace = list(found.trace)
    few = _subset(eps, draws_of_hessian)
    step_size, hessian, covariance = np.inf, np.eye(2 * dimension), None
    for _ in range(_MOST_NEWTON):
        at = MeanField.unpack(packed)
        if alike:
            hessian = objective.hessian_at_mean(joint, at, eps, at.sigma, directions)
        else:
            hessian = objective.hessian(joint, at, few, at.sigma, directions)
        covariance = linear_response(hessian)
        step = newton_step(hessian, gradient)
        if step is None or covariance is None:
            step_size = np.inf
            break
        sds = np.sqrt(np.diag(covariance))
        step_size = float(np.abs(step[:dimension] / sds).max(initial=0.0))
        if max(step_size, float(np.abs(step[dimension:]).max(initial=0.0))) < CONVERGED:
            break
        moved = _line_search(objective_of, packed, value, step)
        if moved is None:
            break
        packed, value, gradient = moved
        trace.append(value)
    return Optimum(MeanField.unpack(packed), eps, -value, hessian, covariance, step_size, tuple(-v for v in trace))


def _root(precision: np.ndarray) -> np.ndarray:
    """The Cholesky factor, of the diagonal alone where rounding has spoilt the rest."""
    try:
        return np.linalg.cholesky(precision)
    except np.linalg.LinAlgError:
        return np.diag(np.sqrt(np.maximum(np.nan_to_num(np.diag(precision)), 1e-24)))


def _subset(eps: np.ndarray, draws: int) -> np.ndarray:
    """The first draws of both halves of antithetic pairs."""
    half = len(eps) // 2
    return eps if draws >= len(eps) else np.concatenate([eps[: draws // 2], eps[half : half + draws // 2]])


def _line_search(
    objective_of: Objective, packed: np.ndarray, value: float, step: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The first of a few shortened steps that lowers the value, with value and gradient there."""
    for halvings in range(6):
        trial = packed + 0.5**halvings * step
        trial_value, trial_gradient = objective_of(trial)
        if trial_value < value:
            return trial, trial_value, trial_gradient
    return None


def newton_step(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray | None:
    """Minus the inverse Hessian times the gradient; None where the Hessian is not positive definite."""
    unit = np.sqrt(np.abs(np.diag(hessian)))
    if not np.isfinite(hessian).all() or not (unit > 0).all():
        return None
    try:
        root = np.linalg.cholesky(hessian / unit / unit[:, None])
    except np.linalg.LinAlgError:
        return None
    return -np.linalg.solve(root.T, np.linalg.solve(root, gradient / unit)) / unit


def linear_response(hessian: np.ndarray) -> np.ndarray | None:
    """The mu-mu block of the inverse of the Hessian by (mu, log sigma); None where it is not positive definite."""
    dimension = len(hessian) // 2
    if not np.isfinite(hessian).all():
        return None
    by_mean, mixed = hessian[:dimension, :dimension], hessian[:dimension, dimension:]
    by_scale = hessian[dimension:, dimension:]
    try:
        np.linalg.cholesky(by_scale)
        reduced = by_mean - mixed @ np.linalg.solve(by_scale, mixed.T)
        unit = np.sqrt(np.abs(np.diag(reduced)))
        if not (unit > 0).all():
            return None
        with np.errstate(all="ignore"):
            scaled = 0.5 * (reduced + reduced.T) / unit / unit[:, None]
            np.linalg.cholesky(scaled)
            covariance = np.linalg.inv(scaled) / unit / unit[:, None]
            np.linalg.cholesky(covariance)
        return covariance if np.isfinite(covariance).all() else None
    except np.linalg.LinAlgError:
        return None
