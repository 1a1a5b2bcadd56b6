"""base and subscripts -> term: elements, slices, and one element a row (gathering)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import functions as fn
from ppl.model import mistakes, terms
from ppl.model.scope import Failed, as_scalar, show_value
from ppl.model.terms import Misaligned, Op, Term
from ppl.numeric import gather
from ppl.values import dataclass

if TYPE_CHECKING:
    from ppl.model.expressions import Reader


@dataclass(frozen=True, slots=True)
class Many:
    """A subscript that picks one element for each of its own: a term of positions from 0, known or not."""

    positions: Term


def index(reader: Reader, base: Term, node: s.Index) -> Term:
    """`base[subscripts]`; fewer subscripts than axes leave the last axes whole."""
    text = reader.text(node.base)
    if len(node.subscripts) > len(base.axes):
        if base.known and not base.axes and len(node.subscripts) == 1:
            base = _as_list(base)  # a single number read as the list of one element it may have been
        else:
            raise Failed(mistakes.cannot_index(node.span, text, len(base.axes), len(node.subscripts)))
    chosen = [
        _subscript(reader, subscript, axis, text) for subscript, axis in zip(node.subscripts, base.axes, strict=False)
    ]
    chosen += [slice(None)] * (len(base.axes) - len(chosen))
    return picked(reader, base, chosen, node.span)


def picked(reader: Reader, base: Term, chosen: list[int | slice | Many], span: Span) -> Term:
    """The elements that one choice for each axis picks."""
    basic = [slice(None) if isinstance(choice, Many) else choice for choice in chosen]
    term = _pick(reader, base, basic, span)
    many = [choice for choice in chosen if not isinstance(choice, int)]
    places = [i for i, choice in enumerate(many) if isinstance(choice, Many)]
    if not places:
        return term
    picks = [choice.positions for choice in many if isinstance(choice, Many)]
    return _gather(reader, term, places, picks, span)


def without_counts(reader: Reader, target: s.Index) -> s.Expr:
    """The left side `y[rows]`, `y[N]` of an observed name: a bracket on the left declares, so a name in it says how
    long `y` is, and not which element is meant. Raises `Failed` where it is not so long."""
    base = reader.read(target.base)
    text = reader.text(target.base)
    left: list[s.Expr | s.Range | s.Whole] = list(target.subscripts)
    for i, (subscript, axis) in enumerate(zip(target.subscripts, base.axes, strict=False)):
        if not isinstance(subscript, s.Name):
            continue
        term = as_scalar(reader.counting_new_rows().read(subscript))
        if term.axes and axis in term.axes:
            raise Failed(mistakes.already_over_rows(subscript.span, text))
        if not term.known or term.axes or term.kind is Kind.TEXT or term.number() != axis.length:
            found = show_value(term, ()) if term.known and not term.axes else "no count"
            raise Failed(mistakes.observed_is_longer(subscript.span, text, axis, subscript.name, found))
        left[i] = s.Whole(subscript.span)
    if all(isinstance(subscript, s.Whole) for subscript in left):
        return target.base
    return replace(target, subscripts=tuple(left))


def _as_list(term: Term) -> Term:
    assert term.value is not None
    value = term.value.reshape((*term.shape, 1))
    axes = (axes_of.plain(1),)
    return Term(None, (), axes, term.kind, term.span, value=value, levels=term.levels, plates=term.plates)


def _subscript(reader: Reader, node: s.Node, axis: Axis, text: str) -> int | slice | Many:
    match node:
        case s.Whole():
            return slice(None)
        case s.Range():
            return range_of(reader, node, axis, text)
    term = reader.read(node)
    if not term.known:
        return Many(_unknown(reader, term, node))
    find = _on_levels if _is_named(axis) else _as_positions
    positions = find(reader, term, node, axis, text)
    if term.axes or term.plates:
        return Many(replace(term, value=positions, levels=None, kind=Kind.INTEGER))
    return int(positions)


def range_of(reader: Reader, node: s.Range, axis: Axis, text: str) -> slice | Many:
    """`a..b`: a slice; where a loop moves it along, the neighbours of each element, equally many for all."""
    positions = neighbours(reader, node, axis.length)
    if not positions.plates:
        first, count = _whole(reader, node.low).number(), positions.axes[0].length
        if first < 1 or first + count - 1 > axis.length:
            raise Failed(mistakes.bad_range(node.span, int(first), int(first) + count - 1, axis.length))
        return slice(int(first) - 1, int(first) - 1 + count)
    return Many(replace(positions, value=_as_positions(reader, positions, node, axis, text)))


def neighbours(reader: Reader, node: s.Range, length: int) -> Term:
    """The whole numbers of a range, from 1, along an axis of their own; for each round of the loops.

    `length` is that of the axis they are meant for, for messages.
    """
    low, high = (_whole(reader, end) for end in (node.low, node.high))
    extents = np.unique(np.asarray(reader.apply(fn.SUBTRACT, [high, low], (), node.span, Kind.INTEGER).value))
    if len(extents) != 1:
        raise Failed(mistakes.uneven_range(node.span, reader.text(node)))
    if extents[0] < -1:
        raise Failed(mistakes.bad_range(node.span, int(_first(low)), int(_first(high)), length))
    own = (axes_of.plain(int(extents[0]) + 1),)
    steps = terms.constant(np.arange(own[0].length), own, node.span, Kind.INTEGER)
    return reader.apply(fn.ADD, [low, steps], (), node.span, Kind.INTEGER)


def _first(term: Term) -> float:
    return float(np.asarray(term.value).reshape(-1)[0])


def _unknown(reader: Reader, term: Term, node: s.Node) -> Term:
    """Positions that are random: only whole numbers will do, and they are summed over or drawn."""
    if term.kind not in (Kind.INTEGER, Kind.BOOLEAN):
        raise Failed(mistakes.index_not_known(node.span, reader.text(node)))
    one = terms.constant(1.0, (), node.span, Kind.INTEGER)
    return reader.apply(fn.SUBTRACT, [term, one], (), node.span, Kind.INTEGER)


def _is_named(axis: Axis) -> bool:
    return axis.labels is not None and (axis.identity or "").startswith(("levels:", "columns:"))


def _whole(reader: Reader, node: s.Expr) -> Term:
    """A known whole number, one for each round of the loops."""
    term = as_scalar(reader.number(node))
    if not term.known:
        raise Failed(mistakes.index_not_known(node.span, reader.text(node)))
    values = np.asarray(term.value)
    if term.axes or (values != np.floor(values)).any():
        raise Failed(mistakes.index_not_whole(node.span, reader.text(node), None))
    return term


def _as_positions(reader: Reader, term: Term, node: s.Node, axis: Axis, text: str) -> np.ndarray:
    """Positions from 0 along an axis that was declared by a count: the values are positions from 1.

    Elements that the mask of the loops leaves out may lie anywhere; they are put at 0.
    """
    if term.kind is Kind.TEXT:
        if axis.identity is not None and axis in term.axes:
            raise Failed(mistakes.already_over_rows(node.span, text))
        raise Failed(mistakes.text_on_positions(node.span, text))
    values = np.asarray(term.value)
    wrong = (values != np.floor(values)) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    outside = (values < 1) | (values > axis.length)
    for bad, is_outside in ((wrong, False), (outside & counts(reader, term), True)):
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0]) if values.ndim else ()
            in_data = place and not term.plates
            shown, where = show_value(term, place), reader.env.where(reader.text(node), place) if in_data else None
            if is_outside:
                raise Failed(mistakes.index_out_of_range(node.span, text, shown, axis.length, where))
            raise Failed(mistakes.index_not_whole(node.span, shown, where))
    return np.where(outside, 1, values).astype(np.int64) - 1


def counts(reader: Reader, term: Term) -> np.ndarray:
    """For each element of a term, whether the mask of the loops has it count for any round."""
    mask = reader.scope.mask
    if mask is None or not term.plates:
        return np.ones(term.shape, dtype=bool)
    assert mask.value is not None
    own = {plate.identity for plate in term.plates}
    others = tuple(i for i, plate in enumerate(mask.plates) if plate.identity not in own)
    seen = np.asarray(mask.value).any(axis=others)
    kept = {plate.identity: plate.length for plate in mask.plates if plate.identity in own}
    shape = tuple(kept.get(plate.identity, 1) for plate in term.plates)
    return np.broadcast_to(seen.reshape((*shape, *([1] * len(term.axes)))), term.shape)


def _on_levels(reader: Reader, term: Term, node: s.Node, axis: Axis, text: str) -> np.ndarray:
    """Positions from 0 along an axis of levels: the values are levels, as text or as the whole numbers they are."""
    assert axis.labels is not None and term.value is not None
    over_columns = is_columns(axis)
    if over_columns and term.kind is not Kind.TEXT and not term.axes:
        return _as_positions(reader, term, node, axis, text)
    numbers = all(map(_is_whole, axis.labels)) or set(axis.labels) <= {"true", "false"}
    if term.kind is not Kind.TEXT and (over_columns or not numbers):
        raise Failed(mistakes.number_on_levels(node.span, axis.name, axis.labels))
    unique, inverse = np.unique(term.value, return_inverse=True)
    places = {label: i for i, label in enumerate(axis.labels)}
    table = np.empty(len(unique), dtype=np.int64)
    for i, value in enumerate(unique):
        label = term.levels[int(value)] if term.levels is not None else _label(value)
        if label not in places:
            place = tuple(int(j) for j in np.argwhere(term.value == value)[0]) if term.axes else ()
            where = reader.env.where(reader.text(node), place) if place else None
            raise Failed(mistakes.unknown_level(node.span, axis.name, label, axis.labels, where))
        table[i] = places[label]
    return table[inverse].reshape(term.value.shape)


def _is_whole(label: str) -> bool:
    return label.lstrip("-").isdigit()


def _label(value: Any) -> str:
    number = value.item()
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return str(number).lower()


def _pick(reader: Reader, base: Term, chosen: list[Any], span: Span) -> Term:
    """Single elements and slices, by basic indexing."""
    if all(choice == slice(None) for choice in chosen):
        return base
    key = (..., *chosen)
    axes = tuple(
        _sliced(axis, choice) for axis, choice in zip(base.axes, chosen, strict=True) if not isinstance(choice, int)
    )
    if base.known:
        assert base.value is not None
        return replace(base, op=None, args=(), axes=axes, span=span, value=base.value[key])
    options = tuple((c.start, c.stop) if isinstance(c, slice) else c for c in chosen)
    op = Op("pick", lambda x: gather.pick(x, key), (len(base.axes),), options, moves=True)
    return reader.apply(op, [base], axes, span, base.kind)


def _sliced(axis: Axis, choice: slice) -> Axis:
    return axis if choice == slice(None) else axes_of.plain(choice.stop - choice.start)


def _gather(reader: Reader, base: Term, places: list[int], picks: list[Term], span: Span) -> Term:
    """One element for each of the picks' own elements; several picks go together, row by row."""
    lengths = [base.axes[place].length for place in places]
    try:
        flat = picks[0]
        for length, pick in zip(lengths[1:], picks[1:], strict=True):
            scaled = reader.apply(fn.MULTIPLY, [flat, terms.constant(float(length), (), span)], (), span, Kind.INTEGER)
            flat = reader.apply(fn.ADD, [scaled, pick], (), span, Kind.INTEGER)
    except Misaligned as error:
        first, second = error.first, error.second
        raise Failed(mistakes.axes_do_not_align(span, str(first), (first,), str(second), (second,), None)) from None
    kept = [axis for i, axis in enumerate(base.axes) if i not in places]
    before = sum(i < places[0] for i in range(len(base.axes)) if i not in places)
    axes = (*kept[:before], *flat.axes, *kept[before:])
    return together(reader, base, places, flat, axes, before, span)


