"""listing -> a listing with factors and constants in an order in which there are fewer of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.staged.listing import Call, Listing, Slot, shape_in


def factors_first(listing: Listing) -> Listing:
    """`(c x) y` becomes `c (x y)`, for a number or a smaller array c, which then can be taken out."""
    uses = listing.uses()
    made: dict[int, Call] = {}
    shapes = _Shapes(made, listing.shape)
    calls: dict[int, Call] = {}
    for call in listing.calls:
        made[call.target.index] = call
        found = _factor_first(call, made, uses, shapes) if call.function is np.multiply else None
        if found is not None:
            product, call = found
            del calls[product.target.index]
            calls[product.target.index] = made[product.target.index] = product
            made[call.target.index] = call
        calls[call.target.index] = call
    return replace(listing, calls=tuple(calls.values()))


def _factor_first(
    call: Call, made: dict[int, Call], uses: dict[int, int], shapes: Mapping[int, Any]
) -> tuple[Call, Call] | None:
    """`x y` in the slot of `c x`, and c times it."""
    for one, other in (call.arguments, call.arguments[::-1]):
        scaled = made.get(one.index) if isinstance(one, Slot) else None
        if scaled is None or scaled.function is not np.multiply or uses[one.index] != 1 or _is_number(other):
            continue
        for factor, x in (scaled.arguments, scaled.arguments[::-1]):
            small, whole = (int(np.prod(shape_in(each, shapes))) for each in (factor, Slot(call.target.index)))
            if small < whole and np.broadcast_shapes(shape_in(x, shapes), shape_in(other, shapes)) == call.shape:
                product = replace(call, arguments=(x, other), target=scaled.target)
                return product, replace(call, arguments=(factor, scaled.target))
    return None


class _Shapes(dict[int, Any]):
    """Shapes of the slots made so far."""

    def __init__(self, made: dict[int, Call], shape: tuple[int, ...]):
        self.made, self.shape = made, shape

    def __getitem__(self, index: int) -> Any:
        return self.shape if index == 0 else self.made[index].shape


def _is_number(argument: Any) -> bool:
    return not isinstance(argument, Slot) and np.ndim(argument) == 0


_JOINED: dict[Any, tuple[Any, Any]] = {
    (np.subtract, np.subtract): (np.subtract, np.add),
    (np.subtract, np.add): (np.add, np.subtract),
    (np.add, np.add): (np.add, np.add),
    (np.add, np.subtract): (np.subtract, np.subtract),
}  # x (second) d (first) c as x (result) (d and c joined): x - d - c is x - (d + c), x + d - c is x + (d - c)


def constants_together(listing: Listing) -> Listing:
    """`x - d - c` with known c and d becomes `x - (d + c)`."""
    uses = listing.uses()
    made: dict[int, Call] = {}
    calls = []
    for call in listing.calls:
        call = _constant_last(call)
        inner = made.get(call.arguments[0].index) if call.arguments and isinstance(call.arguments[0], Slot) else None
        rule = None if inner is None else _JOINED.get((call.function, inner.function))
        if rule is not None and inner is not None and uses[inner.target.index] == 1:
            (x, first), second = inner.arguments, call.arguments[1]
            if not isinstance(first, Slot) and not isinstance(second, Slot) and inner.shape == call.shape:
                outer, join = rule
                call = replace(call, function=outer, arguments=(x, join(first, second)))
        made[call.target.index] = call
        calls.append(call)
    return replace(listing, calls=tuple(calls))


def _constant_last(call: Call) -> Call:
    if call.function is np.add and not isinstance(call.arguments[0], Slot):
        return replace(call, arguments=call.arguments[::-1])
    return call
