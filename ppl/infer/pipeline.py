"""log joint -> approximation: starts, guide, draw error, linear response, importance weights, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.row_blocks import FEWEST_ROWS
from ppl.compile.rowwise import longest_axis
from ppl.compile.sparsity import interactions, sparse_interactions
from ppl.infer import curvature, doubts, expansion, importance, many_rows, watch
from ppl.infer.climb import Summit
from ppl.infer.curvature import Directions
from ppl.infer.draws import antithetic, generator
from ppl.infer.importance import Weights
from ppl.infer.meanfield import Optimum, maximise, newton_step
from ppl.infer.objective import GUIDE_DRAWS, Counted, LogDensity, MeanField, negative_elbo
from ppl.infer.proposals import Component, correct_twice, heavy_tailed, is_uneven
from ppl.infer.search import Found, search
from ppl.infer.verdict import Evidence, Verdict, judge
from ppl.model.dependence import TooDense
from ppl.values import dataclass

if TYPE_CHECKING:
    from ppl.infer.sparse import SparseOptimum

DRAWS = 4000
_MOST_GUIDE_DRAWS = 1024
DRAW_ERROR = 0.05  # posterior sds
_KNOWN = 0.1  # posterior sds by which wider proposals may move what the first ones found
_MOST_BATCHES_OF_HESSIAN = 20  # of as many draws as are evaluated at once
MOST_SEEN = 1500  # coordinates with a dense Hessian; beyond, it is a sparse one, or the guide alone is reported
_FEWEST_BY_GROUPS = 100  # coordinates; of many rows, a hierarchy of groups is integrated group by group from there on
_MOST_DIRECTIONS = 60  # that show a sparse Hessian
_DRAWS_BEFORE_INTEGRALS = 8  # of the guide, where quadrature corrects what it finds
_DRAWN_AT_ONCE = 4_000_000  # numbers
MOST_COORDINATES = 50_000
MOST_ELEMENTS = 60_000_000  # of the draws of all coordinates; a few such arrays are alive at once, 2 GB in all

# One purpose a stream of random numbers.
(CLIMBING, STARTS, GUIDE, FRESH, PROPOSALS, RESAMPLING, SIMULATION, DISCRETE, CHAINS, POINTS, FLOW, ROWS) = range(12)
(ADAPTING, DRIFT, NESTED) = range(12, 15)


class TooLarge(Exception):
    """More coordinates, or more draws of them, than fit into memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Approximation:
    """What inference found: weighted proposals z (P, D), and how it went.

    `modes` (N, D) are the optimum, and other modes that the proposals do not reach; `path` is the ELBO after each step
    on the way, where it was kept: over other draws while the start is searched.
    """

    guide: MeanField
    z: np.ndarray
    weights: Weights
    evidence: Evidence
    evaluations: int
    elbo: float
    modes: np.ndarray
    path: tuple[float, ...] = ()


def approximate(
    joint: LogJoint, seed: int, draws: int = DRAWS, also: np.ndarray | None = None, hasty: bool = False
) -> Approximation:
    """The weighted posterior of a log joint; `also` are further points (N, D) to look for modes from.

    `hasty` where proposals are adapted next if these are uneven: then these are few. Raises `NoStart` and `TooLarge`.
    """
    if joint.dimension == 0:
        return _nothing_to_infer(joint, draws)
    joint = joint.with_fewest_rows()
    if joint.dimension > MOST_COORDINATES or joint.dimension * draws > MOST_ELEMENTS:
        raise TooLarge
    with np.errstate(all="ignore"):  # what is infinite or no number shows in the verdict
        if joint.dimension > MOST_SEEN:
            return _sparse(joint, seed, draws) or _guide_alone(joint, seed, draws)
        if joint.dimension > _FEWEST_BY_GROUPS and _has_many_rows(joint):
            quick = _sparse(joint, seed, draws)
            if quick is not None and judge(quick.evidence)[0] == Verdict.GOOD:
                return quick
        return _approximate(joint, seed, draws, np.zeros((0, joint.dimension)) if also is None else also, hasty)


