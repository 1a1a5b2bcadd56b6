"""listing -> a function of z that runs it over buffers of its own, kept from one run to the next.

Every value has its place in memory before the first run, so that what only looks at memory in another shape costs
nothing. A place is used again after the last call that reads it; elementwise calls write over an argument they are the
last to read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ppl.compile.staged import kernels, loop, trace
from ppl.compile.staged.held import held
from ppl.compile.staged.listing import Call, Listing, Slot
from ppl.numeric import first_order, linear_scan

Step = tuple[Callable[..., Any], tuple[Any, ...]]


class Runner:
    """The outputs of a listing at z (S, D), as fresh arrays: the first (S,), and (S, D). Several threads may call it:
    each takes buffers that are idle, or makes its own.
    """

    def __init__(self, listing: Listing):
        self.listing = listing
        self._idle = [_Bound(listing)]
        self.bytes = self._idle[0].bytes  # of one set of buffers

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.listing,)

    def clone(self) -> Runner:
        """Another over the same listing, with buffers of its own."""
        return Runner(self.listing)

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        try:
            bound = self._idle.pop()
        except IndexError:  # all are in use
            bound = _Bound(self.listing)
        found = bound(z)
        self._idle.append(bound)  # not after an interruption: what it left half done is dropped
        return found


class _Bound:
    """A listing with its buffers."""

    def __init__(self, listing: Listing):
        layout = Layout(listing)
        self.bytes = layout.bytes
        self._z = layout.arrays[0]
        self._steps = tuple(step for step, _ in layout.steps)
        careful = tuple(step if other is None else other for step, other in layout.steps)
        self._careful = careful if any(other is not None for _, other in layout.steps) else None
        shapes = listing.output_shapes or ((len(self._z),), listing.shape)
        outputs = [layout.array_of(output) for output in listing.outputs]
        self._outputs = [np.broadcast_to(output, shape) for output, shape in zip(outputs, shapes, strict=True)]

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        np.copyto(self._z, z)
        with np.errstate(all="ignore"):
            for function, arguments in self._steps:
                function(*arguments)
            if self._careful is not None and not np.isfinite(self._outputs[-1]).all():
                for function, arguments in self._careful:  # 0 times infinity, somewhere on the way back
                    function(*arguments)
        return tuple(output.copy() for output in self._outputs)


class Layout:
    """Places in memory for all values, and the steps that fill them."""

    def __init__(
        self,
        listing: Listing,
        inputs: Sequence[np.ndarray] | None = None,
        free: Sequence[np.ndarray] = (),
        placed: Mapping[int, np.ndarray] | None = None,
        dtype: Any = np.float64,
    ):
        """`inputs` and the results of `placed` calls are where they are given; `free` is memory to use."""
        self.listing = listing
        self.arrays: dict[int, Any] = dict(enumerate((np.empty(listing.shape, dtype),) if inputs is None else inputs))
        self.dtype = dtype
        self.placed = placed or {}
        self.steps: list[tuple[Step, Step | None]] = []  # the second where a step has a more careful form
        self.bytes = 0
        self._last = _last_reads(listing)
        self._home: dict[int, np.ndarray] = {}  # the memory of a value, of those that may be given back
        self._ends: dict[int, list[np.ndarray]] = defaultdict(list)  # memory by the call that reads it last
        self._free = list(free)
        self.memory = list(free)  # all of it
        for i, call in enumerate(listing.calls):
            self._place(i, call)
            self._free.extend(self._ends.pop(i, []))

    def array_of(self, argument: Any) -> Any:
        return self.arrays[argument.index] if isinstance(argument, Slot) else argument

    def _place(self, i: int, call: Call) -> None:
        arguments = tuple(self.array_of(argument) for argument in call.arguments)
        if call.function in kernels.VIEWS:
            self._view(call, arguments)
        elif call.function is held.fun:
            self.arrays[call.target.index] = arguments[1].array
        elif call.shape is None:
            cell = self.arrays[call.target.index] = [None]
            self._add(kernels.tuple_into, cell, call.function, *arguments)
        elif call.function is kernels.assembled:
            if kernels.covers(call.shape, call.arguments[1:]):
                whole = self._new(call)
            else:
                whole = self.arrays[call.target.index] = np.zeros(
                    call.shape, self.dtype
                )  # the zeros stay: memory of its own
                self.bytes += whole.nbytes
            for x, key in zip(arguments[1::2], arguments[2::2], strict=True):
                self._add(np.copyto, whole[key], x)
        elif kernels.is_elementwise(call.function) and call.function is not kernels.where and not call.options:
            out = None if call.target.index in self.placed else self._over_argument(i, call, arguments)
            out = self._new(call) if out is None else out
            if call.function is kernels.weigh:
                careful: Step = (kernels.result_into, (out, kernels.weigh, arguments, {}))
                self.steps.append(((np.multiply, (*arguments, out)), careful))
            elif call.function in (np.maximum, np.minimum):  # take no third argument
                self._add(partial(call.function, out=out), *arguments)
            else:
                self._add(call.function, *arguments, out)
        else:
            self._into(call, arguments, self._new(call))

    def _add(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.steps.append(((function, arguments), None))

    def _into(self, call: Call, arguments: tuple[Any, ...], out: np.ndarray) -> None:
        """The step of a call that writes into memory in its own way, or whose result is copied there."""
        if call.function is kernels.where and np.asarray(arguments[0]).dtype == np.bool_:
            self._add(kernels.where_into, *arguments, out)
        elif call.function is kernels.total:
            x, axes, keepdims = arguments
            self._add(np.add.reduce, x, axes[0] if len(axes) == 1 else axes, None, out, keepdims)
        elif call.function is np.matmul:
            self._add(np.matmul, *arguments, out)
        elif call.function is kernels.taken:
            self._add(np.take, *arguments, out, "clip")
        elif call.function is kernels.summed_runs:
            self._add(np.add.reduceat, *arguments, None, out)
        elif call.function is first_order.first_order.fun and call.shape is not None and len(call.shape) == 2:
            a, b, squares = (*arguments, False)[:3]
            a, b = np.atleast_2d(a), np.atleast_2d(b)  # known ones have no axis of draws
            run = first_order.FirstOrder(call.shape[1], call.shape[0], first_order.is_moving(a, call.shape[1]), squares)
            self.bytes += run.bytes
            self._add(run, a, b, out)
        elif call.function is linear_scan.later.fun:
            past, g, *slopes = arguments
            later = loop.Later(past, call.shape[0] if call.shape else 0, [len(slope) for slope in slopes])
            self.bytes += later.bytes
            self._add(later, out, g, *slopes)
        elif call.function is loop.run and len(arguments[0].listing.calls) * arguments[0].steps <= loop.MOST_BOUND:
            bound = _Loop(*arguments, out=out)
            self.bytes += bound.bytes
            self._add(bound)
        elif call.function is trace.piece.fun:
            self._add(kernels.piece_into, *arguments, out)
        else:
            self._add(kernels.result_into, out, call.function, arguments, call.options)

    def _view(self, call: Call, arguments: tuple[Any, ...]) -> None:
        source = call.arguments[0]
        found = call.function(*arguments, **call.options)
        if found.size and not np.may_share_memory(found, arguments[0]):  # a reshape that has to copy
            out = self._new(call)
            self._add(np.copyto, out.reshape(arguments[0].shape), arguments[0])
            return
        self.arrays[call.target.index] = found
        if source.index in self._home:
            self._home[call.target.index] = self._home[source.index]

    def _new(self, call: Call) -> np.ndarray:
        """Memory for the result: what became free last, of what is large enough, or new."""
        assert call.shape is not None and call.dtype is not None
        if call.target.index in self.placed:
            out = self.arrays[call.target.index] = self.placed[call.target.index]
            return out
        size = int(np.prod(call.shape)) * call.dtype.itemsize
        fits = [i for i, memory in enumerate(self._free) if size <= memory.nbytes <= 2 * size + 1024]
        if fits:
            memory = self._free.pop(fits[-1])
        else:
            memory = np.empty(-(-size // 64) * 64, dtype=np.uint8)
            self.bytes += memory.nbytes
            self.memory.append(memory)
        out = memory[:size].view(call.dtype).reshape(call.shape)
        self._keep(call.target.index, memory, out)
        return out

    def _keep(self, index: int, memory: np.ndarray, out: np.ndarray) -> None:
        self.arrays[index] = out
        self._home[index] = memory
        self._ends[self._last[index]].append(memory)

    def _over_argument(self, i: int, call: Call, arguments: tuple[Any, ...]) -> np.ndarray | None:
        """The memory of an argument that nothing reads after this call, if the result fits exactly."""
        for source, array in zip(call.arguments, arguments, strict=True):
            memory = self._home.get(source.index) if isinstance(source, Slot) else None
            if memory is None or not any(memory is ending for ending in self._ends[i]):
                continue
            if array.shape != call.shape or array.dtype != call.dtype or not array.flags.c_contiguous:
                continue
            same = [
                other is array or not np.may_share_memory(other, array)
                for other in arguments
                if isinstance(other, np.ndarray)
            ]
            if not all(same) or not array.flags.writeable:
                continue
            self._ends[i] = [ending for ending in self._ends[i] if ending is not memory]
            self._keep(call.target.index, memory, array)
            return np.asarray(array)
        return None


class _Loop:
    """The calls of all steps of a recurrence: each step has its own views, and the memory between is the same."""

    def __init__(self, body: loop.Body, given: np.ndarray, *inputs: np.ndarray, out: np.ndarray):
        self._memory, self._given, self._inputs, self._out = loop.Memory(body), given, inputs, out
        self.bytes = self._memory.bytes
        self._steps: list[Step] = []
        free: list[np.ndarray] = []
        for step in range(body.steps):
            now = [state[body.before + step] for state in self._memory.states]
            arrays = self._memory.inputs(step, inputs)
            self._copy_what_is_none(body, arrays, step)
            layout = Layout(body.listing, arrays, free, _placed(body.listing, now))
            self._steps += [each for each, _ in layout.steps]
            for state, output in zip(now, body.listing.outputs, strict=True):
                found = layout.array_of(output)
                if not (isinstance(found, np.ndarray) and np.may_share_memory(found, state)):
                    self._steps.append((np.copyto, (state.reshape(state.shape[0], *np.shape(found)[1:]), found)))
            self.bytes += layout.bytes
            free = layout.memory

    def __call__(self) -> None:
        self._memory.begin(self._given, self._inputs)
        for function, arguments in self._steps:
            function(*arguments)
        self._memory.end(self._out)

    def _copy_what_is_none(self, body: loop.Body, arrays: list[np.ndarray], step: int) -> None:
        """Steps that fill again, in every run, what a step reads of states without being a view of them."""
        for i, carry in enumerate(body.carries):
            state, _ = self._memory.state_of(carry)
            if not np.may_share_memory(arrays[i], state):
                self._steps.append((_read_again, (arrays[i], self._memory, carry, step)))


def _read_again(out: np.ndarray, memory: loop.Memory, carry: linear_scan.Carry, step: int) -> None:
    np.copyto(out, memory.read(carry, step))


def _placed(listing: Listing, states: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """By slot, where the results are wanted of calls that outputs only look at in another shape."""
    made = {call.target.index: call for call in listing.calls}
    found: dict[int, np.ndarray] = {}
    for output, state in zip(listing.outputs, states, strict=True):
        call = made.get(output.index) if isinstance(output, Slot) else None
        while call is not None and call.function is kernels.reshape and isinstance(call.arguments[0], Slot):
            call = made.get(call.arguments[0].index)
        fits = call is not None and call.function not in kernels.VIEWS and call.shape is not None
        if call is not None and fits and int(np.prod(call.shape or ())) == state.size and call.dtype == state.dtype:
            found.setdefault(call.target.index, state.reshape(call.shape))
    return found


def _last_reads(listing: Listing) -> dict[int, int]:
    """For each slot the last call that reads it or what looks at its memory; beyond the last for outputs."""
    beyond = len(listing.calls)
    last = {output.index: beyond for output in listing.outputs if isinstance(output, Slot)}
    for i in range(beyond - 1, -1, -1):
        call = listing.calls[i]
        until = last.get(call.target.index, i) if call.function in kernels.VIEWS else i
        for slot in call.sources():
            last[slot.index] = max(last.get(slot.index, -1), until)
    return last