def together(
    reader: Reader, base: Term, places: list[int], flat: Term, axes: tuple[Axis, ...], before: int, span: Span
) -> Term:
    """The axes at `places` made one, and picked from by flat positions; `before` axes stay in front."""
    try:
        return pick_by(base, tuple(places), flat, axes, before, span)
    except terms.TooLarge as error:
        raise Failed(mistakes.too_large(span, error.elements, terms.MOST_ELEMENTS)) from None


def pick_by(base: Term, places: tuple[int, ...], flat: Term, axes: tuple[Axis, ...], before: int, span: Span) -> Term:
    """As `together`; by known positions at once, by random ones draw by draw. Raises `TooLarge`."""
    rank = len(base.axes)
    if not flat.known or set(base.plates) & set(flat.plates):
        ranks = (rank, len(flat.axes))
        op = Op("take", _by_draws(places, rank, before, len(flat.axes)), ranks, (places, before))
        found = terms.apply(op, (base, flat), axes, span, base.kind)
        return replace(found, levels=base.levels) if found.known else found
    length = int(np.prod([base.axes[place].length for place in places]))
    positions = gather.Positions(np.asarray(flat.value).astype(np.int64), length)
    moved = _by_positions(positions, places, rank, before, base.plates, flat.plates)
    if base.known:
        value = np.asarray(moved(np.asarray(base.value)))
        plates = terms.join_plates(base.plates, flat.plates)
        return replace(base, op=None, args=(), axes=axes, span=span, value=value, plates=plates)
    own = tuple(plate.identity for plate in (*base.plates, *flat.plates))
    options = (positions.index.tobytes(), positions.index.shape, length, own, *places)
    op = Op("gather", moved, (rank,), options, moves=True, adds=flat.plates)
    return terms.apply(op, (base,), axes, span, base.kind)


