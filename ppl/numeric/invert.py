"""a rising function and values of it -> where it has them, by doubling and bisection, for whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_MOST_STEPS = 1100  # doublings and halvings between the smallest and the largest number


def invert(
    function: Callable[[np.ndarray], Any], target: Any, low: Any = -np.inf, high: Any = np.inf, whole: bool = False
) -> np.ndarray:
    """The x in (low, high] at which a rising elementwise function of x reaches `target`, to the last bit.

    Where an end is infinite the search starts 1 from the other, or from 0, and doubles. With `whole`, the smallest
    whole number at which the function is at least `target`; `low` is then whole, or minus infinity.
    """
    target = np.asarray(target, dtype=float)
    low, high = (np.broadcast_to(np.asarray(end, dtype=float), target.shape) for end in (low, high))
    middle = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    below = np.where(np.isfinite(low), low, middle - 1.0)
    above = np.where(np.isfinite(high), high, middle + 1.0)
    for step in 2.0 ** np.arange(_MOST_STEPS, dtype=float):
        short = np.isinf(high) & (np.asarray(function(above)) < target) & np.isfinite(above)
        far = np.isinf(low) & (np.asarray(function(below)) >= target) & np.isfinite(below)
        if not (short.any() or far.any()):
            break
        below, above = np.where(short, above, below), np.where(far, below, above)
        above, below = np.where(short, above + step, above), np.where(far, below - step, below)
    for _ in range(_MOST_STEPS):
        half = below + 0.5 * (above - below)
        if whole:
            half = np.floor(half)
        if not ((half > below) & (half < above)).any():
            break
        short = np.asarray(function(half)) < target
        below, above = np.where(short, half, below), np.where(short, above, half)
    return above
