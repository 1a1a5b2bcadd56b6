"""Picking elements by known positions, and its adjoint, adding up by positions, as autograd primitives."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast


class Positions:
    """Known positions (from 0) along an axis of `length` elements, with what adding up by them needs, computed once.

    `run` is the first position where they are a run of neighbours in order, else None.
    """

    __slots__ = ("index", "length", "order", "present", "run", "starts")

    def __init__(self, index: numpy.ndarray, length: int):
        self.index = index
        self.length = length
        flat = index.reshape(-1)
        steps = numpy.diff(flat)
        self.run = int(flat[0]) if flat.size and bool((steps == 1).all()) else None
        self.order = None if bool((steps >= 0).all()) else numpy.argsort(flat, kind="stable")
        ordered = flat if self.order is None else flat[self.order]
        self.starts = numpy.flatnonzero(numpy.concatenate(([True], ordered[1:] != ordered[:-1]))) if flat.size else flat
        self.present = ordered[self.starts]


@primitive
def gather(x: Any, positions: Positions, axis: int) -> Any:
    """`x` with one axis (counted from the end, negative) replaced by the axes of the positions."""
    if positions.run is None:
        return numpy.take(x, positions.index, axis=axis)
    trailing = -axis - 1
    shape = numpy.shape(x)
    key: Any = (..., slice(positions.run, positions.run + positions.index.size), *([slice(None)] * trailing))
    after = shape[len(shape) - trailing :]
    return numpy.reshape(x[key], (*shape[: len(shape) - trailing - 1], *positions.index.shape, *after))


@primitive
def add_up(x: Any, positions: Positions, axis: int) -> Any:
    """The adjoint of `gather`: sums over elements that share a position.

    `axis` is where the result has its axis of `positions.length` elements, counted from the end.
    """
    shape = numpy.shape(x)
    trailing = -axis - 1
    leading = shape[: len(shape) - trailing - positions.index.ndim]
    after = shape[len(shape) - trailing :]
    flat = numpy.reshape(x, (*leading, positions.index.size, *after))
    if positions.run == 0 and positions.index.size == positions.length:
        return flat
    result = numpy.zeros((*leading, positions.length, *after))
    rest: Any = [slice(None)] * trailing
    if positions.run is not None:
        result[(..., slice(positions.run, positions.run + positions.index.size), *rest)] = flat
    elif positions.index.size:
        if positions.order is not None:
            flat = numpy.take(flat, positions.order, axis=axis)
        sums = numpy.add.reduceat(flat, positions.starts, axis=axis)
        result[(..., positions.present, *rest)] = sums
    return result


@primitive
def take(x: Any, index: Any, axis: int) -> Any:
    """Like `gather`, for positions that differ by draw: `index` (..., A) picks from an axis of `x` (..., n, rest).

    The axes before lead both and broadcast; `axis` counts from the end of `x`, negative, and all of the index's last
    axes are kept: index (B, A) and x (B, n, R) give (B, A, R), where A is one axis. NaN where a position lies outside.
    """
    rest = -axis - 1
    shape = numpy.shape(x)
    outer = numpy.broadcast_shapes(shape[: len(shape) - rest - 1], index.shape[:-1])
    wide = numpy.broadcast_to(x, (*outer, *shape[len(shape) - rest - 1 :]))
    places = numpy.broadcast_to(index, (*outer, index.shape[-1])).astype(numpy.int64)
    places = places.reshape(*places.shape, *([1] * rest))
    inside = (places >= 0) & (places < shape[axis])
    if inside.all():
        return numpy.take_along_axis(wide, places, axis=axis)
    return numpy.where(inside, numpy.take_along_axis(wide, numpy.where(inside, places, 0), axis=axis), numpy.nan)


def _take_backward(answer: Any, x: Any, index: Any, axis: int) -> Any:
    meta = np.metadata(x)
    length = numpy.shape(x)[axis]
    hits = (numpy.asarray(index).astype(numpy.int64)[..., None] == numpy.arange(length)).astype(float)
    rest = -axis - 1

    def vjp(g: Any) -> Any:
        flat = np.reshape(g, (*np.shape(g)[: np.ndim(g) - rest], -1))
        back = np.matmul(np.swapaxes(hits, -1, -2), flat)
        return unbroadcast(np.reshape(back, (*np.shape(back)[:-1], *np.shape(g)[np.ndim(g) - rest :])), meta)

    return vjp


defvjp(take, _take_backward, None, argnums=[0, 1])
defvjp(gather, lambda answer, x, positions, axis: lambda g: add_up(g, positions, axis), argnums=[0])
defvjp(add_up, lambda answer, x, positions, axis: lambda g: gather(g, positions, axis), argnums=[0])


@primitive
def pick(x: Any, key: tuple[Any, ...]) -> Any:
    """`x[key]` for a key of numbers, slices and an ellipsis."""
    return x[key]


@primitive
def place(x: Any, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """The adjoint of `pick`: zeros of that shape with `x` put in at the key."""
    result = numpy.zeros(shape)
    result[key] = x
    return result


defvjp(pick, lambda answer, x, key: lambda g, shape=np.shape(x): place(g, key, shape), argnums=[0])
defvjp(place, lambda answer, x, key, shape: lambda g: pick(g, key), argnums=[0])


@primitive
def pick_at(x: Any, index: Any) -> Any:
    """`x` (S, n) at positions (from 0) that are an array of data, and may be others at each call -> (S, *index)."""
    return numpy.take(x, index, axis=1)


@primitive
def add_at(x: Any, index: Any, length: int) -> Any:
    """The adjoint of `pick_at`: (S, *index) -> (S, n), sums over elements that share a position, in their order."""
    draws = len(x)
    flat = index.reshape(-1) + length * numpy.arange(draws)[:, None]
    found = numpy.bincount(flat.reshape(-1), weights=numpy.reshape(x, -1), minlength=draws * length)
    return found.reshape(draws, length)


defvjp(pick_at, lambda answer, x, index: lambda g, n=np.shape(x)[1]: add_at(g, index, n), argnums=[0])
defvjp(add_at, lambda answer, x, index, length: lambda g: pick_at(g, index), argnums=[0])
