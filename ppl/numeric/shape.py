"""Putting arrays together, as autograd primitives; arrays over draws and arrays of data mix freely."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp_argnum, primitive
from autograd.numpy.numpy_vjps import unbroadcast


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
