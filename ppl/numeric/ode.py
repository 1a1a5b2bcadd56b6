"""A system of ordinary differential equations -> its states at given times, as one autograd primitive over draws.

Forward, an explicit Runge-Kutta method of order 8. Every draw has a time and a step size of its own, so that what it
gives does not depend on its companions; a step of all of them is a handful of plain numpy calls. Steps end at the times
that are asked for. Backward, nothing is taped: see `ppl.numeric.ode_adjoint`.

The tolerance is far below what a posterior needs. Its use is that the log density is smooth: where a draw crosses over
to another number of steps its value jumps by about the tolerance, and line searches and differences of gradients should
not see that. At order 8 the digits cost little: order 5 needs as many evaluations for half of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
from autograd.extend import defvjp_argnums, primitive
from autograd.tracer import getval, isbox

from ppl.numeric.ode_adjoint import Grouped, Path, gradients
from ppl.numeric.tableaus import DOP853
from ppl.values import dataclass

TOLERANCE = 1e-10  # of the error of a step, in parts of the state
MOST_STEPS = 3_000  # besides those that the times asked for make
_NEAR_ZERO = 1e-6  # of the largest value a state has had: below it, less than the tolerance is enough
_ROUNDING = 1e-16  # of the largest of all states: below it lies nothing but noise
_LEAST_STEP = 1e-14  # of the time; a step this small no longer moves
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 6.0
_ENDS = numpy.stack([DOP853.b, *DOP853.errors])

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Columns `first:last` of the states; as an input of the slopes called `name` they have `shape`."""

    name: str
    first: int
    last: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """All of a system that does not depend on latents.

    `slopes` takes time, states and the inputs called `names`, each with a leading axis of B draws, to the derivatives
    (columns, B) in plain numpy; `traced` is the same for autograd. `stops` are the times at which steps end, above
    `origin` and increasing; what is asked for are the states after the stops `wanted` (0: at the origin).
    `near` says which columns of the slopes depend on which states, `far` which states depend on which earlier ones.
    """

    origin: float
    stops: numpy.ndarray
    wanted: numpy.ndarray
    states: tuple[State, ...]
    names: tuple[str, ...]
    slopes: Callable[[Arrays], Any]
    traced: Callable[[Arrays], Any]
    near: Grouped
    far: Grouped

    @property
    def columns(self) -> int:
        return self.states[-1].last

    def at(self, time: Any, y: Any, inputs: Sequence[Any]) -> Any:
        """The slopes (columns, B) at times (B,) and states (columns, B)."""
        return self.slopes({"time": time, **self.by_state(y), **dict(zip(self.names, inputs, strict=True))})

    def by_state(self, y: numpy.ndarray) -> dict[str, numpy.ndarray]:
        """States (columns, B) as inputs of the slopes, each with a leading axis of B."""
        found = {}
        for state in self.states:
            own = y[state.first : state.last]
            found[state.name] = own[0] if state.shape == () else own.T.reshape(-1, *state.shape)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Where a draw stopped short: the time, the states (columns,), the step, and whether the steps ran out."""

    time: float
    y: numpy.ndarray
    step: float
    too_many: bool


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """States at the origin and the stops (S, 1 + stops, columns), NaN after a draw stopped short; the way there."""

    states: numpy.ndarray
    path: Path
    ends: Mapping[int, End]


def solve(system: System, start: Any, *inputs: Any) -> Any:
    """States at the start (S, columns) and inputs -> states (S, times, columns). Differentiable by autograd.

    A draw whose solution runs away, or takes more than `MOST_STEPS` steps, has NaN for states from there on.
    """
    plain = [_plain(array) for array in (start, *inputs)]
    draws = max(len(array) for array in plain)
    wide = [numpy.broadcast_to(array, (draws, *array.shape[1:])) for array in plain]
    traced = any(isbox(array) for array in (start, *inputs))
    solution = integrate(system, wide[0], wide[1:], keep_path=traced)
    return _answer(system, solution, start, *inputs)


@primitive
def _answer(system: System, solution: Solution, start: Any, *inputs: Any) -> Any:
    return solution.states[:, system.wanted]


def _backward(argnums: Sequence[int], answer: Any, args: Sequence[Any], kwargs: Any) -> Any:
    system, solution, *arrays = args

    def vjp(g: Any) -> list[Any]:
        by_stop = numpy.zeros_like(solution.states)
        for place, stop in enumerate(system.wanted):  # a time may be asked for twice
            by_stop[:, stop] += g[:, place]
        wide = [numpy.broadcast_to(array, (len(g), *array.shape[1:])) for array in arrays]
        with numpy.errstate(all="ignore"):
            found = gradients(system, solution.path, wide[1:], by_stop)
        return [_like(found[argnum - 2], args[argnum]) for argnum in argnums]

    return vjp


defvjp_argnums(_answer, _backward)


def _plain(array: Any) -> numpy.ndarray:
    while isbox(array):
        array = getval(array)
    return numpy.asarray(array)


def _like(gradient: Any, argument: Any) -> Any:
    """The gradient by an argument that one draw served all of."""
    return gradient.sum(axis=0, keepdims=True) if len(argument) == 1 < len(gradient) else gradient


def integrate(
    system: System, start: numpy.ndarray, inputs: Sequence[numpy.ndarray], keep_path: bool = True
) -> Solution:
    """All draws on their ways, in rounds of one step each; those that have arrived are left behind."""
    states = numpy.full((len(start), 1 + len(system.stops), system.columns), numpy.nan)
    states[:, 0] = start
    after = numpy.zeros(states.shape[:2], dtype=numpy.int64)
    steps: list[_Steps] = []
    ends: dict[int, End] = {}
    if len(system.stops):
        with numpy.errstate(all="ignore"):
            runners = _Runners.at_start(system, start, inputs)
            while len(runners.draw):
                taken = runners.step(system, states, after)
                if keep_path:
                    steps.append(taken)
                runners = runners.still_running(system, ends)
    return Solution(states, _path(steps, after, system.columns), ends)


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """The accepted steps of one round, of different draws; states (columns, accepted)."""

    draw: numpy.ndarray
    time: numpy.ndarray
    size: numpy.ndarray
    y: numpy.ndarray


@dataclass(slots=True, eq=False)
class _Runners:
    """Draws on their ways (A of them): each at its time, with the step it will try and the stop it makes for."""

    draw: numpy.ndarray
    time: numpy.ndarray
    y: numpy.ndarray
    step_size: numpy.ndarray
    largest: numpy.ndarray  # of each state so far
    stop: numpy.ndarray
    tries: numpy.ndarray
    accepted: numpy.ndarray
    may_grow: numpy.ndarray  # no step larger than one that has just failed
    inputs: list[numpy.ndarray]

    @staticmethod
    def at_start(system: System, start: numpy.ndarray, inputs: Sequence[numpy.ndarray]) -> _Runners:
        count = len(start)
        time = numpy.full(count, system.origin)
        none = numpy.zeros(count, dtype=numpy.int64)
        y = start.T.copy()
        first = _first_step(system, time, y, inputs)
        return _Runners(
            numpy.arange(count), time, y, first, numpy.abs(y), none, none.copy(), none.copy(),
            numpy.ones(count, dtype=bool), list(inputs),
        )  # fmt: skip

    def step(self, system: System, states: numpy.ndarray, after: numpy.ndarray) -> _Steps:
        """Try a step of every draw; note the states of those that reach a stop."""
        target = system.stops[numpy.minimum(self.stop, len(system.stops) - 1)]
        running = self.stop < len(system.stops)
        left = target - self.time
        parts = numpy.ceil(left / self.step_size)  # even ones: no small step is left over before a stop
        size = numpy.where(running, left / numpy.maximum(parts, 1.0), 0.0)
        new, error, largest = _one_step(system, self.time, size, self.y, self.largest, self.inputs)
        self.tries = self.tries + 1
        good = running & (error <= 1.0)
        factor = numpy.clip(_SAFETY * error ** (-1 / 8), _SHRINK, numpy.where(self.may_grow, _GROW, 1.0))
        factor = numpy.where(numpy.isfinite(error), factor, _SHRINK)
        held = numpy.maximum(
            self.step_size, size * factor
        )  # a step cut short by a stop says nothing against longer ones
        self.step_size = numpy.where(good & (factor >= 1.0), held, size * factor)
        self.may_grow = good
        taken = _Steps(self.draw[good], self.time[good], size[good], self.y[:, good])
        arrived = good & (parts <= 1.0)
        self.time = numpy.where(arrived, target, numpy.where(good, self.time + size, self.time))
        self.y = numpy.where(good, new, self.y)
        self.largest = numpy.where(good, largest, self.largest)
        self.accepted = self.accepted + good
        self.stop = self.stop + arrived
        states[self.draw[arrived], self.stop[arrived]] = self.y[:, arrived].T
        after[self.draw[arrived], self.stop[arrived]] = self.accepted[arrived]
        return taken

    def still_running(self, system: System, ends: dict[int, End]) -> _Runners:
        """Without those that have stopped short; without those that have arrived, when they are many."""
        arrived = self.stop >= len(system.stops)
        span = system.stops[-1] - system.origin
        stuck = ~arrived & ~(self.step_size > _LEAST_STEP * numpy.maximum(numpy.abs(self.time), span))
        too_many = ~arrived & (self.tries - self.stop > MOST_STEPS)
        for i in numpy.flatnonzero(stuck | too_many):
            ends[int(self.draw[i])] = End(
                float(self.time[i]), self.y[:, i], float(self.step_size[i]), bool(too_many[i] and not stuck[i])
            )
        gone = arrived | stuck | too_many
        if not (stuck | too_many).any() and 2 * gone.sum() <= len(gone):
            return self
        kept = ~gone
        return _Runners(
            self.draw[kept], self.time[kept], self.y[:, kept], self.step_size[kept], self.largest[:, kept],
            self.stop[kept], self.tries[kept], self.accepted[kept], self.may_grow[kept],
            [array[kept] for array in self.inputs],
        )  # fmt: skip


def _one_step(
    system: System,
    time: numpy.ndarray,
    size: numpy.ndarray,
    y: numpy.ndarray,
    largest: numpy.ndarray,
    inputs: Sequence[Any],
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """The states at the end of a step, its error (A,) in units of the tolerance, and the largest states so far."""
    moves = numpy.empty((DOP853.stages, *y.shape))  # the slopes, times the size of the step
    flat = moves.reshape(DOP853.stages, -1)
    times = time + DOP853.c[:, None] * size
    for i in range(DOP853.stages):
        inner = y if i == 0 else y + (DOP853.a[i, :i] @ flat[:i]).reshape(y.shape)
        numpy.multiply(system.at(times[i], inner, inputs), size, out=moves[i])
    change, fifth, third = (_ENDS @ flat).reshape(3, *y.shape)
    new = y + change
    largest = numpy.maximum(largest, numpy.abs(new))
    scale = TOLERANCE * (numpy.maximum(numpy.abs(y), numpy.abs(new)) + _NEAR_ZERO * largest)
    scale = scale + _ROUNDING * largest.max(axis=0)
    below = numpy.sqrt(fifth**2 + 0.01 * third**2)
    each = numpy.where(below == 0.0, 0.0, fifth**2 / (below * scale))
    error = each.max(axis=0)
    return new, numpy.where(numpy.isfinite(new).all(axis=0), error, numpy.nan), largest


def _first_step(
    system: System, time: numpy.ndarray, y: numpy.ndarray, inputs: Sequence[numpy.ndarray]
) -> numpy.ndarray:
    """A guess at the first step from the sizes of the slopes and of their change (Hairer et al., section II.4)."""
    span = system.stops[-1] - system.origin
    slope = system.at(time, y, inputs)
    scale = numpy.abs(y) + numpy.abs(slope) * span * 1e-3 + numpy.finfo(float).tiny
    rate = (numpy.abs(slope) / scale).max(axis=0)
    tiny = numpy.clip(0.01 / rate, 1e-6 * span, 1e-2 * span)
    again = system.at(time + tiny, y + tiny * slope, inputs)
    bend = (numpy.abs(again - slope) / scale).max(axis=0) / tiny
    sharpest = numpy.maximum(rate, numpy.sqrt(bend))
    found = numpy.minimum(0.5 * TOLERANCE ** (1 / 8) / sharpest, span)
    return numpy.where(numpy.isfinite(found), found, tiny)


def _path(steps: Sequence[_Steps], after: numpy.ndarray, columns: int) -> Path:
    """The accepted steps of every draw in one row, those of the first draw first."""
    draw = numpy.concatenate([numpy.zeros(0, dtype=numpy.int64), *(taken.draw for taken in steps)])
    order = numpy.argsort(draw, kind="stable")  # rounds are in order already
    time = numpy.concatenate([numpy.zeros(0), *(taken.time for taken in steps)])[order]
    size = numpy.concatenate([numpy.zeros(0), *(taken.size for taken in steps)])[order]
    y = numpy.concatenate([numpy.zeros((columns, 0)), *(taken.y for taken in steps)], axis=1)[:, order]
    return Path(numpy.bincount(draw, minlength=len(after)), time, size, y, after)
