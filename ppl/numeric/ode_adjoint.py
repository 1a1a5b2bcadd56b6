"""The way a system of differential equations was solved -> gradients by its start and inputs.

The discrete adjoint of a Runge-Kutta method: the exact gradient of what the forward pass computed, its steps given.
With the states before all steps known, the stages of all steps are evaluated at once, as if the steps were one more
axis of the draws, and so are the derivatives of the slopes there; only a small linear recursion runs through the steps.
Long ways are gone back in pieces, which bounds the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from ppl.numeric.tableaus import DOP853
from ppl.numeric.trace import vjp_of
from ppl.values import dataclass

if TYPE_CHECKING:
    from ppl.numeric.ode import System

_ELEMENTS_AT_ONCE = 1 << 18  # of all derivatives of the slopes: what a cache holds


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The accepted steps of S draws, `counts` (S,) of each, in one row: those of the first draw first.

    Times and sizes (steps,), states before them (columns, steps); `after` (S, 1 + stops) is how many steps of a draw
    lie before the origin and the stops.
    """

    counts: numpy.ndarray
    time: numpy.ndarray
    size: numpy.ndarray
    y: numpy.ndarray
    after: numpy.ndarray

    def piece(self, draws: numpy.ndarray, first: int, last: int) -> tuple[Any, Any, Any]:
        """Times, sizes (draws, steps) and states (columns, draws, steps) of the steps `first:last` of some draws.

        Each has more than `first`; where there are no more, steps of size 0 at the last of them change nothing.
        """
        starts = numpy.cumsum(self.counts) - self.counts
        number = numpy.arange(first, last)
        counts = self.counts[draws, None]
        place = starts[draws, None] + numpy.minimum(number, counts - 1)
        return self.time[place], numpy.where(number < counts, self.size[place], 0.0), self.y[:, place]


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """A square matrix with known zeros, its rows in sets of which no two have an entry in one column.

    A set is kept as one row, the sum of its own: `reads[g][j]` is the row that the entry of set g in column j is from.
    """

    sets: tuple[numpy.ndarray, ...]
    reads: tuple[numpy.ndarray, ...]

    @staticmethod
    def of(pattern: numpy.ndarray) -> Grouped:
        sets: list[list[int]] = []
        taken: list[numpy.ndarray] = []
        for row, entries in enumerate(pattern):
            for own, used in zip(sets, taken, strict=True):
                if not (used & entries).any():
                    own.append(row)
                    used |= entries
                    break
            else:
                sets.append([row])
                taken.append(entries.copy())
        reads = tuple(numpy.array(own)[pattern[own].argmax(axis=0)] for own in sets)
        return Grouped(tuple(numpy.array(own) for own in sets), reads)

    def units(self, shape: tuple[int, ...]) -> Iterator[numpy.ndarray]:
        """For each set an array (rows, ...) that is 1 in its rows."""
        for own in self.sets:
            unit = numpy.zeros(shape)
            unit[own] = 1.0
            yield unit

    def transposed(self, matrix: Sequence[numpy.ndarray], vector: numpy.ndarray) -> Any:
        """The transposed matrix by a vector (rows, ...)."""
        total: Any = 0.0
        for own, reads, row in zip(self.sets, self.reads, matrix, strict=True):
            total = total + row * (vector[own] if len(own) == 1 else vector[reads])
        return total


def gradients(
    system: System, path: Path, inputs: Sequence[numpy.ndarray], by_stop: numpy.ndarray
) -> list[numpy.ndarray]:
    """Cotangents at origin and stops (S, 1 + stops, columns) -> those of the start and of the inputs, for each draw."""
    total = [numpy.zeros(array.shape) for array in inputs]
    after = numpy.zeros((system.columns, len(path.counts)))
    for first, last, draws in _pieces(system, path):
        given = _between(path, by_stop, draws, first, last)
        own = [array[draws] for array in inputs]
        piece = _Piece.of(system, *path.piece(draws, first, last), own)
        adjoints = numpy.empty((system.columns, len(draws), last - first))
        maps = [piece.through(unit)[0] for unit in system.far.units(adjoints.shape)]
        at = after[:, draws]
        for step in range(last - first - 1, -1, -1):
            adjoints[:, :, step] = at = at + given[:, :, step]
            at = system.far.transposed([row[:, :, step] for row in maps], at)
        after[:, draws] = at
        _, by_slope = piece.through(adjoints)
        for sum_, part in zip(total, piece.by_inputs(by_slope), strict=True):
            sum_[draws] += part
    return [after.T + by_stop[:, 0], *total]


