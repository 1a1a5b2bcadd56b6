"""Rows of an array at positions that are given as numbers and may be others at each call; a value held fixed."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.core import VJPNode
from autograd.extend import defvjp, primitive, register_notrace


@primitive
def rows_at(x: Any, rows: Any, axis: int) -> Any:
    """`x` at positions (M,) from 0 along an axis (counted from the front)."""
    return numpy.take(x, rows, axis=axis)


@primitive
def add_rows(x: Any, rows: Any, axis: int, length: int) -> Any:
    """The adjoint of `rows_at`: zeros of that length along the axis, rows added in order."""
    moved = numpy.moveaxis(x, axis, 0)
    result = numpy.zeros((length, *moved.shape[1:]))
    numpy.add.at(result, rows, moved)
    return numpy.moveaxis(result, 0, axis)


defvjp(rows_at, lambda answer, x, rows, axis: lambda g, n=np.shape(x)[axis]: add_rows(g, rows, axis, n), argnums=[0])
defvjp(add_rows, lambda answer, x, rows, axis, length: lambda g: rows_at(g, rows, axis), argnums=[0])


@primitive
def positions(numbers: Any) -> Any:
    """Whole numbers that were given as reals."""
    return numpy.asarray(numbers).astype(numpy.int64)


@primitive
def held(x: Any) -> Any:
    """`x` itself, through which no gradient goes."""
    return numpy.array(x)


register_notrace(VJPNode, positions)
register_notrace(VJPNode, held)
