"""Observed names with missing cells -> latents for these cells, and what stands for the whole.

The cells are one latent of the same name, its first axis numbering them. Where the name is used, it is its known cells
and that latent put together; where it is observed, a known array, in which the missing cells do not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.language.source import Span
from ppl.model import density, indexing, loops, missing_mistakes, terms
from ppl.model import functions as fn
from ppl.model.brackets import Place
from ppl.model.distribution import Distribution
from ppl.model.distributions.family import Family
from ppl.model.expressions import Reader
from ppl.model.graph import Factor, Piece
from ppl.model.names import Names
from ppl.model.scope import Failed, Scope
from ppl.model.terms import Op, Term
from ppl.numeric import gather
from ppl.numeric.shape import join
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """A column with missing cells.

    latent    the term of these cells, (cells, *event)
    whole     known cells and latent together, over the column's axes
    seen      known cells, and in place of the missing ones another value that may occur
    numbers   for each element its number among those of the flattened latent, -1 where it is known
    said      which cells have got a distribution; filled in as statements are read
    """

    name: str
    column: Column
    latent: Term
    whole: Term
    seen: Term
    numbers: Term
    event_size: int
    said: np.ndarray

    @property
    def all_missing(self) -> bool:
        return bool((np.asarray(self.numbers.value) >= 0).all())


def gaps_of(name: str, column: Column, family: Family, event_rank: int, span: Span) -> Gaps:
    """Raises `Failed` where only parts of an event are missing."""
    assert column.missing is not None
    event = column.axes[len(column.axes) - event_rank :]
    missing = np.asarray(column.missing)
    size = int(np.prod([axis.length for axis in event]))
    by_event = missing.reshape(*missing.shape[: missing.ndim - len(event)], size)
    cells = by_event.all(axis=-1)
    if (by_event.any(axis=-1) != cells).any():
        raise Failed(missing_mistakes.partly_missing(span, name, family.name, column.where(column.first(missing))))
    places = np.argwhere(cells)
    plates = column.axes[: cells.ndim]
    labels = tuple(",".join(axis.label(int(i)) for axis, i in zip(plates, place, strict=True)) for place in places)
    axis = Axis("missing", len(places), f"missing:{name}", labels)
    kind = Kind.INTEGER if family.discrete else Kind.REAL
    latent = terms.latent(name, (axis, *event), span, kind)
    numbers = np.full(missing.shape, -1, dtype=np.int64)
    numbers[missing] = np.arange(int(missing.sum()))
    numbered = Term(None, (), column.axes, Kind.INTEGER, span, value=numbers)
    values = np.asarray(column.values)
    known = values[~cells]  # whole events
    filled = np.where(missing, known[0] if known.size else 0, values)
    seen_kind = Kind.INTEGER if column.kind is Kind.REAL and family.discrete and _whole(filled) else column.kind
    seen = Term(None, (), column.axes, seen_kind, span, value=filled, levels=column.levels)
    numeric = filled + 1 if column.levels is not None else filled
    whole = _put_together(np.asarray(numeric, dtype=np.float64), numbers, latent, column.axes, kind, span)
    return Gaps(name, column, latent, whole, seen, numbered, size, np.zeros(len(places), dtype=bool))


def _whole(values: np.ndarray) -> bool:
    return bool((values == np.floor(values)).all())


def _put_together(
    known: np.ndarray, numbers: np.ndarray, latent: Term, axes: tuple[Axis, ...], kind: Kind, span: Span
) -> Term:
    """The known elements, and those of the latent at their places."""
    rank, size = len(latent.axes), known.size
    flat = numbers.reshape(-1)
    places = np.where(flat < 0, np.arange(size), size + flat).reshape(known.shape)
    order = gather.Positions(places, size + int(flat.max()) + 1)

    def apply(given: Any, cells: Any) -> Any:
        outer = anp.shape(cells)[: anp.ndim(cells) - rank]
        joined = join(-1, given, anp.reshape(cells, (*outer, -1)))
        return gather.gather(joined, order, -1)

    given = terms.constant(known.reshape(-1), (Axis(str(size), size),), span)
    op = Op("fill", apply, (1, rank), (order.index.tobytes(), order.index.shape), moves=True)
    return terms.apply(op, (given, latent), axes, span, kind)


def is_missing(numbers: Term) -> np.ndarray:
    return np.asarray(numbers.value) >= 0


def bound_to(reader: Reader, name: str, term: Term) -> Reader:
    """A reader for which a name stands for something else."""
    return replace(reader, scope=replace(reader.scope, bound={**reader.scope.bound, name: term}))


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What one statement says of missing cells: pieces of their latent, and further factors on them."""

    pieces: tuple[Piece, ...]
    factors: tuple[Factor, ...]


