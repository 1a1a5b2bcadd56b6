"""autograd's calls -> those of NumPy and of `kernels`: one row of the table a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import VSpace, sparse_add
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vjps import untake
from autograd.numpy.numpy_wrapper import concatenate_args
from autograd.util import func

from ppl.compile.staged import kernels, loop, trace
from ppl.compile.staged.listing import Call, Listing, Slot, reading, renamed, resolve
from ppl.numeric import gather, shape, special


def lower(listing: Listing) -> Listing:
    """The same in plain NumPy."""
    calls: list[Call] = []
    stands_for: dict[int, Any] = {}
    sparse: dict[int, Call] = {}
    fresh = 1 + max((call.target.index for call in listing.calls), default=len(listing.more))
    shapes = listing.shapes()
    for call in listing.calls:
        call = reading(call, stands_for)
        if call.function is untake:
            sparse[call.target.index] = call
            continue
        if call.function is sparse_add:
            call = _dense(call, sparse)
        for new in LOWER.get(_key(call.function), _plain)(call, shapes):
            if isinstance(new, Call):
                new = reading(new, stands_for)
                if new.target.index == -1:  # on the way to the result: the next call reads it as slot -1
                    stands_for[-1] = Slot(fresh)
                    new = replace(new, target=Slot(fresh))
                    fresh += 1
                shapes[new.target.index] = new.shape
                calls.append(new)
            else:
                stands_for[call.target.index] = resolve(new, stands_for)
    stands_for.pop(-1, None)
    return renamed(listing, calls, stands_for)


Lowered = Iterator[Call | Any]  # calls, or what stands for the result
Shapes = dict[int, tuple[int, ...] | None]


def _key(function: Any) -> Any:
    return id(getattr(function, "fun", function))  # NumPy's own function: autograd has several primitives for some


def _dense(call: Call, sparse: dict[int, Call]) -> Call:
    """`sparse_add(space, before, untake(x, key))`."""
    space, before, new = call.arguments
    if isinstance(new, Slot):
        x, key, _ = sparse[new.index].arguments
    else:  # of known numbers
        x, key = new.mut_add(space.zeros()), ...
    own = (before, x, key, space.shape)
    return replace(call, arguments=own, options={})


def _changed(call: Call, function: Any, *arguments: Any) -> Call:
    return replace(call, function=function, arguments=arguments, options={})


def _shape(argument: Any, shapes: Shapes) -> tuple[int, ...]:
    found = shapes[argument.index] if isinstance(argument, Slot) else np.shape(argument)
    assert found is not None
    return found


def _plain(call: Call, shapes: Shapes) -> Lowered:
    raw = getattr(call.function, "raw", None) or call.function.fun
    yield replace(call, function=raw)


def _added(call: Call, shapes: Shapes) -> Lowered:
    _, before, new = call.arguments
    yield new if before is None else _changed(call, np.add, before, new)


def _added_sparsely(call: Call, shapes: Shapes) -> Lowered:
    before, x, key, size = call.arguments
    put = (kernels.assembled, size, x, key) if kernels.is_basic(key) else (kernels.added_up, x, key, size)
    if before is None:
        yield _changed(call, *put)
        return
    yield replace(_changed(call, *put), target=Slot(-1))
    yield _changed(call, np.add, before, Slot(-1))


def _item(call: Call, shapes: Shapes) -> Lowered:
    x, key = call.arguments
    yield _changed(call, kernels.view if kernels.is_basic(key) else kernels.item, x, key)


def _place(call: Call, shapes: Shapes) -> Lowered:
    x, key, size = call.arguments
    yield _changed(call, kernels.assembled, size, x, key)


def _join(call: Call, shapes: Shapes) -> Lowered:
    """Each part is put where it belongs, whatever stands before the axis being broadcast."""
    axis, *parts = call.arguments
    assert call.shape is not None
    trailing = (-axis if axis < 0 else len(call.shape) - axis) - 1
    pieces: list[Any] = []
    start = 0
    for part in parts:
        size = _shape(part, shapes)[-trailing - 1]
        pieces += [part, (..., slice(start, start + size), *([slice(None)] * trailing))]
        start += size
    yield _changed(call, kernels.assembled, call.shape, *pieces)


def _gather(call: Call, shapes: Shapes) -> Lowered:
    x, positions, axis = call.arguments
    if positions.run is None:
        own = _shape(x, shapes)
        yield _changed(call, kernels.taken, x, positions.index, len(own) + axis)
        return
    trailing = -axis - 1
    key = (..., slice(positions.run, positions.run + positions.index.size), *([slice(None)] * trailing))
    own = _shape(x, shapes)
    cut = (*own[: len(own) + axis], positions.index.size, *own[len(own) - trailing :])
    yield replace(_changed(call, kernels.view, x, key), target=Slot(-1), shape=cut)
    yield _changed(call, kernels.reshape, Slot(-1), call.shape)


def _add_up(call: Call, shapes: Shapes) -> Lowered:
    x, positions, axis = call.arguments
    trailing = -axis - 1
    own = _shape(x, shapes)
    leading = own[: len(own) - trailing - positions.index.ndim]
    flat = (*leading, positions.index.size, *own[len(own) - trailing :])
    reshaped = replace(_changed(call, kernels.reshape, x, flat), target=Slot(-1), shape=flat)
    everything = len(positions.present) == positions.length
    if positions.run == 0 and everything:
        yield _changed(call, kernels.reshape, x, flat)
    elif positions.run is not None:
        key = (..., slice(positions.run, positions.run + positions.index.size), *([slice(None)] * trailing))
        yield reshaped
        yield _changed(call, kernels.assembled, call.shape, Slot(-1), key)
    elif everything and positions.index.size:
        yield reshaped
        if positions.order is not None:
            ordered = _changed(call, kernels.taken, Slot(-1), positions.order, len(flat) + axis)
            yield replace(ordered, target=Slot(-1), shape=flat)
        yield _changed(call, kernels.summed_runs, Slot(-1), positions.starts, len(flat) + axis)
    else:
        yield replace(call, function=gather.add_up.fun)


def _sum(call: Call, shapes: Shapes) -> Lowered:
    x, *rest = call.arguments
    axis = rest[0] if rest else call.options.get("axis")
    if len(rest) > 1 or not set(call.options) <= {"axis", "keepdims"}:
        yield replace(call, function=np.sum)
        return
    rank = len(_shape(x, shapes))
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    own = tuple(sorted(int(one) % rank for one in axes))
    yield _changed(call, kernels.total, x, own, bool(call.options.get("keepdims", False)))


def _reshape(call: Call, shapes: Shapes) -> Lowered:
    order = call.options.get("order") or "C"
    if order == "C" and len(call.arguments) <= 2:
        yield _changed(call, kernels.reshape, call.arguments[0], call.shape)
    else:
        yield from _plain(call, shapes)


LOWER: dict[int, Callable[[Call, Shapes], Lowered]] = {
    _key(function): lowered
    for functions, lowered in (
        ((func(VSpace.add), func(VSpace.mut_add)), _added),
        ((sparse_add,), _added_sparsely),
        ((func(ArrayBox.__getitem__), gather.pick), _item),
        ((gather.place,), _place),
        ((gather.gather,), _gather),
        ((gather.add_up,), _add_up),
        ((anp.sum,), _sum),
        ((shape.join, concatenate_args), _join),
        ((loop.run,), lambda call, shapes: iter((call,))),
        ((anp.reshape, anp.expand_dims, anp.squeeze, anp.ravel), _reshape),
        ((np.where,), lambda call, shapes: iter((_changed(call, kernels.where, *call.arguments),))),
        ((special.weigh,), lambda call, shapes: iter((_changed(call, kernels.weigh, *call.arguments),))),
        ((shape.diagonal,), lambda call, shapes: iter((_changed(call, np.diagonal, *call.arguments, 0, -2, -1),))),
        ((trace.piece, trace.pulled_back), lambda call, shapes: iter((replace(call, function=call.function.fun),))),
    )
    for function in functions
}
