"""A family, its parameters and bounds -> the mean between the bounds, where there is one.

Of numbers it is an integral of quantiles, over a change of variable that takes the ends in its stride (the double
exponential rule of Takahasi and Mori 1974); of counts a sum of tail probabilities. Where one end is open and the mean
of the whole is known, that of the other side is taken from it, as the open end may have a heavy tail.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.model.distributions.family import Family
from ppl.model.distributions.truncated import between
from ppl.numeric.ufuncs import special

_STEP, _REACH = 0.11, 3.08  # of the rule: shares down to 1e-15, and up to within that of 1
_MOST_COUNTS = 100_000
_LIKELY = 0.01  # the share of the whole above which the rest is taken from it
_NEGLIGIBLE = 1e-13


class TooManyCounts(Exception):
    """The mean of bounded counts is a sum of more terms than are worked out."""


def mean_between(
    family: Family, shape: tuple[int, ...], parameters: tuple[Any, ...], lower: Any, upper: Any
) -> np.ndarray:
    """The mean of the family cut at its bounds, one of which may be None; no number where there is none."""
    with np.errstate(all="ignore"):
        low = np.broadcast_to(np.asarray(-np.inf if lower is None else lower, dtype=np.float64), shape)
        high = np.broadcast_to(np.asarray(np.inf if upper is None else upper, dtype=np.float64), shape)
        if family.discrete:
            return _of_counts(family, parameters, np.ceil(low), np.floor(high))
        whole = np.broadcast_to(np.nan if family.mean is None else family.mean(*parameters), shape)
        least, most = ends(family, parameters)
        closed_below, closed_above = np.isfinite(np.maximum(low, least)), np.isfinite(np.minimum(high, most))
        exists = np.isfinite(whole) | (closed_below & closed_above)
        found, done = _completed(family, parameters, low, high, whole)
        if not done.all():
            found = np.where(done, found, _integral(family, parameters, low, high))
        return np.where(exists, np.clip(found, low, high), np.nan)


def ends(family: Family, parameters: tuple[Any, ...]) -> tuple[Any, Any]:
    """Where the support ends, infinite where it does not."""
    form = next(form for form in family.forms if form.canonical is None)
    named = dict(zip([parameter.name for parameter in form.parameters], parameters, strict=False))
    support = family.support
    return tuple(named[end] if isinstance(end, str) else end for end in (support.lower, support.upper))  # type: ignore[return-value]


def _integral(family: Family, parameters: tuple[Any, ...], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Of the quantiles between the bounds, over the shares from 0 to 1."""
    total = np.zeros(low.shape)
    for t in np.arange(-_REACH, _REACH + 0.5 * _STEP, _STEP):
        share = float(special.expit(np.pi * np.sinh(t)))
        weight = _STEP * np.pi * float(np.cosh(t)) * share * float(special.expit(-np.pi * np.sinh(t)))
        total += weight * between(family, np.full(low.shape, share), parameters, low, high)
    return total


def _completed(
    family: Family, parameters: tuple[Any, ...], low: np.ndarray, high: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the whole less that of what one bound cuts off; and whether enough is left for that."""
    below, above = np.isfinite(low), np.isfinite(high)
    if family.log_cdf is None or family.log_sf is None or not (below ^ above).any():
        return low, np.zeros(low.shape, dtype=bool)
    edge = np.where(below, low, high)
    before, behind = family.log_cdf(edge, *parameters), family.log_sf(edge, *parameters)
    left, cut = np.exp(np.where(above, before, behind)), np.exp(np.where(above, behind, before))
    other = _integral(family, parameters, np.where(below, -np.inf, high), np.where(below, low, np.inf))
    found = (whole - np.where(cut > 0, cut * other, 0.0)) / left
    return found, np.isfinite(whole) & (left > _LIKELY) & (below ^ above)


def _of_counts(family: Family, parameters: tuple[Any, ...], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """low + sum of P(X > k) over k from low on, given that X lies between the bounds. Raises `TooManyCounts`."""
    assert family.log_cdf is not None and family.log_sf is not None
    least, most = ends(family, parameters)
    low, high = np.maximum(low, least), np.minimum(high, most)
    below, above = np.broadcast_arrays(family.log_cdf(high, *parameters), family.log_sf(low - 1.0, *parameters))
    from_below = below <= above  # the tail in which the probability is small
    inside = np.where(
        from_below, np.exp(below) - np.exp(family.log_cdf(low - 1.0, *parameters)),
        np.exp(above) - np.exp(family.log_sf(high, *parameters)),
    )  # fmt: skip
    total = np.array(low, dtype=np.float64)
    for step in range(_MOST_COUNTS):
        k = low + step
        left = np.where(
            from_below, np.exp(below) - np.exp(family.log_cdf(k, *parameters)),
            np.exp(family.log_sf(k, *parameters)) - np.exp(family.log_sf(high, *parameters)),
        )  # fmt: skip
        left = np.where(k < high, np.maximum(left, 0.0) / inside, 0.0)
        total += left
        if not (left > _NEGLIGIBLE * np.maximum(total, 1.0)).any():
            return total
    raise TooManyCounts
