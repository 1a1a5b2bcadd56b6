"""recurrence -> the calls of one step, and of all steps one after another over memory in which time comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ppl.compile.staged.listing import Listing, Slot
from ppl.compile.staged.trace import trace_step
from ppl.numeric.linear_scan import Carry, Past, as_read
from ppl.numeric.scan import Plan
from ppl.values import dataclass

Step = tuple[Callable[..., Any], tuple[Any, ...]]
MOST_BOUND = 20_000  # calls over all steps: to bind one takes about as long as to make it twenty times


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One step as a listing, whose inputs are the carries, the inputs and what is known, (S or 1, 1, ...) each; its
    outputs are the names of the state. `known` have time first; `moving` says which inputs change with time.
    """

    listing: Listing
    steps: int
    before: int
    carries: tuple[Carry, ...]
    moving: tuple[bool, ...]
    known: tuple[np.ndarray, ...]
    draws: int

    @property
    def sizes(self) -> list[int]:
        """How many columns each name has."""
        return [int(np.prod(shape[2:])) for shape in self.listing.output_shapes]


def body_of(plan: Plan, shapes: Sequence[tuple[int, ...]]) -> Body:
    """The step of a recurrence, for given states and inputs of these shapes. Raises `NotStaged`."""
    known = tuple(np.ascontiguousarray(np.moveaxis(array, 1, 0)) for array in plan.known.values())
    draws = max(shape[0] for shape in shapes)
    names = [*(carry.name for carry in plan.carries), *plan.names, *plan.known]
    rng = np.random.default_rng(0)
    at = [rng.uniform(0.5, 1.0, (draws, 1, *carry.lags.shape, *carry.shape)) for carry in plan.carries]
    for shape, moves in zip(shapes[1:], plan.over_time, strict=True):
        at.append(rng.uniform(0.5, 1.0, (shape[0], 1, *shape[2:]) if moves else shape))
    at += [array[0][:, None] for array in known]
    listing = trace_step(lambda *arrays: plan.single(dict(zip(names, arrays, strict=True))), at)
    return Body(listing, plan.steps, plan.before, plan.carries, plan.over_time, known, draws)


