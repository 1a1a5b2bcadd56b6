"""log joint -> its mode, and the Gaussian of the curvature there: Laplace's approximation, not the posterior.

The mode is that of the unconstrained coordinates, Jacobians included, as in Stan's `laplace`: the median of each draw
of a scalar latent, and not changed by how the draws are mapped. Importance weights judge it, and are not used.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import interactions
from ppl.infer import curvature, doubts
from ppl.infer.climb import Summit
from ppl.infer.curvature import Directions
from ppl.infer.draws import antithetic, generator
from ppl.infer.importance import Weights
from ppl.infer.meanfield import CONVERGED, Optimum, newton_step
from ppl.infer.objective import ENTROPY_OF_ONE, Counted, LogDensity, MeanField
from ppl.infer.optimise import lbfgs
from ppl.infer.pipeline import (
    CLIMBING,
    FRESH,
    GUIDE,
    MOST_SEEN,
    PROPOSALS,
    STARTS,
    Approximation,
    gather,
    root_of,
)
from ppl.infer.proposals import Component, correct
from ppl.infer.search import search

_TOLERANCE = 1e-8  # nats, the decrease that ends the quasi-Newton steps
_MOST_EVALUATIONS = 500
_MOST_NEWTON = 8


def mode(joint: LogJoint, seed: int, draws: int) -> Approximation | None:
    """None where there are no coordinates, or too many for a Hessian. Raises `NoStart`."""
    if not 0 < joint.dimension <= MOST_SEEN:
        return None
    with np.errstate(all="ignore"):
        counted = Counted(joint)
        directions = curvature.plan(interactions(joint))
        none = np.zeros((0, joint.dimension))
        found = search(counted, joint, seed, (CLIMBING, STARTS, GUIDE), directions, none)
        optimum = _top(counted, found.summit, directions)
        root = root_of(optimum)
        proposed, weights = correct(counted, generator(seed, PROPOSALS), [Component(optimum.guide.mu, root)], draws)
        evidence = gather(counted, joint, optimum, 0.0, found.rivals, proposed, weights)
        if optimum.covariance is not None:
            means, spreads = doubts.moved(optimum, proposed, weights.weights)
            moved = {"moved_mean": doubts.names(joint.blocks, means), "moved_sd": doubts.names(joint.blocks, spreads)}
            evidence = replace(
                evidence,
                moved_mean=float(means.max()),
                moved_sd=float(spreads.max()),
                where={**evidence.where, **moved},
            )
        eps = antithetic(generator(seed, FRESH), draws + draws % 2, joint.dimension)[:draws]
        z = optimum.guide.mu + eps @ root.T
    return Approximation(
        guide=optimum.guide,
        z=z,
        weights=Weights(np.full(draws, 1 / draws), weights.pareto_k),
        evidence=replace(evidence, effective=float(draws), point=1),
        evaluations=counted.evaluations,
        elbo=optimum.elbo,
        modes=np.array([one.guide.mu for one in (optimum, *found.rivals)]),
    )


def _top(joint: LogDensity, summit: Summit, directions: Directions) -> Optimum:
    """The mode above a summit: quasi-Newton steps, then Newton's. Its ELBO is Laplace's log evidence, in nats."""

    def objective_of(z: np.ndarray) -> tuple[float, np.ndarray]:
        values, gradients = joint.value_and_gradient(z[None])
        finite = np.isfinite(values[0]) and np.isfinite(gradients).all()
        return (-float(values[0]), -gradients[0]) if finite else (np.inf, np.zeros_like(z))

    found = lbfgs(
        objective_of, summit.guide.mu, lambda g: np.linalg.solve(summit.precision, g), _TOLERANCE, _MOST_EVALUATIONS
    )
    z, value, gradient = found.x, found.value, found.gradient
    scale = summit.guide.sigma
    left, covariance = np.inf, None
    for _ in range(_MOST_NEWTON):
        hessian = -curvature.hessians(
            lambda points: joint.value_and_gradient(points)[1], z[None], scale, directions, joint.draws_at_once
        )[0]
        step = newton_step(hessian, gradient)
        if step is None:
            break
        covariance = np.linalg.inv(hessian)
        covariance = 0.5 * (covariance + covariance.T)
        scale = np.sqrt(np.diag(covariance))
        left = float(np.abs(step / scale).max())
        lower, gradient_there = objective_of(z + step)
        if left < 0.1 * CONVERGED or not lower < value:
            break
        z, value, gradient = z + step, lower, gradient_there
    conditional = np.abs(np.diag(hessian)) ** -0.5
    log_det = np.inf if covariance is None else float(np.linalg.slogdet(covariance)[1])
    evidence = -value + 0.5 * log_det + len(z) * (ENTROPY_OF_ONE - 0.5)
    full = np.block([[hessian, 0 * hessian], [0 * hessian, 2 * np.eye(len(z))]])
    guide = MeanField(z, np.log(conditional))
    return Optimum(guide, np.zeros((0, len(z))), evidence, full, covariance, left, ())
