"""program, data and values of the continuous latents -> what every name stands for, and the factors of the joint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ppl.data.dataset import Dataset
from ppl.language import syntax as s
from tests.interpreter import factors, odes
from tests.interpreter.arrays import PLAIN, READ, Array, Axis, Place, array, one, places
from tests.interpreter.data import columns_of, label_order, restricted
from tests.interpreter.distributions import Distribution, distribution
from tests.interpreter.enumeration import over_guesses
from tests.interpreter.expressions import NOWHERE, Lift, Scope, label, read, rounds
from tests.interpreter.lines import (
    Factor,
    Line,
    Unknown,
    Variable,
    bracket_of,
    by_name,
    is_missing,
    lines_of,
    target_name,
)


class World:
    """`values` gives the continuous latents, and for an observed name with empty cells those of the cells, in order."""

    def __init__(self, program: s.Program, data: Dataset, values: Mapping[str, Any]):
        self.program = program
        self.lines = list(lines_of(program.statements, ()))
        self.functions = {x.name.name: x for x in program.statements if isinstance(x, s.Define)}
        self.level_items = {x.name.name: x.items for x in program.statements if isinstance(x, s.Levels)}
        self.odes = {state.name.name: x for x in program.statements if isinstance(x, s.Ode) for state in x.states}
        self.columns, self.counts = restricted(columns_of(data), program.statements)
        self.tables = {a.axes[0].identity: a.shape[0] for a in self.columns.values() if a.axes and a.axes[0].identity}
        self.main = f"rows of {data.rows.name}" if data.rows is not None else ""
        self.values = {name: np.asarray(x, dtype=float) for name, x in values.items()}
        self.assigned = by_name(line for line in self.lines if isinstance(line.statement, s.Assign))
        random = (x for x in self.lines if isinstance(x.statement, s.Tilde) and target_name(x.statement))
        self.random = {k: v for k, v in by_name(random).items() if k not in self.assigned and k not in self.odes}
        self.found: dict[str, Array] = {}
        self.doing: set[str] = set()
        self.guesses: dict[Variable, Any] = {}  # the values at present of the discrete unknowns
        self.domains: dict[Variable, list[int]] = {}
        self.owners: dict[Variable, tuple[Distribution, Place]] = {}
        self.line_factors: dict[int, list[Factor]] = {}
        self.empty: dict[str, list[Place]] = {}

    # -- names --------------------------------------------------------------------------------------------------------

    def named(self, name: str) -> Array:
        if name not in self.found:
            self.found[name] = self._named(name)
        return self.found[name]

    def _named(self, name: str) -> Array:
        if name in self.assigned:
            return self.derived(name)
        if name in self.odes:
            for state, path in odes.solved(self, self.odes[name]).items():
                self.found[state] = path
            return self.found[name]
        if name in self.columns:
            return self.with_gaps_filled(name) if name in self.random else self.columns[name]
        if name in self.random:
            return self.latent(name)
        if name in self.counts:
            return one(self.counts[name])
        if name in self.level_items:
            names = self.levels_of(name, None)
            return array(np.array(names), [Axis(f"levels of {name}", names)])
        if name == "rows":
            return one(self.tables[self.main])
        if f"rows of {name}" in self.tables:
            return one(self.tables[f"rows of {name}"])
        return one({"pi": math.pi, "inf": math.inf}[name])

    def is_known(self, name: str) -> bool:
        """Whether a name is a column, or derived from columns alone."""
        if name in self.assigned:
            return all(
                self.is_known(used) for line in self.assigned[name] for used in self.names_in(line.statement.value)
            )
        return name in self.columns and not self.gaps(name) if name not in self.odes else False

    def names_in(self, node: Any) -> set[str]:
        """The names of columns, latents and derived names inside an expression."""
        found: set[str] = set()
        if isinstance(node, s.Name):
            return {node.name} & {*self.assigned, *self.random, *self.odes}
        if isinstance(node, s.Call) and node.function.name in self.functions:
            found |= self.names_in(self.functions[node.function.name].body)
        return found.union(*(self.names_in(part) for part in s.parts(node)))

    def is_piecewise(self, lines: list[Line]) -> bool:
        brackets = [bracket_of(line.statement) for line in lines]
        if any(bracket is None for bracket in brackets):
            return False
        ranged = any(isinstance(x, s.Range | s.Whole) for bracket in brackets for x in bracket or ())
        return ranged or len(lines) > 1 or bool(lines[0].binders)

    def derived(self, name: str) -> Array:
        lines = self.assigned[name]
        if self.is_piecewise(lines):
            return self.pieced(name, lines)
        statement = lines[0].statement
        assert isinstance(statement, s.Assign)
        if statement.subscripts is None:
            return read(self, statement.value, NOWHERE)
        shape, axes, lifts = self.declared(statement.subscripts)
        found = read(self, statement.value, Scope(lifts=lifts))
        return Array(shape, axes, found.aligned)

    def declared(self, bracket: tuple[Any, ...]) -> tuple[tuple[int, ...], tuple[Axis, ...], tuple[Lift, ...]]:
        """What a bracket on the left declares: counts, the rows of a table, levels of a factor, columns of a matrix."""
        shape, axes, lifts = [], [], []
        for node in bracket:
            name = node.name if isinstance(node, s.Name) else ""
            table = self.main if name == "rows" else f"rows of {name}"
            if name not in self.columns and table in self.tables:
                length, axis = self.tables[table], Axis(table)
            elif name in self.level_items or (name in self.columns and self.columns[name].shape not in ((), (1,))):
                names = self.levels_of(name, self.columns.get(name))
                length, axis = len(names), Axis(f"levels of {name}", names)
                if name in self.columns:
                    of_row = [label(self.columns[name].at((i,))) for i in range(self.columns[name].shape[0])]
                    first = tuple(of_row.index(x) for x in names if x in of_row)
                    lifts.append(Lift(self.columns[name].axes[0], len(of_row), first, axis))
            else:
                found = read(self, node, NOWHERE)
                if found.rank == 2:
                    length, axis = found.shape[1], found.axes[1]
                else:
                    length, axis = found.whole(), PLAIN
            shape.append(length)
            axes.append(axis)
        return tuple(shape), tuple(axes), tuple(lifts)

    def levels_of(self, name: str, column: Array | None) -> tuple[str, ...]:
        """In the order that a `levels` statement gives, else sorted."""
        if name in self.level_items:
            items = self.level_items[name]
            if all(isinstance(item, s.String) for item in items):
                return tuple(item.value for item in items if isinstance(item, s.String))
            several = [self.columns[item.name] for item in items if isinstance(item, s.Name)]
            return label_order([x for a in several for x in a.numpy().tolist()])
        assert column is not None
        return label_order([column.at(place) for place in places(column.shape)])

    # -- what is defined piece by piece -------------------------------------------------------------------------------

    def pieced(self, name: str, lines: list[Line]) -> Array:
        """A derived name from its pieces; an element is found when it is asked for, so that it may use earlier ones."""
        if name in self.doing:
            raise RecursionError(name)
        pieces = [(line.statement, scope) for line in lines for scope in rounds(self, line.binders, NOWHERE)]
        where: dict[Place, tuple[int, Place]] = {}
        for i, (statement, scope) in enumerate(pieces):
            for place, inner in self.positions(bracket_of(statement) or (), scope):
                assert place not in where, (name, place)
                where[place] = i, inner
        rank = len(bracket_of(lines[0].statement) or ())
        lengths = tuple(max((place[k] for place in where), default=-1) + 1 for k in range(rank))
        assert len(where) == math.prod(lengths), f"{name} has gaps"
        values: dict[int, Array] = {}

        def value(i: int) -> Array:
            if i not in values:
                statement, scope = pieces[i]
                assert isinstance(statement, s.Assign)
                values[i] = read(self, statement.value, scope)
            return values[i]

        inner_shape, inner_axes = self._inner(name, value, where)

        def rule(place: Place) -> Any:
            i, inner = where[place[:rank]]
            return value(i).aligned((*inner, *place[rank:]))

        return Array((*lengths, *inner_shape), (*[PLAIN] * rank, *inner_axes), rule)

    def _inner(self, name: str, value: Any, where: Mapping[Place, tuple[int, Place]]) -> tuple[Any, Any]:
        """The axes of one element, from the first piece that does not ask for the name itself."""
        self.doing.add(name)
        try:
            for i, inner in where.values():
                try:
                    found = value(i)
                except RecursionError:
                    continue
                return found.shape[len(inner) :], found.axes[len(inner) :]
        finally:
            self.doing.discard(name)
        return (), ()

    def positions(self, bracket: tuple[Any, ...], scope: Scope) -> list[tuple[Place, Place]]:
        """The elements that a bracket stands for, and where each lies along its ranges."""
        found: list[tuple[Place, Place]] = [((), ())]
        for node in bracket:
            if isinstance(node, s.Range):
                low, high = (read(self, end, scope).whole() for end in (node.low, node.high))
                found = [((*at, k - 1), (*inner, k - low)) for at, inner in found for k in range(low, high + 1)]
            else:
                position = read(self, node, scope).whole() - 1
                assert position >= 0
                found = [((*at, position), inner) for at, inner in found]
        return found

    # -- latents ------------------------------------------------------------------------------------------------------

    def latent(self, name: str) -> Array:
        shape, axes = self.latent_shape(name)
        if name in self.values:
            return array(self.values[name].reshape(shape), axes)
        return Array(shape, axes, lambda place: self.guess((name, place)))

    def latent_shape(self, name: str) -> tuple[tuple[int, ...], tuple[Axis, ...]]:
        lines = self.random[name]
        if name in self.values and self.is_piecewise(lines):
            return self.values[name].shape, (PLAIN,) * self.values[name].ndim
        bracket = bracket_of(lines[0].statement)
        if self.is_piecewise(lines):
            all_places = [
                place
                for line in lines
                for scope in rounds(self, line.binders, NOWHERE)
                for place, _ in self.positions(bracket_of(line.statement) or (), scope)
            ]
            lengths = tuple(max(place[k] for place in all_places) + 1 for k in range(len(bracket or ())))
            return lengths, (PLAIN,) * len(lengths)
        if bracket is not None:
            shape, axes, _ = self.declared(bracket)
            return shape, axes
        statement = lines[0].statement
        assert isinstance(statement, s.Tilde)
        shape, axes = distribution(self, statement.dist, NOWHERE).plates()
        if name in self.values:
            missing = self.values[name].ndim - len(shape)
            return self.values[name].shape, (*axes, *[PLAIN] * missing) if missing > 0 else axes[
                : self.values[name].ndim
            ]
        return shape, axes

    def with_gaps_filled(self, name: str) -> Array:
        """An observed name: its empty cells have the values that were given, or are discrete unknowns."""
        column = self.columns[name]
        if not self.gaps(name):
            return column
        given, holes = self.in_gaps(name), set(self.gaps(name))

        def rule(place: Place) -> Any:
            if place in given:
                return given[place]
            return self.guess((name, place)) if place in holes else column.at(place)

        return Array(column.shape, column.axes, rule)

    def gaps(self, name: str) -> list[Place]:
        """The empty cells of an observed name."""
        if name not in self.empty:
            column = self.columns[name]
            self.empty[name] = [place for place in places(column.shape) if is_missing(column.at(place))]
        return self.empty[name]

    def in_gaps(self, name: str) -> dict[Place, float]:
        """The values of the empty cells, where they were given."""
        gaps = self.gaps(name)
        if name not in self.values:
            return {}
        whole = self.values[name].shape == self.columns[name].shape and len(gaps) < self.values[name].size
        flat = [self.values[name][gap] for gap in gaps] if whole else self.values[name].reshape(-1)
        return {gap: float(x) for gap, x in zip(gaps, flat, strict=True) if not math.isnan(x)}

    def guess(self, variable: Variable) -> Any:
        """The present value of a discrete unknown. Raises `Unknown` for a continuous one."""
        READ.add(variable)
        if variable not in self.guesses:
            self.guesses[variable] = self.domain(variable)[0]
        return self.guesses[variable]

    def domain(self, variable: Variable) -> list[int]:
        """Every value that it can have, whatever those it depends on are."""
        if variable not in self.domains:
            for line in self.random[variable[0]]:
                factors.of_line(self, line)
            if variable not in self.owners or not self.owners[variable][0].discrete:
                raise Unknown(variable)
            law, place = self.owners[variable]
            before = set(READ)
            ends = over_guesses(self, lambda: law.law(place).support)[1].values()
            READ.clear()
            READ.update(before)
            low, high = min(end[0] for end in ends), max(end[1] for end in ends)
            if not math.isfinite(high - low):
                raise Unknown(variable)
            self.domains[variable] = list(range(int(low), int(high) + 1))
        return self.domains[variable]
