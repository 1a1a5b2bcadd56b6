"""Calls that make arrays and put them together -> terms: filled ones, sequences, joins, repeats, indicators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import autograd.numpy as anp
import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import array_mistakes as mistakes
from ppl.model import functions as fn
from ppl.model import loops, mends, terms
from ppl.model.mistakes import axes_words, too_large
from ppl.model.scope import Failed, Levels, as_scalar, declared_axis, show_value
from ppl.model.terms import Misaligned, Op, Term
from ppl.numeric.shape import join

if TYPE_CHECKING:
    from ppl.model.expressions import Reader


def size(reader: Reader, node: s.Node, function: str) -> Axis:
    """The axis that an argument gives the length of; `rows` gives that of the table."""
    data = reader.env.data
    if isinstance(node, s.Name) and node.name == "rows" and "rows" not in data.columns and data.rows:
        return data.rows
    text = reader.text(node)
    term = as_scalar(reader.number(node))
    number = term.number() if term.known and not term.axes and not term.plates else -1.0
    if number.is_integer() and number >= 0:
        return declared_axis(int(number), text)
    if not term.known:
        found = "depends on a latent"
    elif term.axes:
        found = f"has {axes_words(term.axes)}"
    else:
        found = "differs from round to round of the loop" if term.plates else f"is {number:g}"
    raise Failed(mistakes.not_a_size(node.span, function, text, found))


def checked(axes: tuple[Axis, ...], span: Span) -> tuple[Axis, ...]:
    """The axes, before an array over them is made."""
    try:
        terms.check_size(axes)
    except terms.TooLarge as error:
        raise Failed(too_large(span, error.elements, terms.MOST_ELEMENTS)) from None
    return axes


def filled(reader: Reader, node: s.Call) -> Term:
    """`zeros(n)`, `ones(n, m)`."""
    name = node.function.name
    axes = checked(tuple(size(reader, argument.value, name) for argument in node.arguments), node.span)
    value = np.full([axis.length for axis in axes], float(name == "ones"))
    return terms.constant(value, axes, node.span)


def eye(reader: Reader, node: s.Call) -> Term:
    axis = size(reader, node.arguments[0].value, "eye")
    axes = checked((axis, axis), node.span)
    return terms.constant(np.eye(axis.length), axes, node.span)


def seq(reader: Reader, node: s.Call) -> Term:
    """`seq(a, b)`: a, a + 1, ... up to b; `seq(a, b, n)`: n numbers from a to b."""
    low, high = (as_scalar(reader.number(argument.value)) for argument in node.arguments[:2])
    for term, argument in zip((low, high), node.arguments, strict=False):
        if term.axes:
            found = f"has {axes_words(term.axes)}"
            raise Failed(mistakes.not_an_end(argument.value.span, reader.text(argument.value), found))
    if len(node.arguments) == 3:
        axis = size(reader, node.arguments[2].value, "seq")
        if axis.length < 2:
            raise Failed(mistakes.too_few_numbers(node.arguments[2].value.span, axis.length))
        shares = terms.constant(np.linspace(0.0, 1.0, axis.length), checked((axis,), node.span), node.span)
        step = reader.apply(fn.MULTIPLY, [reader.apply(fn.SUBTRACT, [high, low], (), node.span), shares], (), node.span)
        return reader.apply(fn.ADD, [low, step], (), node.span)
    for term, argument in zip((low, high), node.arguments, strict=False):
        if not term.known or term.plates:
            found = "differs from round to round of the loop" if term.known else "depends on a latent"
            raise Failed(mistakes.not_an_end(argument.value.span, reader.text(argument.value), found))
    first, last = low.number(), high.number()
    if last < first and last != first - 1:
        raise Failed(mistakes.sequence_goes_down(node.span, first, last))
    count = int(np.floor(last - first + 1e-9)) + 1
    axes = checked((axes_of.plain(count),), node.span)
    return terms.constant(first + np.arange(count), axes, node.span, low.kind)


# -- pieces -----------------------------------------------------------------------------------------------------------


def concat(reader: Reader, node: s.Call) -> Term:
    """Numbers and vectors, or arrays of equally many axes, one after another along the first axis."""
    parts = _parts(reader, node)
    rank = max(1, *(len(part.axes) for part in parts))
    for argument, part in zip(node.arguments, parts, strict=True):
        if len(part.axes) != rank and (part.axes or rank > 1):
            raise Failed(mistakes.cannot_join(argument.value.span, "concat", reader.text(argument.value), part.axes))
    inner = _common(reader, node, parts, [part.axes[1:] for part in parts])
    vectors = [part if part.axes else _as(reader, part, (axes_of.plain(1),)) for part in parts]
    return _joined(reader, vectors, rank, inner, None, node.span)


def hcat(reader: Reader, node: s.Call) -> Term:
    """Matrices, vectors as columns, and numbers as columns of that number, side by side."""
    parts = _flat_parts(reader, node)
    rows = _common(reader, node, parts, [part.axes[:1] for part in parts]) or (axes_of.plain(1),)
    columns = [part if len(part.axes) == 2 else _column(reader, part, rows) for part in parts]
    across = _labelled(reader, node, parts)
    return _joined(reader, columns, 1, (), across, node.span)


def vcat(reader: Reader, node: s.Call) -> Term:
    """Matrices, vectors as rows, and numbers as rows of that number, on top of each other."""
    parts = _flat_parts(reader, node)
    across = _common(reader, node, parts, [part.axes[-1:] for part in parts]) or (axes_of.plain(1),)
    one = axes_of.plain(1)
    rows = [part if len(part.axes) == 2 else _as(reader, _wide(reader, part, across), (one, *across)) for part in parts]
    return _joined(reader, rows, 2, across, None, node.span)


def repeat(reader: Reader, node: s.Call) -> Term:
    """A number n times; a vector or a matrix whole, n times along its first axis."""
    term = reader.number(node.arguments[0].value)
    times = size(reader, node.arguments[1].value, "repeat")
    spread = reader.spread(term, (times, *term.axes), node.span)
    if not term.axes:
        return spread
    length = times.length * term.axes[0].length
    axes = (axes_of.plain(length), *term.axes[1:])
    return loops.arranged(reader, spread, range(len(spread.axes)), axes, node.span)


def flatten(reader: Reader, node: s.Call) -> Term:
    """All elements in one row: the last axis runs fastest."""
    term = reader.number(node.arguments[0].value)
    count = int(np.prod([axis.length for axis in term.axes]))
    return loops.arranged(reader, term, range(len(term.axes)), (axes_of.plain(count),), node.span)


def onehot(reader: Reader, node: s.Call) -> Term:
    """`onehot(z, K)`: 1 in column z of K; `onehot(column)`: a column for each level."""
    what = node.arguments[0].value
    if len(node.arguments) == 1:
        factor = _levels_of(reader, what)
        axes = checked((factor.rows, factor.axis), node.span)
        return terms.constant(1.0 * (factor.codes[:, None] == np.arange(factor.axis.length)), axes, node.span)
    axis = size(reader, node.arguments[1].value, "onehot")
    term = reader.number(what)
    if term.known:
        _check_categories(reader, term, what, axis.length)
    elif term.kind is not Kind.INTEGER:
        raise Failed(mistakes.category_not_whole(what.span, reader.text(what)))
    checked((*term.plates, *term.axes, axis), node.span)
    kinds = np.arange(1.0, axis.length + 1.0)
    op = Op("onehot", lambda x: 1.0 * (anp.expand_dims(x, -1) == kinds), (0,), (axis.length,))
    return reader.apply(op, [term], (axis,), node.span, Kind.INTEGER)


def _check_categories(reader: Reader, term: Term, node: s.Node, count: int) -> None:
    values = np.asarray(term.value)
    wrong = ~((values >= 1) & (values <= count) & (values == np.floor(values)))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = reader.env.where(reader.text(node), place) if place and not term.plates else None
        raise Failed(mistakes.not_a_category(node.span, reader.text(node), show_value(term, place), count, where))


def _levels_of(reader: Reader, node: s.Node) -> Levels:
    if isinstance(node, s.Name) and reader.env.is_column(node.name):
        factor = reader.env.levels(node.name, node.span)
        if factor is not None:
            return factor
    raise Failed(mistakes.no_categories(node.span, reader.text(node)))


# -- how pieces are joined --------------------------------------------------------------------------------------------


def _parts(reader: Reader, node: s.Call) -> list[Term]:
    return [reader.number(argument.value) for argument in node.arguments]


def _flat_parts(reader: Reader, node: s.Call) -> list[Term]:
    """The arguments, if none has more axes than a matrix."""
    parts = _parts(reader, node)
    for argument, part in zip(node.arguments, parts, strict=True):
        if len(part.axes) > 2:
            raise Failed(
                mistakes.cannot_join(argument.value.span, node.function.name, reader.text(argument.value), part.axes)
            )
    return parts


def _common(reader: Reader, node: s.Call, parts: Sequence[Term], lists: Sequence[tuple[Axis, ...]]) -> tuple[Axis, ...]:
    """The axes that all the lists share, those of numbers aside."""
    held = [i for i, part in enumerate(parts) if part.axes]
    common: tuple[Axis, ...] = lists[held[0]] if held else ()
    for i in held[1:]:
        try:
            common = terms.align(common, lists[i])
        except Misaligned as clash:
            first, second = (node.arguments[k].value for k in (held[0], i))
            mend = mends.gathering(reader, clash, [(parts[held[0]], first), (parts[i], second)])
            left, right = (reader.text(first), parts[held[0]].axes), (reader.text(second), parts[i].axes)
            raise Failed(mistakes.join_lengths(second.span, node.function.name, left, right, mend)) from None
    return common


def _as(reader: Reader, term: Term, axes: tuple[Axis, ...]) -> Term:
    """The same elements in the same order, read as other axes."""
    return loops.arranged(reader, term, range(len(term.axes)), axes, term.span)


def _wide(reader: Reader, term: Term, axes: tuple[Axis, ...]) -> Term:
    return term if term.axes else reader.spread(term, axes, term.span)


def _column(reader: Reader, term: Term, rows: tuple[Axis, ...]) -> Term:
    return _as(reader, _wide(reader, term, rows), (*rows, axes_of.plain(1)))


def _labelled(reader: Reader, node: s.Call, parts: Sequence[Term]) -> Axis | None:
    """The axis of columns side by side, each with its name, where one of the parts has names for its own."""
    if not any(len(part.axes) == 2 and is_columns(part.axes[1]) for part in parts):
        return None
    labels: list[str] = []
    for argument, part in zip(node.arguments, parts, strict=True):
        text = reader.text(argument.value)
        if len(part.axes) < 2:
            labels.append(text)
        elif is_columns(part.axes[1]):
            labels.extend(part.axes[1].label(i) for i in range(part.axes[1].length))
        else:
            labels.extend(f"{text}.{part.axes[1].label(i)}" for i in range(part.axes[1].length))
    if len(set(labels)) < len(labels):
        labels = [f"{label}.{i + 1}" for i, label in enumerate(labels)]
    return columns_axis(labels)


def columns_axis(labels: Sequence[str]) -> Axis:
    return Axis("columns", len(labels), "columns:" + "|".join(labels), tuple(labels))


def _joined(
    reader: Reader, parts: Sequence[Term], place: int, inner: tuple[Axis, ...], axis: Axis | None, span: Span
) -> Term:
    """Terms of one rank joined along the axis that is `place` from the right; `inner` are those after it."""
    rank = len(parts[0].axes)
    length = sum(part.axes[-place].length for part in parts)
    whole = axis if axis is not None else axes_of.plain(length)
    kind = Kind.INTEGER if all(part.kind is Kind.INTEGER for part in parts) else Kind.REAL
    if len(parts) == 1:
        own = (*parts[0].axes[: rank - place], whole, *inner)
        return replace(parts[0], axes=own) if parts[0].known else _as(reader, parts[0], own)
    op = Op("join", lambda *arrays: join(-place, *arrays), (rank,) * len(parts), (place,), moves=True)
    before = terms.align(*(part.axes[: rank - place] for part in parts))
    return reader.apply(op, list(parts), (*before, whole, *inner), span, kind)


BUILD = {
    "zeros": filled, "ones": filled, "eye": eye, "seq": seq, "concat": concat, "hcat": hcat, "vcat": vcat,
    "repeat": repeat, "flatten": flatten, "onehot": onehot,
}  # fmt: skip
