"""log likelihoods of draws -> the expected log predictive density of each element left out (Vehtari et al. 2017).

The draws need not be from the posterior: with log weights that correct for that, the importance ratios of element i are
the weights over its likelihood (Magnusson et al. 2019, equation 8), and their Pareto k tells of both steps at once.
Draws may also stand for several proposals each, then ratios and tails are those of the proposals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.infer.importance import good_k, resample
from ppl.infer.tail_blocks import smooth_rows
from ppl.numeric.reduce import logsumexp
from ppl.values import dataclass

_AT_ONCE = 1 << 17  # numbers that are smoothed together: they fit into a cache


@dataclass(frozen=True, slots=True, eq=False)
class Loo:
    """`elpd` (N,) in nats, the Pareto `k` (N,) behind each, and `lpd` (N,), the log predictive density not left out.

    `good` is the k up to which so many draws can be relied on.
    """

    elpd: np.ndarray
    k: np.ndarray
    lpd: np.ndarray
    good: float

    @property
    def total(self) -> float:
        return float(self.elpd.sum())

    @property
    def se(self) -> float:
        """The standard error of the total over other rows like these."""
        return error_of_sum(self.elpd)

    @property
    def effective_parameters(self) -> float:
        """The p_loo of Vehtari et al.: what the rows lose when they are left out."""
        return float((self.lpd - self.elpd).sum())

    @property
    def bad(self) -> int:
        """Elements whose estimate is not to be relied on."""
        return int((self.k > self.good).sum())


def joined(parts: Sequence[Loo]) -> Loo:
    """Elements one part after the other."""
    elpd, k, lpd = (np.concatenate([getattr(part, name) for part in parts]) for name in ("elpd", "k", "lpd"))
    return Loo(elpd, k, lpd, parts[0].good)


def error_of_sum(values: np.ndarray) -> float:
    """The standard error of a sum of N independent numbers, from their spread."""
    return float(np.sqrt(len(values) * values.var(ddof=0)))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Weighted proposals, or a sample of them: `log_weights` (S,), need not be normalised; each stands for so many of
    all the `proposals` as `counts` (S,) says, on average.
    """

    log_weights: np.ndarray
    counts: np.ndarray
    proposals: int

    @staticmethod
    def whole(log_weights: np.ndarray) -> Sample:
        return Sample(log_weights, np.ones(len(log_weights)), len(log_weights))

    def thinned(self, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, Sample]:
        """At most so many of these, as `thinned` takes them: where they stand, and what they are a sample of."""
        logs = self.log_weights + np.log(self.counts)
        logs = logs - logsumexp(logs)
        kept = np.unique(resample(np.exp(logs), draws, rng))
        counts = self.counts[kept] * _stands_for(logs[kept], draws)
        return kept, Sample(self.log_weights[kept], counts, self.proposals)


def loo(log_likelihood: np.ndarray, sample: Sample) -> Loo:
    """From log likelihoods (S, N) at the draws of a sample. Elements alike at all draws are worked out once."""
    draws, count = log_likelihood.shape
    first, which = _distinct(log_likelihood)
    found = np.empty((3, len(first)))
    step = max(1, _AT_ONCE // draws)
    for start in range(0, len(first), step):
        own = np.ascontiguousarray(log_likelihood[:, first[start : start + step]].T)  # draws side by side
        found[:, start : start + step] = _block(own, sample)
    elpd, k, lpd = found[:, which] if len(first) < count else found
    return Loo(elpd, k, lpd, good_k(draws))


def _block(own: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`elpd`, `k` and `lpd` of elements with log likelihoods (N, S)."""
    logs = sample.log_weights + np.log(sample.counts)
    log_whole = logsumexp(logs)
    shares = np.exp(logs - log_whole)  # of the posterior
    with np.errstate(all="ignore"):
        highest = own.max(axis=1)
        lpd = np.log(np.exp(own - highest[:, None]) @ shares) + highest
        smoothed = smooth_rows(sample.log_weights - own, sample.counts, sample.proposals)
        rest = 1.0 - shares[smoothed.where].sum(axis=1)  # not smoothed: ratio times likelihood is the weight again
        tail = smoothed.logs + np.take_along_axis(own, smoothed.where, axis=1) - log_whole
        elpd = np.log(np.maximum(rest, 0.0) + np.exp(tail).sum(axis=1)) + log_whole - smoothed.log_total
    return elpd, smoothed.pareto_k, lpd


def _distinct(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which elements (K,) differ, in their order, and for each of N which of these it is like.

    Columns of the same bits have the same random sum, added up in the same order; others have not, but by a miracle.
    """
    draws, count = log_likelihood.shape
    sums = np.zeros(count)
    with np.errstate(invalid="ignore"):
        for i, share in enumerate(np.random.default_rng(1).standard_normal((draws, 1))):
            sums += share * log_likelihood[i]
    _, first, which = np.unique(sums, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(first), dtype=np.int64)
    place[order] = np.arange(len(first))
    return first[order], place[which.reshape(-1)]


def thinned(log_weights: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, Sample]:
    """The distinct ones of S resampled draws: where each first stands, and what they are a sample of.

    Of P proposals with weights w that add up to 1, `chosen` by systematic resampling, each is there with probability
    min(1, S w), and so stands for 1 / min(1, S w) of them (Horvitz and Thompson 1952), each with its own weight: sums
    over the proposals, and quantiles of their ratios, are had without those that were not kept.
    """
    kept, first = np.unique(chosen, return_index=True)
    own = log_weights[kept]
    return first, Sample(own, _stands_for(own, len(chosen)), len(log_weights))


def _stands_for(log_weights: np.ndarray, draws: int) -> np.ndarray:
    """1 / min(1, S w)."""
    return np.asarray(np.exp(-np.minimum(log_weights + np.log(draws), 0.0)))
