"""an approximation -> a better one by a Gaussian guide with covariances of its own, proposed beside what was there.

Proposals come from the new guide and, one in five, from the one before: a guide that maximises the ELBO may be narrower
than the linear response, and what only the wider one reaches must still show in the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer import affine, doubts
from ppl.infer.affine import AffineOptimum, Family, FullRank, LowRank
from ppl.infer.draws import antithetic, generator
from ppl.infer.meanfield import Optimum
from ppl.infer.objective import GUIDE_DRAWS, Counted, LogDensity, MeanField
from ppl.infer.pipeline import DRAW_ERROR, FRESH, GUIDE, MOST_SEEN, PROPOSALS, Approximation, gather
from ppl.infer.proposals import Component, correct_twice
from ppl.infer.verdict import could_help

_MOST_FULL = 100  # coordinates with all covariances free
_BLOCK = 50  # coordinates of the block, among more
_DRAWS_PER_COORDINATE = 4
_MOST_DRAWS = 1024
_RANK = 10
_BESIDE = 0.2  # share of the proposals from the approximation before
_LEAST_VARIANCE = 1e-16  # of a coordinate, relative to the largest


def full_rank(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    """All covariances free, among many coordinates those of the block that the weights moved most; None where this
    cannot help.
    """

    block = _block(so_far)

    def family_of(centre: np.ndarray, covariance: np.ndarray) -> Family:
        return FullRank.of(centre, covariance, block)

    return _approximate(joint, so_far, seed, draws, family_of, len(block))


def low_rank(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    """A diagonal covariance and that of a few factors; None where this cannot help."""
    rank = min(_RANK, joint.dimension)

    def family_of(centre: np.ndarray, covariance: np.ndarray) -> Family:
        return LowRank.of(centre, covariance, rank)

    return _approximate(joint, so_far, seed, draws, family_of, min(joint.dimension, _BLOCK) + rank)


def _approximate(
    joint: LogJoint,
    so_far: Approximation,
    seed: int,
    draws: int,
    family_of: Callable[[np.ndarray, np.ndarray], Family],
    whitened: int,
) -> Approximation | None:
    if joint.dimension > MOST_SEEN or not could_help(so_far.evidence):
        return None
    covariance = covariance_of(so_far)
    if covariance is None:
        return None
    with np.errstate(all="ignore"):
        counted = Counted(joint)
        family = family_of(so_far.guide.mu, covariance)
        optimum, error = _settled(counted, seed, family, whitened)
        found = _as_optimum(optimum)
        if found is None:
            return None
        before = Component(so_far.guide.mu, np.linalg.cholesky(covariance), _BESIDE, joint.shared)
        assert found.covariance is not None
        components = [Component(optimum.mu, np.linalg.cholesky(found.covariance), 1 - _BESIDE, joint.shared), before]
        z, weights, wider = correct_twice(counted, generator(seed, PROPOSALS), components, draws)
        evidence = gather(counted, joint, found, error, (), z, weights, wider)
    where = {**evidence.where, **{name: so_far.evidence.where[name] for name in ("rivals",) if so_far.evidence.rivals}}
    return Approximation(
        guide=found.guide,
        z=z,
        weights=weights,
        evidence=replace(evidence, rivals=so_far.evidence.rivals, where=where),
        evaluations=counted.evaluations,
        elbo=optimum.elbo,
        modes=np.concatenate([optimum.mu[None], so_far.modes[1:]]),
    )


def covariance_of(so_far: Approximation) -> np.ndarray | None:
    """Of the proposals, which have the shape of the linear response; None where it is not positive definite."""
    if so_far.z.shape[1] == 0:
        return None
    with np.errstate(all="ignore"):
        covariance = np.cov(so_far.z, rowvar=False).reshape(so_far.z.shape[1], -1)
        try:
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return None
    variances = np.diag(covariance)
    held = np.isfinite(covariance).all() and variances.min() > _LEAST_VARIANCE * variances.max()
    return covariance if held else None


def _block(so_far: Approximation) -> np.ndarray:
    """The coordinates of which the weights moved mean or sd most."""
    dimension = so_far.z.shape[1]
    if dimension <= _MOST_FULL:
        return np.arange(dimension)
    share = doubts.uncovered(so_far.z, so_far.weights.weights)
    return np.sort(np.argsort(-share, kind="stable")[:_BLOCK])


def _settled(joint: LogDensity, seed: int, family: Family, whitened: int) -> tuple[AffineOptimum, float]:
    """The optimum over draws that are doubled until fresh ones would not move its mean; of their columns the first
    `whitened` have the identity for a covariance.
    """
    draws = max(GUIDE_DRAWS, _DRAWS_PER_COORDINATE * whitened)
    begin: np.ndarray | None = None
    while True:
        eps, fresh = (_draws(seed, purpose, draws, family.noise, whitened) for purpose in (GUIDE, FRESH))
        optimum = affine.maximise(joint, family, eps, begin)
        error = affine.mean_step(joint, optimum, fresh)
        if error <= DRAW_ERROR or draws >= _MOST_DRAWS or not np.isfinite(optimum.elbo):
            return optimum, error
        begin, draws = optimum.packed, 2 * draws


def _draws(seed: int, purpose: int, draws: int, noise: int, whitened: int) -> np.ndarray:
    rng = generator(seed, purpose, draws)
    if draws >= 2 * noise:
        return antithetic(rng, draws, noise)
    return np.concatenate([antithetic(rng, draws, whitened), antithetic(rng, draws, noise - whitened)], axis=1)


def _as_optimum(optimum: AffineOptimum) -> Optimum | None:
    """In the shape that evidence is gathered from; None where the ELBO was never finite."""
    covariance = optimum.covariance
    try:
        np.linalg.cholesky(covariance)
        precision = np.linalg.inv(covariance)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(optimum.elbo) or not np.isfinite(precision).all():
        return None
    guide = MeanField(optimum.mu, 0.5 * np.log(np.diag(covariance)))
    identity = 2.0 * np.eye(len(precision))
    hessian = np.block([[precision, 0 * precision], [0 * precision, identity]])
    return Optimum(guide, np.zeros((0, len(precision))), optimum.elbo, hessian, covariance, optimum.step, ())
