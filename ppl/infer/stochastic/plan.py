"""model, what is asked for -> where the coordinates of every latent come from, and the numbers phi that are fitted.

phi holds, one after the other: mean and log sd of the shared coordinates whose KL term has a closed form, the
parameters of the guide of the other shared ones, the points (`Param`), the logits of relaxed discrete latents, and the
weights of the encoder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy

from ppl.compile.batch import Batch
from ppl.compile.blocks import Block
from ppl.compile.joint import LogJoint, as_table
from ppl.infer.stochastic.encoder import Encoder
from ppl.infer.stochastic.guide import Guide
from ppl.model import transforms
from ppl.model.distributions.family import canonical
from ppl.model.program import Program, behind, compile_terms
from ppl.model.terms import Term, ancestors, inputs
from ppl.numeric.gather import pick
from ppl.rewrite.by_value import at_value
from ppl.rewrite.relax import Soft


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Location and scale of a block's Normal prior, which lines up behind the draws of the block."""

    block: Block
    parts: tuple[int, ...]  # of the joint, which are this prior: one for each value of discrete latents of rows
    program: Program
    shapes: tuple[tuple[int, ...], ...]

    def at(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """Each with a leading axis of draws or without."""
        found = [
            np.reshape(value, (len(value), *shape) if slot in self.program.over_draws else shape)
            for value, slot, shape in zip(self.program.run(values), self.program.outputs, self.shapes, strict=True)
        ]
        location, scale = canonical(self.block.piece.distribution.form, tuple(found))
        return location, scale


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A block of latents that the encoder gives: coordinates `start:stop` of a row's; the rows are axis `place` of the
    block, `rest` the lengths of its other axes.
    """

    block: Block
    start: int
    stop: int
    place: int
    rest: tuple[int, ...]

    def shaped(self, rows: Any) -> Any:
        """The coordinates of the block (S, M, stop - start) -> (S, *shape of the block)."""
        own = np.reshape(rows, (*np.shape(rows)[:2], *self.rest))
        return own if self.place == 0 else np.moveaxis(own, 1, 1 + self.place)

    def by_row(self, shaped: Any) -> Any:
        """The way back: (S, *shape of the block) -> (S, M, coordinates of a row)."""
        own = shaped if self.place == 0 else np.moveaxis(shaped, 1 + self.place, 1)
        return np.reshape(own, (*np.shape(own)[:2], self.stop - self.start))


@dataclass(frozen=True, eq=False)
class Plan:
    """`closed`, `open` and `points` say, of the blocks of each kind, where their coordinates start among those of the
    kind; `priors` are the Normal ones of closed and local blocks. All go by the block's own start in the joint.
    """

    joint: LogJoint
    batch: Batch | None
    whole: tuple[int, ...]  # parts of the joint that do not go by rows
    program: Program  # of these
    closed: Mapping[int, int]
    open: Mapping[int, int]
    points: Mapping[int, int]
    local: Mapping[int, Local]
    priors: Mapping[int, Prior]
    guide: Guide
    encoder: Encoder | None
    held_out: numpy.ndarray  # rows that steps do not see, in order
    numbers: Mapping[int, int]  # of parts of the joint: at which value of discrete latents of rows they are
    label_weight: float = 0.0
    streamed: int = 0  # rows of the data, where the joint has a few of them alone
    drawn: int = 0  # of these few, the first that were drawn at random
    soft: tuple[Soft, ...] = ()  # discrete latents that are relaxed, at this
    temperature: float = 1.0

    @property
    def at_values(self) -> range:
        """The values of discrete latents of rows that the encoder tells apart; one where there are none."""
        return range(max(1, 0 if self.encoder is None else self.encoder.values))

    def names_of(self, name: str) -> list[str]:
        """What an encoded latent is called at each of these values."""
        if self.encoder is None or not self.encoder.values:
            return [name]
        return [at_value(name, number) for number in self.at_values]

    @property
    def here(self) -> frozenset[str]:
        """Names whose values are those of the rows of a batch alone."""
        return frozenset(name for local in self.local.values() for name in self.names_of(local.block.name))

    def sizes(self) -> tuple[int, int, int, int, int]:
        """Of the parts of phi."""
        return self._sizes

    @cached_property
    def _sizes(self) -> tuple[int, int, int, int, int]:
        closed, points = (sum(self._size(start) for start in own) for own in (self.closed, self.points))
        opened = 0 if not self.guide.dimension else _parameters(self.guide)
        logits = sum(soft.size for soft in self.soft)
        return 2 * closed, opened, points, logits, 0 if self.encoder is None else self.encoder.size

    def _size(self, start: int) -> int:
        return next(size_of(block) for block in self.joint.blocks if block.start == start)

    def cut(self, phi: Any) -> tuple[Any, Any, Any, Any, Any]:
        """The parts of phi."""
        found, at = [], 0
        for size in self.sizes():
            found.append(pick(phi, (slice(at, at + size),)))
            at += size
        return found[0], found[1], found[2], found[3], found[4]

    def rest(self, values: Mapping[str, Any], done: Collection[int]) -> list[tuple[int, Any]]:
        """The parts that do not go by rows, those `done` left out, each with its sum (S,); all that depends on discrete
        latents goes by the first of these parts. Numbers in nats.
        """
        found: list[tuple[int, Any]] = []
        tables, first = [], -1
        for place, term, over_draws in zip(self.whole, self.program.run(values), self.over_draws, strict=True):
            summand = self.joint.parts[place].summand
            if summand is not None:
                tables.append(as_table(term, summand, over_draws))
                first = place if first < 0 or self.joint.parts[place].observed else first
            elif place not in done:
                rank = np.ndim(term)
                found.append((place, np.sum(term, axis=tuple(range(int(over_draws), rank)))))
        if self.joint.elimination is not None and tables:
            found.append((first, self.joint.elimination.log_total(tables)))
        return found

    @property
    def over_draws(self) -> list[bool]:
        return [slot in self.program.over_draws for slot in self.program.outputs]

    @property
    def rows(self) -> int:
        """N, 1 where nothing is split."""
        return 1 if self.batch is None else self.batch.split.axis.length

    @property
    def total(self) -> int:
        """The rows of the data, of which the joint may have a few alone."""
        return self.streamed or self.rows

    @property
    def seen(self) -> int:
        """The rows of the data that steps see."""
        return self.total - len(self.held_out)


def size_of(block: Block) -> int:
    return block.stop - block.start


def _parameters(guide: Guide) -> int:
    some = numpy.zeros(guide.dimension)
    return len(guide.start(some, some + 1.0, numpy.random.default_rng(0)))


def starts_of(blocks: Iterable[Block]) -> dict[int, int]:
    """Blocks one after the other, by their own start."""
    found, at = {}, 0
    for block in blocks:
        found[block.start] = at
        at += size_of(block)
    return found


def normal_prior(joint: LogJoint, block: Block, lacks: str | None = None, parts: tuple[int, ...] = ()) -> Prior | None:
    """The prior of a block that is Normal, cut nowhere and in coordinates of its own, where its location and scale lack
    the axis of this identity. `parts` of the joint, where it is there more than once.
    """
    distribution = block.piece.distribution
    plain = distribution.lower is None and distribution.upper is None and distribution.constraint is None
    alone = len(block.latent.pieces) == 1 and block.piece.place is None
    if distribution.family.name != "Normal" or not plain or not alone or block.transform is not transforms.IDENTITY:
        return None
    if lacks is not None and any(_has(term, lacks) for term in distribution.parameters):
        return None
    if block.name in inputs(distribution.parameters):
        return None
    parts = parts or tuple(i for i, part in enumerate(joint.parts) if part.log_prob is block.piece.log_prob)
    if not parts or any(joint.parts[i].summand is not None for i in parts):
        return None
    leading = len(block.piece.axes)
    shapes = tuple(behind(term, (), leading) for term in distribution.parameters)
    return Prior(block, parts, compile_terms(distribution.parameters), shapes)


def _has(term: Term, identity: str) -> bool:
    return any(axis.identity == identity for each in ancestors([term]) for axis in (*each.plates, *each.axes))
