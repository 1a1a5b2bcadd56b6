"""Functions that listings call where NumPy itself has none that writes into a given array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ppl.numeric.special import weigh as _weigh

Key = tuple[Any, ...]


def view(x: Any, key: Key) -> Any:
    """`x[key]` for a key of slices, numbers, new axes and an ellipsis."""
    return x[key]


def reshape(x: Any, shape: tuple[int, ...]) -> Any:
    return np.reshape(x, shape)


def total(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return np.sum(x, axis=axes, keepdims=keepdims)


def weigh(g: Any, slope: Any) -> Any:
    """`g * slope`, where 0 times infinity is 0."""
    return _weigh.fun(g, slope)


def where(test: Any, x: Any, y: Any) -> Any:
    return np.where(test, x, y)


def where_into(test: Any, x: Any, y: Any, out: Any) -> None:
    np.copyto(out, y)
    np.copyto(out, x, where=test)


def assembled(shape: tuple[int, ...], *parts: Any) -> Any:
    """Zeros, with arrays put in at keys: `parts` are an array, its key, the next array, ..."""
    result = np.zeros(shape)
    for x, key in zip(parts[::2], parts[1::2], strict=True):
        result[key] = x
    return result


def covers(shape: tuple[int, ...], parts: Key) -> bool:
    """Whether the parts of `assembled` leave no zero."""
    seen = np.zeros(shape, dtype=bool)
    for key in parts[1::2]:
        seen[key] = True
    return bool(seen.all())


def added_up(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros, with an array added at a key that may name elements twice."""
    result = np.zeros(shape)
    np.add.at(result, key, x)
    return result


def item(x: Any, key: Any) -> Any:
    """`x[key]` for any key."""
    return x[key]


def taken(x: Any, positions: Any, axis: int) -> Any:
    return np.take(x, positions, axis)


def summed_runs(x: Any, starts: Any, axis: int) -> Any:
    """Sums over runs of neighbours along an axis."""
    return np.add.reduceat(x, starts, axis)


_HALVINGS = 7


def groups_of(count: int) -> int:
    """How many products `products` makes of so many numbers."""
    for _ in range(_HALVINGS):
        count = count // 2 if count > 1 else count
    return count


def products(x: Any) -> Any:
    """Products of groups of fewer than 256 numbers along the last axis: halves are multiplied with each other."""
    for _ in range(_HALVINGS):
        count = x.shape[-1]
        if count < 2:
            break
        half = count // 2
        both = np.multiply(x[..., :half], x[..., half : 2 * half])
        if count % 2:
            both[..., 0] *= x[..., -1]
        x = both
    return x


def tuple_into(cell: list[Any], function: Callable[..., Any], *arguments: Any) -> None:
    cell[0] = function(*arguments)


def piece_into(cell: list[Any], i: int, out: Any) -> None:
    np.copyto(out, cell[0][i])


def result_into(out: Any, function: Callable[..., Any], arguments: Key, options: Any) -> None:
    np.copyto(out, function(*arguments, **options))


def is_elementwise(function: Any) -> bool:
    """Of one result, element by element of arguments that broadcast."""
    return function in (weigh, where) or (
        isinstance(function, np.ufunc) and function.nout == 1 and function.signature is None
    )


def is_basic(key: Any) -> bool:
    """Whether a key gives a view."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or isinstance(part, slice | int | np.integer) for part in parts)


VIEWS = (view, reshape, np.broadcast_to, np.swapaxes, np.transpose, np.moveaxis, np.diagonal)
