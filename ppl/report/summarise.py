"""weighted draws of one name -> its summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ppl.data.axes import Axis
from ppl.infer.importance import each_behind_sd
from ppl.infer.verdict import MOST_TAIL, Evidence
from ppl.report.record import Quantity

_LEVELS = np.array([0.05, 0.5, 0.95])
_SAMPLE = 4000  # elements of a long column that say about where its quantiles lie
_SURE = 4.0  # standard errors
_MOST_SORTED = 4_000_000  # elements; for more the quantiles are those of the equally weighted draws


def summarise(
    name: str, role: str, axes: tuple[Axis, ...], values: np.ndarray, weights: np.ndarray, chosen: np.ndarray
) -> Quantity:
    """The summary of draws (P, *shape) with weights (P,) that sum to 1; `chosen` picks S equally weighted ones.

    The Monte Carlo error is that of self-normalised importance sampling, sqrt(sum w^2 (x - mean)^2).
    """
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    with np.errstate(invalid="ignore", over="ignore"):  # a draw may be infinite; then so is what is made of it
        mean = weights @ flat
        deviation2 = (flat - mean) ** 2
        sd = np.sqrt(weights @ deviation2)
        mcse = np.sqrt(weights**2 @ deviation2)
    constant = (flat == flat[:1]).all(axis=0)  # their sum has rounding errors
    mean, sd, mcse = np.where(constant, flat[0], mean), np.where(constant, 0.0, sd), np.where(constant, 0.0, mcse)
    draws = flat[chosen]
    if flat.size <= _MOST_SORTED:
        quantiles = weighted_quantiles(flat, weights, _LEVELS)
    else:
        quantiles = np.quantile(draws, _LEVELS, axis=0, method="inverted_cdf")
    shape = values.shape[1:]
    q5, q50, q95 = (quantile.reshape(shape) for quantile in quantiles)
    return Quantity(
        name, role, axes, draws.reshape(len(chosen), *shape), mean.reshape(shape), sd.reshape(shape), q5, q50, q95,
        mcse.reshape(shape), each_behind_sd(values, weights),
    )  # fmt: skip


def as_point(quantity: Quantity, standard_error: np.ndarray | None) -> Quantity:
    """A point estimate: its sd is its standard error, where there is one, and it has no distribution."""
    none = np.full(quantity.mean.shape, np.nan)
    sd = none if standard_error is None else standard_error
    value = quantity.draws[0]
    return replace(quantity, mean=value, sd=sd, q5=none, q50=none, q95=none, mcse=none, behind_sd=none)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles (levels, n) of columns of values (P, n): linear between the middles of the weights.

    Of a long column only what lies near a quantile is sorted, as a sample of it shows.
    """
    found = np.empty((len(levels), values.shape[1]))
    with np.errstate(invalid="ignore"):
        for i, column in enumerate(np.ascontiguousarray(values.T)):  # side by side they sort several times as fast
            found[:, i] = _near_quantiles(column, weights, levels)
    return found


def _near_quantiles(column: np.ndarray, weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    stride = len(column) // _SAMPLE
    if stride < 4:
        return _interpolated(column, weights, levels)
    its_weights = weights[::stride] / weights[::stride].sum()
    margins = _SURE * np.sqrt(levels * (1 - levels) * (its_weights**2).sum())
    bounds = _interpolated(column[::stride], its_weights, np.array([levels - margins, levels + margins]))
    found = np.empty(len(levels))
    for i, (low, high) in enumerate(bounds.T):
        near = np.flatnonzero((column >= low) & (column <= high))
        own, before = weights[near], float((weights * (column < low)).sum())
        widest = own.max(initial=0.0)
        if not before + widest < levels[i] < before + own.sum() - widest:
            return _interpolated(column, weights, levels)  # the sample misled
        found[i] = _interpolated(column[near], own, levels[i] - before)
    return found


def _interpolated(column: np.ndarray, weights: np.ndarray, levels: np.ndarray | float) -> np.ndarray:
    """Where the weights up to the middle of an element's own add up to the levels."""
    order = np.argsort(column)
    carried = weights[order]
    return np.asarray(np.interp(levels, np.cumsum(carried) - 0.5 * carried, column[order]))


def with_tails(evidence: Evidence, behind_sds: Mapping[str, float]) -> Evidence:
    """What the summaries show of tails too long for a mean and an sd."""
    worst = [name for name, draws in behind_sds.items() if 1 / draws > MOST_TAIL]
    if not worst:
        return evidence
    tails = max(1 / behind_sds[name] for name in worst)
    return replace(evidence, tails=tails, where={**evidence.where, "tails": tuple(worst)})
