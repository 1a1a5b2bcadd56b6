"""arguments of the public calls -> the same, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.language.errors import UsageError


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds, or `UsageError`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        shown = value if isinstance(value, int | float) else repr(value)
        raise UsageError(f"{name} must be a whole number between {least:,} and {most:,}, not {shown}")
    return int(value)


def one_draw(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        given = np.asarray(value)
    except ValueError:  # ragged
        given = np.array(None)
    if given.dtype.kind not in "biuf":
        raise UsageError(f"log_density: the value of `{name}` must be numbers, not {value!r}"[:200]) from None
    array = given.astype(np.float64)
    if array.shape != shape:
        if array.size != int(np.prod(shape)) or array.size != 1:
            raise UsageError(f"log_density: `{name}` has shape {shape}, and a value of shape {array.shape} was given")
        array = array.reshape(shape)
    return array[None]
