"""latents -> blocks of unconstrained coordinates, and the way from them to the latents' values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model import matrix_transforms, transforms
from ppl.model.bounds import bound_terms, by_bounds
from ppl.model.events import EVENTS
from ppl.model.graph import Latent, Piece
from ppl.model.program import Program, behind, compile_terms
from ppl.model.transforms import Transform
from ppl.numeric import gather
from ppl.numeric.shape import join


@dataclass(frozen=True, slots=True)
class Block:
    """The unconstrained coordinates `start:stop` that belong to one piece of a latent, and how they become its value.

    `shape` is that of the coordinates, event axes transformed; `bounds` computes lower and upper, where there are any,
    and `bound_shapes` lines them up behind the draws.
    """

    latent: Latent
    piece: Piece
    transform: Transform
    start: int
    stop: int
    shape: tuple[int, ...]
    bounds: Program | None
    bound_shapes: tuple[tuple[int, ...], ...]
    has: tuple[bool, bool]  # a lower, an upper bound

    @property
    def name(self) -> str:
        return self.latent.name

    def bounds_at(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """Lower and upper bound, each with a leading axis of draws or without; None where there is none."""
        if self.bounds is None:
            return None, None
        lined_up = [
            np.reshape(found, (len(found), *shape) if slot in self.bounds.over_draws else shape)
            for found, slot, shape in zip(self.bounds.run(values), self.bounds.outputs, self.bound_shapes, strict=True)
        ]
        return (lined_up.pop(0) if self.has[0] else None), (lined_up.pop(0) if self.has[1] else None)

    def part_of(self, value: Any) -> Any:
        """This piece of a latent's value (S, *shape of the latent)."""
        positions = self.latent.positions(self.piece)
        if positions is None:
            return value
        flat = _rows(value, self.latent, self.piece)
        return numpy.reshape(flat[:, positions], (len(value), *self.piece.shape))

    def outside(self, theta: numpy.ndarray, lower: Any, upper: Any) -> numpy.ndarray:
        """Which draws (S,) of this piece lie outside their bounds."""
        wrong = numpy.zeros(theta.shape, dtype=bool)
        if lower is not None:
            wrong |= theta < lower
        if upper is not None:
            wrong |= theta > upper
        event = EVENTS.get(self.piece.distribution.kind)
        if event is not None:
            held = event.holds(theta)
            wrong |= ~held.reshape(*held.shape, *([1] * event.rank))
        return numpy.asarray(wrong.reshape(len(theta), wrong[0].size if len(theta) else 0).any(axis=1))


def _rows(value: Any, latent: Latent, piece: Piece) -> Any:
    """A value with its indexed axes as one, behind the draws."""
    assert piece.place is not None
    inner = latent.shape[len(piece.place.positions) :]
    size = int(numpy.prod(latent.shape[: len(piece.place.positions)]))
    return numpy.reshape(value, (len(value), size, *inner))


@dataclass(frozen=True, slots=True)
class Assembly:
    """How the values of a latent's pieces become its value: one after another, then put in order."""

    order: gather.Positions
    inner: tuple[int, ...]  # lengths of the axes behind the indexed ones

    def __call__(self, parts: Sequence[Any]) -> Any:
        flat = [np.reshape(part, (len(part), -1, *self.inner)) for part in parts]
        rank = len(self.inner) + 1
        return gather.gather(join(-rank, *flat), self.order, -rank)


def lay_out(latents: Sequence[Latent]) -> tuple[tuple[Block, ...], dict[str, Assembly]]:
    """Blocks of all latents, each after those that its bounds depend on, and how latents of several pieces are made."""
    blocks: list[Block] = []
    start = 0
    for latent in by_bounds(latents):
        for piece in latent.pieces:
            blocks.append(_block(latent, piece, start))
            start = blocks[-1].stop
    assemblies = {}
    for latent in latents:
        if latent.pieces[0].place is not None:
            indexed = latent.shape[: len(latent.pieces[0].place.positions)]
            order = numpy.concatenate([latent.positions(piece) for piece in latent.pieces])
            positions = gather.Positions(numpy.argsort(order).reshape(indexed), len(order))
            assemblies[latent.name] = Assembly(positions, latent.shape[len(indexed) :])
    return tuple(blocks), assemblies


def _block(latent: Latent, piece: Piece, start: int) -> Block:
    distribution = piece.distribution
    lower, upper = distribution.support_lower, distribution.support_upper
    transform = _transform_for(distribution.kind, lower is not None, upper is not None)
    split = len(piece.axes) - transform.event_rank
    shape = (*piece.shape[:split], *(transform.free(n) for n in piece.shape[split : split + 1]))
    bounds = bound_terms(piece)
    program = compile_terms(bounds) if bounds else None
    bound_shapes = tuple(behind(bound, piece.plates, len(piece.axes) - len(piece.plates)) for bound in bounds)
    stop = start + int(numpy.prod(shape))
    has = (lower is not None, upper is not None)
    return Block(latent, piece, transform, start, stop, shape, program, bound_shapes, has)


def _transform_for(kind: str, has_lower: bool, has_upper: bool) -> Transform:
    by_bounds = _OF_EVENTS.get(kind, _OF_NUMBERS)
    return by_bounds if isinstance(by_bounds, Transform) else by_bounds[has_lower, has_upper]


_OF_NUMBERS = {
    (False, False): transforms.IDENTITY,
    (True, False): transforms.ABOVE,
    (False, True): transforms.BELOW,
    (True, True): transforms.BETWEEN,
}
_OF_EVENTS: dict[str, Transform | dict[tuple[bool, bool], Transform]] = {
    "simplex": transforms.SIMPLEX,
    "zero_sum": transforms.ZERO_SUM,
    "ordered": {
        (False, False): transforms.ORDERED,
        (True, False): transforms.ORDERED_ABOVE,
        (False, True): transforms.ORDERED_BELOW,
        (True, True): transforms.ORDERED_BETWEEN,
    },
    "correlation": matrix_transforms.CORRELATION,
    "cholesky_correlation": matrix_transforms.CHOLESKY_CORRELATION,
    "covariance": matrix_transforms.COVARIANCE,
}
