"""parameters, gradient and moments -> the next ones: Adam (Kingma and Ba 2015), large gradients clipped by norm.

What is large is told by the gradients so far: a noisy ELBO of a million rows has other norms than one of ten.
"""

from __future__ import annotations

import numpy as np

from ppl.values import dataclass

_FIRST, _SECOND = 0.9, 0.999  # decay of the moments
_LEAST = 1e-8
_LARGE = 5.0  # times the smoothed norm, where gradients are clipped
_MEMORY = 0.95  # of the smoothed norm


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Running means of the gradient and of its square (P,), and of its norm, after so many steps."""

    first: np.ndarray
    second: np.ndarray
    norm: float
    steps: int

    @staticmethod
    def none(size: int) -> Moments:
        return Moments(np.zeros(size), np.zeros(size), 0.0, 0)


def step(phi: np.ndarray, gradient: np.ndarray, moments: Moments, rate: float) -> tuple[np.ndarray, Moments]:
    """One step down a finite gradient."""
    norm = float(np.sqrt(gradient @ gradient))
    if moments.steps and norm > _LARGE * moments.norm > 0:
        gradient, norm = gradient * (_LARGE * moments.norm / norm), _LARGE * moments.norm
    steps = moments.steps + 1
    smoothed = norm if not moments.steps else _MEMORY * moments.norm + (1 - _MEMORY) * norm
    first = _FIRST * moments.first + (1 - _FIRST) * gradient
    second = _SECOND * moments.second + (1 - _SECOND) * gradient**2
    size = np.sqrt(second / (1 - _SECOND**steps)) + _LEAST
    return phi - rate * (first / (1 - _FIRST**steps)) / size, Moments(first, second, smoothed, steps)
