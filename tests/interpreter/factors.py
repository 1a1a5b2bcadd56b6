"""lines -> the factors of the joint density, one for each element on a left side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.language import syntax as s
from tests.interpreter.arrays import PLAIN, Array, Place, common, places
from tests.interpreter.distributions import Distribution, distribution
from tests.interpreter.expressions import NOWHERE, Scope, index, label, read, rounds
from tests.interpreter.lines import Factor, Line, Unknown, Variable, is_missing, target_name

if TYPE_CHECKING:
    from tests.interpreter.program import World


def of_all(world: World) -> list[Factor]:
    return [factor for line in world.lines for factor in of_line(world, line)]


def of_line(world: World, line: Line) -> list[Factor]:
    """None for a simulated name whose distribution asks for another one."""
    if id(line) not in world.line_factors:
        world.line_factors[id(line)] = []
        name = target_name(line.statement)
        try:
            world.line_factors[id(line)] = [
                factor for scope in rounds(world, line.binders, NOWHERE) for factor in _of_round(world, line, scope)
            ]
        except Unknown:
            if name not in world.random or name in world.columns or name in world.values:
                raise
    return world.line_factors[id(line)]


def _of_round(world: World, line: Line, scope: Scope) -> Iterator[Factor]:
    statement = line.statement
    if isinstance(statement, s.FactorOf):
        found = read(world, statement.value, scope)
        for place in places(found.shape):
            yield Factor(lambda place=place: float(found.at(place)), None, True)
    if not isinstance(statement, s.Tilde):
        return
    name = target_name(statement)
    target, scope = _target(world, statement, name if name in world.random else None, scope, bool(line.binders))
    yield from _tilde(world, statement, name, target, scope)


def _target(world: World, statement: s.Tilde, name: str | None, scope: Scope, inside: bool) -> tuple[s.Expr, Scope]:
    """The left side as an expression: a bracket that declares is no index."""
    node = statement.target
    if name is None or isinstance(node, s.Name):
        return node, scope
    assert isinstance(node, s.Index)
    if inside or (name not in world.columns and world.is_piecewise(world.random[name])):
        return node, scope
    if name in world.columns:
        kept = [_as_declared(world, x, axis, world.columns[name]) for axis, x in enumerate(node.subscripts)]
        return s.Index(node.base, tuple(kept), node.span), scope
    return node.base, Scope(scope.bound, world.declared(node.subscripts)[2])


def _as_declared(world: World, node: Any, axis: int, column: Array) -> Any:
    """`y[N]` and `y[rows]` of an observed name say how long it is."""
    if isinstance(node, s.Name):
        found = world.named(node.name)
        if all(n == 1 for n in found.shape) and found.number() == column.shape[axis]:
            return s.Whole(node.span)
    return node


def _tilde(world: World, statement: s.Tilde, name: str | None, target: s.Expr, scope: Scope) -> Iterator[Factor]:
    law = distribution(world, statement.dist, scope)
    value = _left_side(world, target, scope, law)
    if name not in world.random:  # numbers that stand on the left serve every element of the distribution
        cut = value.rank - law.event_rank
        shape, _ = common([Array(*law.plates(), bool), Array(value.shape[:cut], value.axes[:cut], bool)])
        rest = value.shape[cut:]
        value = Array((*shape, *rest), (PLAIN,) * (len(shape) + len(rest)), value.aligned)
    plates = value.rank - law.event_rank
    own: Array | None = None
    if name in world.random:
        assert name is not None
        base = world.named(name)
        own = Array(base.shape, base.axes, lambda place: place)
        if isinstance(target, s.Index):
            own = index(world, own, target.subscripts, scope)
    for place in places(value.shape[:plates]):
        elements = [(*place, *rest) for rest in places(value.shape[plates:])]
        mine = [(name, own.at(element)) for element in elements] if own is not None and name else []
        for variable in mine:
            world.owners.setdefault(variable, (law, place))
        yield Factor(
            lambda place=place: _at(law, value, place),
            mine[0] if len(mine) == 1 else None,
            all(_is_given(world, variable) for variable in mine),
        )


def _left_side(world: World, target: s.Expr, scope: Scope, law: Distribution) -> Array:
    found = read(world, target, Scope(scope.bound))
    return categories(world, target, found) if law.discrete else found


def categories(world: World, target: s.Expr, found: Array) -> Array:
    """Levels of text as whole numbers from 1; numbers as they are."""
    base = target.base if isinstance(target, s.Index) else target
    name = base.name if isinstance(base, s.Name) else ""
    texts = name in world.columns and any(isinstance(x, str) for x in world.columns[name].numpy().reshape(-1))
    if texts:
        names = world.levels_of(name, world.columns[name])
        return Array(found.shape, found.axes, lambda place: names.index(label(found.at(place))) + 1)
    return found


def _at(law: Distribution, value: Array, place: Place) -> float:
    if law.event_rank == 0:
        return law.log_density(value.at(place), place)
    event = value.shape[value.rank - law.event_rank :]
    x = np.array([value.at((*place, *rest)) for rest in places(event)], dtype=float).reshape(event)
    return law.log_density(x, place)


def _is_given(world: World, variable: Variable) -> bool:
    name, place = variable
    if name in world.columns:
        return not is_missing(world.columns[name].at(place)) or place in world.in_gaps(name)
    return name in world.values


def logp(world: World, target: s.Expr, value: Array, dist: s.Dist, scope: Scope) -> Array:
    """`logp(y ~ D)`: elementwise over what is no event."""
    law = distribution(world, dist, scope)
    if law.discrete:
        value = categories(world, target, value)
    plates, axes = law.plates()
    outer = value.shape[: value.rank - law.event_rank], value.axes[: value.rank - law.event_rank]
    if len(outer[0]) >= len(plates):
        return Array(*outer, lambda place: _at(law, value, place))
    assert law.event_rank == 0
    return Array(plates, axes, lambda place: law.log_density(value.aligned(place), place))
