"""seed -> standard normal draws, balanced: antithetic pairs, with exact moments where there are enough of them."""

from __future__ import annotations

import numpy as np


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """A stream of its own for every purpose: what one phase draws never shifts what another gets."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *purpose))))


def antithetic(rng: np.random.Generator, draws: int, dimension: int) -> np.ndarray:
    """Standard normal draws (S, D), S even, the second half the negative of the first.

    The mean of every coordinate is 0 and its variance 1 over the draws; with at least twice as many draws as
    coordinates the whole covariance is the identity.
    """
    half = draws // 2
    one = rng.standard_normal((half, dimension))
    if dimension == 0:
        return np.zeros((2 * half, 0))
    if half >= dimension:
        root = np.linalg.cholesky(one.T @ one / half)
        one = np.linalg.solve(root, one.T).T
    else:
        one = one / np.sqrt((one**2).mean(axis=0))
    return np.concatenate([one, -one])
