"""log ratios of many elements -> each element's own, the largest smoothed as in `importance`, all elements at once.

A ratio may stand for several proposals: the tail is that of the proposals, so its Pareto k and its quantiles are those
of ratios weighted by how many each stands for.
"""

from __future__ import annotations

import numpy as np

from ppl.infer.importance import BOUNDED, FEW, NOTHING, OUTWEIGHS
from ppl.values import dataclass

_FEWEST = 5  # ratios that a tail is fitted to
_TOGETHER = 8  # factors whose product stays a number


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Of N elements: `where` (N, T) the largest ratios stand, their smoothed `logs` (N, T), the log of the sum of all
    (N,), both times the counts; and the Pareto k (N,) of the tail.
    """

    where: np.ndarray
    logs: np.ndarray
    log_total: np.ndarray
    pareto_k: np.ndarray


def smooth_rows(log_ratios: np.ndarray, counts: np.ndarray, proposals: int) -> Smoothed:
    """From log ratios (N, S) that stand for `counts` (S,) of all the `proposals` each.

    A tail holds at least 3 sqrt(S) ratios, and as many as stand for 3 sqrt(P) proposals, but no more than a fifth.
    """
    largest = log_ratios.max(axis=1, initial=-np.inf, where=np.isfinite(log_ratios))
    logs = log_ratios - np.where(np.isfinite(largest), largest, 0.0)[:, None]
    if not np.isfinite(logs).all():
        logs[~np.isfinite(logs)] = -np.inf
    place, values, length = _tails(logs, counts, proposals)
    cutoff = np.maximum(values[np.arange(len(values)), values.shape[1] - 1 - length], NOTHING)
    in_tail = values > cutoff[:, None]
    enough = in_tail.sum(axis=1) >= _FEWEST
    ratios = np.exp(logs)
    total = ratios @ counts
    bounded = BOUNDED * total > proposals  # as the largest is 1
    outweighed = (np.exp(values) * counts[place]).max(axis=1) > OUTWEIGHS * total
    excess = np.where(in_tail, np.exp(values) - np.exp(cutoff)[:, None], 0.0)
    k, smoothed = _fitted(excess, np.where(in_tail, counts[place], 0.0), np.exp(cutoff))
    changed = in_tail & (enough & ~bounded & np.isfinite(k))[:, None]
    found = np.where(changed, np.minimum(smoothed, 0.0), values) + np.log(counts[place])
    np.put_along_axis(ratios, place, 0.0, axis=1)
    log_total = np.log(ratios @ counts + np.exp(found).sum(axis=1))
    k = np.where(bounded, np.minimum(k, 0.0), k)
    if proposals > FEW:
        k = np.where(outweighed, np.maximum(k, 1.0), k)
    flat = np.where(cutoff > NOTHING, -np.inf, np.inf)  # all ratios equal; or hardly any beside the largest
    return Smoothed(place, found + largest[:, None], log_total + largest, np.where(enough, k, flat))


def _tails(logs: np.ndarray, counts: np.ndarray, proposals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the largest logs (N, S) stand, these in their order (N, T), and how many of them are a tail (N,)."""
    draws = logs.shape[1]
    few, most = (int(min(np.ceil(0.2 * draws), np.ceil(n))) for n in (3.0 * np.sqrt(draws), draws))
    alike = bool((counts == counts[0]).all())
    held = few if alike else most
    place = np.argpartition(logs, draws - held - 1, axis=1)[:, draws - held - 1 :]
    values = np.take_along_axis(logs, place, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    place, values = np.take_along_axis(place, order, axis=1), np.take_along_axis(values, order, axis=1)
    if alike:
        return place, values, np.full(len(logs), few)
    behind = np.cumsum(counts[place][:, ::-1], axis=1)
    length = np.clip(1 + (behind < 3.0 * np.sqrt(proposals)).sum(axis=1), few, most)
    longest = int(length.max())
    return place[:, held - longest :], values[:, held - longest :], length


def _fitted(excess: np.ndarray, own: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Pareto k (N,) of sorted amounts above the cutoff (N, T), counted as `own` says, those that count 0 first; and
    the logs of what is expected in their places, the cutoff added. As `importance.fit_pareto`.
    """
    total = own.sum(axis=1)
    n = total**2 / np.maximum((own**2).sum(axis=1), 1e-300)
    candidates = 30 + int(np.sqrt(excess.shape[1] - 1))
    upto = np.cumsum(own, axis=1)
    quarter = np.floor(n / 4 + 0.5) / np.maximum(n, 1) * total * (1 - 1e-12)
    low = np.minimum((upto < quarter[:, None]).sum(axis=1), excess.shape[1] - 1)
    low_excess = excess[np.arange(len(excess)), low]
    b = 1 - np.sqrt(candidates / (np.arange(1, candidates + 1) - 0.5))
    b = b / (3.0 * low_excess[:, None]) + 1 / excess[:, -1:]
    share = own / total[:, None]
    ks = _mean_logs(b, excess, share)
    profile = n[:, None] * (np.log(-b / ks) - ks - 1)
    profile -= np.nanmax(np.where(np.isfinite(profile), profile, np.nan), axis=1, initial=-1e300)[:, None]
    weight = np.exp(np.nan_to_num(profile, nan=-np.inf))
    weight /= weight.sum(axis=1)[:, None]
    weight = np.where(weight >= 10 * np.finfo(float).eps, weight, 0.0)
    b_mean = (np.where(weight > 0, b, 0.0) * weight).sum(axis=1) / weight.sum(axis=1)
    k = (np.log1p(-b_mean[:, None] * excess) * share).sum(axis=1)
    sigma = -k / b_mean
    k = (n * k + 10 * 0.5) / (n + 10)
    shape = np.where(np.abs(k) < 1e-12, 1e-12, k)[:, None]
    above = np.expm1(-shape * np.log1p((0.5 * own - upto) / total[:, None])) / shape
    return k, np.log(sigma[:, None] * above + base[:, None])


def _mean_logs(b: np.ndarray, excess: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The mean of log(1 - b x) over the tail, for each candidate b: (N, C). Where all that counts counts alike, by
    logarithms of products.
    """
    length = excess.shape[1]
    alike = bool(((share == share[:, -1:]) | (share == 0)).all())  # what does not count has an excess of 0
    whole = length // _TOGETHER * _TOGETHER if alike else 0
    factors = 1.0 - b[:, :, None] * excess[:, None, :]
    products = factors[:, :, :whole].reshape(*b.shape, _TOGETHER, whole // _TOGETHER).prod(axis=2)
    found = np.log(products).sum(axis=2) * share[:, -1:] if alike else 0.0
    return found + np.einsum("nct,nt->nc", np.log(factors[:, :, whole:]), share[:, whole:])
