"""a term that only moves elements -> the same move at chosen rows of one of its axes.

Where its argument lacks the axis, each row has positions of its own in the argument: these are data, given as a further
argument. Where the argument has it, all rows must move alike and stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.terms import Op, Term
from ppl.numeric.gather import Positions, gather, pick_at


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What the operation becomes; `index`, where there is one, is a further argument in the shape of the term."""

    op: Op
    index: numpy.ndarray | None = None


def follow(term: Term, along: int | None, place: int) -> Moved | None:
    """The move of a term with one argument, which has the axis at `along` of its shape (None: lacks it), the result at
    `place`; None where rows do not stay apart.
    """
    arg, op = term.args[0], term.op
    assert op is not None
    own = numpy.arange(int(numpy.prod(arg.shape)), dtype=float).reshape(arg.shape)
    index = numpy.broadcast_to(op.apply(own), term.shape).astype(numpy.int64)
    if along is None:
        if arg.plates:
            return None
        return Moved(Op(f"{op.name} by row", _pick, (len(arg.axes), 0)), index)
    return _within(term, along, place, index)


def _pick(x: Any, index: Any) -> Any:
    """From all axes of an argument over draws, whatever singleton axes stand before them."""
    return pick_at(np.reshape(x, (np.shape(x)[0], -1)), index)


def _within(term: Term, along: int, place: int, index: numpy.ndarray) -> Moved | None:
    """Where the rows of the argument are those of the result."""
    op, shape = term.op, term.args[0].shape
    assert op is not None
    rows = shape[along]
    before, after = int(numpy.prod(shape[:along])), int(numpy.prod(shape[along + 1 :]))
    flat = numpy.moveaxis(index, place, 0).reshape(rows, -1)
    outer, row, inner = flat // (rows * after), flat // after % rows, flat % after
    offset = outer * after + inner
    if not (row == numpy.arange(rows)[:, None]).all() or not (offset == offset[:1]).all():
        return None
    positions = Positions(offset[0], before * after)
    kept = tuple(n for i, n in enumerate(term.shape) if i != place)

    def apply(x: Any) -> Any:
        first = np.moveaxis(x, 1 + along, 1)
        count = np.shape(first)[1]
        found = gather(np.reshape(first, (np.shape(x)[0], count, -1)), positions, -1)
        return np.moveaxis(np.reshape(found, (np.shape(x)[0], count, *kept)), 1, 1 + place)

    options = (along, place, kept, positions.index.tobytes())
    return Moved(Op(f"{op.name} within rows", apply, (len(term.args[0].axes),), options, drops=op.drops, adds=op.adds))