def _between(path: Path, by_stop: numpy.ndarray, draws: numpy.ndarray, first: int, last: int) -> numpy.ndarray:
    """The cotangents of the states right after the steps `first:last` (columns, draws, steps)."""
    found = numpy.zeros((len(draws), last - first, by_stop.shape[2]))
    after = path.after[draws] - 1 - first
    row, stop = numpy.nonzero((after >= 0) & (after < last - first))
    found[row, after[row, stop]] = by_stop[draws[row], stop]
    return numpy.moveaxis(found, 2, 0)


def _pieces(system: System, path: Path) -> Iterator[tuple[int, int, numpy.ndarray]]:
    """Steps `first:last` and the draws that have any of them, from the last steps to the first.

    Where many draws end, a piece ends too: few draws with many steps are not gone through with all others beside them.
    """
    falling = numpy.append(numpy.sort(path.counts)[::-1], 0)
    one = DOP853.stages * system.columns * (1 + len(system.near.sets))
    last = int(path.counts.max(initial=0))
    while last > 0:
        draws = int((path.counts >= last).sum())
        length = max(1, _ELEMENTS_AT_ONCE // (one * draws))
        first = max(0, last - length, int(falling[min(2 * draws, len(falling) - 1)]))
        yield first, last, numpy.flatnonzero(path.counts > first)
        last = first


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Some steps of all draws, with the derivatives of the slopes by the states at every stage.

    `derivatives` are the rows of a grouped matrix, each (columns, stages, S, steps).
    """

    system: System
    size: numpy.ndarray
    derivatives: Sequence[numpy.ndarray]
    backward: Any
    inputs: Sequence[numpy.ndarray]

    @staticmethod
    def of(system: System, time: Any, size: Any, y: Any, inputs: Sequence[numpy.ndarray]) -> _Piece:
        by_step = [numpy.repeat(array, size.shape[1], axis=0) for array in inputs]
        time, points = _stages(system, time, size, y, by_step)
        by_point = [numpy.broadcast_to(x, (DOP853.stages, *x.shape)).reshape(-1, *x.shape[1:]) for x in by_step]
        states = system.by_state(points.reshape(system.columns, -1))
        names = [*states, *system.names]

        def slopes(*arrays: Any) -> Any:
            return system.traced({"time": time.reshape(-1), **dict(zip(names, arrays, strict=True))})

        value, backward = vjp_of(slopes, [*states.values(), *by_point])
        derivatives = []
        for unit in system.near.units(value.shape):
            found = backward(unit)[: len(states)]
            rows = [numpy.asarray(part).reshape(time.size, -1).T for part in found]
            derivatives.append(numpy.concatenate(rows).reshape(points.shape))
        return _Piece(system, size, derivatives, backward, inputs)

    def through(self, after: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Cotangents after steps (columns, S, steps) -> those before them, those of the slopes at every stage.

        Of y' = y + h sum_i b_i k_i with k_i = f(y + h sum_j a_ij k_j), read backwards.
        """
        by_slope = numpy.empty((len(after), DOP853.stages, *self.size.shape))
        by_state: list[Any] = [None] * DOP853.stages
        before = after
        for i in range(DOP853.stages - 1, -1, -1):
            total = DOP853.b[i] * after
            for j in range(i + 1, DOP853.stages):
                if DOP853.a[j, i]:
                    total = total + DOP853.a[j, i] * by_state[j]
            by_slope[:, i] = self.size * total
            rows = [row[:, i] for row in self.derivatives]
            by_state[i] = self.system.near.transposed(rows, by_slope[:, i])
            before = before + by_state[i]
        return before, by_slope

    def by_inputs(self, by_slope: numpy.ndarray) -> list[numpy.ndarray]:
        """The part that these steps have in the gradients by the inputs."""
        found = self.backward(by_slope.reshape(len(by_slope), -1))[len(self.system.states) :]
        shape = (DOP853.stages, *self.size.shape)
        return [
            numpy.asarray(part).reshape(*shape, *array.shape[1:]).sum(axis=(0, 2))
            for part, array in zip(found, self.inputs, strict=True)
        ]


def _stages(
    system: System, time: numpy.ndarray, size: numpy.ndarray, y: numpy.ndarray, inputs: Sequence[numpy.ndarray]
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The times (stages, S, steps) and states (columns, stages, S, steps) at which steps evaluate the slopes."""
    times = time + DOP853.c[:, None, None] * size
    points = numpy.empty((len(y), *times.shape))
    k = numpy.empty((DOP853.stages, y.size))
    for i in range(DOP853.stages):
        points[:, i] = y + size * (DOP853.a[i, :i] @ k[:i]).reshape(y.shape)
        k[i] = system.at(times[i].reshape(-1), points[:, i].reshape(len(y), -1), inputs).reshape(-1)
    return times, points
