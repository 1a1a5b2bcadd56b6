"""A recurrence over time as one autograd primitive, with an adjoint of its own.

Forward, a step is a handful of plain numpy calls a time. Backward, nothing is taped: with all states known, the step's
derivatives at all times are had at once, as if time were one more axis of a batch; only the recursion of the adjoint,
which is linear, runs through time again (`linear_scan.py`). All of it is made of primitives, so that it can be
differentiated or staged again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp_argnums, primitive

from ppl.numeric.gather import pick
from ppl.numeric.linear_scan import Carry, Past, carried, later
from ppl.numeric.trace import vjp_of
from ppl.values import dataclass

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All of a recurrence that does not depend on latents.

    `single` takes the inputs of one time, as (S, 1, ...), to the new state, an array (S or 1, 1, ...) for each name;
    `every` is the same over all times, as one array (S, times, columns), traced by autograd. `names` are the inputs in
    order, `over_time` says which have an axis of times behind the draws; `known` are inputs from data. `groups` are
    sets of columns of the new state whose derivatives by earlier states can be had together: none of the earlier ones
    has a part in two of a set, and `reads[c][g]` says, for each element of carry c, which column of group g it has a
    part in (-1: none).
    """

    steps: int
    before: int  # states that are given
    columns: int
    carries: tuple[Carry, ...]
    names: tuple[str, ...]
    over_time: tuple[bool, ...]
    known: Arrays
    single: Callable[[Arrays], Sequence[Any]]
    every: Callable[[Arrays], Any]
    groups: tuple[numpy.ndarray, ...]
    reads: tuple[tuple[numpy.ndarray, ...], ...]


@primitive
def scan(plan: Plan, given: Any, *inputs: Any) -> Any:
    """States before (S, before, columns) and inputs -> new states (S, steps, columns)."""
    return numpy.moveaxis(_run(plan, given, inputs)[plan.before :], 0, 1)


def _run(plan: Plan, given: Any, inputs: Sequence[Any]) -> numpy.ndarray:
    """All states, (before + steps, S, columns)."""
    draws = max([len(given), *(len(array) for array in inputs), *(len(array) for array in plan.known.values())])
    states = numpy.empty((plan.before + plan.steps, draws, plan.columns))
    states[: plan.before] = numpy.moveaxis(given, 1, 0)
    moving = {name: array for name, array, moves in _named(plan, inputs) if moves}
    still = {name: array for name, array, moves in _named(plan, inputs) if not moves}
    with numpy.errstate(all="ignore"):
        for step in range(plan.steps):
            now = plan.before + step
            values = dict(still)
            for name, array in moving.items():
                values[name] = array[:, step : step + 1]
            for carry in plan.carries:
                values[carry.name] = _earlier(carry, states, now, draws)
            first = 0
            for part in plan.single(values):
                flat = part.reshape(len(part), -1)
                states[now, :, first : first + flat.shape[1]] = flat
                first += flat.shape[1]
    return states


def _named(plan: Plan, inputs: Sequence[Any]) -> list[tuple[str, Any, bool]]:
    own = list(zip(plan.names, inputs, plan.over_time, strict=True))
    return own + [(name, array, array.shape[1] == plan.steps) for name, array in plan.known.items()]


def _earlier(carry: Carry, states: numpy.ndarray, now: int, draws: int) -> Any:
    if carry.lags.ndim == 0:
        found = states[now - int(carry.lags), :, carry.first : carry.last]
        return found.reshape(draws, 1, *carry.shape)
    times = numpy.maximum(now - carry.lags, 0)
    found = states[times][..., carry.first : carry.last]
    return numpy.moveaxis(found, carry.lags.ndim, 0).reshape(draws, 1, *carry.lags.shape, *carry.shape)


def _backward(argnums: Sequence[int], answer: Any, args: Sequence[Any], kwargs: Any) -> Any:
    def vjp(g: Any) -> list[Any]:
        with numpy.errstate(all="ignore"):
            return _gradients(args, answer, g, argnums)

    return vjp


def _gradients(args: Sequence[Any], answer: Any, g: Any, argnums: Sequence[int]) -> list[Any]:
    plan, given, *inputs = args
    draws, before = answer.shape[0], plan.before
    first = given if len(given) == draws else given * numpy.ones((draws, 1, 1))
    states = np.concatenate([first, answer], axis=1)
    past = Past(plan.steps, before, plan.columns, plan.carries, plan.reads)
    read = [carried(past, carry, states) for carry in plan.carries]
    names = [*(carry.name for carry in plan.carries), *plan.names]

    def every(*arrays: Any) -> Any:
        return plan.every({**plan.known, **dict(zip(names, arrays, strict=True))})

    new, backward = vjp_of(every, [*read, *inputs])
    adjoint = later(past, np.concatenate([numpy.zeros((draws, before, plan.columns)), g], axis=1),
                    *_slopes(plan, backward, np.shape(new)))  # fmt: skip
    by_input = backward(pick(adjoint, (slice(None), slice(before, None))))[len(plan.carries) :]
    found = [pick(adjoint, (slice(None), slice(0, before))), *by_input]
    return [_like(found[argnum - 1], args[argnum]) for argnum in argnums]


def _like(gradient: Any, argument: Any) -> Any:
    """The gradient by an argument that one draw served all of."""
    return np.sum(gradient, axis=0, keepdims=True) if len(argument) == 1 < len(gradient) else gradient


def _slopes(plan: Plan, backward: Any, shape: tuple[int, ...]) -> list[Any]:
    """For each carry and group the derivatives (S, steps, elements of the carry) of the columns they belong to."""
    by_group = []
    for columns in plan.groups:
        unit = numpy.zeros(shape)
        unit[..., columns] = 1.0
        by_group.append(backward(unit))
    return [
        np.reshape(gradients[i], (shape[0], plan.steps, int(carry.lags.size) * (carry.last - carry.first)))
        for i, carry in enumerate(plan.carries)
        for gradients in by_group
    ]


defvjp_argnums(scan, _backward)
