"""`for i in a..b` -> plates: a loop variable is a known whole number that varies over an axis of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import functions as fn
from ppl.model import loop_mistakes, mistakes, terms
from ppl.model.scope import Failed, as_scalar
from ppl.model.terms import Op, Term
from ppl.numeric import gather
from ppl.numeric.shape import join

if TYPE_CHECKING:
    from ppl.model.brackets import Place
    from ppl.model.expressions import Reader


def opened(reader: Reader, binders: tuple[s.Binder, ...], plates: dict[int, Axis] | None = None) -> Reader:
    """A reader inside the loops. Where bounds depend on outer loops, a mask says which elements count.

    `plates` remembers the axis of each binder by identity, so that all statements of one loop share it.
    """
    for binder in binders:
        reader = _one(reader, binder, plates)
    return reader


def _one(reader: Reader, binder: s.Binder, plates: dict[int, Axis] | None) -> Reader:
    low, high = (_bound(reader, node) for node in (binder.low, binder.high))
    first, last = int(_values(low).min(initial=2**31)), int(_values(high).max(initial=-(2**31)))
    length = max(0, last - first + 1)
    terms.check_size((*reader.scope.plates, Axis(binder.name.name, length)))
    plate = plates.get(id(binder)) if plates is not None else None
    if plate is None:
        plate = reader.env.new_plate(binder.name.name, length)
        if plates is not None:
            plates[id(binder)] = plate
    values = np.arange(first, first + length)
    variable = terms.constant(values, (), binder.name.span, Kind.INTEGER, plates=(plate,))
    mask = reader.scope.mask
    if low.plates or high.plates:
        for op, ends in ((fn.COMPARISONS[">="], low), (fn.COMPARISONS["<="], high)):
            inside = reader.apply(op, [variable, ends], (), binder.name.span, Kind.BOOLEAN)
            mask = inside if mask is None else reader.apply(fn.AND, [mask, inside], (), inside.span, Kind.BOOLEAN)
    bound = {**reader.scope.bound, binder.name.name: variable}
    scope = replace(reader.scope, bound=bound, plates=(*reader.scope.plates, plate), mask=mask)
    return replace(reader, scope=scope)


def _bound(reader: Reader, node: s.Expr) -> Term:
    term = as_scalar(reader.number(node))
    if not term.known:
        raise Failed(mistakes.index_not_known(node.span, reader.text(node)))
    values = _values(term)
    if term.axes or (values != np.floor(values)).any():
        raise Failed(mistakes.index_not_whole(node.span, reader.text(node), None))
    return term


def _values(term: Term) -> np.ndarray:
    return np.asarray(term.value)


def over_plates(reader: Reader, term: Term, plates: tuple[Axis, ...], span: Span) -> Term:
    """The term repeated over those of the plates that it does not vary over."""
    lacking = [plate for plate in plates if plate not in term.plates]
    if not lacking:
        return term
    lengths = tuple(plate.length for plate in lacking)
    ones = terms.constant(np.ones(lengths), (), span, plates=tuple(lacking))
    return reader.apply(fn.MULTIPLY, [term, ones], (), span, term.kind)


def masked(reader: Reader, term: Term, neutral: float, span: Span) -> Term:
    """The term where the loops' mask is true, and `neutral` elsewhere."""
    if reader.scope.mask is None:
        return term
    other = terms.constant(neutral, (), span)
    return reader.apply(fn.CHOOSE, [reader.scope.mask, term, other], (), span, term.kind)


def reduced(reader: Reader, row: fn.Function, term: Term, count: int, span: Span) -> Term:
    """A reduction over the last `count` plates of a term."""
    rank = len(term.axes)
    reduction = row.apply
    assert reduction is not None

    def apply(x: Any) -> Any:
        shape = anp.shape(x)
        outer = len(shape) - rank - count
        size = int(np.prod(shape[outer : outer + count]))
        joined = anp.reshape(x, (*shape[:outer], size, *shape[outer + count :]))
        return reduction(joined, -rank - 1)

    op = Op(f"{row.name} over", apply, None, (count, rank), drops=count)
    return reader.apply(op, [term], (), span)


def as_axes(reader: Reader, term: Term, plates: tuple[Axis, ...], span: Span) -> Term:
    """The last plates of a term turned into its first axes; they are `plates`, all that it varies over."""
    assert term.plates == plates, (term.plates, plates)
    axes = tuple(Axis(str(plate.length), plate.length) for plate in plates)
    if term.known:
        return replace(term, plates=(), axes=(*axes, *term.axes))
    op = Op("collect", lambda x: x, (len(term.axes),), (len(plates),), moves=True, drops=len(plates))
    return reader.apply(op, [term], (*axes, *term.axes), span, term.kind)


def put_together(
    reader: Reader, name: str, parts: Sequence[tuple[Place, Term, Span]], lengths: tuple[int, ...]
) -> Term:
    """A name from the terms of all its pieces, which cover it once; `lengths` are those of the indexed axes."""
    inner = parts[0][1].axes[len(parts[0][0].axes) :]
    flat: list[Term] = []
    order: list[np.ndarray] = []
    for place, term, span in parts:
        own = term.axes[len(place.axes) :]
        if [axis.length for axis in own] != [axis.length for axis in inner]:
            raise Failed(loop_mistakes.pieces_of_other_shape(span, name, own, inner))
        flat.append(_flattened(reader, term, len(place.axes), span))
        order.append(place.flat(lengths))
    span = parts[0][2]
    rank = len(inner) + 1
    total = Axis(name, int(np.prod(lengths)))
    joined = reader.apply(
        Op("join", lambda *arrays: join(-rank, *arrays), (rank,) * len(flat), (rank,), moves=True),
        flat, (total, *inner), span, parts[0][1].kind,
    )  # fmt: skip
    sorted_back = gather.Positions(np.argsort(np.concatenate(order)).reshape(lengths), total.length)
    axes = (*(Axis(str(length), length) for length in lengths), *inner)
    if joined.known:
        value = np.take(np.asarray(joined.value), sorted_back.index, axis=0)
        return replace(joined, op=None, args=(), axes=axes, value=value)
    options = (sorted_back.index.tobytes(), lengths)
    op = Op("in order", lambda x: gather.gather(x, sorted_back, -rank), (rank,), options, moves=True)
    return reader.apply(op, [joined], axes, span, joined.kind)


def _flattened(reader: Reader, term: Term, ranges: int, span: Span) -> Term:
    """The plates and the first `ranges` axes of a term as one axis."""
    count = len(term.plates) + ranges
    if term.plates:
        term = as_axes(reader, term, term.plates, span)
    rank = len(term.axes)
    size = int(np.prod([axis.length for axis in term.axes[:count]]))
    rest = term.axes[count:]

    def apply(x: Any) -> Any:
        shape = anp.shape(x)
        return anp.reshape(x, (*shape[: len(shape) - rank], size, *shape[len(shape) - rank + count :]))

    op = Op("flatten", apply, (rank,), (count, size), moves=True)
    return reader.apply(op, [term], (Axis(str(size), size), *rest), span, term.kind)