def _has_many_rows(joint: LogJoint) -> bool:
    axis = longest_axis(joint.parts)
    return axis is not None and axis.length >= FEWEST_ROWS


def _approximate(joint: LogJoint, seed: int, draws: int, also: np.ndarray, hasty: bool) -> Approximation:
    directions = curvature.plan(interactions(joint))
    counted = Counted(joint)
    watch.step("ways up")
    if many_rows.are_many(joint):
        some = many_rows.some_rows(joint, seed, ROWS)
        found = many_rows.search(counted, some, seed, (CLIMBING, STARTS, GUIDE), directions, also)
        watch.coordinates(joint)  # what was seen so far is of some rows alone
        quick = _sparingly(counted, joint, some, seed, draws, found, directions)
        if quick is not None and judge(quick.evidence)[0] == Verdict.GOOD:
            return quick
    else:
        found = search(counted, joint, seed, (CLIMBING, STARTS, GUIDE), directions, also)
    watch.step("guide")
    settled = settled_optimum(counted, seed, found.summit, directions)
    return _weighted(counted, counted, joint, seed, draws, found, *settled, hasty)


def _sparingly(
    counted: Counted,
    joint: LogJoint,
    some: LogDensity,
    seed: int,
    draws: int,
    found: Found,
    directions: Directions,
) -> Approximation | None:
    """With few passes over the data: a guide from some rows, and weights from these too, where they are near enough to
    those of all rows; else from all rows, of fewer proposals.
    """
    about = expansion.expanded(counted, some, found.summit, directions)
    if about is None:
        return None
    by_some, summit = about
    density = Counted(by_some)
    watch.step("guide")
    settled = settled_optimum(density, seed, summit, directions, alike=True)
    quick = _weighted(density, counted, joint, seed, draws, found, *settled)
    rng = generator(seed, ROWS, len(quick.z))
    if expansion.misfit(counted, by_some, quick.z, quick.weights.weights, rng) <= expansion.CLOSE:
        return quick
    return _weighted(counted, counted, joint, seed, many_rows.proposals(joint, draws), found, *settled)


def _weighted(
    density: Counted,
    counted: Counted,
    joint: LogJoint,
    seed: int,
    draws: int,
    found: Found,
    optimum: Optimum,
    draw_error: float,
    hasty: bool = False,
) -> Approximation:
    """From the optimum of a guide to proposals weighed by a density, which is that of the joint or stands for it;
    `hasty` with uneven weights.
    """
    watch.step("weights")
    proposed = Component(optimum.guide.mu, root_of(optimum), shared=joint.shared)
    z, weights, wider = correct_twice(density, generator(seed, PROPOSALS), [proposed], draws, hasty)
    known = wider.max(initial=0.0) <= _KNOWN  # other modes, before the second look
    hidden = [r for r in found.rivals if not (known and doubts.is_covered(r, optimum, z, weights.weights))]
    evidence = gather(counted, joint, optimum, draw_error, hidden, z, weights, wider)
    if hasty and is_uneven(weights):
        evidence = replace(evidence, few=1)
    modes = np.array([mode.guide.mu for mode in (optimum, *hidden)])
    path = found.summit.path + optimum.trace
    return Approximation(optimum.guide, z, weights, evidence, counted.evaluations, optimum.elbo, modes, path)