def run(body: Body, given: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    """States before (S, before, columns) and inputs -> new states (S, steps, columns), call by call."""
    memory = Memory(body)
    memory.begin(given, inputs)
    with np.errstate(all="ignore"):
        for step in range(body.steps):
            values: dict[int, Any] = dict(enumerate(memory.inputs(step, inputs)))
            for call in body.listing.calls:
                own = [values[x.index] if isinstance(x, Slot) else x for x in call.arguments]
                values[call.target.index] = call.function(*own, **call.options)
            for state, out in zip(memory.states, body.listing.outputs, strict=True):
                found = values[out.index] if isinstance(out, Slot) else out
                state[body.before + step] = np.reshape(found, (np.shape(found)[0], -1))
    result = np.empty((body.draws, body.steps, sum(body.sizes)))
    memory.end(result)
    return result


class Memory:
    """What a recurrence is run over: states, an array (times, S, columns) for each name, and inputs, time first."""

    def __init__(self, body: Body):
        self.body = body
        self.states = [np.empty((body.before + body.steps, body.draws, size)) for size in body.sizes]
        shapes = (body.listing.shape, *body.listing.more)[len(body.carries) : len(body.carries) + len(body.moving)]
        self.moved = [
            np.empty((body.steps, shape[0], *shape[2:])) if moves else None
            for shape, moves in zip(shapes, body.moving, strict=True)
        ]

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in (*self.states, *self.moved) if array is not None)

    def begin(self, given: np.ndarray, inputs: Sequence[np.ndarray]) -> None:
        first = 0
        for state in self.states:
            state[: self.body.before] = np.moveaxis(given[..., first : first + state.shape[2]], 1, 0)
            first += state.shape[2]
        for moved, array in zip(self.moved, inputs, strict=True):
            if moved is not None:
                np.copyto(moved, np.moveaxis(array, 1, 0))

    def end(self, out: np.ndarray) -> None:
        first = 0
        for state in self.states:
            np.copyto(out[..., first : first + state.shape[2]], np.moveaxis(state[self.body.before :], 0, 1))
            first += state.shape[2]

    def inputs(self, step: int, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What one step reads, as views where they can be."""
        read = [self.read(carry, step) for carry in self.body.carries]
        given = [x if moved is None else moved[step][:, None] for moved, x in zip(self.moved, inputs, strict=True)]
        return [*read, *given, *(array[step][:, None] for array in self.body.known)]

    def read(self, carry: Carry, step: int) -> np.ndarray:
        state, first = self.state_of(carry)
        own = state[..., carry.first - first : carry.last - first]
        times = np.maximum(self.body.before + step - carry.lags, 0)
        draws = self.body.draws
        if carry.lags.ndim == 0:
            return own[int(times)].reshape(draws, 1, *carry.shape)
        found = own[as_slice(times)] if times.ndim == 1 else own[times]
        return np.moveaxis(found, carry.lags.ndim, 0).reshape(draws, 1, *carry.lags.shape, *carry.shape)

    def state_of(self, carry: Carry) -> tuple[np.ndarray, int]:
        """The state that a carry reads, and which column is its first."""
        first = 0
        for state in self.states:
            if carry.first < first + state.shape[2]:
                return state, first
            first += state.shape[2]
        raise AssertionError("a carry reads one name")


def as_slice(times: np.ndarray) -> Any:
    """Times as a slice where their distances are the same."""
    steps = np.unique(np.diff(times))
    if len(times) < 2 or len(steps) != 1 or steps[0] == 0:
        return times
    stop = int(times[-1]) + (1 if steps[0] > 0 else -1)
    return slice(int(times[0]), None if stop < 0 else stop, int(steps[0]))


class Later:
    """The calls of `later` over memory of their own."""

    def __init__(self, past: Past, draws: int, rows: Sequence[int]):
        """`rows`: how many draws each array of derivatives has."""
        self.past = past
        self._found = np.empty((past.before + past.steps, draws, past.columns))
        pairs = [(carry, columns) for carry, reads in zip(past.carries, past.reads, strict=True) for columns in reads]
        self._slopes = [np.empty((past.steps, n, len(columns))) for n, (_, columns) in zip(rows, pairs, strict=True)]
        parts = [np.empty((draws, len(columns))) for _, columns in pairs]
        self._steps: list[Step] = []
        for step in range(past.steps - 1, -1, -1):
            for (carry, columns), slope, part in zip(pairs, self._slopes, parts, strict=True):
                self._pass_on(carry, columns, slope[step], part, step)

    @property
    def bytes(self) -> int:
        return self._found.nbytes + sum(slope.nbytes for slope in self._slopes)

    def __call__(self, out: np.ndarray, g: np.ndarray, *slopes: np.ndarray) -> None:
        np.copyto(self._found, np.moveaxis(g, 1, 0))
        for moved, slope in zip(self._slopes, slopes, strict=True):
            np.copyto(moved, np.moveaxis(slope, 1, 0))
        for function, arguments in self._steps:
            function(*arguments)
        np.copyto(out, np.moveaxis(self._found, 0, 1))

    def _pass_on(self, carry: Carry, columns: np.ndarray, slope: np.ndarray, part: np.ndarray, step: int) -> None:
        now = self._found[self.past.before + step]
        chosen, there = as_read(columns, self.past.columns)
        add = self._steps.append
        if chosen is None:
            add((np.multiply, (now, slope, part)))
        else:
            add((np.take, (now, chosen, 1, part, "clip")))
            if there is not None:
                add((np.multiply, (part, there, part)))
            add((np.multiply, (part, slope, part)))
        times = self.past.before + step - carry.lags.reshape(-1)
        for i, time in enumerate(times):
            if time >= 0:
                size = carry.last - carry.first
                into = self._found[time, :, carry.first : carry.last]
                add((np.add, (into, part[:, i * size : (i + 1) * size], into)))
