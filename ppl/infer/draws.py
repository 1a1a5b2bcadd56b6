"""seed -> standard draws, balanced: antithetic pairs, with exact moments or evenly spread where that can be had."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.numeric.gamma import quantiles
from ppl.numeric.ufuncs import special

_FEW = 12  # coordinates that a sequence of points covers evenly
_JUMP = 0x9E3779B97F4A7C15F39CC0605CEDC835  # draws from one stream to the next: the golden ratio of all, as in NumPy
_SPREAD = 8  # points, of which fewer cover nothing evenly


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """A stream of its own for every purpose: what one phase draws never shifts what another gets."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *purpose))))


class Streams:
    """The streams of a purpose by number, from 0: a generator that is put to the start of one in a few microseconds.

    Number n is `PCG64.jumped(n)` of the purpose's own stream. What was given before is no longer at its place then.
    """

    def __init__(self, seed: int, *purpose: int):
        self._generator = generator(seed, *purpose)
        self._bits: Any = self._generator.bit_generator
        self._start = self._bits.state

    def __call__(self, number: int) -> np.random.Generator:
        self._bits.state = self._start
        self._bits.advance(number * _JUMP % (1 << 128))
        return self._generator


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


def fresh(rng: np.random.Generator, draws: int, dimension: int) -> np.ndarray:
    """Standard normal draws (S, D), each of them unbiased: in antithetic pairs, of few coordinates evenly spread.

    Unlike those of `antithetic` they are not scaled to exact moments, which a few draws of a new set each step would
    pay for with a bias.
    """
    half = draws // 2
    if 0 < dimension <= _FEW and half >= _SPREAD:
        one = special.ndtri(_kronecker(rng, half, dimension))
    else:
        one = rng.standard_normal((half, dimension))
    return np.concatenate([one, -one, rng.standard_normal((draws % 2, dimension))])


def student(rng: np.random.Generator, draws: int, dimension: int, df: float) -> np.ndarray:
    """Draws (S, D) of a standard multivariate t, S even, in antithetic pairs, spread evenly: for few coordinates.

    Normals and their common stretch are quantiles of a randomly shifted Kronecker sequence, so means and sds over the
    draws are about ten times as sharp as those of independent draws.
    """
    half = draws // 2
    uniform = _kronecker(rng, half, dimension + 1)
    normal = special.ndtri(uniform[:, :dimension])
    stretch = np.sqrt(0.5 * df / quantiles(0.5 * df, uniform[:, dimension]))
    one = normal * stretch[:, None]
    return np.concatenate([one, -one])


def _kronecker(rng: np.random.Generator, points: int, dimension: int) -> np.ndarray:
    """Multiples of powers of the generalised golden ratio, the root of x^(d+1) = x + 1 (Roberts 2018), modulo 1."""
    ratio = 2.0
    for _ in range(60):
        ratio = (1.0 + ratio) ** (1.0 / (dimension + 1))
    steps = ratio ** -np.arange(1.0, dimension + 1)
    found = np.arange(1.0, points + 1)[:, None] * steps
    found += rng.random(dimension)
    found -= np.floor(found)
    return np.clip(found, 1e-15, 1 - 1e-15, out=found)