def gather(
    counted: Counted,
    joint: LogJoint,
    optimum: Optimum,
    draw_error: float,
    hidden: Sequence[Optimum],
    z: np.ndarray,
    weights: Weights,
    wider: np.ndarray | None = None,
) -> Evidence:
    """All that speaks for and against the weighted proposals; `wider` (D,) is how far wider ones moved moments."""
    weakest = doubts.weakest_direction(counted, optimum)
    where = {"not_definite": doubts.names(joint.blocks, weakest.share)}
    where["flat"] = where["not_definite"]
    where["pareto_k"] = doubts.names(joint.blocks, doubts.uncovered(z, weights.weights))
    if hidden:
        where["rivals"] = doubts.names(joint.blocks, doubts.apart_in(hidden[0], optimum))
    if wider is not None:
        where["wider"] = doubts.names(joint.blocks, wider)
    means = spreads = np.zeros(1)
    heavy = heavy_tailed(joint.dimension, joint.shared)
    if optimum.covariance is not None and heavy < joint.dimension:
        means, spreads = doubts.moved(optimum, z, weights.weights)
        means[:heavy] = spreads[:heavy] = 0.0
        where |= {
            "moved_mean": doubts.names(joint.blocks, means),
            "moved_sd": doubts.names(joint.blocks, spreads),
        }
    return Evidence(
        newton_step=optimum.newton_step,
        not_definite=float(optimum.covariance is None),
        flat=float(weakest.flat),
        draw_error=draw_error,
        pareto_k=weights.pareto_k,
        draws=len(z),
        effective=weights.effective,
        rivals=len(hidden),
        moved_mean=float(means.max()),
        moved_sd=float(spreads.max()),
        where=where,
        wider=0.0 if wider is None else float(wider.max(initial=0.0)),
    )


