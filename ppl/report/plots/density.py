"""draws (S,) -> a smooth density over a grid."""

from __future__ import annotations

import numpy as np

_POINTS = 200
_SHOWN = (0.004, 0.996)  # quantiles between which a density is shown: long tails would flatten all else
_FARTHEST = 8.0  # and at most so many times the middle 50 % away from it


def window(draws: np.ndarray) -> tuple[float, float]:
    """What of finite draws is shown: to their ends where these are near."""
    low, first, third, high = (float(q) for q in np.quantile(draws, [_SHOWN[0], 0.25, 0.75, _SHOWN[1]]))
    with np.errstate(over="ignore"):
        middle = third - first
        if middle > 0 and np.isfinite(middle * _FARTHEST):
            low, high = max(low, first - _FARTHEST * middle), min(high, third + _FARTHEST * middle)
        least, greatest, room = float(draws.min()), float(draws.max()), 0.1 * (high - low)
    low, high = least if least > low - room else low, greatest if greatest < high + room else high
    return (low, high) if high > low else (least, greatest)


def smooth(
    draws: np.ndarray, low: float | None = None, high: float | None = None, mirror: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Grid and density (200,) of finite draws that are not all equal, by a Gaussian kernel (Silverman 1986, eq. 3.31).

    With `mirror` they are mirrored at their least and greatest, so that a density that ends at a bound does not sink
    towards it.
    """
    if low is None or high is None:
        low, high = window(draws)
    span = high - low
    if not np.isfinite(span):  # from one end of all numbers to the other
        return np.array([low, high]), np.ones(2)
    first, third = np.quantile(draws, [0.25, 0.75])
    inside = draws[(draws >= low) & (draws <= high)]
    spreads = [float(third / 1.34 - first / 1.34), float(np.std(inside / span) * span) if inside.size else 0.0]
    spread = min((s for s in spreads if s > 0 and np.isfinite(s)), default=span)
    width = min(max(0.9 * spread * len(draws) ** -0.2, span / 400), span)
    near = draws[(draws > low - 5 * width) & (draws < high + 5 * width)]
    if mirror:
        least, greatest = draws.min(), draws.max()
        below, above = near[near < least + 5 * width], near[near > greatest - 5 * width]
        near = np.concatenate([near, 2 * least - below, 2 * greatest - above])
    grid = np.linspace(low, high, _POINTS)
    counts, edges = np.histogram(near, np.linspace(low - 5 * width, high + 5 * width, 1201))
    middles = (edges[:-1] + edges[1:]) / 2
    kernel = np.exp(-0.5 * ((grid[:, None] - middles) / width) ** 2)
    return grid, kernel @ counts / (len(draws) * width * np.sqrt(2 * np.pi))