def impute(
    reader: Reader, gaps: Gaps, numbers: Term, found: Distribution, log_prob: Term, span: Span
) -> tuple[Term, Parts]:
    """The log density of known elements alone, and what is said of the missing ones; `numbers` tells them apart."""
    rank = found.event_rank
    values = np.asarray(numbers.value)
    first = values.reshape(*values.shape[: values.ndim - rank], gaps.event_size)[..., 0]
    axes = numbers.axes[: len(numbers.axes) - rank]
    missing = Term(None, (), axes, Kind.BOOLEAN, span, value=first >= 0, plates=numbers.plates)
    places = np.argwhere(np.asarray(missing.value) & indexing.counts(reader, missing))
    none = terms.constant(0.0, (), span)
    seen = reader.apply(fn.CHOOSE, [missing, none, log_prob], (), span)
    if not len(places):
        return seen, Parts((), ())
    cells = np.atleast_1d(first[tuple(places.T)]) // gaps.event_size
    return seen, _said_of(reader, gaps, found, missing, places, cells, span)


def _said_of(
    reader: Reader, gaps: Gaps, found: Distribution, missing: Term, places: np.ndarray, cells: np.ndarray, span: Span
) -> Parts:
    """The distribution of missing cells: that of the statement, its parameters picked for each cell."""
    size = gaps.latent.axes[0].length
    everything = np.array_equal(cells, np.arange(size))
    axis = gaps.latent.axes[0] if everything else Axis(str(len(cells)), len(cells))
    picker = _Picker(reader, missing, places, axis)
    picked = found.mapped(picker.pick)
    plain = Reader(reader.env, Scope())
    event = gaps.latent.axes[1:]
    value = gaps.latent
    if not everything:
        positions = Term(None, (), (axis,), Kind.INTEGER, span, value=cells)
        value = indexing.together(plain, value, [0], positions, (axis, *event), 0, span)
    log_prob = density.log_prob(plain, picked, density.categories(plain, value, picked), span)
    if gaps.said[cells].any() or len(np.unique(cells)) < len(cells):  # a second `~` on them is one more factor
        return Parts((), (Factor(gaps.name, picked, value, log_prob, span),))
    gaps.said[cells] = True
    place = None if everything else Place((cells,), (), (axis,))
    return Parts((Piece(picked, log_prob, place, (axis, *event), span),), ())


@dataclass(frozen=True, slots=True)
class _Picker:
    """Picks what belongs to some elements of a statement: `places` (n, plates and axes of the `mask`)."""

    reader: Reader
    mask: Term
    places: np.ndarray
    axis: Axis

    def pick(self, term: Term, event_rank: int) -> Term:
        """The elements of a parameter, the event left whole; itself, where it is the same for all."""
        leading = term.axes[: max(0, len(term.axes) - event_rank)]
        plates = term.plates
        if not leading and not plates:
            return term
        whole = loops.as_axes(self.reader, term, plates, term.span)
        columns = [self.mask.plates.index(plate) for plate in plates]
        columns += range(self.places.shape[1] - len(leading), self.places.shape[1])
        lengths = [axis.length for axis in (*plates, *leading)]
        flat = np.ravel_multi_index([self.places[:, column] for column in columns], lengths)
        positions = Term(None, (), (self.axis,), Kind.INTEGER, term.span, value=flat)
        axes = (self.axis, *whole.axes[len(columns) :])
        return indexing.together(self.reader, whole, list(range(len(columns))), positions, axes, 0, term.span)


def is_filled_up(gaps: Gaps, names: Names) -> bool:
    """Whether empty cells fill up the rows of a matrix: no statement speaks of them, and none reads the matrix."""
    unused = len(gaps.column.axes) > 1 and not gaps.said.all()
    return unused and not any(gaps.name in line.uses for line in names.lines)


def without_filling(data: Dataset, filled_up: Iterable[Gaps]) -> Dataset:
    """The data, where empty cells of which nothing is said hold some value: nothing will read it."""
    columns = dict(data.columns)
    for found in filled_up:
        numbers = np.asarray(found.numbers.value)
        missing = numbers >= 0
        missing[missing] = found.said[numbers[missing] // found.event_size]
        column = found.column
        filled = np.where(missing, column.values, np.asarray(found.seen.value))
        columns[found.name] = replace(column, values=filled, missing=missing if missing.any() else None)
    return replace(data, columns=columns)


def check_all_said(gaps: Gaps, span: Span) -> None:
    """Raises `Failed` where a missing cell has no distribution."""
    left = np.flatnonzero(~gaps.said)
    if len(left):
        raise Failed(missing_mistakes.nothing_said(span, gaps.name, gaps.latent.axes[0].label(int(left[0]))))
