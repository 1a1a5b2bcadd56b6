"""log joint of very many rows -> where to begin, found on some of the rows: passes over all of them are few.

Ways up and other modes are looked for in the posterior of 20,000 rows drawn at random, which costs what a small table
costs. From each mode found there damped Newton steps go on in the log joint whose sum over these rows stands, times
N/M, for that over all: its optimum lies about sqrt(N/M) posterior sds from that over all rows, and has its curvature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer.climb import Summit, climb
from ppl.infer.curvature import Directions
from ppl.infer.draws import antithetic, generator
from ppl.infer.objective import Counted, LogDensity
from ppl.infer.search import Found, apart_of, polished, ways_up

FEWEST = 60_000  # rows
_ROWS = 20_000
_ROWS_A_COORDINATE = 100
GUIDE_DRAWS = 8  # to begin with: the draw error says when they are too few
_EVALUATIONS = 800_000_000  # of one row at one proposal
_FEWEST_PROPOSALS = 800
_DRAWS = 32  # by which the ELBO on a way up is judged


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """A joint in which what is elementwise over rows counts `weight` times; `rest` is the joint without it."""

    joint: LogJoint
    rest: LogJoint
    weight: float

    @property
    def dimension(self) -> int:
        return self.joint.dimension

    @property
    def draws_at_once(self) -> int:
        return self.joint.draws_at_once

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.weight * self.joint.value(z) + (1.0 - self.weight) * self.rest.value(z)

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = self.joint.value_and_gradient(z)
        rest, by_rest = self.rest.value_and_gradient(z)
        return self.weight * value + (1.0 - self.weight) * rest, self.weight * gradient + (1.0 - self.weight) * by_rest


def are_many(joint: LogJoint) -> bool:
    """Whether a pass over all rows is so dear that some of the rows should say where to look."""
    blocks = joint.blocks_of_rows
    rows = 0 if blocks is None else blocks.split.axis.length
    return rows >= FEWEST and joint.dimension * _ROWS_A_COORDINATE <= _ROWS


def proposals(joint: LogJoint, draws: int) -> int:
    """How many proposals are weighed, for so many draws: each is a pass over all rows."""
    blocks = joint.blocks_of_rows
    assert blocks is not None
    affordable = _EVALUATIONS // blocks.split.axis.length // 2 * 2
    return int(np.clip(affordable, min(_FEWEST_PROPOSALS, draws), draws))


def some_rows(joint: LogJoint, seed: int, stream: int) -> Weighted:
    """Drawn at random, and weighted as if they were all."""
    blocks = joint.blocks_of_rows
    assert blocks is not None
    split = blocks.split
    rows = np.sort(generator(seed, stream).choice(split.axis.length, _ROWS, replace=False))
    return Weighted(split.subset(rows), split.rest, split.axis.length / len(rows))


def search(
    counted: LogDensity, some: Weighted, seed: int, streams: Sequence[int], directions: Directions, also: np.ndarray
) -> Found:
    """As `search.search`, for the log joint of all rows and of some."""
    climbing, starts, guide = streams
    summits = ways_up(Counted(some.joint), some.joint, seed, (climbing, starts), directions, also)
    eps = antithetic(generator(seed, climbing), _DRAWS, some.dimension)
    modes = np.array([summit.guide.mu for summit in apart_of(summits, some.dimension)])
    found = [_or_else(mode, summits) for mode in climb(Counted(some), modes, directions, eps)]
    if len(found) == 1:
        return Found(found[0], ())
    return polished(counted, found, directions, antithetic(generator(seed, guide), GUIDE_DRAWS, some.dimension))


def _or_else(summit: Summit | None, summits: Sequence[Summit]) -> Summit:
    return summits[0] if summit is None else summit
