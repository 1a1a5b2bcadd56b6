"""modes found -> the posterior as a mixture of Gaussians, one a mode, weighed by the density of the whole.

Each mode gets a mean-field guide of its own with its linear response. Proposals come from all of them in strata, their
shares set by the weights of a first round. Searches from other starting points then look for modes that the proposals
do not reach: those found become components, and where such are left after the last search they are rivals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import interactions
from ppl.infer import curvature, doubts, importance
from ppl.infer.climb import Summit, climb
from ppl.infer.curvature import Directions
from ppl.infer.draws import antithetic, generator
from ppl.infer.drift import drift
from ppl.infer.images import images
from ppl.infer.importance import Weights
from ppl.infer.meanfield import Optimum
from ppl.infer.objective import Counted
from ppl.infer.pipeline import (
    CLIMBING,
    DRIFT,
    FRESH,
    MOST_SEEN,
    PROPOSALS,
    Approximation,
    root_of,
    settled_optimum,
)
from ppl.infer.proposals import HEAVY_TAILED_BELOW, Component, correct, log_densities, propose
from ppl.infer.search import HOPEFUL, NEGLIGIBLE, NoStart, are_apart, evidence_of, summit_of, ways_up
from ppl.infer.verdict import Evidence
from ppl.values import dataclass

_CLIMBING_DRAWS = 32
_SEARCHES = 5
_STARTS_AGAIN = 20  # streams of random numbers: one for each further search
_MOST_MODES = 24
_PILOT = 1000  # proposals from each component in the first round
_EQUALLY_SHARED = 0.2  # of the proposals; the rest by the weights of the modes
_COUNTS = 0.01  # weight of a mode above which its own weights are judged alone
_BELONGS = 0.5  # probability of a component at the points that are its own


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """A mode's guide at its optimum, the largest shift by fresh draws, and its log evidence in nats."""

    optimum: Optimum
    draw_error: float
    evidence: float
    summit: Summit

    @property
    def component(self) -> Component:
        return Component(self.optimum.guide.mu, root_of(self.optimum))


