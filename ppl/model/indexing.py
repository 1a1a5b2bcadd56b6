"""base and subscripts -> term: elements, slices, and one element a row (gathering)."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.model import mistakes, terms
from ppl.model.scope import Failed, as_scalar, show_value
from ppl.model.terms import Misaligned, Op, Term
from ppl.numeric import gather

if TYPE_CHECKING:
    from ppl.model.expressions import Reader


@dataclass(frozen=True, slots=True)
class Many:
    """A subscript that picks one element for each of its own: positions from 0, over `axes`."""

    positions: np.ndarray
    axes: tuple[Axis, ...]


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
    basic = [slice(None) if isinstance(choice, Many) else choice for choice in chosen]
    term = _pick(reader, base, basic, node)
    many = [choice for choice in chosen if not isinstance(choice, int)]
    places = [i for i, choice in enumerate(many) if isinstance(choice, Many)]
    if not places:
        return term
    picks = [choice for choice in many if isinstance(choice, Many)]
    return _gather(reader, term, places, picks, node)


def _as_list(term: Term) -> Term:
    assert term.value is not None
    value = term.value.reshape(1)
    return Term(None, (), (axes_of.plain(1),), term.kind, term.span, value=value, levels=term.levels)


def _subscript(reader: Reader, node: s.Node, axis: Axis, text: str) -> int | slice | Many:
    match node:
        case s.Whole():
            return slice(None)
        case s.Range(low, high, span):
            first, last = _position(reader, low), _position(reader, high)
            if first < 1 or last > axis.length or last < first - 1:
                raise Failed(mistakes.bad_range(span, first, last, axis.length))
            return slice(first - 1, last)
    term = reader.read(node)
    if not term.known:
        raise Failed(mistakes.index_not_known(node.span, reader.text(node)))
    positions = (
        _on_levels(reader, term, node, axis) if _is_named(axis) else _as_positions(reader, term, node, axis, text)
    )
    return Many(positions, term.axes) if term.axes else int(positions)


def _is_named(axis: Axis) -> bool:
    return axis.labels is not None and (axis.identity or "").startswith(("levels:", "columns:"))


def _position(reader: Reader, node: s.Expr) -> int:
    """A known single whole number."""
    term = as_scalar(reader.number(node))
    if not term.known:
        raise Failed(mistakes.index_not_known(node.span, reader.text(node)))
    if term.axes or not term.number().is_integer():
        raise Failed(mistakes.index_not_whole(node.span, reader.text(node), None))
    return int(term.number())


def _as_positions(reader: Reader, term: Term, node: s.Node, axis: Axis, text: str) -> np.ndarray:
    """Positions from 0 along an axis that was declared by a count: the values are positions from 1."""
    if term.kind is Kind.TEXT:
        if axis.identity is not None and axis in term.axes:
            raise Failed(mistakes.already_over_rows(node.span, text))
        raise Failed(mistakes.text_on_positions(node.span, text))
    values = np.asarray(term.value)
    wrong = (values != np.floor(values)) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    for bad, outside in ((wrong, False), ((values < 1) | (values > axis.length), True)):
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0]) if values.ndim else ()
            shown, where = show_value(term, place), reader.env.where(reader.text(node), place) if place else None
            if outside:
                raise Failed(mistakes.index_out_of_range(node.span, text, shown, axis.length, where))
            raise Failed(mistakes.index_not_whole(node.span, shown, where))
    return values.astype(np.int64) - 1


def _on_levels(reader: Reader, term: Term, node: s.Node, axis: Axis) -> np.ndarray:
    """Positions from 0 along an axis of levels: the values are levels, as text or as the whole numbers they are."""
    assert axis.labels is not None and term.value is not None
    over_columns = is_columns(axis)
    if over_columns and term.kind is not Kind.TEXT and not term.axes:
        return _as_positions(reader, term, node, axis, axis.name)
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


def _pick(reader: Reader, base: Term, chosen: list[Any], node: s.Index) -> Term:
    """Single elements and slices, by basic indexing."""
    if all(choice == slice(None) for choice in chosen):
        return base
    key = (..., *chosen)
    axes = tuple(
        _sliced(axis, choice) for axis, choice in zip(base.axes, chosen, strict=True) if not isinstance(choice, int)
    )
    if base.known:
        assert base.value is not None
        return Term(None, (), axes, base.kind, node.span, value=base.value[key], levels=base.levels)
    options = tuple((c.start, c.stop) if isinstance(c, slice) else c for c in chosen)
    op = Op("pick", lambda x: gather.pick(x, key), (len(base.axes),), options, moves=True)
    return reader.apply(op, [base], axes, node.span, base.kind)


def _sliced(axis: Axis, choice: slice) -> Axis:
    return axis if choice == slice(None) else axes_of.plain(choice.stop - choice.start)


def _gather(reader: Reader, base: Term, places: list[int], picks: list[Many], node: s.Index) -> Term:
    """One element for each of the picks' own elements; several picks go together, row by row."""
    try:
        picked_axes = terms.align(*(pick.axes for pick in picks))
    except Misaligned as error:
        raise Failed(
            mistakes.axes_do_not_align(
                node.span, str(error.first), (error.first,), str(error.second), (error.second,), None
            )
        ) from None
    lengths = [base.axes[place].length for place in places]
    flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*(p.positions for p in picks))), lengths) if picks[1:] \
        else picks[0].positions  # fmt: skip
    positions = gather.Positions(np.asarray(flat), int(np.prod(lengths)))
    rank = len(base.axes)
    rest = tuple(axis for i, axis in enumerate(base.axes) if i not in places)
    before = tuple(axis for i, axis in enumerate(base.axes) if i < places[0])
    axes = (*before, *picked_axes, *rest[len(before) :])
    if base.known:
        value = _gather_array(np.asarray(base.value), positions, places, rank, take_known=True)
        return Term(None, (), axes, base.kind, node.span, value=value, levels=base.levels)
    op = Op(
        "gather", lambda x: _gather_array(x, positions, places, rank), (rank,), (id(positions), *places), moves=True
    )
    return reader.apply(op, [base], axes, node.span, base.kind)