def picked_places(term: Term) -> tuple[int, ...]:
    """The axes of its argument that a term is picked from by an index; none where it is no such term."""
    if term.op is None or term.op.name not in ("gather", "take"):
        return ()
    return tuple(term.op.options[0] if term.op.name == "take" else term.op.options[4:])


def _one_axis(x: Any, places: tuple[int, ...], rank: int, before: int) -> Any:
    """The axes at `places` brought together behind `before` others, as one axis."""
    if len(places) == 1:
        return x
    kept = [i for i in range(rank) if i not in places]
    order = [*kept[:before], *places, *kept[before:]]
    outer = anp.ndim(x) - rank
    moved = anp.transpose(x, (*range(outer), *(outer + i for i in order)))
    shape = anp.shape(moved)
    length = int(np.prod(shape[outer + before : outer + before + len(places)]))
    return anp.reshape(moved, (*shape[: outer + before], length, *shape[outer + before + len(places) :]))


def _by_positions(
    positions: gather.Positions,
    places: tuple[int, ...],
    rank: int,
    before: int,
    outside: tuple[Axis, ...],
    plates: tuple[Axis, ...],
) -> Callable[[Any], Any]:
    """Pick by known positions; those of their axes that are plates are sorted in among the plates outside."""
    after = rank - len(places) - before
    here = [*outside, *([None] * before), *plates]
    order = [here.index(plate) for plate in terms.join_plates(outside, plates)]
    order += [len(outside) + i for i in range(before)]

    def apply(x: Any) -> Any:
        found = gather.gather(_one_axis(x, places, rank, before), positions, -after - 1)
        if order == sorted(order):
            return found
        outer = anp.ndim(found) - len(outside) - before - positions.index.ndim - after
        rest = range(outer + len(order), anp.ndim(found))
        return anp.transpose(found, (*range(outer), *(outer + i for i in order), *rest))

    return apply


def _by_draws(places: tuple[int, ...], rank: int, before: int, own: int) -> Callable[[Any, Any], Any]:
    """Pick by positions that vary as the base does, over plates or draws."""
    after = rank - len(places) - before

    def apply(x: Any, index: Any) -> Any:
        joined = _one_axis(x, places, rank, before)
        shape = anp.shape(index)
        outer, axes = shape[: len(shape) - own], shape[len(shape) - own :]
        flat = anp.reshape(index, (*outer, *([1] * before), int(np.prod(axes))))
        found = gather.take(joined, flat, -after - 1)
        full = anp.shape(found)
        front = full[: len(full) - after - 1]
        return anp.reshape(found, (*front, *axes, *full[len(full) - after :]))

    return apply
