"""weighted proposals -> better ones: from a mixture of t components fitted to them, weighed again, a few times over.

Population Monte Carlo (Cappe, Douc, Guillin, Marin, Robert 2008) for up to a dozen coordinates: it learns bends, skewed
tails and mouths that no one Gaussian has. Beside the components stays, for what they may have left out, one that is
twice as wide as the whole, and others six times as wide along one axis each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer import doubts, importance
from ppl.infer.draws import generator
from ppl.infer.importance import Weights
from ppl.infer.objective import Counted, Weighable
from ppl.infer.pipeline import ADAPTING, Approximation, approximate
from ppl.infer.proposals import (
    HEAVY_TAILED_BELOW,
    Component,
    are_enough,
    correct,
    is_uneven,
    log_densities,
    moved,
    propose,
)
from ppl.infer.propriety import slow_tail
from ppl.infer.verdict import Verdict, could_help, judge

_MOST_ROUNDS = 10
_EFFICIENT = 0.2  # share of the proposals that are effective, where the first rounds may end
_FIRST_ROUNDS = 3  # after which more draws must be effective than a share of the proposals
_WORTHWHILE = 1 / 20
_SETTLED_K = 0.3  # Pareto k up to which rounds end, once they no longer move anything
_SETTLED = 0.03  # sds that means, or log sds, may have moved
PROPOSALS_PER_DRAW = 4  # of a round
_POINTS = 3000  # that components are fitted to
_MOST_COMPONENTS = 12
_POINTS_PER_NUMBER = 10  # of a component's mean and covariance
_STEPS = 8  # of expectation maximisation
_LEAST_VARIANCE = 0.02  # of a component, of that which equal parts of the whole would have
_WIDEN = 1.2  # variances: too wide costs little, too narrow much
_BESIDE = 0.1  # share of the proposals from each of the two kinds of wide ones
_TWICE = 4.0  # their variance
_OUTWEIGHED = 0.9  # share of one weight


class Outweighed(Exception):
    """A proposal `z` (D,) outweighs all others together: it lies on the slope of a far higher mode."""

    def __init__(self, z: np.ndarray):
        super().__init__()
        self.z = z


def adapted(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    """None among too many coordinates, and where other modes are known: nothing would lead the components to these.

    Where wide proposals come upon a far higher mode, all begins again from there, once.
    """
    if not 0 < joint.dimension <= HEAVY_TAILED_BELOW:
        return None
    try:
        return _adapted(joint, so_far, seed, draws)
    except Outweighed as higher:
        again = approximate(joint, seed, draws, higher.z[None], hasty=True)
        if judge(again.evidence)[0] == Verdict.GOOD:
            return again
    try:
        return _adapted(joint, again, seed, draws) or again
    except Outweighed:
        return again


def _adapted(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    evidence = so_far.evidence
    if evidence.rivals or not could_help(evidence):
        return None
    with np.errstate(all="ignore"):
        try:
            z, weights, apart = rounds(Counted(joint), so_far.z, so_far.weights, seed, draws)
        except np.linalg.LinAlgError:
            return None
    where = {
        "pareto_k": doubts.names(joint.blocks, doubts.uncovered(z, weights.weights)),
        "wider": doubts.names(joint.blocks, apart),
    }
    slow, where["slow_tail"] = slow_tail(joint, z, weights, draws, generator(seed, ADAPTING, _MOST_ROUNDS))
    found = replace(
        evidence,
        newton_step=0.0,  # nothing rests on the optimum, nor on the draws that it was found over
        not_definite=0.0,
        draw_error=0.0,
        few=0,
        pareto_k=weights.pareto_k,
        draws=len(z),
        effective=weights.effective,
        wider=float(apart.max()),
        slow_tail=slow,
        where=where,
    )
    return replace(so_far, z=z, weights=weights, evidence=found)


def rounds(
    joint: Weighable, z: np.ndarray, weights: Weights, seed: int, draws: int
) -> tuple[np.ndarray, Weights, np.ndarray]:
    """From weighted proposals (P, D) to better ones, and how far these moved from those of the round before (D,).

    Raises `Outweighed`, and `LinAlgError` where proposals have no covariance.
    """
    for again in range(_MOST_ROUNDS):
        rng = generator(seed, ADAPTING, again)
        points = z[importance.resample(weights.weights, _POINTS, rng)]
        components = _with_wide_ones(points, fitted(points, rng))
        before = z, weights
        z, weights = propose(joint, rng, components, PROPOSALS_PER_DRAW * draws)
        if weights.largest > _OUTWEIGHED:
            raise Outweighed(z[np.argmax(weights.weights)])
        apart = moved(*before, z, weights, by_draws=True)
        efficient = weights.effective >= _EFFICIENT * len(z) or again >= _FIRST_ROUNDS
        if efficient and weights.pareto_k <= _SETTLED_K and apart.max() <= _SETTLED:
            if are_enough(z, weights):
                return z, weights, apart
            z, weights = correct(joint, rng, components, draws)
            if not is_uneven(weights):
                return z, weights, moved(*before, z, weights, by_draws=True)
        if again >= _FIRST_ROUNDS and weights.effective < _WORTHWHILE * len(z):
            break
    z, weights = correct(joint, rng, components, draws)
    return z, weights, moved(*before, z, weights, by_draws=True)


def _with_wide_ones(points: np.ndarray, components: list[Component]) -> list[Component]:
    covariance = np.cov(points, rowvar=False).reshape(points.shape[1], -1)
    wide = Component(points.mean(axis=0), np.linalg.cholesky(_TWICE * covariance), _BESIDE)
    return [*(replace(one, share=(1 - 2 * _BESIDE) * one.share) for one in components), wide, *wide.wider()]


def fitted(points: np.ndarray, rng: np.random.Generator) -> list[Component]:
    """Components with means, covariances and shares fitted to points (N, D) by expectation maximisation.

    Raises `LinAlgError` where the points have no covariance.
    """
    count, dimension = points.shape
    numbers = dimension * (dimension + 3) / 2
    parts = int(np.clip(count / (_POINTS_PER_NUMBER * numbers), 1, _MOST_COMPONENTS))
    mean = points.mean(axis=0)
    root = np.linalg.cholesky(np.cov(points, rowvar=False).reshape(dimension, dimension))
    eps = np.linalg.solve(root, (points - mean).T).T
    equal = parts ** (-2 / dimension) * np.eye(dimension)
    found = [Component(centre, np.linalg.cholesky(equal), 1 / parts) for centre in _spread(eps, rng, parts)]
    for _ in range(_STEPS):
        found = _maximised(eps, found, _LEAST_VARIANCE * equal)
    wider = np.sqrt(_WIDEN) * root
    return [Component(mean + root @ one.mean, wider @ one.root, one.share) for one in found]


def _maximised(eps: np.ndarray, components: list[Component], least: np.ndarray) -> list[Component]:
    """One step: each component with the moments of what it is responsible for; those with hardly anything end."""
    logs = log_densities(components, eps) + np.log([one.share for one in components])[:, None]
    responsible = np.exp(logs - np.logaddexp.reduce(logs, axis=0))
    counts = responsible.sum(axis=1)
    kept = counts > 2 * eps.shape[1]
    found = []
    for part, count in zip(responsible[kept], counts[kept], strict=True):
        mean = part @ eps / count
        apart = eps - mean
        covariance = (apart * part[:, None]).T @ apart / count + least
        found.append(Component(mean, np.linalg.cholesky(covariance), float(count / counts[kept].sum())))
    return found


def _spread(eps: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """So many of the points (N, D), far from each other: by squared distances (Arthur and Vassilvitskii 2007)."""
    chosen = [int(rng.integers(len(eps)))]
    nearest = np.full(len(eps), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((eps - eps[chosen[-1]]) ** 2).sum(axis=1))
        edges = np.cumsum(nearest)
        chosen.append(min(int(np.searchsorted(edges, rng.random() * edges[-1])), len(eps) - 1))
    return eps[chosen]