def settled_optimum(
    joint: LogDensity, seed: int, summit: Summit, directions: Directions, alike: bool = False
) -> tuple[Optimum, float]:
    """The optimum over draws that are doubled until fresh ones would not move it; their Hessians may be `alike`."""
    guide, precision, draws = summit.guide, summit.precision, GUIDE_DRAWS
    affordable = _MOST_BATCHES_OF_HESSIAN * joint.draws_at_once // max(1, 2 * len(directions))
    while True:
        eps = antithetic(generator(seed, GUIDE, draws), draws, joint.dimension)
        of_hessian = 2 * int(np.clip(affordable // 2, 4, draws // 2))
        optimum = maximise(joint, guide, precision, eps, directions, of_hessian, alike)
        error = _draw_error(joint, seed, optimum)
        if error <= DRAW_ERROR or draws >= _MOST_GUIDE_DRAWS or optimum.covariance is None:
            return optimum, error
        guide, draws = optimum.guide, 2 * draws
        precision = np.linalg.inv(optimum.covariance)


def _draw_error(joint: LogDensity, seed: int, optimum: Optimum) -> float:
    """How far a fresh set of draws would move the means, in posterior sds: one Newton step over it."""
    if optimum.covariance is None:
        return np.inf
    eps = antithetic(generator(seed, FRESH, len(optimum.eps)), len(optimum.eps), joint.dimension)
    _, gradient = negative_elbo(joint, optimum.guide, eps)
    step = newton_step(optimum.hessian, gradient)
    if step is None:
        return np.inf
    sds = np.sqrt(np.diag(optimum.covariance))
    return float(np.abs(step[: joint.dimension] / sds).max(initial=0.0))


def root_of(optimum: Optimum) -> np.ndarray:
    """The Cholesky factor of the covariance; the guide's own sds, within reason, where there is none."""
    if optimum.covariance is not None:
        return np.linalg.cholesky(optimum.covariance)
    return np.diag(np.clip(optimum.guide.sigma, 1e-100, 1e100))


def _sparse(joint: LogJoint, seed: int, draws: int) -> Approximation | None:
    """By a sparse Hessian, and groups integrated out where the model is a hierarchy; None where too many interact."""
    from ppl.infer import arrow, large

    try:
        pattern = sparse_interactions(joint)
    except TooDense:
        return None
    planned = curvature.plan_sparse(pattern, _MOST_DIRECTIONS)
    if planned is None:
        return None
    directions, hubs = planned
    counted = Counted(joint)
    splits = arrow.splits(joint, pattern, hubs)
    guide_draws = _DRAWS_BEFORE_INTEGRALS if splits else GUIDE_DRAWS
    watch.step("guide")
    optimum = large.newton(counted, joint, seed, (STARTS, GUIDE), directions, guide_draws)
    if optimum.factor is None:
        return None
    watch.step("weights")
    corrected = arrow.correct(joint, pattern, hubs, optimum, generator(seed, PROPOSALS), draws) if splits else None
    if corrected is None:
        z = _linear_response_draws(optimum, seed, draws)
        weights = Weights(np.full(draws, 1 / draws), -np.inf)
    else:
        z, weights = corrected.z, corrected.weights
    watch.step("another mode")
    rival = large.elsewhere(counted, joint, seed, (STARTS, GUIDE), directions, optimum)
    where = {"misfit": doubts.names(joint.blocks, corrected.misfit)} if corrected else {}
    if rival is not None:
        apart = np.abs(rival.guide.mu - optimum.guide.mu) / optimum.guide.sigma
        where["rivals"] = doubts.names(joint.blocks, apart)
    evidence = Evidence(
        newton_step=optimum.newton_step,
        draw_error=0.0 if corrected else _sparse_draw_error(counted, seed, optimum),
        pareto_k=weights.pareto_k,
        draws=len(z),
        effective=weights.effective,
        rivals=int(rival is not None),
        where=where,
        unchecked=0 if corrected else joint.dimension,
        surface=corrected.surface if corrected else 0.0,
        misfit=float(corrected.misfit.max()) if corrected else 0.0,
    )
    modes = optimum.guide.mu[None]
    return Approximation(optimum.guide, z, weights, evidence, counted.evaluations, optimum.elbo, modes)


def _linear_response_draws(optimum: SparseOptimum, seed: int, draws: int) -> np.ndarray:
    """Plain draws (S, D) of the Gaussian with the covariance of the linear response."""
    assert optimum.factor is not None
    dimension = len(optimum.guide.mu)
    rng = generator(seed, PROPOSALS)
    z = np.empty((draws, dimension))
    step = max(1, _DRAWN_AT_ONCE // (2 * dimension))
    for i in range(0, draws, step):
        eps = rng.standard_normal((len(z[i : i + step]), 2 * dimension))
        z[i : i + step] = optimum.guide.mu + optimum.factor.draw(eps)[:, :dimension]
    return z


def _sparse_draw_error(joint: LogDensity, seed: int, optimum: SparseOptimum) -> float:
    """As `_draw_error`, in sds of the guide: never larger than the posterior's."""
    assert optimum.factor is not None
    eps = antithetic(generator(seed, FRESH, GUIDE_DRAWS), GUIDE_DRAWS, joint.dimension)
    _, gradient = negative_elbo(joint, optimum.guide, eps)
    step = optimum.factor.solve(gradient)[: joint.dimension]
    return float(np.abs(step / optimum.guide.sigma).max())


def _guide_alone(joint: LogJoint, seed: int, draws: int) -> Approximation:
    """Plain draws from the mean field: among so many coordinates weights would leave a handful of them."""
    from ppl.infer import large

    counted = Counted(joint)
    guide, elbo, left = large.mean_field(counted, joint, seed, (STARTS, GUIDE))
    eps = antithetic(generator(seed, PROPOSALS), draws + draws % 2, joint.dimension)[:draws]
    log_q = -0.5 * (eps**2).sum(axis=1)
    eps *= guide.sigma
    eps += guide.mu
    weights = Weights(np.full(draws, 1 / draws), importance.smooth(joint.value(eps) - log_q).pareto_k)
    evidence = Evidence(
        newton_step=left,
        pareto_k=weights.pareto_k,
        draws=draws,
        effective=weights.effective,
        unseen=joint.dimension,
    )
    return Approximation(guide, eps, weights, evidence, counted.evaluations, elbo, guide.mu[None])


def _nothing_to_infer(joint: LogJoint, draws: int) -> Approximation:
    z = np.zeros((draws, 0))
    empty = MeanField(np.zeros(0), np.zeros(0))
    value = float(joint.value(z[:1])[0])
    evidence = Evidence(draws, float(draws), pareto_k=-np.inf)
    return Approximation(empty, z, Weights(np.full(draws, 1 / draws), -np.inf), evidence, 1, value, z[:1])
