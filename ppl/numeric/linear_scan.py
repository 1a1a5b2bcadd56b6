"""Derivatives of every step by earlier states -> what they carry through time, forth and back, as two primitives.

With s the derivatives of all steps, `sooner` solves m_t = w_t + sum of s_t m_earlier, and `later`, its transpose,
a_t = g_t + what later steps read of t, weighed by theirs. The derivatives of each are made of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp_argnums, primitive

from ppl.numeric.gather import Positions, gather, pick
from ppl.values import dataclass


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
class Past:
    """What each step of a recurrence reads: carries, and for each of them and each group of columns of the new state
    the column that every element of the carry has a part in (-1: none).
    """

    steps: int
    before: int
    columns: int
    carries: tuple[Carry, ...]
    reads: tuple[tuple[numpy.ndarray, ...], ...]

    def times(self, carry: Carry) -> numpy.ndarray:
        """Which times every step reads: (steps, *lags), below 0 before the first."""
        now = numpy.arange(self.before, self.before + self.steps)
        return numpy.asarray(now.reshape(-1, *([1] * carry.lags.ndim)) - carry.lags)


def carried(past: Past, carry: Carry, states: Any) -> Any:
    """A carry at all times, (S, steps, *lags, *shape), of states (S, times, columns)."""
    own = pick(states, (..., slice(carry.first, carry.last)))
    times = numpy.maximum(past.times(carry), 0)
    found = gather(own, Positions(times, past.before + past.steps), -2)
    return np.reshape(found, (*np.shape(states)[:1], *times.shape, *carry.shape))


def _flat(past: Past, carry: Carry, states: Any) -> Any:
    """The same as (S, steps, elements), zero before the first time."""
    found = np.reshape(carried(past, carry, states), (np.shape(states)[0], past.steps, -1))
    there = past.times(carry) >= 0
    if there.all():
        return found
    return found * numpy.repeat(there.reshape(past.steps, -1), carry.last - carry.first, axis=1)


def _picked(columns: numpy.ndarray, states: Any) -> Any:
    """Columns of states, 0 for -1."""
    found = gather(states, Positions(numpy.maximum(columns, 0), np.shape(states)[-1]), -1)
    return found if (columns >= 0).all() else np.where(columns >= 0, found, 0.0)


def _pairs(past: Past) -> list[tuple[Carry, numpy.ndarray]]:
    return [(carry, columns) for carry, reads in zip(past.carries, past.reads, strict=True) for columns in reads]


@primitive
def later(past: Past, g: Any, *slopes: Any) -> Any:
    """g (S, times, columns) -> (S, times, columns), for derivatives (S or 1, steps, elements) by carry and group."""
    found = numpy.moveaxis(g, 1, 0).copy()
    moved = [numpy.ascontiguousarray(numpy.moveaxis(slope, 1, 0)) for slope in slopes]
    pairs = [(carry, *as_read(columns, past.columns)) for carry, columns in _pairs(past)]
    with numpy.errstate(all="ignore"):
        for step in range(past.steps - 1, -1, -1):
            now = found[past.before + step]
            for (carry, columns, there), slope in zip(pairs, moved, strict=True):
                picked = now if columns is None else now[:, columns]
                _add(past, carry, found, step, slope[step] * (picked if there is None else picked * there))
    return numpy.moveaxis(found, 0, 1)


def as_read(columns: numpy.ndarray, count: int) -> tuple[numpy.ndarray | None, numpy.ndarray | None]:
    """Columns that are read, None for all in order; and 1 where there is any, else 0, None for everywhere."""
    there = columns >= 0
    if not there.all():
        return numpy.maximum(columns, 0), 1.0 * there
    return (None if numpy.array_equal(columns, numpy.arange(count)) else columns), None


def _add(past: Past, carry: Carry, found: numpy.ndarray, step: int, part: Any) -> None:
    """Add to the states that a step reads what it passes on (S, elements)."""
    now = past.before + step
    if carry.lags.ndim == 0:
        found[now - int(carry.lags), :, carry.first : carry.last] += part
        return
    times = now - carry.lags.reshape(-1)
    wide = numpy.moveaxis(part.reshape(part.shape[0], times.size, -1), 1, 0)
    numpy.add.at(found[..., carry.first : carry.last], times[times >= 0], wide[times >= 0])


@primitive
def sooner(past: Past, w: Any, *slopes: Any) -> Any:
    """The transpose of `later` in g."""
    found = numpy.moveaxis(w, 1, 0).copy()
    with numpy.errstate(all="ignore"):
        for step in range(past.steps):
            now = past.before + step
            for (carry, columns), slope in zip(_pairs(past), slopes, strict=True):
                times = now - carry.lags.reshape(-1)
                read = numpy.moveaxis(found[numpy.maximum(times, 0), :, carry.first : carry.last], 0, 1)
                read = numpy.where((times >= 0)[:, None], read, 0.0).reshape(found.shape[1], -1)
                there = columns >= 0
                numpy.add.at(found[now].T, columns[there], (slope[:, step] * read).T[there])
    return numpy.moveaxis(found, 0, 1)


def _way_back(other: Callable[..., Any], answer_is_later: bool) -> Callable[..., Any]:
    """The derivatives of `later` or `sooner`, `other` being its transpose."""

    def backward(argnums: Sequence[int], answer: Any, args: Sequence[Any], kwargs: Any) -> Any:
        past, _, *slopes = args

        def vjp(h: Any) -> list[Any]:
            turned = other(past, h, *slopes)
            back, forth = (answer, turned) if answer_is_later else (turned, answer)
            found = []
            for argnum in argnums:
                if argnum == 1:
                    found.append(turned)
                    continue
                carry, columns = _pairs(past)[argnum - 2]
                new = pick(back, (slice(None), slice(past.before, None)))
                slope = _picked(columns, new) * _flat(past, carry, forth)
                one = np.shape(args[argnum])[0] == 1 < np.shape(slope)[0]
                found.append(np.sum(slope, axis=0, keepdims=True) if one else slope)
            return found

        return vjp

    return backward


defvjp_argnums(later, _way_back(sooner, True))
defvjp_argnums(sooner, _way_back(later, False))
