"""The bracket of a name on the left -> the axes it declares, or the elements that a piece defines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import loop_mistakes, mistakes, terms
from ppl.model.expressions import Reader
from ppl.model.scope import Failed, Levels, as_scalar, declared_axis
from ppl.values import dataclass


def declared(reader: Reader, subscripts: Sequence[s.Node]) -> tuple[tuple[Axis, ...], tuple[Levels, ...]]:
    """The axes that a bracket declares, and the factors whose levels the statement runs over."""
    axes: list[Axis] = []
    lifted: list[Levels] = []
    for subscript in subscripts:
        axis, factor = _one_axis(reader, subscript)
        axes.append(axis)
        if factor is not None:
            lifted.append(factor)
    terms.check_size(axes)
    return tuple(axes), tuple(lifted)


def _one_axis(reader: Reader, node: s.Node) -> tuple[Axis, Levels | None]:
    reader = reader.counting_new_rows()
    data = reader.env.data
    if isinstance(node, s.Name) and node.name == "rows" and "rows" not in data.columns and data.rows:
        return data.rows, None
    if isinstance(node, s.Name) and node.name in data.axes and node.name not in reader.env.failed:
        column = reader.env.is_column(node.name)
        return data.axes[node.name], reader.env.levels(node.name, node.span) if column else None
    text = reader.text(node)
    if isinstance(node, s.String):
        raise Failed(mistakes.not_a_count(node.span, text, "a text"))
    term = reader.read(node)
    if not term.known and isinstance(node, s.Name) and reader.env.is_column(node.name):
        factor = reader.env.levels(node.name, node.span)  # a column with gaps
        if factor is not None:
            return factor.axis, factor
    if term.kind is not Kind.TEXT:  # a list of one number from JSON declares that count
        term = as_scalar(term)
    if not term.known:
        raise Failed(mistakes.not_a_count(node.span, text, "not known from the data"))
    if not term.axes:
        count = reader.env.as_number(term, text, node.span).number()
        if not count.is_integer() or count < 0:
            raise Failed(mistakes.not_a_count(node.span, text, f"{count:g}"))
        return declared_axis(int(count), text), None
    if len(term.axes) == 2 and is_columns(term.axes[1]):
        return term.axes[1], None
    if isinstance(node, s.Name) and reader.env.is_column(node.name):
        factor = reader.env.levels(node.name, node.span)
        if factor is not None:
            return factor.axis, factor
        raise Failed(mistakes.not_a_count(node.span, text, "a column of decimal numbers"))
    raise Failed(mistakes.not_a_count(node.span, text, f"an array with axes {axes_of.show(term.axes)}"))


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Which elements of a name one piece defines.

    `positions[k]` are positions from 0 along axis k of the name, over the `plates` of the loops and then, for each
    range in the bracket, an axis of its own; all broadcast against each other. `axes` are those of the ranges.
    """

    positions: tuple[np.ndarray, ...]
    plates: tuple[Axis, ...]
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.length for axis in (*self.plates, *self.axes))

    def extent(self, axis: int) -> int:
        """One more than the last position along an axis."""
        return int(self.positions[axis].max(initial=-1)) + 1

    def flat(self, lengths: tuple[int, ...]) -> np.ndarray:
        """Positions in the flattened name, one for each element of the piece, in order."""
        wide = [np.broadcast_to(positions, self.shape) for positions in self.positions]
        return np.ravel_multi_index(wide, lengths).reshape(-1)


def place_of(reader: Reader, name: str, subscripts: Sequence[s.Node]) -> Place:
    """The elements that `name[subscripts]` stands for inside the loops of a reader."""
    reader = reader.counting_new_rows()
    plates = reader.scope.plates
    ranges = [node for node in subscripts if isinstance(node, s.Range)]
    axes: list[Axis] = []
    positions: list[np.ndarray] = []
    for node in subscripts:
        if isinstance(node, s.Whole):
            raise Failed(loop_mistakes.whole_in_piece(node.span, name))
        if isinstance(node, s.Range):
            low, high = (_count(reader, end) for end in (node.low, node.high))
            if low < 1 or high < low - 1:
                raise Failed(mistakes.bad_range(node.span, low, high, max(low, high)))
            own = np.arange(low - 1, high)
            shape = [1] * (len(plates) + len(ranges))
            shape[len(plates) + len(axes)] = len(own)
            positions.append(own.reshape(shape))
            axes.append(axes_of.plain(len(own)))
        else:
            positions.append(_single(reader, node, name, len(ranges)))
    return Place(tuple(positions), plates, tuple(axes))


def _count(reader: Reader, node: s.Expr) -> int:
    term = as_scalar(reader.number(node))
    if not term.known or term.axes or term.plates or not term.number().is_integer():
        raise Failed(mistakes.index_not_whole(node.span, reader.text(node), None))
    return int(term.number())


def _single(reader: Reader, node: s.Node, name: str, ranges: int) -> np.ndarray:
    """One position for each round of the loops."""
    term = as_scalar(reader.read(node))
    if not term.known:
        raise Failed(mistakes.index_not_known(node.span, reader.text(node)))
    if term.kind is Kind.TEXT or term.axes:
        raise Failed(loop_mistakes.piece_not_by_number(node.span, name, reader.text(node)))
    values = np.asarray(term.value)
    if (values != np.floor(values)).any() or (values < 1).any():
        raise Failed(mistakes.index_not_whole(node.span, f"{float(values.min(initial=1)):g}", None))
    own = {plate.identity: plate.length for plate in term.plates}
    shape = [own.get(plate.identity, 1) for plate in reader.scope.plates]
    return values.astype(np.int64).reshape((*shape, *([1] * ranges))) - 1


def lengths_of(places: Sequence[Place]) -> tuple[int, ...]:
    """How long a name is along each axis, so that all its pieces fit."""
    return tuple(max(place.extent(axis) for place in places) for axis in range(len(places[0].positions)))


def check_cover(name: str, places: Sequence[Place], spans: Sequence[Span], lengths: tuple[int, ...]) -> None:
    """Raises `Failed` unless the pieces of a name cover 1..n once."""
    size = int(np.prod(lengths))
    terms.check_size(Axis(name, length) for length in lengths)
    times = np.zeros(size, dtype=np.int64)
    for place, span in zip(places, spans, strict=True):
        flat = place.flat(lengths)
        times += np.bincount(flat, minlength=size)
        if (times > 1).any():
            raise Failed(loop_mistakes.piece_twice(span, name, _show(int(np.argmax(times > 1)), lengths)))
    if (times == 0).any():
        raise Failed(loop_mistakes.piece_missing(spans[0], name, _show(int(np.argmin(times)), lengths)))


def _show(flat: int, lengths: tuple[int, ...]) -> str:
    return ", ".join(str(int(i) + 1) for i in np.unravel_index(flat, lengths))
