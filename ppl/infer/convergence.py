"""draws of many chains -> whether they agree and what they are worth: nested R-hat, ESS, E-BFMI.

Draws are arrays (T, C, D): iterations, chains, quantities. All functions work on all quantities at once.
"""

from __future__ import annotations

import numpy as np

from ppl.numeric.ufuncs import special

_AT_ONCE = 1 << 21  # elements, by which autocovariances are computed
_TAILS = (0.05, 0.95)


def nested_rhat(draws: np.ndarray, superchains: int) -> np.ndarray:
    """sqrt(1 + B / W) (D,) over K superchains of M chains in a row, each superchain started at one point.

    B is the variance between the means of superchains, W the mean over superchains of the variance between their
    chains' means plus that within their chains (Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari, Gelman 2024,
    definition 2.2). Chains need not be long: at stationarity B / W is about 1 / (draws of a superchain).
    """
    iterations, chains, quantities = draws.shape
    grouped = draws.reshape(iterations, superchains, chains // superchains, quantities)
    of_chains = grouped.mean(axis=0)
    of_groups = of_chains.mean(axis=1)
    with np.errstate(all="ignore"):
        within = np.var(grouped, axis=0, ddof=1).mean(axis=1) if iterations > 1 else np.zeros_like(of_groups)
        if chains > superchains:
            within = within + np.var(of_chains, axis=1, ddof=1)
        return _ratio(np.var(of_groups, axis=0, ddof=1), within.mean(axis=0))


def _ratio(between: np.ndarray, within: np.ndarray) -> np.ndarray:
    """sqrt(1 + between / within): 1 where nothing varies at all, infinite where only the means do."""
    found = np.sqrt(1 + between / within)
    return np.where(within > 0, found, np.where(between > 0, np.inf, 1.0))


def by_rank(draws: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks over all draws of a quantity (Vehtari et al. 2021, equation 14)."""
    flat = draws.reshape(-1, draws.shape[-1])
    return np.asarray(special.ndtri((_ranks(flat) - 0.375) / (len(flat) + 0.25)).reshape(draws.shape))


def _ranks(flat: np.ndarray) -> np.ndarray:
    """Ranks (P, D) within each column, from 1; equal values share the mean of theirs. (scipy.stats takes 0.5 s to
    import.)
    """
    ranks = np.empty(flat.shape)
    for column in range(flat.shape[1]):
        values = np.ascontiguousarray(flat[:, column])
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
        ranks[order, column] = np.repeat(0.5 * (edges[:-1] + edges[1:] + 1), np.diff(edges))
    return ranks


def folded(draws: np.ndarray) -> np.ndarray:
    """Distances from the median: chains that agree in place may differ in scale."""
    return np.abs(draws - np.median(draws, axis=(0, 1)))


def robust(draws: np.ndarray, superchains: int) -> tuple[np.ndarray, np.ndarray]:
    """The larger of the nested R-hats (D,) of normal scores of draws and of folded draws; and the bulk ESS (D,)."""
    scores = by_rank(draws)
    scale = nested_rhat(by_rank(folded(draws)), superchains)
    return np.maximum(nested_rhat(scores, superchains), scale), ess(scores)


def tail_ess(draws: np.ndarray) -> np.ndarray:
    """The effective number (D,) of all draws for the 5 % and the 95 % quantile, the smaller of both."""
    below = [ess((draws <= np.quantile(draws, level, axis=(0, 1))).astype(float)) for level in _TAILS]
    return np.minimum(*below)


def sd_ess(draws: np.ndarray) -> np.ndarray:
    """The effective number (D,) of all draws for sds: that of squared distances from the mean."""
    return ess((draws - draws.mean(axis=(0, 1))) ** 2)


def ess(draws: np.ndarray) -> np.ndarray:
    """The effective number (D,) of all draws for means, from the halves of chains.

    Autocorrelations over lags are those of all chains together (Vehtari et al. 2021, equation 10), summed as long as
    pairs of them are positive and never rise (Geyer 1992).
    """
    quantities = draws.shape[-1]
    at_once = max(1, _AT_ONCE // max(1, draws.shape[0] * draws.shape[1]))
    parts = [_ess(_split(draws[..., i : i + at_once])) for i in range(0, quantities, at_once)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _ess(halves: np.ndarray) -> np.ndarray:
    n, chains, quantities = halves.shape
    covariance = autocovariance(halves).mean(axis=1)
    within = covariance[0] * n / (n - 1)
    between = np.var(halves.mean(axis=0), axis=0, ddof=1)
    total = within * (n - 1) / n + between
    with np.errstate(all="ignore"):
        rho = 1 - (within - covariance) / total
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2, quantities).sum(axis=1)
    last = max(1, (n - 3) // 2)  # later pairs rest on few products
    first_negative = np.argmax(np.vstack([pairs[1:last] < 0, np.ones(quantities, dtype=bool)]), axis=0) + 1
    lags = np.arange(len(pairs))[:, None]
    kept = np.where(lags < first_negative, np.minimum.accumulate(pairs, axis=0), 0.0)
    odd = np.take_along_axis(rho[0::2], np.minimum(first_negative, (n - 1) // 2)[None], axis=0)[0]
    time = -1 + 2 * kept.sum(axis=0) + np.maximum(odd, 0.0)
    found = n * chains / np.maximum(time, 1 / np.log10(n * chains))
    return np.where(np.isfinite(found) & (total > 0), found, float(n * chains))


def autocovariance(draws: np.ndarray) -> np.ndarray:
    """(T, ...) -> autocovariances of every lag (T, ...), by Fourier transforms, divided by T."""
    n = len(draws)
    padded = 1 << int(np.ceil(np.log2(2 * n)))
    spectrum = np.fft.rfft(draws - draws.mean(axis=0), padded, axis=0)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2, padded, axis=0)[:n] / n)


def e_bfmi(energies: np.ndarray) -> float:
    """The energy fraction of missing information of energies (T, C), over all chains: small where momenta cannot carry
    chains through the energies of the posterior, below 0.3 as a rule of thumb (Betancourt 2016).
    """
    spread = float(np.var(energies))
    return float(np.mean(np.diff(energies, axis=0) ** 2)) / spread if spread > 0 else 1.0


def _split(draws: np.ndarray) -> np.ndarray:
    half = len(draws) // 2
    return np.concatenate([draws[:half], draws[len(draws) - half :]], axis=1)
