"""A family, its parameters and bounds -> draws between the bounds, by the inverse of its distribution function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ppl.model.distributions.family import Family
from ppl.numeric.invert import invert

# Of log probabilities. Further out quantiles are not trusted, or 1 - P(X > x) has lost digits, and tails are inverted.
_FAR_BELOW = -30.0
_FAR_ABOVE = -7.0


def draw_between(
    family: Family,
    shape: tuple[int, ...],
    parameters: tuple[np.ndarray, ...],
    lower: np.ndarray | None,
    upper: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """An array of that shape; parameters and bounds broadcast against it."""
    return between(family, 1.0 - rng.random(shape), parameters, lower, upper)  # none of them 0


def between(
    family: Family,
    share: np.ndarray,
    parameters: tuple[np.ndarray, ...],
    lower: np.ndarray | None,
    upper: np.ndarray | None,
) -> np.ndarray:
    """Values at the shares (0 to 1) of the probability between two bounds, in the shape of the shares.

    The probability is worked out and inverted in the tail in which it is small.
    """
    shape = share.shape
    low = np.broadcast_to(-np.inf if lower is None else lower, shape)
    high = np.broadcast_to(np.inf if upper is None else upper, shape)
    if family.log_between is not None:
        return _on_circle(family.log_between, share, parameters, low, high)
    assert family.log_cdf is not None and family.log_sf is not None
    before = low - 1.0 if family.discrete else low
    below = np.broadcast_to(family.log_cdf(high, *parameters), shape)
    above = np.broadcast_to(family.log_sf(before, *parameters), shape)
    from_below = below <= above
    least = np.where(from_below, family.log_cdf(before, *parameters), family.log_sf(high, *parameters))
    most = np.where(from_below, below, above)
    ratio = np.exp(least - most)
    target = most + np.log(ratio + share * (1.0 - ratio))
    found = np.empty(shape)
    near = most >= np.where(from_below, _FAR_BELOW, _FAR_ABOVE)
    if family.quantile is None:
        near = np.zeros(shape, dtype=bool)
    elif near.any():
        uniform = np.where(from_below, np.exp(target), -np.expm1(target))
        found[near] = family.quantile(uniform[near], *_chosen(parameters, near))
    for tail, sign, side in ((family.log_cdf, 1.0, from_below), (family.log_sf, -1.0, ~from_below)):
        far = side & ~near
        if far.any():
            own = _chosen(parameters, far)
            rising = _times(sign, tail, own)
            found[far] = invert(rising, sign * target[far], before[far], high[far], whole=family.discrete)
    return np.clip(found, low, high)


def _chosen(parameters: tuple[np.ndarray, ...], mask: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(np.broadcast_to(parameter, mask.shape)[mask] for parameter in parameters)


def _times(sign: float, tail: Callable[..., Any], parameters: tuple[np.ndarray, ...]) -> Callable[[np.ndarray], Any]:
    return lambda x: sign * np.asarray(tail(x, *parameters))


def _on_circle(
    log_between: Callable[..., Any],
    share: np.ndarray,
    parameters: tuple[np.ndarray, ...],
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    whole = np.exp(log_between(low, high, *parameters))
    return invert(lambda x: np.exp(log_between(low, x, *parameters)), share * whole, low, high)
