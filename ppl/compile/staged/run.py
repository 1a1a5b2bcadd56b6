"""listing -> a function of z that runs it over buffers of its own, kept from one run to the next.

Every value has its place in memory before the first run, so that what only looks at memory in another shape costs
nothing. A place is used again after the last call that reads it; elementwise calls write over an argument they are the
last to read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ppl.compile.staged import kernels, trace
from ppl.compile.staged.held import held
from ppl.compile.staged.listing import Call, Listing, Slot

Step = tuple[Callable[..., Any], tuple[Any, ...]]


class Runner:
    """Value (S,) and gradient (S, D) at z (S, D), as fresh arrays."""

    def __init__(self, listing: Listing):
        self.listing = listing
        self._bind()

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.listing,)

    @property
    def bytes(self) -> int:
        return self._layout.bytes

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        np.copyto(self._z, z)
        with np.errstate(all="ignore"):
            for function, arguments in self._steps:
                function(*arguments)
            if self._careful is not None and not np.isfinite(self._gradient).all():
                for function, arguments in self._careful:  # 0 times infinity, somewhere on the way back
                    function(*arguments)
        return self._value.copy(), self._gradient.copy()

    def _bind(self) -> None:
        layout = self._layout = Layout(self.listing)
        self._z = layout.arrays[0]
        self._steps = tuple(step for step, _ in layout.steps)
        careful = tuple(step if other is None else other for step, other in layout.steps)
        self._careful = careful if any(other is not None for _, other in layout.steps) else None
        draws = len(self._z)
        value, gradient = (layout.array_of(output) for output in self.listing.outputs)
        self._value, self._gradient = np.broadcast_to(value, (draws,)), np.broadcast_to(gradient, self.listing.shape)


class Layout:
    """Places in memory for all values, and the steps that fill them."""

    def __init__(self, listing: Listing, dtype: Any = np.float64):
        self.listing = listing
        self.dtype = dtype  # of the input
        self.arrays: dict[int, Any] = {0: np.empty(listing.shape, dtype=dtype)}
        self.steps: list[tuple[Step, Step | None]] = []  # the second where a step has a more careful form
        self.bytes = 0
        self._last = _last_reads(listing)
        self._home: dict[int, np.ndarray] = {}  # the memory of a value, of those that may be given back
        self._ends: dict[int, list[np.ndarray]] = defaultdict(list)  # memory by the call that reads it last
        self._free: list[np.ndarray] = []
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
            zeros = np.zeros(call.shape, dtype=self.dtype)  # the zeros stay: memory of its own
            self.bytes += zeros.nbytes
            self.arrays[call.target.index] = zeros
            for x, key in zip(arguments[1::2], arguments[2::2], strict=True):
                self._add(np.copyto, zeros[key], x)
        elif kernels.is_elementwise(call.function) and call.function is not kernels.where and not call.options:
            out = self._over_argument(i, call, arguments)
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
        size = int(np.prod(call.shape)) * call.dtype.itemsize
        fits = [i for i, memory in enumerate(self._free) if size <= memory.nbytes <= 2 * size + 1024]
        if fits:
            memory = self._free.pop(fits[-1])
        else:
            memory = np.empty(-(-size // 64) * 64, dtype=np.uint8)
            self.bytes += memory.nbytes
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
