"""sums of what is the same along them -> less to add up: factors and terms are taken out of totals and products.

total(c x) is c total(x), total(x + c) is total(x) + n c, and (c x) @ M is c (x @ M), where c does not vary along what
is summed. Rounding moves the last digits only: nothing is added up in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.staged import kernels
from ppl.compile.staged.listing import Call, Listing, Slot, drop_dead

_FACTORS = (np.multiply, np.divide)
_TERMS = (np.add, np.subtract)


def pull_out(listing: Listing) -> Listing:
    """Factors and terms taken out of the totals and products that they go into, as far out as they go."""
    while True:
        work = _Work(listing)
        found = work.done()
        if not work.changed:
            return found
        listing = drop_dead(found)


class _Work:
    """One round over a listing."""

    def __init__(self, listing: Listing):
        self.listing = listing
        self.shapes = listing.shapes()
        self.made = {call.target.index: call for call in listing.calls}
        self.readers: dict[int, list[Call]] = {}
        for call in listing.calls:
            for slot in call.sources():
                self.readers.setdefault(slot.index, []).append(call)
        self.shown = {output.index for output in listing.outputs if isinstance(output, Slot)}
        self.next = 1 + max(self.shapes)
        self.changed = False

    def done(self) -> Listing:
        calls: list[Call] = []
        for call in self.listing.calls:
            new = list(self.better(call))
            self.changed = self.changed or bool(new)
            calls.extend(new or [call])
        return replace(self.listing, calls=tuple(calls))

    def better(self, call: Call) -> Iterator[Call]:
        source = call.arguments[0] if call.function is kernels.total else None
        first = self.made.get(source.index) if isinstance(source, Slot) else None
        if first is not None and first.function is kernels.total and first.arguments[2]:
            yield from self.one_total(call, first)
            return
        inner = self.linear(call)
        if inner is None or not all(self.linear(reader) is inner for reader in self.readers[inner.target.index]):
            return  # something else needs it as it is
        if inner.target.index in self.shown or inner.shape is None or inner.dtype != np.float64:
            return
        varying = self.varying(call, inner)
        if varying is None:
            return
        if call.function is np.matmul:
            yield from self.product(call, inner, varying)
        else:
            yield from self.total(call, inner, varying)

    def linear(self, call: Call) -> Call | None:
        """The call whose result this one is linear in, where that is one we know how to take apart."""
        if call.function is kernels.total or (
            call.function is np.matmul
            and not isinstance(call.arguments[1], Slot)
            and np.ndim(call.arguments[1]) == 2
            and len(self.shape(call.arguments[0])) == 2
        ):
            source = call.arguments[0]
            inner = self.made.get(source.index) if isinstance(source, Slot) else None
            if inner is not None and inner.function in (*_FACTORS, *_TERMS, np.negative, kernels.where):
                return inner
        return None

    def varying(self, call: Call, inner: Call) -> int | None:
        """Which argument of the inner call stays inside; None where none can be taken out."""
        axes = (1,) if call.function is np.matmul else call.arguments[1]
        assert inner.shape is not None
        if inner.function is np.negative:
            return 0
        if call.function is np.matmul and inner.function in _TERMS:
            return None
        if inner.function is kernels.where:
            if call.function is np.matmul or isinstance(inner.arguments[2], Slot) or np.ndim(inner.arguments[2]):
                return None
            test, x, _ = inner.arguments
            fits = self.is_constant_along(test, len(inner.shape), axes) and self.shape(x) == inner.shape
            return 1 if fits else None
        still = [self.is_constant_along(argument, len(inner.shape), axes) for argument in inner.arguments]
        if still[1] and self.shape(inner.arguments[0]) == inner.shape:
            return 0
        if still[0] and self.shape(inner.arguments[1]) == inner.shape and inner.function is not np.divide:
            return 1
        return None

    def is_constant_along(self, argument: Any, rank: int, axes: tuple[int, ...]) -> bool:
        own = self.shape(argument)
        places = [axis - (rank - len(own)) for axis in axes]
        return all(place < 0 or own[place] == 1 for place in places)

    def shape(self, argument: Any) -> tuple[int, ...]:
        found = self.shapes[argument.index] if isinstance(argument, Slot) else np.shape(argument)
        assert found is not None
        return found

    def total(self, call: Call, inner: Call, varying: int) -> Iterator[Call]:
        assert inner.shape is not None and call.shape is not None
        _, axes, keepdims = call.arguments
        summed = self.fresh(call, kernels.total, (inner.arguments[varying], axes, keepdims), call.shape)
        yield summed
        if inner.function is np.negative:
            yield replace(call, function=np.negative, arguments=(summed.target,))
            return
        other = inner.arguments[1 - varying]
        own = self.shape(other)
        left = len(inner.shape) - len(own)
        kept = tuple(n for i, n in enumerate(own) if keepdims or i + left not in axes)
        if kept != own:
            out = self.fresh(call, kernels.reshape, (other, kept), kept)  # a view: its dtype is that of its source
            yield out
            other = out.target
        count = float(np.prod([inner.shape[axis] for axis in axes]))
        if inner.function is kernels.where:
            elsewhere = count * inner.arguments[2]
            yield replace(call, function=kernels.where, arguments=(other, summed.target, elsewhere), options={})
            return
        if inner.function in _TERMS:
            times = self.fresh(call, np.multiply, (count, other), kept)
            yield times
            other = times.target
        both = (summed.target, other) if varying == 0 else (other, summed.target)
        yield replace(call, function=inner.function, arguments=both, options={})

    def one_total(self, call: Call, first: Call) -> Iterator[Call]:
        """A total of a total that kept its axes."""
        axes = tuple(sorted({*first.arguments[1], *call.arguments[1]}))
        shape = tuple(1 if i in axes else n for i, n in enumerate(self.shape(first.arguments[0])))
        whole = self.fresh(call, kernels.total, (first.arguments[0], axes, True), shape)
        yield whole
        yield replace(call, function=kernels.reshape, arguments=(whole.target, call.shape))

    def product(self, call: Call, inner: Call, varying: int) -> Iterator[Call]:
        assert call.shape is not None
        multiplied = self.fresh(call, np.matmul, (inner.arguments[varying], call.arguments[1]), call.shape)
        yield multiplied
        if inner.function is np.negative:
            yield replace(call, function=np.negative, arguments=(multiplied.target,))
        else:
            other = inner.arguments[1 - varying]
            both = (multiplied.target, other) if varying == 0 else (other, multiplied.target)
            yield replace(call, function=inner.function, arguments=both, options={})

    def fresh(self, call: Call, function: Any, arguments: tuple[Any, ...], shape: tuple[int, ...]) -> Call:
        """A call on the way to another, with a slot of its own."""
        index = self.next
        self.next += 1
        self.shapes[index] = shape
        return Call(function, arguments, {}, Slot(index), shape, np.dtype(np.float64))
