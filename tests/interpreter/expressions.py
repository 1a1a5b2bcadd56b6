"""expression -> lazy array, in a scope: loop variables and parameters that are bound, and factors over whose levels
the statement runs.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.language import syntax as s
from tests.interpreter import factors
from tests.interpreter import functions as fn
from tests.interpreter.arrays import PLAIN, READ, Array, Axis, Place, common, elementwise, one, stacked, together

if TYPE_CHECKING:
    from tests.interpreter.program import World


@dataclass(frozen=True)
class Lift:
    """A factor over whose levels a statement runs: an array over `rows` stands for its values at the `first` rows."""

    rows: Axis
    length: int
    first: tuple[int, ...]
    axis: Axis


@dataclass(frozen=True)
class Scope:
    bound: Mapping[str, Array | tuple[s.Expr, Scope]] = field(default_factory=dict)  # or an argument, to be read later
    lifts: tuple[Lift, ...] = ()

    def binding(self, name: str, found: Array) -> Scope:
        return replace(self, bound={**self.bound, name: found})


NOWHERE = Scope()
ARITHMETIC = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: np.divide(a, b).item(), "^": lambda a, b: np.power(float(a), b).item(),
    "and": lambda a, b: bool(a) and bool(b), "or": lambda a, b: bool(a) or bool(b),
}  # fmt: skip
COMPARISONS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def label(x: Any) -> str:
    """What a level is called: text as it stands, whole numbers without a point, true and false."""
    if isinstance(x, float) and x.is_integer():
        x = int(x)
    return str(x).lower() if isinstance(x, bool) else str(x)


def read(world: World, node: Any, scope: Scope) -> Array:
    match node:
        case s.Number(number, is_integer):
            return one(int(number) if is_integer else number)
        case s.String(text):
            return one(text)
        case s.Name(name):
            return look_up(world, name, scope)
        case s.ListOf(items):
            return stacked([read(world, item, scope) for item in items])
        case s.Unary(op, operand):
            apply = {"-": lambda a: -a, "+": lambda a: a, "not": lambda a: not a}[op]
            return elementwise(apply, read(world, operand, scope))
        case s.Binary("@", left, right):
            return product(read(world, left, scope), read(world, right, scope))
        case s.Binary(op, left, right):
            return elementwise(ARITHMETIC[op], read(world, left, scope), read(world, right, scope))
        case s.Compare(ops, operands):
            found = [read(world, operand, scope) for operand in operands]
            return elementwise(lambda *x: all(COMPARISONS[op](x[i], x[i + 1]) for i, op in enumerate(ops)), *found)
        case s.Conditional():
            return conditional(world, node, scope)
        case s.Index(base, subscripts):
            return index(world, read(world, base, replace(scope, lifts=())), subscripts, scope)
        case s.Call():
            return call(world, node, scope)
    raise TypeError(node)


def look_up(world: World, name: str, scope: Scope) -> Array:
    if name in scope.bound:
        found = scope.bound[name]
        if isinstance(found, Array):
            return found
        return read(world, found[0], replace(found[1], lifts=scope.lifts))
    return lifted(world.named(name), scope) if scope.lifts and world.is_known(name) else world.named(name)


def lifted(found: Array, scope: Scope) -> Array:
    """In a statement over levels, an array over the rows stands for its value on each level."""
    if not found.rank or not scope.lifts:
        return found
    for lift in scope.lifts:
        last = found.axes[-1]
        if found.shape[-1] == lift.length and last == lift.rows and (last.identity or lift.length != len(lift.first)):
            return Array(
                (*found.shape[:-1], len(lift.first)),
                (*found.axes[:-1], lift.axis),
                lambda place, lift=lift: found.at((*place[:-1], lift.first[place[-1]])),
            )
    return found


def conditional(world: World, node: s.Conditional, scope: Scope) -> Array:
    """Only the branch that counts is read: the other may not exist, as `y[t-1]` where t is 1."""
    test = read(world, node.test, scope)
    if test.rank == 0:
        before = set(READ)
        READ.clear()
        chosen = node.then if test.number() else node.otherwise
        is_known = not READ
        READ.update(before)
        if is_known:
            return read(world, chosen, scope)
    then, otherwise = read(world, node.then, scope), read(world, node.otherwise, scope)
    shape, axes = common([test, then, otherwise])
    return Array(shape, axes, lambda place: (then if test.aligned(place) else otherwise).aligned(place))


def product(left: Array, right: Array) -> Array:
    rows, columns = left.axes[:-1], right.axes[1:]
    shape = (*left.shape[:-1], *right.shape[1:])
    middle = range(left.shape[-1])
    assert left.shape[-1] == right.shape[0], (left.shape, right.shape)

    def rule(place: Place) -> float:
        row, column = place[: len(rows)], place[len(rows) :]
        return sum(left.at((*row, k)) * right.at((k, *column)) for k in middle)

    return Array(shape, (*rows, *columns), rule)


# -- indices ----------------------------------------------------------------------------------------------------------


def index(world: World, base: Array, subscripts: tuple[Any, ...], scope: Scope) -> Array:
    """Every element is looked up by its own position. Ranges and `:` keep an axis; arrays pick together, row by row."""
    kept: list[tuple[int, int, int]] = []  # axis of the base, first position, length
    picks: dict[int, Array] = {}
    for axis in range(base.rank):
        node = subscripts[axis] if axis < len(subscripts) else None
        if node is None or isinstance(node, s.Whole):
            kept.append((axis, 0, base.shape[axis]))
        elif isinstance(node, s.Range):
            low, high = (read(world, end, scope).whole() for end in (node.low, node.high))
            if not (low >= 1 and high <= base.shape[axis] and low <= high + 1):
                raise IndexError(f"{low}..{high} of {base.shape[axis]}")
            kept.append((axis, low - 1, high - low + 1))
        else:
            picks[axis] = read(world, node, scope)
    assert len(subscripts) <= base.rank, "too many subscripts"
    many = [axis for axis, pick in picks.items() if pick.rank]
    picked, picked_axes = common([picks[axis] for axis in many])
    before = sum(axis < many[0] for axis, _, _ in kept) if many else 0
    shape = [length for _, _, length in kept]
    axes = [base.axes[axis] if length == base.shape[axis] else PLAIN for axis, _, length in kept]
    count = len(picked)

    def rule(place: Place) -> Any:
        inner = place[before : before + count]
        outer = (*place[:before], *place[before + count :])
        at = [0] * base.rank
        for (axis, first, _), position in zip(kept, outer, strict=True):
            at[axis] = first + position
        for axis, pick in picks.items():
            at[axis] = position_of(pick.aligned(inner), base.axes[axis], base.shape[axis])
        return base.at(tuple(at))

    return Array((*shape[:before], *picked, *shape[before:]), (*axes[:before], *picked_axes, *axes[before:]), rule)


def position_of(subscript: Any, axis: Axis, length: int) -> int:
    """On an axis of levels a subscript is a level, else a position from 1."""
    if axis.labels is not None:
        name = label(subscript)
        if name in axis.labels:
            return axis.labels.index(name)
        if isinstance(subscript, str):
            raise IndexError(f"{name} is none of {axis.labels}")
    if not float(subscript).is_integer() or not 1 <= subscript <= length:
        raise IndexError(f"{subscript} of {length}")
    return int(subscript) - 1


# -- calls ------------------------------------------------------------------------------------------------------------


def call(world: World, node: s.Call, scope: Scope) -> Array:
    name = node.function.name
    if name in world.functions:
        define = world.functions[name]
        bound = {p.name: (a.value, scope) for p, a in zip(define.parameters, node.arguments, strict=True)}
        return read(world, define.body, Scope(bound, scope.lifts))
    if name == "columns":
        return columns(world, node)
    if name == "logp":
        asked = node.arguments[0].value
        return factors.logp(world, asked.value, read(world, asked.value, scope), asked.dist, scope)
    if isinstance(node.arguments[0].value, s.Comprehension):
        return over_loop(world, name, node.arguments[0].value, scope)
    by = next((a.value for a in node.arguments if a.keyword is not None and a.keyword.name == "by"), None)
    if by is not None:
        return by_levels(world, name, node.arguments[0].value, by, replace(scope, lifts=()))
    found = [read(world, a.value, scope) for a in node.arguments]
    if name in fn.POINTS and len(found) == 2:
        return elementwise(fn.POINTS[name], *found)
    if name in fn.ELEMENTWISE:
        return elementwise(lambda *x: float(fn.ELEMENTWISE[name](*map(float, x))), *found)
    if name in fn.REDUCTIONS:
        axis = None if len(found) == 1 else found[1].whole() - 1
        axes = () if axis is None else (*found[0].axes[:axis], *found[0].axes[axis + 1 :])
        return together(lambda x: fn.REDUCTIONS[name](x, axis=axis), found[0], axes=axes)
    if name in fn.ALONG:
        axis = found[0].rank - 1 if len(found) == 1 else found[1].whole() - 1
        axes = list(found[0].axes)
        if name == "diff":
            axes[axis] = PLAIN
        return together(lambda x: fn.ALONG[name](x, axis=axis), found[0], axes=axes)
    if name in ("center", "standardize"):
        return together(fn.WHOLE[name], *found, axes=found[0].axes)
    return together(fn.WHOLE[name], *found)


def over_loop(world: World, name: str, body: s.Comprehension, scope: Scope) -> Array:
    found = [read(world, body.body, inside) for inside in rounds(world, body.binders, scope)]
    if not found:
        return one({"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf, "logsumexp": -math.inf}[name])
    shape, axes = common(found)
    return Array(shape, axes, lambda place: float(fn.REDUCTIONS[name](np.array([x.aligned(place) for x in found]))))


def rounds(world: World, binders: tuple[s.Binder, ...], scope: Scope) -> list[Scope]:
    """The scopes of all rounds of nested loops; inner bounds may depend on outer variables."""
    scopes = [scope]
    for binder in binders:
        scopes = [
            inside.binding(binder.name.name, one(i))
            for inside in scopes
            for i in range(read(world, binder.low, inside).whole(), read(world, binder.high, inside).whole() + 1)
        ]
    return scopes


def by_levels(world: World, name: str, what: Any, by: Any, scope: Scope) -> Array:
    values, groups = read(world, what, scope), read(world, by, scope)
    names = world.levels_of(by.name if isinstance(by, s.Name) else "", groups)
    rows = {level: [i for i in range(groups.shape[0]) if label(groups.at((i,))) == level] for level in names}

    def rule(place: Place) -> float:
        return float(fn.REDUCTIONS[name](np.array([values.at((*place[:-1], i)) for i in rows[names[place[-1]]]])))

    axis = Axis(f"levels of {by.name if isinstance(by, s.Name) else ''}", names)
    return Array((*values.shape[:-1], len(names)), (*values.axes[:-1], axis), rule)


def columns(world: World, node: s.Call) -> Array:
    held = list(world.columns)
    names: list[str] = []
    for argument in node.arguments:
        match argument.value:
            case s.String(pattern):
                names += [name for name in held if fnmatch.fnmatchcase(name, pattern)]
            case s.Name(name):
                names.append(name)
            case s.Range(s.Name(low), s.Name(high)):
                names += held[held.index(low) : held.index(high) + 1]
    parts = [world.named(name) for name in names]
    axes = (parts[0].axes[0], Axis("columns", tuple(names)))
    return Array((parts[0].shape[0], len(names)), axes, lambda place: parts[place[1]].at(place[:1]))
