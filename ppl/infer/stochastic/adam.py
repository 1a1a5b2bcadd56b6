"""parameters, gradient and moments -> the next ones: Adam (Kingma and Ba 2015), large gradients clipped by norm.

What is large is told by the gradients so far: a noisy ELBO of a million rows has other norms than one of ten.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_FIRST, _SECOND = 0.9, 0.999  # decay of the moments
_LEAST = 1e-8
_LARGE = 5.0  # times the smoothed norm, where gradients are clipped
_MEMORY = 0.95  # of the smoothed norm


class Moments(NamedTuple):
    """Running means of the gradient and of its square (P,), and of its norm, after so many steps."""

    first: np.ndarray
    second: np.ndarray
    norm: float
    steps: int

    @staticmethod
    def none(phi: np.ndarray) -> Moments:
        return Moments(np.zeros_like(phi), np.zeros_like(phi), 0.0, 0)


def step(
    phi: np.ndarray, gradient: np.ndarray, norm: float, moments: Moments, rate: float
) -> tuple[np.ndarray, Moments]:
    """One step down a gradient whose norm is finite, in numbers as long as phi has them; `gradient` is overwritten."""
    if moments.steps and norm > _LARGE * moments.norm > 0:
        gradient *= _LARGE * moments.norm / norm
        norm = _LARGE * moments.norm
    steps = moments.steps + 1
    smoothed = norm if not moments.steps else _MEMORY * moments.norm + (1 - _MEMORY) * norm
    unbiased = float(np.sqrt(1 - _SECOND**steps))
    work = gradient * (1 - _FIRST)
    first = moments.first * _FIRST
    first += work
    np.multiply(gradient, gradient, work)
    work *= 1 - _SECOND
    second = moments.second * _SECOND
    second += work
    np.sqrt(second, work)
    work += _LEAST * unbiased
    np.divide(first, work, work)
    work *= rate * unbiased / (1 - _FIRST**steps)
    return phi - work, Moments(first, second, smoothed, steps)
