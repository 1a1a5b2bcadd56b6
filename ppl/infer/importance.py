"""log ratios -> weights: Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao, Gabry 2024)."""

from __future__ import annotations

import numpy as np

from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """Smoothed weights (S,) that sum to 1, the Pareto k of their tail, and the effective number of draws.

    `largest` is the share that the largest had before it was smoothed.
    """

    weights: np.ndarray
    pareto_k: float
    largest: float = 0.0

    @property
    def effective(self) -> float:
        return float(1.0 / np.sum(self.weights**2))


BOUNDED = 5.0  # times the mean weight
_HEAD = 64
OUTWEIGHS = 0.5  # share of a weight
FEW = 100  # draws, of which one may well have half of the weight
NOTHING = -700.0  # log of a weight that does not count beside 1


def smooth(log_ratios: np.ndarray) -> Weights:
    """The largest weights replaced by the quantiles of a generalised Pareto distribution fitted to them.

    Where no weight exceeds five times their mean, the tail is bounded as far as the draws can tell: the weights stay as
    they are, and k is at most 0. (A fit to a tail in two steps can give any k, though nothing is wrong.) Where one of
    more than a hundred outweighs all others together k is at least 1: one point hardly moves the fit to the tail, and
    smoothing would take it for one more of it, though it may lie on the slope of another, far higher mode.
    """
    draws = len(log_ratios)
    if draws == 0:
        return Weights(np.zeros(0), np.inf)
    finite = np.isfinite(log_ratios)
    if not finite.any():
        return Weights(np.full(draws, 1.0 / draws), np.inf)
    logs = np.where(finite, log_ratios, -np.inf) - log_ratios[finite].max()
    largest = float(1.0 / np.exp(logs).sum())
    tail = int(min(np.ceil(0.2 * draws), np.ceil(3.0 * np.sqrt(draws))))
    k = np.inf
    if tail >= 5:
        order = _largest(logs, tail + 1)
        cutoff = max(float(logs[order[-tail - 1]]), NOTHING)
        in_tail = order[-tail:][logs[order[-tail:]] > cutoff]
        if len(in_tail) >= 5:
            excess = np.exp(logs[in_tail]) - np.exp(cutoff)
            k, sigma = fit_pareto(excess)
            if _are_bounded(logs):
                k = min(k, 0.0)
            elif np.isfinite(k):
                probabilities = (np.arange(len(in_tail)) + 0.5) / len(in_tail)
                smoothed = np.log(_pareto_quantile(probabilities, k, sigma) + np.exp(cutoff))
                logs[in_tail] = np.minimum(smoothed, 0.0)
        else:
            k = -np.inf if cutoff > NOTHING else np.inf  # a flat tail, all weights equal; or hardly any weight at all
    weights = np.exp(logs)
    if largest > OUTWEIGHS and draws > FEW:
        k = max(k, 1.0)
    return Weights(weights / weights.sum(), np.inf if np.isnan(k) else float(k), largest)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Positions of so many of the largest, the last the largest; of equal ones the later. To sort all costs more."""
    least = np.partition(values, -count)[-count]
    near = np.flatnonzero(values >= least)
    return np.asarray(near[np.argsort(values[near], kind="stable")][-count:])


def _are_bounded(logs: np.ndarray) -> bool:
    """Whether the largest of the weights, the logs of which have their maximum at 0, is small next to their mean."""
    return bool(BOUNDED * np.exp(logs).mean() > 1.0)


def fit_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Shape k and scale sigma of a generalised Pareto distribution (Zhang and Stephens 2009), k drawn weakly to 1/2.

    `excess` are the sorted amounts above the cutoff.
    """
    n = len(excess)
    if excess[-1] <= 0:
        return -np.inf, 0.0
    candidates = 30 + int(np.sqrt(n))
    b = 1 - np.sqrt(candidates / (np.arange(1, candidates + 1) - 0.5))
    b = b / (3.0 * excess[int(n / 4 + 0.5) - 1]) + 1 / excess[-1]
    with np.errstate(all="ignore"):
        ks = np.log1p(-b[:, None] * excess).mean(axis=1)
        profile = n * (np.log(-b / ks) - ks - 1)
        weights = 1 / np.exp(profile - profile[:, None]).sum(axis=1)
    keep = weights >= 10 * np.finfo(float).eps
    b, weights = b[keep], weights[keep]
    b_mean = float((b * weights).sum() / weights.sum())
    k = float(np.log1p(-b_mean * excess).mean())
    sigma = -k / b_mean
    return (n * k + 10 * 0.5) / (n + 10), sigma


def _pareto_quantile(p: np.ndarray, k: float, sigma: float) -> np.ndarray:
    if abs(k) < 1e-12:
        return -sigma * np.log1p(-p)
    return sigma * np.expm1(-k * np.log1p(-p)) / k


def good_k(draws: int) -> float:
    """The Pareto k up to which the smoothed weights can be relied on with so many draws."""
    return float(min(1 - 1 / np.log10(max(draws, 20)), 0.7))


def draws_behind_sd(values: np.ndarray, weights: np.ndarray) -> float:
    """The effective number of draws that the sd rests on, the least over all elements; infinite for whole numbers."""
    worth = each_behind_sd(values, weights)
    return float(worth[np.isfinite(worth)].min(initial=np.inf))


def each_behind_sd(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The effective number of draws that the sd of each element rests on: values (P, *shape) -> (*shape).

    Infinite for whole numbers, no number for a constant.
    """
    shape = values.shape[1:]
    if are_whole(values):
        return np.full(shape, np.inf)
    flat = values.reshape(len(values), int(np.prod(shape)))
    with np.errstate(all="ignore"):
        return behind_sd(((flat - weights @ flat) ** 2).T, weights).reshape(shape)


def are_whole(values: np.ndarray) -> bool:
    return all(np.array_equal(some, np.floor(some)) for some in (values[:_HEAD], values))  # few tell, for most


def behind_sd(deviation2: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The effective numbers of draws (n,) behind the sds of columns with squared deviations d^2 (n, P).

    (sum w d^2)^2 / sum (w d^2)^2: a few far draws make it small, however many there are.
    """
    with np.errstate(all="ignore"):
        return np.asarray((deviation2 @ weights) ** 2 / (deviation2**2 @ weights**2))


def resample(weights: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of equally weighted draws, by systematic resampling of the draws in random order."""
    order = rng.permutation(len(weights))
    edges = np.cumsum(weights[order])
    points = (np.arange(draws) + rng.random()) / draws * edges[-1]
    chosen = order[np.minimum(np.searchsorted(edges, points), len(order) - 1)]
    return rng.permutation(chosen)
