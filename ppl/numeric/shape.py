"""Putting arrays together, as autograd primitives; arrays over draws and arrays of data mix freely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, defvjp_argnum, primitive
from autograd.numpy.numpy_vjps import unbroadcast

_ROWS_AT_ONCE = 4096


@primitive
def stack(axis: int, *arrays: Any) -> Any:
    """Arrays that broadcast to one shape, along a new axis (counted from the end of the result, negative)."""
    return numpy.stack(numpy.broadcast_arrays(*arrays), axis=axis)


def _stack_backward(argnum: int, answer: Any, args: Any, kwargs: Any) -> Any:
    axis = args[0]
    meta = np.metadata(args[argnum])
    pick = (..., argnum - 1, *([slice(None)] * (-axis - 1)))
    return lambda g: unbroadcast(g[pick], meta)


defvjp_argnum(stack, _stack_backward)


@primitive
def join(axis: int, *arrays: Any) -> Any:
    """Arrays one after another along an axis (counted from the end, negative); the axes before it broadcast."""
    outer = numpy.broadcast_shapes(*(numpy.shape(array)[: numpy.ndim(array) + axis] for array in arrays))
    wide = [numpy.broadcast_to(array, (*outer, *numpy.shape(array)[numpy.ndim(array) + axis :])) for array in arrays]
    return numpy.concatenate(wide, axis=axis)


def _join_backward(argnum: int, answer: Any, args: Any, kwargs: Any) -> Any:
    axis = args[0]
    meta = np.metadata(args[argnum])
    start = sum(np.shape(array)[axis] for array in args[1:argnum])
    key = (..., slice(start, start + np.shape(args[argnum])[axis]), *([slice(None)] * (-axis - 1)))
    return lambda g: unbroadcast(g[key], meta)


defvjp_argnum(join, _join_backward)


@primitive
def diagonal(matrices: Any) -> Any:
    """(..., n, n) -> (..., n)."""
    return numpy.diagonal(matrices, axis1=-2, axis2=-1)


@primitive
def to_diagonal(vectors: Any, elsewhere: Any) -> Any:
    """(..., n) -> (..., n, n), with `elsewhere`, numbers (...) that are known, beside the diagonal."""
    length = numpy.shape(vectors)[-1]
    outer = numpy.broadcast_shapes(numpy.shape(vectors)[:-1], numpy.shape(elsewhere))
    result = numpy.empty((*outer, length, length))
    result[...] = numpy.asarray(elsewhere)[..., None, None]
    result[..., numpy.arange(length), numpy.arange(length)] = vectors
    return result


defvjp(diagonal, lambda answer, matrices: lambda g: to_diagonal(g, 0.0))
defvjp(
    to_diagonal,
    lambda answer, vectors, elsewhere: lambda g, meta=np.metadata(vectors): unbroadcast(diagonal(g), meta),
    argnums=[0],
)


def side_by_side(columns: Sequence[numpy.ndarray]) -> numpy.ndarray:
    """Vectors as the columns of a matrix, some thousand rows at a time, which stay in cache."""
    value = numpy.empty((len(columns[0]), len(columns)))
    for start in range(0, len(value), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        for k, column in enumerate(columns):
            value[rows, k] = column[rows]
    return value
