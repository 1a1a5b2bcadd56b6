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
from ppl.model import indexing, loop_mistakes, mistakes, terms
from ppl.model.scope import Failed, as_scalar
from ppl.model.terms import Op, Term
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
    outside = reader if plates is None else reader.counting_new_rows()
    low, high = (_bound(outside, node) for node in (binder.low, binder.high))
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


def reduced(reader: Reader, row: fn.Function, term: Term, plates: tuple[Axis, ...], span: Span) -> Term:
    """A reduction over some of the plates of a term, those of the innermost loops."""
    rank, count = len(term.axes), len(plates)
    assert term.plates[len(term.plates) - count :] == plates
    reduction = row.apply
    assert reduction is not None

    def apply(x: Any) -> Any:
        shape = anp.shape(x)
        outer = len(shape) - rank - count
        size = int(np.prod(shape[outer : outer + count]))
        joined = anp.reshape(x, (*shape[:outer], size, *shape[outer + count :]))
        return reduction(joined, -rank - 1)

    op = Op(f"{row.name} over", apply, None, (count, rank), drops=plates)
    return reader.apply(op, [term], (), span)


def as_axes(reader: Reader, term: Term, plates: tuple[Axis, ...], span: Span) -> Term:
    """Some of the plates of a term turned into its first axes."""
    if not plates:
        return term
    axes = tuple(Axis(str(plate.length), plate.length) for plate in plates)
    kept = [i for i, plate in enumerate(term.plates) if plate not in plates]
    order = [*kept, *(term.plates.index(plate) for plate in plates)]
    behind = len(term.plates) + len(term.axes)

    def apply(x: Any) -> Any:
        outer = anp.ndim(x) - behind
        own = (outer + i for i in (*order, *range(len(order), behind)))
        return anp.transpose(x, (*range(outer), *own))

    op = Op("collect", apply, (len(term.axes),), tuple(order), moves=True, drops=plates)
    return reader.apply(op, [term], (*axes, *term.axes), span, term.kind)


def arranged(reader: Reader, term: Term, order: Sequence[int], axes: tuple[Axis, ...], span: Span) -> Term:
    """The axes of a term in another order, and then read as `axes`, with as many elements."""
    rank = len(term.axes)
    shape = tuple(axis.length for axis in axes)

    def apply(x: Any) -> Any:
        outer = anp.ndim(x) - rank
        moved = anp.transpose(x, (*range(outer), *(outer + i for i in order)))
        return anp.reshape(moved, (*anp.shape(x)[:outer], *shape))

    op = Op("arrange", apply, (rank,), (*order, shape), moves=True)
    return reader.apply(op, [term], axes, span, term.kind)


def put_together(
    reader: Reader, name: str, parts: Sequence[tuple[Place, Term, Span]], lengths: tuple[int, ...]
) -> Term:
    """A name from the terms of all its pieces, which cover it once; `lengths` are those of the indexed axes."""
    span = parts[0][2]
    inner = parts[0][1].axes[len(parts[0][0].axes) :]
    flat: list[Term] = []
    order: list[np.ndarray] = []
    for place, term, place_span in parts:
        own = term.axes[len(place.axes) :]
        if [axis.length for axis in own] != [axis.length for axis in inner]:
            raise Failed(loop_mistakes.pieces_of_other_shape(place_span, name, own, inner))
        whole = as_axes(reader, term, place.plates, place_span)
        size = int(np.prod(place.shape))
        flat.append(arranged(reader, whole, range(len(whole.axes)), (Axis(str(size), size), *own), place_span))
        order.append(place.flat(lengths))
    joined = joined_along(reader, flat, span)
    back = np.argsort(np.concatenate(order)).reshape(lengths)
    positions = Term(None, (), tuple(Axis(str(n), n) for n in lengths), Kind.INTEGER, span, value=back)
    return indexing.together(reader, joined, [0], positions, (*positions.axes, *inner), 0, span)


def joined_along(reader: Reader, parts: Sequence[Term], span: Span) -> Term:
    """Terms one after another along their first axis."""
    if len(parts) == 1:
        return parts[0]
    rank = len(parts[0].axes)
    length = sum(part.axes[0].length for part in parts)
    op = Op("join", lambda *arrays: join(-rank, *arrays), (rank,) * len(parts), (rank,), moves=True)
    kind = Kind.INTEGER if all(part.kind is Kind.INTEGER for part in parts) else Kind.REAL
    return reader.apply(op, list(parts), (Axis(str(length), length), *parts[0].axes[1:]), span, kind)
