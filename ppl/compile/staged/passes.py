"""listing -> a listing that gives the same, to the last ulps, with less work: small passes in one ordered table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.staged import kernels
from ppl.compile.staged.linear import pull_out
from ppl.compile.staged.listing import Call, Listing, Slot, drop_dead, reading, renamed, resolve
from ppl.compile.staged.lower import lower

_MOST_COMPARED = 4096  # elements of constants that are compared by their values


def is_elementwise(function: Any) -> bool:
    """Of one result, element by element of arguments that broadcast."""
    return function in (kernels.weigh, kernels.where) or (
        isinstance(function, np.ufunc) and function.nout == 1 and function.signature is None
    )


def numbers_for_constants(listing: Listing) -> Listing:
    """Constant arrays of one and the same number become that number, where the shape of the result stays."""
    shapes = listing.shapes()
    calls = []
    for call in listing.calls:
        if is_elementwise(call.function):
            arguments = list(call.arguments)
            for i, argument in enumerate(arguments):
                if isinstance(argument, np.ndarray) and argument.ndim and _is_uniform(argument):
                    others = [_shape(other, shapes) for j, other in enumerate(arguments) if j != i]
                    if np.broadcast_shapes(*others) == call.shape:
                        arguments[i] = argument.reshape(-1)[0]
            call = replace(call, arguments=tuple(arguments))
        calls.append(call)
    return Listing(tuple(calls), listing.shape, listing.outputs)


def _is_uniform(array: np.ndarray) -> bool:
    flat = array.reshape(-1)
    return bool(flat.size) and bool((flat == flat[0]).all())


def _shape(argument: Any, shapes: dict[int, Any]) -> Any:
    return shapes[argument.index] if isinstance(argument, Slot) else np.shape(argument)


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
    own = _shape(x, shapes)
    if all(own[axis] == 1 for axis in axes):
        yield replace(call, function=kernels.reshape, arguments=(x, call.shape))


def _reshapes(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    if _shape(call.arguments[0], shapes) == call.shape:
        yield call.arguments[0]


def _views(call: Call, shapes: dict[int, Any]) -> Iterator[Any]:
    x, key = call.arguments
    own = _shape(x, shapes)
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


def share(listing: Listing) -> Listing:
    """Equal calls are done once."""
    known: dict[Any, Slot] = {}
    calls: list[Call] = []
    stands_for: dict[int, Any] = {}
    for call in listing.calls:
        call = reading(call, stands_for)
        key = (_named(call.function), *map(_named, call.arguments), *((k, _named(v)) for k, v in call.options.items()))
        if key in known:
            stands_for[call.target.index] = known[key]
        else:
            known[key] = call.target
            calls.append(call)
    return renamed(listing, calls, stands_for)


def _named(argument: Any) -> Any:
    """What is equal for equal arguments; the listing keeps alive what is named by its id."""
    if isinstance(argument, Slot):
        return argument
    if isinstance(argument, np.ndarray | np.generic) and argument.size <= _MOST_COMPARED:
        return argument.shape, argument.dtype.str, argument.tobytes()
    if isinstance(argument, int | float | str | bool):
        return type(argument), argument
    if isinstance(argument, tuple):
        return tuple(_named(part) for part in argument)
    if isinstance(argument, slice):
        return slice, argument.start, argument.stop, argument.step
    return id(argument)


def factors_first(listing: Listing) -> Listing:
    """`(c x) y` becomes `c (x y)`, for a number or a smaller array c: products are shared more often, and c taken out."""
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
    return Listing(tuple(calls.values()), listing.shape, listing.outputs)


def _factor_first(
    call: Call, made: dict[int, Call], uses: dict[int, int], shapes: dict[int, Any]
) -> tuple[Call, Call] | None:
    """`x y` in the slot of `c x`, and c times it."""
    for one, other in (call.arguments, call.arguments[::-1]):
        scaled = made.get(one.index) if isinstance(one, Slot) else None
        if scaled is None or scaled.function is not np.multiply or uses[one.index] != 1 or _is_number(other):
            continue
        for factor, x in (scaled.arguments, scaled.arguments[::-1]):
            small, whole = (int(np.prod(_shape(each, shapes))) for each in (factor, Slot(call.target.index)))
            if small < whole and np.broadcast_shapes(_shape(x, shapes), _shape(other, shapes)) == call.shape:
                product = replace(call, arguments=(x, other), target=scaled.target)
                return product, replace(call, arguments=(factor, scaled.target))
    return None


class _Shapes(dict[int, Any]):
    """Shapes of the slots made so far."""

    def __init__(self, made: dict[int, Call], shape: tuple[int, ...]):
        self.made, self.shape = made, shape

    def __getitem__(self, index: int) -> Any:
        return self.shape if index == 0 else self.made[index].shape


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


def _is_number(argument: Any) -> bool:
    return not isinstance(argument, Slot) and np.ndim(argument) == 0


_JOINED = {
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
    return Listing(tuple(calls), listing.shape, listing.outputs)


def _constant_last(call: Call) -> Call:
    if call.function is np.add and not isinstance(call.arguments[0], Slot):
        return replace(call, arguments=call.arguments[::-1])
    return call


def fold(listing: Listing) -> Listing:
    """Calls of constants alone are done now."""
    calls: list[Call] = []
    stands_for: dict[int, Any] = {}
    for call in listing.calls:
        call = reading(call, stands_for)
        if call.shape is None or any(True for _ in call.sources()) or call.function is kernels.assembled:
            calls.append(call)
        else:
            with np.errstate(all="ignore"):
                stands_for[call.target.index] = np.asarray(call.function(*call.arguments, **call.options))
    return renamed(listing, calls, stands_for)


def assemble(listing: Listing) -> Listing:
    """Sums of arrays that are zero but for parts that do not overlap: one array into which the parts are put."""
    uses = listing.uses()
    parts: dict[int, Call] = {}
    calls: list[Call] = []
    gone: set[int] = set()
    for call in listing.calls:
        if call.function is np.add and call.shape is not None:
            both = [parts.get(slot.index) for slot in call.sources()]
            if len(both) == 2 and all(part is not None and uses[part.target.index] == 1 for part in both):
                own = tuple(argument for part in both if part is not None for argument in part.arguments[1:])
                if _apart(call.shape, own[1::2]):
                    gone.update(part.target.index for part in both if part is not None)
                    call = replace(call, function=kernels.assembled, arguments=(call.shape, *own), options={})
        if call.function is kernels.assembled:
            parts[call.target.index] = call
        calls.append(call)
    return Listing(tuple(call for call in calls if call.target.index not in gone), listing.shape, listing.outputs)


def _apart(shape: tuple[int, ...], keys: tuple[Any, ...]) -> bool:
    """Whether no element lies in two of the keys."""
    seen = np.zeros(shape, dtype=np.int8)
    for key in keys:
        seen[key] += 1
    return bool((seen <= 1).all())


PASSES: tuple[Callable[[Listing], Listing], ...] = (
    lower, numbers_for_constants, simplify, known_signs, numbers_for_constants, simplify, share, drop_dead,
    factors_first, pull_out, fold, constants_together, simplify, known_signs, share, drop_dead, assemble,
)  # fmt: skip


def optimised(listing: Listing) -> Listing:
    """The listing after all passes, in their order."""
    for each in PASSES:
        listing = each(listing)
    return listing
