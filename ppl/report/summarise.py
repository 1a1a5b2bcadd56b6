"""weighted draws of one name -> its summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ppl.data.axes import Axis
from ppl.infer.importance import are_whole, behind_sd
from ppl.infer.verdict import MOST_TAIL, Evidence
from ppl.report.record import Quantity

_LEVELS = np.array([0.05, 0.5, 0.95])
_MANY = 8000  # elements of a column, beyond which to sort all costs more
_SAMPLE = 500  # elements of a long column that say where its bins are to lie
_BINS = 256  # as fit into a byte
_IN_CACHE = 1 << 17  # elements that are visited together
_MOST_SORTED = 4_000_000  # elements; for more the quantiles are those of the equally weighted draws


def summarise(
    name: str, role: str, axes: tuple[Axis, ...], values: np.ndarray, weights: np.ndarray, chosen: np.ndarray
) -> Quantity:
    """The summary of draws (P, *shape) with weights (P,) that sum to 1; `chosen` picks S equally weighted ones.

    The Monte Carlo error is that of self-normalised importance sampling, sqrt(sum w^2 (x - mean)^2).
    """
    shape = values.shape[1:]
    flat = values.reshape(len(values), int(np.prod(shape)))
    draws = flat[chosen]
    sorts = flat.size <= _MOST_SORTED
    found = np.empty((4 + len(_LEVELS), flat.shape[1]))
    step = max(1, _IN_CACHE // max(1, len(flat)))
    for some in (slice(i, i + step) for i in range(0, flat.shape[1], step)):
        columns = np.ascontiguousarray(flat[:, some].T)  # side by side they sort several times as fast
        found[:4, some] = _moments(columns, weights)
        if sorts:
            found[4:, some] = weighted_quantiles(columns, weights, _LEVELS)
    if not sorts:
        found[4:] = np.quantile(draws, _LEVELS, axis=0, method="inverted_cdf")
    if are_whole(values):
        found[3] = np.inf
    mean, sd, mcse, behind, q5, q50, q95 = (row.reshape(shape) for row in found)
    return Quantity(
        name, role, axes, draws.reshape(len(chosen), *shape), mean, sd, q5, q50, q95, mcse, behind
    )  # fmt: skip


def _moments(columns: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean, sd, Monte Carlo error of the mean, and draws behind the sd, each (n,), of columns (n, P)."""
    with np.errstate(invalid="ignore", over="ignore"):  # a draw may be infinite; then so is what is made of it
        mean = columns @ weights
        deviation2 = (columns - mean[:, None]) ** 2
        variance, error2 = deviation2 @ weights, deviation2 @ weights**2
        behind = behind_sd(deviation2, weights)
    constant = (columns == columns[:, :1]).all(axis=1)  # their sum has rounding errors
    mean, behind = np.where(constant, columns[:, 0], mean), np.where(constant, np.nan, behind)
    return mean, np.where(constant, 0.0, np.sqrt(variance)), np.where(constant, 0.0, np.sqrt(error2)), behind


def as_point(quantity: Quantity, standard_error: np.ndarray | None) -> Quantity:
    """A point estimate: its sd is its standard error, where there is one, and it has no distribution."""
    none = np.full(quantity.mean.shape, np.nan)
    sd = none if standard_error is None else standard_error
    value = quantity.draws[0]
    return replace(quantity, mean=value, sd=sd, q5=none, q50=none, q95=none, mcse=none, behind_sd=none)


def weighted_quantiles(columns: np.ndarray, weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles (levels, n) of columns of values (n, P): linear between the middles of the weights.

    Of a long column only what lies near a quantile is sorted.
    """
    with np.errstate(all="ignore"):
        near = _near_quantiles if columns.shape[1] > _MANY else _interpolated
        return np.array([near(column, weights, levels) for column in columns]).reshape(len(columns), len(levels)).T


def _near_quantiles(column: np.ndarray, weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """By bins of equal widths between nearly the least and the largest of a sample: their weights say in which a
    quantile lies.
    """
    sample = np.sort(column[:: len(column) // _SAMPLE])
    low, high = sample[1], sample[-2]
    if not -np.inf < low < high < np.inf or np.isnan(sample[-1]):
        return _interpolated(column, weights, levels)
    bins = np.clip((column - low) * (_BINS / (high - low)), 0, _BINS - 1)
    if np.isnan(bins.max()):
        return _interpolated(column, weights, levels)
    bins = bins.astype(np.uint8)
    below = np.concatenate([np.zeros(2), np.cumsum(np.bincount(bins, weights, _BINS))])
    found = np.empty(len(levels))
    for i, level in enumerate(levels):
        k = int(np.searchsorted(below[2:], level))
        near = np.flatnonzero((bins >= max(k - 1, 0)) & (bins <= min(k + 1, _BINS - 1)))
        own, before = weights[near], float(below[k])
        widest = own.max(initial=0.0)
        if not before + widest < level < before + own.sum() - widest:  # a neighbour further away would count
            return _interpolated(column, weights, levels)
        found[i] = _interpolated(column[near], own, level - before)
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
