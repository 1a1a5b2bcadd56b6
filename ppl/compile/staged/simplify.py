"""listing -> a listing whose calls are done without, or cheaper, where their arguments say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.staged import kernels
from ppl.compile.staged.listing import Call, Listing, Slot, reading, renamed, resolve, shape_in


def numbers_for_constants(listing: Listing) -> Listing:
    """Constant arrays of one and the same number become that number, those with the same for every draw one row."""
    shapes = listing.shapes()
    calls = []
    for call in listing.calls:
        if kernels.is_elementwise(call.function):
            arguments = list(call.arguments)
            for i, argument in enumerate(arguments):
                if isinstance(argument, np.ndarray) and argument.ndim:
                    others = [shape_in(other, shapes) for j, other in enumerate(arguments) if j != i]
                    smaller = [each for each in _smaller(argument) if _fits(each, others, call.shape)]
                    arguments[i] = smaller[0] if smaller else argument
            call = replace(call, arguments=tuple(arguments))
        calls.append(call)
    return replace(listing, calls=tuple(calls))


def _smaller(array: np.ndarray) -> Iterator[Any]:
    """What gives the same where it is broadcast, the smallest first."""
    if _is_uniform(array):
        yield array.reshape(-1)[0]
    if len(array) > 1 and (array == array[:1]).all():
        yield array[:1].copy()


def _fits(array: Any, others: list[Any], shape: tuple[int, ...] | None) -> bool:
    return np.broadcast_shapes(np.shape(array), *others) == shape


def _is_uniform(array: np.ndarray) -> bool:
    flat = array.reshape(-1)
    return bool(flat.size) and bool((flat == flat[0]).all())


def simplify(listing: Listing) -> Listing:
    """Calls that give an argument of theirs as it is, and those that a cheaper one stands for."""
    shapes = listing.shapes()
    calls: list[Call] = []
    stands_for: dict[int, Any] = {}
    for call in listing.calls:
        call = reading(call, stands_for)
        found = _simpler(call, shapes)
        if isinstance(found, Call):
            calls.append(found)
        else:
            stands_for[call.target.index] = resolve(found, stands_for)
    return renamed(listing, calls, stands_for)


def _simpler(call: Call, shapes: dict[int, Any]) -> Any:
    """Another call, the same, or the argument that is the result."""
    rule = _RULES.get(call.function)
    if rule is None:
        return call
    for found in rule(call, shapes):
        if isinstance(found, Call) or (isinstance(found, Slot) and shapes[found.index] == call.shape):
            return found
        if isinstance(found, Slot):
            return replace(call, function=np.broadcast_to, arguments=(found, call.shape), options={})
    return call


def _is(argument: Any, number: float) -> bool:
    return not isinstance(argument, Slot) and np.ndim(argument) == 0 and bool(argument == number)


def _sums(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    x, y = call.arguments
    if _is(y, 0.0):
        yield x
    if _is(x, 0.0) and call.function is np.add:
        yield y
    if _is(x, 0.0):
        yield replace(call, function=np.negative, arguments=(y,))


def _products(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    x, y = call.arguments
    if _is(y, 1.0):
        yield x
    if _is(x, 1.0) and call.function is not np.divide:
        yield y
    if call.function is kernels.weigh:  # only 0 times infinity is anything but the product
        if not isinstance(x, Slot) and np.isfinite(x).all() and np.all(x != 0):
            yield replace(call, function=np.multiply)
        if not isinstance(y, Slot) and np.isfinite(y).all():
            yield replace(call, function=np.multiply)


def _powers(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    x, y = call.arguments
    if _is(y, 1.0):
        yield x
    if _is(y, 2.0):
        yield replace(call, function=np.multiply, arguments=(x, x))
    if _is(y, -1.0):
        yield replace(call, function=np.divide, arguments=(1.0, x))


def _choices(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    test, x, y = call.arguments
    if not isinstance(test, Slot) and np.all(test):
        yield x
    if not isinstance(test, Slot) and not np.any(test):
        yield y


def _totals(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    x, axes, _ = call.arguments
    own = shape_in(x, shapes)
    if all(own[axis] == 1 for axis in axes):
        yield replace(call, function=kernels.reshape, arguments=(x, call.shape))


def _reshapes(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    if shape_in(call.arguments[0], shapes) == call.shape:
        yield call.arguments[0]


def _views(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    x, key = call.arguments
    own = shape_in(x, shapes)
    parts = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not Ellipsis]
    if own == call.shape and all(isinstance(part, slice) and (part.step or 1) > 0 for part in parts):
        yield x


_RULES: dict[Any, Callable[[Call, dict[int, Any]], Iterator[Any]]] = {
    np.add: _sums,
    np.subtract: _sums,
    np.multiply: _products,
    np.divide: _products,
    kernels.weigh: _products,
    np.power: _powers,
    kernels.where: _choices,
    kernels.total: _totals,
    kernels.reshape: _reshapes,
    kernels.view: _views,
}


_NEVER_NEGATIVE = (np.exp, np.square, np.sqrt, np.absolute)


def known_signs(listing: Listing) -> Listing:
    """What is below 0 nowhere; a minus sign that a constant or a difference can take."""
    made: dict[int, Call] = {}
    calls = []
    stands_for: dict[int, Any] = {}
    for call in listing.calls:
        call = reading(call, stands_for)
        made[call.target.index] = call
        if call.function is np.less and _is(call.arguments[1], 0.0):
            x = _without_views(call.arguments[0], made)
            if isinstance(x, Call) and x.function in _NEVER_NEGATIVE and call.shape is not None:
                stands_for[call.target.index] = np.zeros(call.shape, dtype=bool)
                continue
        minus = [made.get(a.index) if isinstance(a, Slot) else None for a in call.arguments]
        turned = [each.arguments[0] if each is not None and each.function is np.negative else None for each in minus]
        if call.function is np.divide and turned[0] is not None and not isinstance(call.arguments[1], Slot):
            call = replace(call, arguments=(turned[0], -np.asarray(call.arguments[1])))
        elif call.function is np.add and turned[1] is not None:
            call = replace(call, function=np.subtract, arguments=(call.arguments[0], turned[1]))
        calls.append(call)
    return renamed(listing, calls, stands_for)


def _without_views(argument: Any, made: dict[int, Call]) -> Any:
    """The call whose elements these are."""
    while isinstance(argument, Slot) and argument.index in made:
        call = made[argument.index]
        if call.function not in kernels.VIEWS:
            return call
        argument = call.arguments[0]
    return argument
