"""program, data and values of the continuous latents -> what every name stands for, and the factors of the joint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppl.data.dataset import Dataset
from ppl.language import syntax as s
from tests.interpreter import odes
from tests.interpreter.arrays import PLAIN, READ, Array, Axis, Place, array, one, places
from tests.interpreter.data import columns_of, label_order, restricted
from tests.interpreter.distributions import Distribution, distribution
from tests.interpreter.enumeration import over_guesses
from tests.interpreter.expressions import NOWHERE, Lift, Scope, index, label, lifted, read, rounds

Variable = tuple[str, Place]  # one element of a discrete latent


@dataclass(frozen=True)
class Line:
    statement: s.Tilde | s.Assign | s.FactorOf
    binders: tuple[s.Binder, ...]


@dataclass(frozen=True)
class Factor:
    """One number that is added to the log density. `own` is the element whose distribution it is, if one element is."""

    log_density: Callable[[], float]
    own: Variable | None
    given: bool  # whether the element, or all that stands on the left, has a value


class Unknown(Exception):
    """A name has no value at this point."""


class World:
    """`values` gives the continuous latents, and for an observed name with empty cells those of the cells, in order."""

    def __init__(self, program: s.Program, data: Dataset, values: Mapping[str, Any]):
        self.program = program
        self.lines = list(_lines(program.statements, ()))
        self.functions = {x.name.name: x for x in program.statements if isinstance(x, s.Define)}
        self.level_items = {x.name.name: x.items for x in program.statements if isinstance(x, s.Levels)}
        self.odes = {state.name.name: x for x in program.statements if isinstance(x, s.Ode) for state in x.states}
        self.columns, self.counts = restricted(columns_of(data), program.statements)
        self.tables = {a.axes[0].identity: a.shape[0] for a in self.columns.values() if a.axes and a.axes[0].identity}
        self.main = f"rows of {data.rows.name}" if data.rows is not None else ""
        self.values = {name: np.asarray(x, dtype=float) for name, x in values.items()}
        self.assigned = _by_name(line for line in self.lines if isinstance(line.statement, s.Assign))
        random = (x for x in self.lines if isinstance(x.statement, s.Tilde) and target_name(x.statement))
        self.random = {k: v for k, v in _by_name(random).items() if k not in self.assigned and k not in self.odes}
        self.found: dict[str, Array] = {}
        self.doing: set[str] = set()
        self.guesses: dict[Variable, Any] = {}  # the values at present of the discrete unknowns
        self.domains: dict[Variable, list[int]] = {}
        self.owners: dict[Variable, Distribution] = {}
        self.line_factors: dict[int, list[Factor]] = {}

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
        if name == "rows":
            return one(self.tables[self.main])
        if f"rows of {name}" in self.tables:
            return one(self.tables[f"rows of {name}"])
        return one({"pi": math.pi, "inf": math.inf}[name])

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
        gaps = [place for place in places(column.shape) if is_missing(column.at(place))]
        if not gaps:
            return column
        given = self.in_gaps(name, gaps)
        holes = set(gaps)

        def rule(place: Place) -> Any:
            if place in given:
                return given[place]
            return self.guess((name, place)) if place in holes else column.at(place)

        return Array(column.shape, column.axes, rule)

    def in_gaps(self, name: str, gaps: list[Place]) -> dict[Place, float]:
        """The values of the empty cells, where they were given."""
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
                self.factors_of_line(line)
            if variable not in self.owners or not self.owners[variable].discrete:
                raise Unknown(variable)
            before = set(READ)
            ends = over_guesses(self, lambda: self.owners[variable].law(variable[1]).support)[1].values()
            READ.clear()
            READ.update(before)
            low, high = min(end[0] for end in ends), max(end[1] for end in ends)
            if not math.isfinite(high - low):
                raise Unknown(variable)
            self.domains[variable] = list(range(int(low), int(high) + 1))
        return self.domains[variable]

    # -- factors ------------------------------------------------------------------------------------------------------

    def factors(self) -> list[Factor]:
        return [factor for line in self.lines for factor in self.factors_of_line(line)]

    def factors_of_line(self, line: Line) -> list[Factor]:
        """None for a simulated name whose distribution asks for another one."""
        if id(line) not in self.line_factors:
            self.line_factors[id(line)] = []
            name = target_name(line.statement)
            try:
                self.line_factors[id(line)] = [
                    factor for scope in rounds(self, line.binders, NOWHERE) for factor in self.factors_of(line, scope)
                ]
            except Unknown:
                if name not in self.random or name in self.columns or name in self.values:
                    raise
        return self.line_factors[id(line)]

    def factors_of(self, line: Line, scope: Scope) -> Iterator[Factor]:
        statement = line.statement
        if isinstance(statement, s.FactorOf):
            found = read(self, statement.value, scope)
            for place in places(found.shape):
                yield Factor(lambda place=place: float(found.at(place)), None, True)
        if not isinstance(statement, s.Tilde):
            return
        name = target_name(statement)
        target, scope = self.target(statement, name if name in self.random else None, scope, bool(line.binders))
        yield from self.tilde(statement, name, target, scope)

    def target(self, statement: s.Tilde, name: str | None, scope: Scope, inside: bool) -> tuple[s.Expr, Scope]:
        """The left side as an expression: a bracket that declares is no index."""
        node = statement.target
        if name is None or isinstance(node, s.Name):
            return node, scope
        assert isinstance(node, s.Index)
        if inside or (name not in self.columns and self.is_piecewise(self.random[name])):
            return node, scope
        if name in self.columns:
            kept = [self.as_declared(x, axis, self.columns[name]) for axis, x in enumerate(node.subscripts)]
            return s.Index(node.base, tuple(kept), node.span), scope
        return node.base, Scope(scope.bound, self.declared(node.subscripts)[2])

    def as_declared(self, node: Any, axis: int, column: Array) -> Any:
        """`y[N]` and `y[rows]` of an observed name say how long it is."""
        if isinstance(node, s.Name):
            found = self.named(node.name)
            if all(n == 1 for n in found.shape) and found.number() == column.shape[axis]:
                return s.Whole(node.span)
        return node

    def tilde(self, statement: s.Tilde, name: str | None, target: s.Expr, scope: Scope) -> Iterator[Factor]:
        law = distribution(self, statement.dist, scope)
        value = self.left_side(target, scope, law)
        plates = value.rank - law.event_rank
        own: Array | None = None
        if name in self.random:
            assert name is not None
            base = self.named(name)
            own = Array(base.shape, base.axes, lambda place: place)
            if isinstance(target, s.Index):
                own = index(self, own, target.subscripts, scope)
        for place in places(value.shape[:plates]):
            elements = [(*place, *rest) for rest in places(value.shape[plates:])]
            mine = [(name, own.at(element)) for element in elements] if own is not None and name else []
            for variable in mine:
                self.owners.setdefault(variable, law)
            yield Factor(
                lambda place=place: self.at(law, value, place),
                mine[0] if len(mine) == 1 else None,
                all(self.is_given(variable) for variable in mine),
            )

    def left_side(self, target: s.Expr, scope: Scope, law: Distribution) -> Array:
        """Levels of text, as categories from 1."""
        found = read(self, target, Scope(scope.bound))
        if isinstance(target, s.Name):
            found = lifted(found, scope) if target.name in self.assigned else found
        name = target.name if isinstance(target, s.Name) else ""
        texts = name in self.columns and any(isinstance(x, str) for x in self.columns[name].numpy().reshape(-1))
        if law.discrete and texts:
            names = self.levels_of(name, self.columns[name])
            return Array(found.shape, found.axes, lambda place: names.index(label(found.at(place))) + 1)
        return found

    def at(self, law: Distribution, value: Array, place: Place) -> float:
        if law.event_rank == 0:
            return law.log_density(value.at(place), place)
        event = value.shape[value.rank - law.event_rank :]
        x = np.array([value.at((*place, *rest)) for rest in places(event)], dtype=float).reshape(event)
        return law.log_density(x, place)

    def is_given(self, variable: Variable) -> bool:
        name, place = variable
        if name in self.columns:
            column = self.columns[name]
            gaps = [at for at in places(column.shape) if is_missing(column.at(at))]
            return place not in gaps or place in self.in_gaps(name, gaps)
        return name in self.values

    def log_density_of(self, value: Array, dist: s.Dist, scope: Scope) -> Array:
        """`logp(y ~ D)`: elementwise over what is no event."""
        law = distribution(self, dist, scope)
        plates, axes = law.plates()
        outer = value.shape[: value.rank - law.event_rank], value.axes[: value.rank - law.event_rank]
        if len(outer[0]) >= len(plates):
            return Array(*outer, lambda place: self.at(law, value, place))
        assert law.event_rank == 0
        return Array(plates, axes, lambda place: law.log_density(value.aligned(place), place))


def is_missing(x: Any) -> bool:
    return x is None or (isinstance(x, float) and math.isnan(x))


def target_name(statement: Any) -> str | None:
    match statement:
        case s.Assign(s.Name(name)):
            return name
        case s.Tilde(s.Name(name)) | s.Tilde(s.Index(s.Name(name))):
            return name
    return None


def bracket_of(statement: Any) -> tuple[Any, ...] | None:
    match statement:
        case s.Assign(_, subscripts):
            return subscripts
        case s.Tilde(s.Index(_, subscripts)):
            return subscripts
    return None


def _lines(statements: tuple[Any, ...], binders: tuple[s.Binder, ...]) -> Iterator[Line]:
    for statement in statements:
        if isinstance(statement, s.For):
            yield from _lines(statement.body, (*binders, *statement.binders))
        elif isinstance(statement, s.Tilde | s.Assign | s.FactorOf):
            yield Line(statement, binders)


def _by_name(lines: Iterator[Line] | Any) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(target_name(line.statement) or "", []).append(line)
    return found
