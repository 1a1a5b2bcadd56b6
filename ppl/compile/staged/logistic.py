"""listing -> a listing in which log(1 + e^x) and 1 / (1 + e^-x) are made of quick calls that they share.

NumPy's logaddexp takes 40 ns a number and scipy's expit 10, where exp, which is vectorised, takes 1 and log 3:

    t = e^-|x|,  u = 1 + t,  log(1 + e^x) = max(x, 0) + log u + (t - (u - 1)) / u,  1 / (1 + e^-x) = e^min(x, 0) / u

Both to full relative precision, for any x: what rounding takes from u is given back to the logarithm. Where log(1+e^x)
is added up at once, sum log u is the sum of logs of products of u, which lie between 1 and 2: to 1e-16 nats a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from ppl.compile.staged import kernels
from ppl.compile.staged.listing import Call, Listing, Slot

_LARGE = 4096  # elements: smaller ones are left to `elementary.py`


def logistic(listing: Listing) -> Listing:
    """Both functions of a slot of real numbers written out."""
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
            inner, x = self.inner_of(call), _argument(call)
            if inner is not None:
                yield from self.total(call, inner)
            elif x is not None and call.function is special.expit:
                yield from self.share(call, x)
            elif x is not None and id(call) not in summed:
                yield from self.log(call, x)
            elif id(call) not in summed:
                yield call

    def inner_of(self, call: Call) -> Call | None:
        """The log(1 + e^x) that a total along the last axis alone reads."""
        source = call.arguments[0] if call.function is kernels.total else None
        inner = self.made.get(source.index) if isinstance(source, Slot) else None
        if inner is None or inner.function is not np.logaddexp or _argument(inner) is None or inner.shape is None:
            return None
        last = len(inner.shape) - 1
        return inner if self.uses[inner.target.index] == 1 and last in call.arguments[1] else None

    def step(self, like: Call, function: Any, *arguments: Any, shape: tuple[int, ...] | None = None) -> Call:
        self.following += 1
        target = Slot(self.following - 1)
        return replace(
            like, function=function, arguments=arguments, target=target, options={}, shape=shape or like.shape
        )

    def common(self, call: Call, x: Slot) -> tuple[Call, ...]:
        """|x|, its negative, t and u."""
        size = self.step(call, np.absolute, x)
        minus = self.step(call, np.negative, size.target)
        small = self.step(call, np.exp, minus.target)
        return size, minus, small, self.step(call, np.add, small.target, 1.0)

    def share(self, call: Call, x: Slot) -> Iterator[Call]:
        common = self.common(call, x)
        below = self.step(call, np.minimum, x, 0.0)
        top = self.step(call, np.exp, below.target)
        yield from (*common, below, top)
        yield replace(call, function=np.divide, arguments=(top.target, common[-1].target))

    def log(self, call: Call, x: Slot) -> Iterator[Call]:
        common = self.common(call, x)
        small, whole = common[2].target, common[3].target
        kept = self.step(call, np.subtract, whole, 1.0)
        lost = self.step(call, np.subtract, small, kept.target)
        back = self.step(call, np.divide, lost.target, whole)
        log = self.step(call, np.log, whole)
        beyond = self.step(call, np.add, log.target, back.target)
        above = self.step(call, np.maximum, x, 0.0)
        yield from (*common, kept, lost, back, log, beyond, above)
        yield replace(call, function=np.add, arguments=(above.target, beyond.target))

    def total(self, call: Call, inner: Call) -> Iterator[Call]:
        x = _argument(inner)
        assert x is not None and inner.shape is not None
        common = self.common(inner, x)
        fewer = (*inner.shape[:-1], kernels.groups_of(inner.shape[-1]))
        products = self.step(inner, kernels.products, common[-1].target, shape=fewer)
        logs = self.step(inner, np.log, products.target, shape=fewer)
        above = self.step(inner, np.maximum, x, 0.0)
        rest = call.arguments[1:]
        low, high = (self.step(call, kernels.total, part.target, *rest) for part in (logs, above))
        yield from (*common, products, logs, low, above, high)
        yield replace(call, function=np.add, arguments=(high.target, low.target), options={})


def _argument(call: Call) -> Slot | None:
    """What x is, where the call is one of the two."""
    if call.dtype != np.float64 or call.options or int(np.prod(call.shape or ())) < _LARGE:
        return None
    x: Any = None
    if call.function is special.expit:
        (x,) = call.arguments
    elif call.function is np.logaddexp and not isinstance(call.arguments[0], Slot):
        x = call.arguments[1] if np.ndim(call.arguments[0]) == 0 and call.arguments[0] == 0.0 else None
    return x if isinstance(x, Slot) else None
