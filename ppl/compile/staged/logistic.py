"""sums of log(1 + e^x) along the last axis -> as many products and fewer logarithms.

    sum log(1 + e^x) = sum max(x, 0) + sum log(1 + e^-|x|)

and the logarithms are those of products of some hundred factors, which lie between 1 and 2: to 1e-16 nats a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.staged import kernels
from ppl.compile.staged.listing import Call, Listing, Slot

_FEWEST = 256  # numbers in a sum


def totals(listing: Listing) -> Listing:
    """Sums that are all that reads such logarithms."""
    return replace(listing, calls=tuple(_Work(listing).calls()))


class _Work:
    def __init__(self, listing: Listing):
        self.listing = listing
        self.uses = listing.uses()
        self.made = {call.target.index: call for call in listing.calls}
        self.following = 1 + max(self.made, default=0)

    def calls(self) -> Iterator[Call]:
        summed = {id(inner) for call in self.listing.calls if (inner := self.inner_of(call)) is not None}
        for call in self.listing.calls:
            inner = self.inner_of(call)
            if inner is not None:
                yield from self.total(call, inner)
            elif id(call) not in summed:
                yield call

    def inner_of(self, call: Call) -> Call | None:
        """The log(1 + e^x) that a total along the last axis alone reads."""
        source = call.arguments[0] if call.function is kernels.total else None
        inner = self.made.get(source.index) if isinstance(source, Slot) else None
        if inner is None or _argument(inner) is None or not inner.shape or inner.shape[-1] < _FEWEST:
            return None
        alone = self.uses[inner.target.index] == 1
        return inner if alone and len(inner.shape) - 1 in call.arguments[1] else None

    def step(self, like: Call, function: Any, *arguments: Any, shape: tuple[int, ...] | None = None) -> Call:
        self.following += 1
        target = Slot(self.following - 1)
        shape = like.shape if shape is None else shape
        return replace(like, function=function, arguments=arguments, target=target, options={}, shape=shape)

    def total(self, call: Call, inner: Call) -> Iterator[Call]:
        x = _argument(inner)
        assert inner.shape is not None
        size = self.step(inner, np.absolute, x)  # as `elementary` has it: shared with the inverse logit
        minus = self.step(inner, np.negative, size.target)
        small = self.step(inner, np.exp, minus.target)
        whole = self.step(inner, np.add, small.target, 1.0)
        fewer = (*inner.shape[:-1], kernels.groups_of(inner.shape[-1]))
        products = self.step(inner, kernels.products, whole.target, shape=fewer)
        logs = self.step(inner, np.log, products.target, shape=fewer)
        above = self.step(inner, np.maximum, x, 0.0)
        low, high = (self.step(call, kernels.total, part.target, *call.arguments[1:]) for part in (logs, above))
        yield from (size, minus, small, whole, products, logs, low, above, high)
        yield replace(call, function=np.add, arguments=(high.target, low.target), options={})


def _argument(call: Call) -> Slot | None:
    """x, where a call is log(e^0 + e^x) of real numbers."""
    if call.function is not np.logaddexp or call.dtype != np.float64 or call.options:
        return None
    zero, x = call.arguments
    return x if isinstance(x, Slot) and not isinstance(zero, Slot) and np.ndim(zero) == 0 and zero == 0.0 else None
