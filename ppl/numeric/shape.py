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