def mixture(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    """None where only one mode is known."""
    if len(so_far.modes) < 2 or joint.dimension > MOST_SEEN:
        return None
    with np.errstate(all="ignore"):
        counted = Counted(joint)
        directions = curvature.plan(interactions(joint))
        modes = _kept(_climbed(counted, so_far.modes, seed, directions))
        for again in range(_SEARCHES):
            if len(modes) < 2:
                return None
            components = _shared(counted, modes, seed)
            z, weights = correct(counted, generator(seed, PROPOSALS), components, draws)
            found = _not_reached(counted, joint, modes, z, weights, seed, again, directions)
            if not found or len(modes) + len(found) > _MOST_MODES or again == _SEARCHES - 1:
                break
            modes = _kept([*modes, *found])
        responsible = _responsibilities(components, z)
        evidence = _gather(counted, joint, modes, responsible, z, weights, found)
        if joint.dimension <= HEAVY_TAILED_BELOW:  # among more moments are compared
            rng = generator(seed, DRIFT)
            evidence = _with_drift(evidence, counted, joint, components, responsible, z, weights, rng)
    best = modes[0].optimum
    return Approximation(
        guide=best.guide,
        z=z,
        weights=weights,
        evidence=evidence,
        evaluations=counted.evaluations,
        elbo=float(np.logaddexp.reduce([mode.optimum.elbo for mode in modes])),
        modes=np.array([mode.optimum.guide.mu for mode in (*modes, *found)]),
    )


def _climbed(joint: Counted, points: np.ndarray, seed: int, directions: Directions) -> list[_Mode]:
    """The modes that ways up from points (N, D) end in."""
    eps = antithetic(generator(seed, CLIMBING), _CLIMBING_DRAWS, joint.dimension)
    summits = climb(joint, points, directions, eps)
    return [mode for summit in summits if summit and (mode := _settled(joint, seed, summit, directions))]


def _settled(joint: Counted, seed: int, summit: Summit, directions: Directions) -> _Mode | None:
    optimum, error = settled_optimum(joint, seed, summit, directions)
    if optimum.covariance is None or not np.isfinite(optimum.elbo):
        return None
    return _Mode(optimum, error, evidence_of(optimum, optimum.covariance), summit_of(optimum))


def _kept(modes: Sequence[_Mode]) -> list[_Mode]:
    """The modes that lie apart and are not negligible, the heaviest first."""
    kept: list[_Mode] = []
    for mode in sorted(modes, key=lambda mode: -mode.evidence):
        if _are_apart_from(mode.summit, kept) and (not kept or mode.evidence > kept[0].evidence - NEGLIGIBLE):
            kept.append(mode)
    return kept


def _shared(joint: Counted, modes: Sequence[_Mode], seed: int) -> list[Component]:
    """Components with shares by the weight that a first round of proposals, equal for all, gives to each."""
    components = [mode.component for mode in modes]
    z, weights = propose(joint, generator(seed, FRESH), components, _PILOT * len(modes))
    shares = _responsibilities(components, z) @ weights.weights
    least = _EQUALLY_SHARED / len(modes)
    return [
        Component(one.mean, one.root, float((1 - _EQUALLY_SHARED) * share + least))
        for one, share in zip(components, shares, strict=True)
    ]


def _responsibilities(components: Sequence[Component], z: np.ndarray) -> np.ndarray:
    """The probability that points (P, D) belong to each component, shares aside: (N, P)."""
    logs = log_densities(components, z)
    return np.asarray(np.exp(logs - np.logaddexp.reduce(logs, axis=0)))


def _not_reached(
    joint: Counted,
    model: LogJoint,
    modes: Sequence[_Mode],
    z: np.ndarray,
    weights: Weights,
    seed: int,
    again: int,
    directions: Directions,
) -> list[_Mode]:
    """Modes from other starting points that are apart from all known ones, count, and are not reached."""
    also = np.concatenate([images(model, mode.optimum.guide.mu) for mode in modes])
    also = also[joint.value(also) > modes[0].optimum.elbo - HOPEFUL]
    try:
        ends = ways_up(joint, model, seed, (CLIMBING, _STARTS_AGAIN + again), directions, also)
    except NoStart:
        return []
    found: list[_Mode] = []
    for end in sorted(ends, key=lambda end: -end.elbo):
        if len(modes) + len(found) > _MOST_MODES or end.elbo < modes[0].optimum.elbo - HOPEFUL:
            break
        if not _are_apart_from(end, (*modes, *found)):
            continue
        mode = _settled(joint, seed, end, directions)
        if mode is None or mode.evidence <= modes[0].evidence - NEGLIGIBLE:
            continue
        if _are_apart_from(mode.summit, (*modes, *found)) and not _is_reached(mode.optimum, modes, z, weights):
            found.append(mode)
    return found


def _are_apart_from(end: Summit, modes: Sequence[_Mode]) -> bool:
    return all(are_apart(end, mode.summit) for mode in modes)


def _is_reached(found: Optimum, modes: Sequence[_Mode], z: np.ndarray, weights: Weights) -> bool:
    return all(doubts.is_covered(found, mode.optimum, z, weights.weights) for mode in modes)


def _gather(
    joint: Counted,
    model: LogJoint,
    modes: Sequence[_Mode],
    responsible: np.ndarray,
    z: np.ndarray,
    weights: Weights,
    hidden: Sequence[_Mode],
) -> Evidence:
    """What speaks for and against the mixture: the worst over its modes, each with the weights that fall to it."""
    weakest = [doubts.weakest_direction(joint, mode.optimum) for mode in modes]
    share = np.max([one.share for one in weakest], axis=0)
    where = {"not_definite": doubts.names(model.blocks, share), "flat": doubts.names(model.blocks, share)}
    if hidden:
        where["rivals"] = doubts.names(model.blocks, doubts.apart_in(hidden[0].optimum, modes[0].optimum))
    means = spreads = np.zeros(model.dimension)
    pareto_k = weights.pareto_k
    for number in _that_count(responsible, weights):
        own = weights.weights * responsible[number]
        pareto_k = max(pareto_k, importance.smooth(np.log(own[responsible[number] > _BELONGS])).pareto_k)
        if model.dimension > HEAVY_TAILED_BELOW:
            moved = doubts.moved(modes[number].optimum, z, own / own.sum())
            means, spreads = np.maximum(means, moved[0]), np.maximum(spreads, moved[1])
    where["pareto_k"] = doubts.names(model.blocks, doubts.uncovered(z, weights.weights))
    where |= {"moved_mean": doubts.names(model.blocks, means), "moved_sd": doubts.names(model.blocks, spreads)}
    return Evidence(
        newton_step=max(mode.optimum.newton_step for mode in modes),
        flat=float(any(one.flat for one in weakest)),
        draw_error=max(mode.draw_error for mode in modes),
        pareto_k=pareto_k,
        draws=len(z),
        effective=weights.effective,
        rivals=len(hidden),
        moved_mean=float(means.max()),
        moved_sd=float(spreads.max()),
        where=where,
    )


def _with_drift(
    evidence: Evidence,
    joint: Counted,
    model: LogJoint,
    components: Sequence[Component],
    responsible: np.ndarray,
    z: np.ndarray,
    weights: Weights,
    rng: np.random.Generator,
) -> Evidence:
    """With the largest drift of any mode that counts."""
    counting = _that_count(responsible, weights)
    found = []
    for mode in counting:
        own = np.where(responsible[mode] > _BELONGS, weights.weights, 0.0)
        found.append(drift(joint, z, own, partial(_belong, components, mode), len(counting), rng))
    told = [one for one in found if np.isfinite(one[0])]
    if not told:
        return evidence
    worst, share = max(told, key=lambda one: one[0])
    where = {**evidence.where, "drift": doubts.names(model.blocks, share)}
    return replace(evidence, drift=worst, where=where)


def _that_count(responsible: np.ndarray, weights: Weights) -> list[int]:
    """The modes that have some of the weight, by the probabilities (N, P) that proposals belong to each, and proposals
    of their own.
    """
    heavy = responsible @ weights.weights >= _COUNTS
    return [int(i) for i in np.flatnonzero(heavy & (responsible > _BELONGS).any(axis=1))]


def _belong(components: Sequence[Component], mode: int, z: np.ndarray) -> np.ndarray:
    """Whether points (P, D) are of a mode: (P,)."""
    return np.asarray(_responsibilities(components, z)[mode] > _BELONGS)
