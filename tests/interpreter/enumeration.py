"""The sum over all values of the discrete unknowns, number by number."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy.special import logsumexp

from tests.interpreter import factors
from tests.interpreter.arrays import READ

if TYPE_CHECKING:
    from tests.interpreter.lines import Factor, Variable
    from tests.interpreter.program import World

T = TypeVar("T")
MOST = 2_000_000  # terms of one table, or of a sum by brute force


def over_guesses(world: World, function: Callable[[], T]) -> tuple[tuple[Variable, ...], dict[tuple[int, ...], T]]:
    """Which discrete unknowns a number depends on, and what it is for all their values."""
    scope: list[Variable] = []
    before = dict(world.guesses)
    while True:
        found: dict[tuple[int, ...], T] = {}
        new: set[Variable] = set()
        for guess in itertools.product(*(world.domain(v) for v in scope)):
            world.guesses = {**before, **dict(zip(scope, guess, strict=True))}
            READ.clear()
            found[guess] = function()
            new = set(READ) - set(scope)
            if new:
                break
            if len(found) > MOST:
                raise OverflowError("too many terms")
        world.guesses = dict(before)
        READ.clear()
        if not new:
            return tuple(scope), found
        scope += sorted(new)


Table = tuple[tuple[Any, ...], np.ndarray]  # the unknowns, and logs of densities over their domains


def tables(world: World) -> list[Table]:
    """The factors that count: those of what is given, and those of the discrete unknowns that these depend on."""
    every = factors.of_all(world)
    waiting = [factor for factor in every if factor.given]
    own: dict[Variable, list[Factor]] = {}
    for factor in every:
        if not factor.given and factor.own is not None:
            own.setdefault(factor.own, []).append(factor)
    found: list[Table] = []
    seen: set[Variable] = set()
    while waiting:
        scope, values = over_guesses(world, waiting.pop().log_density)
        found.append((scope, np.array(list(values.values())).reshape([len(world.domain(v)) for v in scope])))
        for variable in scope:
            if variable not in seen:
                seen.add(variable)
                waiting += own[variable]
    return found


def times(parts: Sequence[Table]) -> Table:
    """The product of tables, over all their unknowns."""
    scope = tuple(dict.fromkeys(v for own, _ in parts for v in own))
    sizes = {v: n for own, table in parts for v, n in zip(own, table.shape, strict=True)}
    total = np.zeros([sizes[v] for v in scope])
    if total.size > MOST:
        raise OverflowError("too many terms")
    for own, table in parts:
        order = sorted(range(len(own)), key=lambda i: scope.index(own[i]))
        total = total + np.transpose(table, order).reshape([sizes[v] if v in own else 1 for v in scope])
    return scope, total


def log_sum_by_force(parts: Sequence[Table]) -> float:
    """Over all values of all unknowns at once."""
    return float(logsumexp(times(parts)[1]))


def log_sum(parts: Sequence[Table]) -> float:
    """One unknown after another, each time that one whose table is smallest (Zhang and Poole 1994)."""
    left = dict(enumerate(parts))
    holding: dict[Any, set[int]] = {}
    for i, (scope, _) in left.items():
        for variable in scope:
            holding.setdefault(variable, set()).add(i)
    while holding:
        variable = min(holding, key=lambda v: len({w for i in holding[v] for w in left[i][0]}))
        scope, table = times([left[i] for i in sorted(holding[variable])])
        for i in holding[variable].copy():
            for other in left.pop(i)[0]:
                holding[other].discard(i)
        del holding[variable]
        place = scope.index(variable)
        rest = tuple(v for v in scope if v != variable)
        new = max(left, default=0) + 1 + len(parts)
        left[new] = rest, np.asarray(logsumexp(table, axis=place))
        for other in rest:
            holding[other].add(new)
    return float(sum(float(table) for _, table in left.values()))


def clamped(parts: Sequence[Table], variable: Any, which: int) -> list[Table]:
    """The tables where one unknown has the value at a place of its domain."""
    found = []
    for scope, table in parts:
        if variable in scope:
            table = np.take(table, which, axis=scope.index(variable))
            scope = tuple(v for v in scope if v != variable)
        found.append((scope, table))
    return found
