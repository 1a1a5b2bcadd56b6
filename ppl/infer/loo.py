"""log likelihoods of draws -> the expected log predictive density of each element left out (Vehtari et al. 2017).

The draws need not be from the posterior: with log weights that correct for that, the importance ratios of element i are
the weights over its likelihood (Magnusson et al. 2019, equation 8), and their Pareto k tells of both steps at once.
"""

from __future__ import annotations

import numpy as np

from ppl.infer.importance import smooth
from ppl.numeric.reduce import logsumexp
from ppl.values import dataclass

MOST_K = 0.7
_AT_ONCE = 2000  # elements


@dataclass(frozen=True, slots=True, eq=False)
class Loo:
    """`elpd` (N,) in nats, the Pareto `k` (N,) behind each, and `lpd` (N,), the log predictive density not left out."""

    elpd: np.ndarray
    k: np.ndarray
    lpd: np.ndarray

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
        return int((self.k > MOST_K).sum())


def error_of_sum(values: np.ndarray) -> float:
    """The standard error of a sum of N independent numbers, from their spread."""
    return float(np.sqrt(len(values) * values.var(ddof=0)))


def loo(log_likelihood: np.ndarray, log_weights: np.ndarray) -> Loo:
    """From log likelihoods (S, N) at draws with log weights (S,), which need not be normalised."""
    count = log_likelihood.shape[1]
    elpd, k, lpd = np.empty(count), np.empty(count), np.empty(count)
    weights = log_weights - logsumexp(log_weights)
    for first in range(0, count, _AT_ONCE):  # a copy with the draws of an element side by side
        for i, own in enumerate(np.ascontiguousarray(log_likelihood[:, first : first + _AT_ONCE].T), start=first):
            with np.errstate(invalid="ignore", divide="ignore"):
                found = smooth(weights - own)
                elpd[i] = logsumexp(np.log(found.weights) + own)
            k[i] = found.pareto_k
            lpd[i] = logsumexp(weights + own)
    return Loo(elpd, k, lpd)


def thinned(log_weights: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ones of S resampled draws: where each first stands, and its log weight.

    Of P proposals with weights w, `chosen` by systematic resampling, each is there with probability min(1, S w): those
    there stand with w / min(1, S w) for the posterior, without the ties of equally weighted draws.
    """
    proposals, first = np.unique(chosen, return_index=True)
    return first, np.maximum(log_weights[proposals], -np.log(len(chosen)))
