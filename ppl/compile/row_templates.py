"""terms that are elementwise over an axis of N -> the program of them over M of these, whose constants can change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy

from ppl.compile.row_moves import Moved, follow
from ppl.compile.row_places import is_outside
from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.model import terms
from ppl.model.program import Program, compile_terms
from ppl.model.terms import Term

Rows = slice | numpy.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The program for M rows; of the constants at some slots `sources` give the whole array, and its axis of rows."""

    program: Program
    rows: int
    sources: Mapping[int, tuple[numpy.ndarray, int]]

    def at(self, rows: Rows) -> dict[int, numpy.ndarray]:
        """These constants at a choice of rows."""
        return {slot: taken(whole, rows, place) for slot, (whole, place) in self.sources.items()}


def taken(whole: numpy.ndarray, rows: Rows, place: int) -> numpy.ndarray:
    """Rows of an array along its axis `place`: a view for a slice."""
    if isinstance(rows, slice):
        return whole[(*([slice(None)] * place), rows)]
    return numpy.take(whole, rows, axis=place)


@dataclass(slots=True, eq=False)
class Templates:
    """Templates of the same terms for any M. `places` say where in the shape of a term, by its id, the axis is.

    What they are taken from is worked out once: whole arrays of numbers, and positions of what only moves.
    """

    wanted: tuple[Term, ...]
    axis: Axis
    places: Mapping[int, int]
    wholes: dict[int, numpy.ndarray] = field(default_factory=dict)
    moves: dict[int, Moved] = field(default_factory=dict)
    change: Callable[[Term, Term], Term] | None = None  # of a term and what it becomes: what it shall become

    def of(self, rows: int) -> Template:
        shortened = self._shortened(slice(0, rows), rows)
        program = compile_terms(shortened.all_wanted())
        slots = {id(array): slot for slot, array in program.constants.items()}
        sources = {slots[id(first)]: (whole, place) for first, whole, place in shortened.changing if id(first) in slots}
        return Template(program, rows, sources)

    def at(self, rows: numpy.ndarray) -> list[Term]:
        """The terms at some rows alone."""
        return self._shortened(rows, len(rows)).all_wanted()

    def _shortened(self, rows: Rows, count: int) -> _Shortened:
        return _Shortened(self, replace(self.axis, length=count, labels=None), rows)

    def whole(self, term: Term) -> numpy.ndarray:
        if id(term) not in self.wholes:
            self.wholes[id(term)] = terms.numeric(term)
        return self.wholes[id(term)]

    def moved(self, term: Term, along: int | None, place: int) -> Moved:
        if id(term) not in self.moves:
            found = follow(term, along, place)
            assert found is not None
            self.moves[id(term)] = found
        return self.moves[id(term)]


@dataclass(slots=True, eq=False)
class _Shortened:
    """Terms made anew over an axis of M. `changing` are constants at the rows, whole, and their axis of rows."""

    of: Templates
    axis: Axis
    rows: Rows
    changing: list[tuple[numpy.ndarray, numpy.ndarray, int]] = field(default_factory=list)

    def all_wanted(self) -> list[Term]:
        new: dict[int, Term] = {}
        for term in terms.ancestors(self.of.wanted):
            made = self.term(term, tuple(new[id(arg)] for arg in term.args if not term.known))
            new[id(term)] = made if self.of.change is None else self.of.change(term, made)
        return [new[id(term)] for term in self.of.wanted]

    def term(self, term: Term, args: tuple[Term, ...]) -> Term:
        place = self.of.places.get(id(term))
        if place is None:
            return term
        if term.known:
            return self.constant(self.of.whole(term), term, place)
        plates, axes = self.short(term.plates), self.short(term.axes)
        if term.source is not None:
            return replace(term, axes=axes)
        assert term.op is not None
        along = self.of.places.get(id(term.args[0])) if len(term.args) == 1 else None
        if term.op.moves and len(term.args) == 1 and (along is None or not is_outside(term, 0, along)):
            moved = self.of.moved(term, along, place)
            given = () if moved.index is None else (self.constant(moved.index, term, place),)
            return replace(term, op=moved.op, args=(*args, *given), axes=axes, plates=plates)
        return replace(term, args=args, axes=axes, plates=plates)

    def short(self, axes: Sequence[Axis]) -> tuple[Axis, ...]:
        count = self.axis.length
        return tuple(replace(each, length=count, labels=None) if each.aligns(self.of.axis) else each for each in axes)

    def constant(self, whole: numpy.ndarray, like: Term, place: int) -> Term:
        value = taken(whole, self.rows, place)
        self.changing.append((value, whole, place))
        plates, axes = self.short(like.plates), self.short(like.axes)
        return Term(None, (), axes, Kind.REAL, like.span, value=value, plates=plates)