def _gather_array(x: Any, positions: gather.Positions, places: list[int], rank: int, take_known: bool = False) -> Any:
    """Bring the axes that are picked from together, make them one, and gather along it."""
    if len(places) > 1:
        kept = [i for i in range(rank) if i not in places]
        first = sum(i < places[0] for i in kept)
        order = [*kept[:first], *places, *kept[first:]]
        outer = anp.ndim(x) - rank
        moved = anp.transpose(x, (*range(outer), *(outer + i for i in order)))
        shape = anp.shape(moved)
        start = outer + first
        x = anp.reshape(moved, (*shape[:start], positions.length, *shape[start + len(places) :]))
        axis = first - (rank - len(places) + 1)
    else:
        axis = places[0] - rank
    return np.take(x, positions.index, axis=axis) if take_known else gather.gather(x, positions, axis)


def without_counts(reader: Reader, target: s.Index) -> s.Expr:
    """The left side `y[rows]`, `y[N]` of an observed name: a bracket on the left declares, so a name in it says how
    long `y` is, and not which element is meant. Raises `Failed` where it is not so long."""
    base = reader.read(target.base)
    text = reader.text(target.base)
    left: list[s.Expr | s.Range | s.Whole] = list(target.subscripts)
    for i, (subscript, axis) in enumerate(zip(target.subscripts, base.axes, strict=False)):
        if not isinstance(subscript, s.Name):
            continue
        term = as_scalar(reader.read(subscript))
        if term.axes and axis in term.axes:
            raise Failed(mistakes.already_over_rows(subscript.span, text))
        if not term.known or term.axes or term.kind is Kind.TEXT or term.number() != axis.length:
            found = show_value(term, ()) if term.known and not term.axes else "no count"
            raise Failed(mistakes.observed_is_longer(subscript.span, text, axis, subscript.name, found))
        left[i] = s.Whole(subscript.span)
    if all(isinstance(subscript, s.Whole) for subscript in left):
        return target.base
    return replace(target, subscripts=tuple(left))


def chosen_columns(reader: Reader, node: s.Node) -> list[str]:
    """The columns that one argument of `columns` names, in the table's order for patterns."""
    held = [name for name, column in reader.env.data.columns.items() if len(column.axes) == 1]
    match node:
        case s.String(pattern, span):
            found = [name for name in held if fnmatch.fnmatchcase(name, pattern)]
            if not found:
                raise Failed(mistakes.no_such_column(span, pattern, held))
            return found
        case s.Name(name, span):
            if name not in held:
                raise Failed(mistakes.no_such_column(span, name, held))
            return [name]
        case s.Range(s.Name(first, span), s.Name(last, last_span)):
            for name, place in ((first, span), (last, last_span)):
                if name not in held:
                    raise Failed(mistakes.no_such_column(place, name, held))
            return _between(reader, first, last, held, node)
    raise Failed(mistakes.no_such_column(node.span, reader.text(node), held))


def _between(reader: Reader, first: str, last: str, held: list[str], node: s.Range) -> list[str]:
    """`x1..x20`: by number where the names differ in nothing else, else by the order of the table."""
    low, high = re.fullmatch(r"(.*?)([0-9]+)", first), re.fullmatch(r"(.*?)([0-9]+)", last)
    if low and high and low[1] == high[1] and 0 <= int(high[2]) - int(low[2]) < len(held):
        wanted = [f"{low[1]}{number}" for number in range(int(low[2]), int(high[2]) + 1)]
        if low[2].startswith("0") or high[2].startswith("0"):
            width = len(low[2])
            wanted = [f"{low[1]}{number:0{width}d}" for number in range(int(low[2]), int(high[2]) + 1)]
        for name in wanted:
            if name not in held:
                raise Failed(mistakes.no_such_column(node.span, name, held))
        return wanted
    start, stop = held.index(first), held.index(last)
    if stop < start:
        raise Failed(mistakes.bad_range(node.span, start + 1, stop + 1, len(held)))
    return held[start : stop + 1]
