"""log joint -> where to begin, and the modes that rival it: many ways up at once, the suspicious ends polished."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer.climb import Summit, climb
from ppl.infer.curvature import Directions
from ppl.infer.draws import antithetic, generator
from ppl.infer.meanfield import Optimum, maximise
from ppl.infer.objective import LogDensity
from ppl.infer.start import mirror_images, prior_draws, starting_points
from ppl.values import dataclass

_DISPERSED = 1  # pairs of points
_DRAWS = 32  # by which the ELBO on a way up is judged
_COSTLY = 100  # draws evaluated at once: below this, two ways up that agree are enough
_SAME_ELBO = 5.0  # nats by which they agree
_MOST_FROM_PRIOR = 48
_FROM_PRIOR_TIMES_D = 480  # in D coordinates a D-th of this
_CANDIDATES = 8  # prior draws for each that is climbed from
_LAST_RESORT, _KEPT_OF_THEM = 500, 5  # prior draws where no other start is finite, and those climbed from
NEGLIGIBLE = 10.0  # nats of evidence below which another mode does not count
HOPEFUL = 30.0  # nats of ELBO below which an end that is no mode is not polished
_MOST_POLISHED = (6, 3)  # in few coordinates, in many
_FEW = 12
_APART = 1.0  # sds, by the guides of both
_ARRIVED = 0.1  # sds, the Newton step left at the optimum of a guide


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The summit to begin from, and the optima of the guide in other modes of similar weight."""

    summit: Summit
    rivals: tuple[Optimum, ...]


class NoStart(Exception):
    """The log joint is finite at none of the starting points; `z` is the first of them."""

    def __init__(self, z: np.ndarray):
        super().__init__()
        self.z = z


def search(
    joint: LogDensity, model: LogJoint, seed: int, streams: Sequence[int], directions: Directions, also: np.ndarray
) -> Found:
    """The best of many ways up, and its rivals. `streams` are those of climbing, of starts and of the guide.

    `also` are further points (N, D) to start from. Raises `NoStart`.
    """
    climbing, starts, guide = streams
    summits = ways_up(joint, model, seed, (climbing, starts), directions, also)
    return polished(joint, summits, directions, antithetic(generator(seed, guide, 64), 64, joint.dimension))


def ways_up(
    joint: LogDensity, model: LogJoint, seed: int, streams: Sequence[int], directions: Directions, also: np.ndarray
) -> list[Summit]:
    """Where the ways from all starting points end, at least one. Raises `NoStart`."""
    climbing, starts = streams
    eps = antithetic(generator(seed, climbing), _DRAWS, joint.dimension)
    rng = generator(seed, starts)
    points = starting_points(model, rng, _DISPERSED)
    if joint.draws_at_once >= _COSTLY:  # all at once: few draws cost hardly less than many
        drawn = _from_prior(joint, model, rng, directions)
        summits = _ways(joint, np.concatenate([points[:-1], also, points[-1:], drawn]), directions, eps)
    else:
        summits = _ways(joint, np.concatenate([points[:-1], also]), directions, eps)
        if len(summits) < 2 or not _agree(*summits[:2]):
            summits += _ways(joint, points[-1:], directions, eps)
    if not summits:
        summits = _ways(joint, _anywhere(joint, model, rng), directions, eps)
    if not summits:
        raise NoStart(points[0])
    best = max(summits, key=lambda summit: summit.elbo)
    images = mirror_images(model, best.guide.mu)
    as_likely = joint.value(images) > joint.value(best.guide.mu[None]) - NEGLIGIBLE
    return summits + _ways(joint, images[as_likely], directions, eps)


def _ways(joint: LogDensity, points: np.ndarray, directions: Directions, eps: np.ndarray) -> list[Summit]:
    if not len(points):
        return []
    return [summit for summit in climb(joint, points, directions, eps) if summit is not None]


def _agree(first: Summit, second: Summit) -> bool:
    return abs(first.elbo - second.elbo) < _SAME_ELBO and not are_apart(first, second)


