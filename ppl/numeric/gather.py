"""Picking elements by known positions, and its adjoint, adding up by positions, as autograd primitives."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive


class Positions:
    """Known positions (from 0) along an axis of `length` elements, with what adding up by them needs, computed once."""

    __slots__ = ("index", "length", "order", "present", "starts")

    def __init__(self, index: numpy.ndarray, length: int):
        self.index = index
        self.length = length
        flat = index.reshape(-1)
        is_sorted = flat.size < 2 or bool((flat[1:] >= flat[:-1]).all())
        self.order = None if is_sorted else numpy.argsort(flat, kind="stable")
        ordered = flat if self.order is None else flat[self.order]
        self.starts = numpy.flatnonzero(numpy.concatenate(([True], ordered[1:] != ordered[:-1]))) if flat.size else flat
        self.present = ordered[self.starts]


@primitive
def gather(x: Any, positions: Positions, axis: int) -> Any:
    """`x` with one axis (counted from the end, negative) replaced by the axes of the positions."""
    return numpy.take(x, positions.index, axis=axis)


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
    result = numpy.zeros((*leading, positions.length, *after))
    if positions.index.size:
        if positions.order is not None:
            flat = numpy.take(flat, positions.order, axis=axis)
        sums = numpy.add.reduceat(flat, positions.starts, axis=axis)
        result[(..., positions.present, *([slice(None)] * trailing))] = sums
    return result


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
