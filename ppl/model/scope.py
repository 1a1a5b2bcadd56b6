"""What names stand for while expressions are read: the data, the names settled so far, and the levels of factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis
from ppl.data.column import LARGEST_EXACT, Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.levels import codes_on, has_levels, labels_of
from ppl.language.errors import Mistake
from ppl.language.source import Source, Span
from ppl.model import data_mistakes, loop_mistakes, mistakes, terms
from ppl.model.functions import CONSTANTS, FUNCTIONS
from ppl.model.names import Names
from ppl.model.terms import Term
from ppl.values import dataclass


class Failed(Exception):
    """A statement that cannot be read on: its mistake.

    Inside a one-line function `inside` is the function in which it was met, and `bare` the message without its name.
    """

    def __init__(self, mistake: Mistake, inside: str | None = None, bare: str | None = None):
        super().__init__(mistake.message)
        self.mistake = mistake
        self.inside = inside
        self.bare = bare


class NotYet(Failed):
    """A name that is being defined is used before the element that is meant is there."""


class Skipped(Exception):
    """A statement that uses a name whose own definition failed; nothing new to say."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """A column as a factor: the axis of its levels, each row's level (from 0, -1 where it is missing), and the first
    row of every level (-1 for one that `levels` names and no row has).
    """

    name: str
    column: Column
    axis: Axis
    codes: np.ndarray
    first_rows: np.ndarray

    @property
    def rows(self) -> Axis:
        return self.column.axes[0]


@dataclass(frozen=True, slots=True)
class Scope:
    """How names are read in one statement.

    Over the levels of `lifted` factors; with parameters of functions and variables of loops `bound`; over the `plates`
    of the loops around it, of which only the elements count where `mask` is true (all, where there is none). Where
    there are rows behind those of a fit, the number of rows means all of them if it `counts_new` ones.
    """

    lifted: tuple[Levels, ...] = ()
    bound: Mapping[str, Term] = field(default_factory=dict)
    plates: tuple[Axis, ...] = ()
    mask: Term | None = None
    counts_new: bool = False


@dataclass(slots=True)
class Environment:
    """Everything that is settled so far. Grows as lines are read; nothing in it changes."""

    names: Names
    data: Dataset
    settled: dict[str, Term] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)  # columns that the line at hand has read
    expansions: int = 0
    plates_made: int = 0
    declare: Callable[[str], None] | None = None  # settles the shape of a latent that is used before its line is read
    impute: Callable[[str, Span], Term] | None = None  # what stands for a random column with missing cells
    resolve: dict[str, Callable[..., Term]] = field(default_factory=dict)  # elements of names that are being defined
    _columns: dict[str, Term] = field(default_factory=dict)
    _levels: dict[str, Levels | None] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        return self.names.program.source

    def look_up(self, name: str, span: Span, scope: Scope) -> Term:
        """The term a name stands for in a scope. Raises `Failed` for an unknown name, `Skipped` for a failed one."""
        if name in scope.bound:
            return scope.bound[name]
        if name not in self.settled and name not in self.failed and self.declare is not None:
            self.declare(name)
        if name in self.failed:
            raise Skipped(name)
        count = None if scope.counts_new or name in self.settled else self.rows_of_fit(name, span)
        if count is not None:
            return count
        if name in self.settled:
            term = self.settled[name]
        elif name in self.data.columns:
            term = self.column(name, span)
        elif name in self.data.axes:
            term = self.names_of_levels(self.data.axes[name], span)
        elif name == "rows" and self.data.rows is not None:
            return terms.constant(self.data.rows.length, (), span, Kind.INTEGER)
        elif name in CONSTANTS:
            return terms.constant(CONSTANTS[name], (), span)
        elif name in FUNCTIONS or name in self.names.functions or name == "logp":
            raise Failed(mistakes.function_as_name(span, name))
        elif name in self.resolve:
            raise Failed(loop_mistakes.whole_past(span, name))
        else:
            raise Failed(mistakes.unknown_name(span, name, self.candidates()))
        outside = [plate.name for plate in term.plates if plate not in scope.plates]
        if outside:
            raise Failed(loop_mistakes.used_outside_loop(span, name, outside))
        return self.lift(term, name, span, scope) if scope.lifted and term.known else term

    def rows_of_fit(self, name: str, span: Span) -> Term | None:
        """How many rows a fit had, where there are more, and a name stands for their number."""
        fitted, counts = self.data.fitted, ("rows", *self.data.row_counts)
        return None if fitted is None or name not in counts else terms.constant(fitted, (), span, Kind.INTEGER)

    def is_column(self, name: str) -> bool:
        """Whether a name stands for a column of the data, and no statement derives it anew."""
        return name in self.data.columns and name not in self.names.derived

    def new_plate(self, name: str, length: int) -> Axis:
        """The axis of a loop; those opened later, inside others, come after them."""
        self.plates_made += 1
        return Axis(name, length, f"loop:{self.plates_made:06d}")

    def candidates(self) -> list[str]:
        """Every name that could have been meant."""
        defined = [line.defines for line in self.names.lines if line.defines is not None]
        rows = ["rows"] if self.data.rows is not None else []
        return [*self.data.columns, *self.data.axes, *defined, *CONSTANTS, *rows]

    def column(self, name: str, span: Span) -> Term:
        """A column of data: a constant, unless cells are missing, which are latents then.

        Raises `Failed` where it is unusable, or no statement says how the missing cells come about.
        """
        self.touched.add(name)
        for axis in filter(axes_of.is_columns, self.data.columns[name].axes):  # a matrix that was put together
            self.touched.update(axis.labels or ())
        if name not in self._columns:
            column = self.data.columns[name]
            if column.unusable is not None:
                raise Failed(mistakes.unusable_data(span, name, column.unusable))
            if column.missing is not None:
                if name not in self.names.random:
                    where = column.where(column.first(column.missing))
                    raise Failed(mistakes.missing_value(span, name, where))
                assert self.impute is not None
                return self.impute(name, span)
            axes = column.axes
            self._columns[name] = Term(None, (), axes, column.kind, span, value=column.values, levels=column.levels)
        return self._columns[name]

    def levels(self, name: str, span: Span) -> Levels | None:
        """The column of that name as a factor; None where it is no list of whole numbers, truth values or text."""
        if name not in self.data.columns:
            return None
        if name not in self._levels:
            self._levels[name] = self._as_factor(name, span)
        return self._levels[name]

    def _as_factor(self, name: str, span: Span) -> Levels | None:
        column = self.data.columns[name]
        if len(column.axes) != 1:
            return None
        self.column(name, span)  # says so, where it cannot be used
        if not has_levels(column):
            return None
        labels = labels_of(column)
        axis = self.data.axes.get(name) or Axis(name, len(labels), f"levels:{name}", labels)
        codes = codes_on(column, axis.labels or ())
        first = np.full(axis.length, -1, dtype=np.int64)
        known = np.flatnonzero(codes >= 0)
        present, first_known = np.unique(codes[known], return_index=True)
        first[present] = known[first_known]
        return Levels(name, column, axis, codes, first)

    def names_of_levels(self, axis: Axis, span: Span) -> Term:
        """The name of an axis that `levels` declares, in an expression: for each of its levels the level itself."""
        codes = np.arange(axis.length)
        return Term(None, (), (axis,), Kind.TEXT, span, value=codes, levels=axis.labels)

    def lift(self, term: Term, name: str, span: Span, scope: Scope) -> Term:
        """In a statement over levels, a known array over the rows stands for its value on each level."""
        for factor in scope.lifted:
            if not term.axes or not _over_rows(term.axes[-1], factor):
                continue
            if _is_ambiguous(factor):
                raise Failed(mistakes.ambiguous_lift(span, name, factor.name))
            return self._on_levels(term, name, span, factor)
        return term

    def _on_levels(self, term: Term, name: str, span: Span, factor: Levels) -> Term:
        assert term.value is not None
        if (factor.first_rows < 0).any():
            level = factor.axis.label(int(np.argmin(factor.first_rows)))
            raise Failed(data_mistakes.level_without_rows(span, name, factor.name, level))
        picked = term.value[..., factor.first_rows]
        differs = (picked[..., factor.codes] != term.value) & (factor.codes >= 0)
        if self.data.absent and (name in self.data.absent or not self.is_column(name)):
            differs[..., self.data.fitted :] = False  # new rows say nothing of it
        if differs.any():
            row = int(np.argwhere(differs.reshape(-1, differs.shape[-1]).any(axis=0))[0, 0])
            first = int(factor.first_rows[factor.codes[row]])
            level = f'{factor.name} "{factor.axis.label(int(factor.codes[row]))}"'
            places = [f"{show_value(term, (..., r))} in row {r + 1}" for r in (first, row)]
            raise Failed(mistakes.not_constant_within(span, name, level, *places))
        axes = (*term.axes[:-1], factor.axis)
        return Term(None, (), axes, term.kind, span, value=picked, levels=term.levels)

    def as_number(self, term: Term, text: str, span: Span) -> Term:
        """The term itself, if it can be calculated with. Raises `Failed` for text and for integers too large."""
        if term.kind is Kind.TEXT:
            column = self.data.columns.get(text)
            raise Failed(mistakes.text_as_number(span, text, column.trouble if column is not None else None))
        if term.kind is Kind.INTEGER and term.value is not None and term.value.dtype.kind == "i" and term.value.size:
            for extreme in (int(term.value.max()), int(term.value.min())):
                if abs(extreme) > LARGEST_EXACT:
                    raise Failed(mistakes.not_exact(span, text, extreme))
        return term

    def where(self, text: str, index: tuple[int, ...]) -> str | None:
        """The place of an element in the data, if the text is the name of a column."""
        column = self.data.columns.get(text)
        return None if column is None or text in self.settled else column.where(index)

    def is_known_name(self, name: str) -> bool:
        """Whether a name that no line defines stands for something."""
        return (
            name in self.data.columns
            or name in self.data.axes
            or (name == "rows" and self.data.rows is not None)
            or name in CONSTANTS
            or name in FUNCTIONS
            or name == "logp"
            or name in self.names.functions
        )


def _over_rows(axis: Axis, factor: Levels) -> bool:
    """Whether an axis is that of the rows a factor was read from."""
    if factor.rows.identity is not None:
        return axis.identity == factor.rows.identity
    return axis.identity is None and axis.length == factor.rows.length


def _is_ambiguous(factor: Levels) -> bool:
    """Whether an array as long as the rows could as well be in the order of the levels, and the two differ."""
    if factor.rows.identity is not None or factor.rows.length != factor.axis.length:
        return False
    return not np.array_equal(factor.codes, np.arange(factor.axis.length))


def show_value(term: Term, index: Any) -> str:
    """An element of a known term as a message shows it."""
    assert term.value is not None
    value = np.asarray(term.value[index]).reshape(-1)[0]
    if term.levels is not None:
        return f'"{term.levels[int(value)]}"'
    return f"{float(value):.6g}" if value.dtype.kind == "f" else str(value).lower()


def as_scalar(term: Term) -> Term:
    """A list of one element, used where a number is needed, is that number."""
    if term.known and term.axes and all(a.length == 1 and a.identity is None for a in term.axes):
        assert term.value is not None
        shape = term.shape[: len(term.plates)]
        value = term.value.reshape(shape)
        return Term(None, (), (), term.kind, term.span, value=value, levels=term.levels, plates=term.plates)
    return term


def declared_axis(length: int, text: str) -> Axis:
    """The axis that a count declares."""
    return axes_of.plain(length, text)
