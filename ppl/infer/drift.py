"""weighted draws of a mode -> how far moves that leave the posterior as it is carry them: nowhere, if they are right.

Weights know only what was proposed. A component that is far too wide along several directions, or stands in the neck of
a funnel, may miss most of the mass of its mode with weights that are as even as any. Hamiltonian moves from its draws
find that mass, as the density leads there. They are reversible: draws of the posterior may go anywhere, but on average
none goes one way. (Geweke 2004 tests samplers by known draws; here draws are tested by a sampler.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ppl.infer import importance
from ppl.infer.hamiltonian import Points, at, move
from ppl.infer.objective import LogDensity

_DRAWS = 2048  # of all modes together
_FEWEST = 256  # of a mode
_MOVES = 20
_LONGEST = 16  # leapfrog steps
_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02)  # in sds
_ACCEPTED = 0.6
_TURN = 0.5 * np.pi  # a trajectory: a quarter turn of a Gaussian
_JITTER = 0.3  # of a step
_SURE = 3.5  # standard errors

Chooser = Callable[[np.ndarray], np.ndarray]


def drift(
    joint: LogDensity, z: np.ndarray, weights: np.ndarray, belongs: Chooser, modes: int, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """How far draws z (P, D) of a mode, with weights (P,), 0 for those of others, are carried, and each coordinate's
    share (D,).

    `belongs` says of points whether they are of this one of so many modes. The first is the length of the mean move, in
    sds of moves along any direction, beyond what chance may do: the root of (T^2 - q) / n with Hotelling's T^2 of n
    draws and its quantile q, that of chi squared (Wilson and Hilferty 1931); no number where few stay. Draws that
    change the mode do not count: moves back and forth between two points are equally likely.
    """
    weights = weights / weights.sum()
    sd = np.sqrt(weights @ (z - weights @ z) ** 2)
    sd = np.where((sd > 0) & np.isfinite(sd), sd, 1.0)
    chosen = importance.resample(weights, max(_FEWEST, _DRAWS // modes), rng)
    start = at(joint, z[chosen])
    step = _step(joint, start, sd, rng)
    points = start
    for _ in range(_MOVES):
        jittered = step * (1.0 - _JITTER * rng.random(len(chosen)))
        points = move(joint, points, sd, jittered, _count(step), rng).points
    stayed = belongs(points.z)
    often = np.bincount(chosen[stayed])  # a draw of much weight starts many moves, which are worth about one
    return _length((points.z - start.z)[stayed] / sd, float(stayed.sum() ** 2 / max(1, (often**2).sum())))


def _length(moves: np.ndarray, worth: float) -> tuple[float, np.ndarray]:
    """Of the mean of moves (S, D), worth so many independent ones."""
    dimension = moves.shape[1]
    if worth < 4 * dimension:
        return np.nan, np.zeros(dimension)
    mean, covariance = moves.mean(axis=0), np.cov(moves, rowvar=False).reshape(dimension, dimension)
    try:
        squared = float(mean @ np.linalg.solve(covariance, mean))
    except np.linalg.LinAlgError:
        return np.nan, np.zeros(dimension)
    third = 2 / (9 * dimension)
    chance = dimension * (1 - third + _SURE * np.sqrt(third)) ** 3
    return float(np.sqrt(max(0.0, squared - chance / worth))), np.abs(mean)


def _step(joint: LogDensity, start: Points, sd: np.ndarray, rng: np.random.Generator) -> float:
    """The largest step with which enough trajectories are accepted."""
    for step in _STEPS[:-1]:
        tried = move(joint, start, sd, np.full(len(start.z), step), _count(step), rng)
        if tried.acceptance.mean() >= _ACCEPTED:
            return step
    return _STEPS[-1]


def _count(step: float) -> int:
    """Leapfrog steps of a trajectory."""
    return int(np.clip(np.ceil(_TURN / step), 1, _LONGEST))