def _from_prior(joint: LogDensity, model: LogJoint, rng: np.random.Generator, directions: Directions) -> np.ndarray:
    """Draws from the priors: as many as climb in a few batches, half of them likely, half far from one another."""
    in_two_batches = 2 * joint.draws_at_once // (2 * len(directions) + 2 * _DRAWS)
    count = min(_MOST_FROM_PRIOR, _FROM_PRIOR_TIMES_D // joint.dimension, in_two_batches)
    if count < 1:
        return np.zeros((0, joint.dimension))
    points = prior_draws(model, rng, _CANDIDATES * count)
    chosen = list(np.argsort(-joint.value(points), kind="stable")[: count - count // 2])
    ranks = np.argsort(np.argsort(points, axis=0, kind="stable"), axis=0)
    nearest = np.abs(ranks[:, None] - ranks[chosen]).max(axis=2).min(axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.abs(ranks - ranks[chosen[-1]]).max(axis=1))
    return points[chosen]


def _anywhere(joint: LogDensity, model: LogJoint, rng: np.random.Generator) -> np.ndarray:
    """The likeliest few of many draws from the priors, where the log joint is finite at any."""
    points = prior_draws(model, rng, _LAST_RESORT)
    values = joint.value(points)
    best = np.argsort(-values, kind="stable")[:_KEPT_OF_THEM]
    return points[best[np.isfinite(values[best])]]


def polished(joint: LogDensity, summits: Sequence[Summit], directions: Directions, eps: np.ndarray) -> Found:
    """The ends that lie apart, each brought to the optimum of its guide: the best of these, and its rivals."""
    apart = apart_of(summits, joint.dimension)
    if len(apart) <= 1:
        return Found(apart[0], ())
    optima = [maximise(joint, summit.guide, summit.precision, eps, directions, len(eps)) for summit in apart]
    modes = [
        (
            evidence_of(optimum, optimum.covariance),
            summit_of(optimum, summit.path),
            optimum,
        )
        for summit, optimum in zip(apart, optima, strict=True)
        if optimum.covariance is not None and optimum.newton_step < _ARRIVED
    ]
    if not modes:
        return Found(apart[0], ())
    modes.sort(key=lambda mode: -mode[0])
    kept = modes[:1]
    for mode in modes[1:]:
        if mode[0] > modes[0][0] - NEGLIGIBLE and all(are_apart(mode[1], other[1]) for other in kept):
            kept.append(mode)
    return Found(kept[0][1], tuple(optimum for _, _, optimum in kept[1:]))


def apart_of(summits: Sequence[Summit], dimension: int) -> list[Summit]:
    """The ends that lie apart and are worth a closer look, the best first."""
    ordered = sorted(summits, key=lambda summit: -summit.elbo)
    most = 1 + _MOST_POLISHED[dimension > _FEW]
    apart: list[Summit] = []
    for summit in ordered:
        hopeful = summit.elbo > ordered[0].elbo - HOPEFUL
        if hopeful and len(apart) < most and all(are_apart(summit, other) for other in apart):
            apart.append(summit)
    return apart


def evidence_of(optimum: Optimum, covariance: np.ndarray) -> float:
    """The log evidence in nats as the Gaussian of the linear response has it."""
    return optimum.elbo + 0.5 * float(np.linalg.slogdet(covariance)[1]) - float(optimum.guide.log_sigma.sum())


def summit_of(optimum: Optimum, path: tuple[float, ...] = ()) -> Summit:
    """An optimum with a covariance, as one of the ways up ends; `path` are the ELBOs on the way to where it started."""
    assert optimum.covariance is not None
    precision = np.linalg.inv(optimum.covariance)
    return Summit(optimum.guide, precision, optimum.elbo, True, path + optimum.trace)


def are_apart(first: Summit, second: Summit) -> bool:
    between = first.guide.mu - second.guide.mu
    return min(float(between @ way.precision @ between) for way in (first, second)) > _APART**2
