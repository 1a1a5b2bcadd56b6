"""A recurrence over time as one autograd primitive, with an adjoint of its own.

Forward, a step is a handful of plain numpy calls a time. Backward, nothing is taped: with all states known, the step's
derivatives at all times are had at once, as if time were one more axis of a batch; only the recursion of the adjoint,
which is linear, runs through time again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
from autograd.extend import defvjp_argnums, primitive

from ppl.numeric.trace import vjp_of
from ppl.values import dataclass

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """Earlier states that a step reads: those of `lags` times before, columns `first:last` of the state.

    As an input called `name` they have the shape (S, time, *lags, *shape). Times before the first state are read as the
    first: a mask leaves them out.
    """

    name: str
    lags: numpy.ndarray
    first: int
    last: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All of a recurrence that does not depend on latents.

    `single` takes the inputs of one time, as (S, 1, ...), to the new state, one array (S, 1, columns); `every` is the
    same over all times, traced by autograd. `names` are the inputs in order, `over_time` says which have an axis of
    times behind the draws; `known` are inputs from data. `groups` are sets of columns of the new state whose
    derivatives by earlier states can be had together: none of the earlier ones has a part in two of a set, and
    `reads[c][g]` says, for each element of carry c, which column of group g it has a part in (-1: none).
    """

    steps: int
    before: int  # states that are given
    columns: int
    carries: tuple[Carry, ...]
    names: tuple[str, ...]
    over_time: tuple[bool, ...]
    known: Arrays
    single: Callable[[Arrays], Any]
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
            states[now] = plan.single(values)[:, 0]
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


def _all_earlier(plan: Plan, carry: Carry, states: numpy.ndarray) -> numpy.ndarray:
    """The carry at every time: (S, steps, *lags, *shape)."""
    now = numpy.arange(plan.before, plan.before + plan.steps)
    times = numpy.maximum(now.reshape(-1, *([1] * carry.lags.ndim)) - carry.lags, 0)
    found = numpy.moveaxis(states[times][..., carry.first : carry.last], 1 + carry.lags.ndim, 0)
    return found.reshape(states.shape[1], plan.steps, *carry.lags.shape, *carry.shape)


def _backward(argnums: Sequence[int], answer: Any, args: Sequence[Any], kwargs: Any) -> Any:
    plan = args[0]

    def vjp(g: Any) -> list[Any]:
        with numpy.errstate(all="ignore"):
            return _gradients(plan, args, answer, g, argnums)

    return vjp


def _gradients(plan: Plan, args: Sequence[Any], answer: Any, g: Any, argnums: Sequence[int]) -> list[Any]:
    _, given, *inputs = args
    draws = answer.shape[0]
    before = numpy.broadcast_to(numpy.moveaxis(given, 1, 0), (plan.before, draws, plan.columns))
    states = numpy.concatenate([before, numpy.moveaxis(answer, 1, 0)])
    carried = [_all_earlier(plan, carry, states) for carry in plan.carries]
    names = [*(carry.name for carry in plan.carries), *plan.names]

    def every(*arrays: Any) -> Any:
        return plan.every({**plan.known, **dict(zip(names, arrays, strict=True))})

    new, backward = vjp_of(every, [*carried, *inputs])
    slopes = _slopes(plan, backward, new.shape)
    adjoint = numpy.zeros((plan.before + plan.steps, draws, plan.columns))
    adjoint[plan.before :] = numpy.moveaxis(g, 1, 0)
    every_read = [[_as_read(columns, plan.columns) for columns in reads] for reads in plan.reads]
    for step in range(plan.steps - 1, -1, -1):
        now = adjoint[plan.before + step]
        for carry, by_group, reads in zip(plan.carries, slopes, every_read, strict=True):
            part: Any = 0.0
            for slope, (columns, there) in zip(by_group, reads, strict=True):
                picked = now if columns is None else now[:, columns]
                part = part + slope[step] * (picked if there is None else numpy.where(there, picked, 0.0))
            _add_earlier(carry, adjoint, plan.before + step, part)
    by_input = backward(numpy.moveaxis(adjoint[plan.before :], 0, 1))[len(plan.carries) :]
    found = [numpy.moveaxis(adjoint[: plan.before], 0, 1), *by_input]
    return [_like(found[argnum - 1], args[argnum]) for argnum in argnums]


def _as_read(columns: numpy.ndarray, count: int) -> tuple[numpy.ndarray | None, numpy.ndarray | None]:
    """Columns that are read, None for all in order; and where there is any, None for everywhere."""
    there = columns >= 0
    if not there.all():
        return numpy.maximum(columns, 0), there
    return (None if numpy.array_equal(columns, numpy.arange(count)) else columns), None


def _like(gradient: Any, argument: Any) -> Any:
    """The gradient by an argument that one draw served all of."""
    return gradient.sum(axis=0, keepdims=True) if len(argument) == 1 < len(gradient) else gradient


def _slopes(plan: Plan, backward: Any, shape: tuple[int, ...]) -> list[list[numpy.ndarray]]:
    """For each carry and group the derivatives (steps, S, elements of the carry) of the columns they belong to."""
    found: list[list[numpy.ndarray]] = [[] for _ in plan.carries]
    for columns in plan.groups:
        unit = numpy.zeros(shape)
        unit[..., columns] = 1.0
        gradients = backward(unit)
        for i, carry in enumerate(plan.carries):
            size = int(carry.lags.size) * (carry.last - carry.first)
            flat = numpy.asarray(gradients[i]).reshape(shape[0], plan.steps, size)
            found[i].append(numpy.ascontiguousarray(numpy.moveaxis(flat, 1, 0)))
    return found


def _add_earlier(carry: Carry, adjoint: numpy.ndarray, now: int, part: Any) -> None:
    """Add the adjoints (S, elements) of what a carry read to those of the states it was read from."""
    if carry.lags.ndim == 0:
        adjoint[now - int(carry.lags), :, carry.first : carry.last] += part
        return
    draws = adjoint.shape[1]
    wide = part.reshape(draws, carry.lags.size, carry.last - carry.first)
    times = now - carry.lags.reshape(-1)
    there = times >= 0
    by_time = numpy.moveaxis(wide[:, there], 1, 0)
    numpy.add.at(adjoint[..., carry.first : carry.last], times[there], by_time)


defvjp_argnums(scan, _backward)
