"""An array and a kind of event -> which of its vectors or matrices are such events, and words for a message."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ppl.values import dataclass

_OFF = 1e-6  # sums, diagonals and mirror images may be off by this, relative to the largest element


@dataclass(frozen=True, slots=True)
class Event:
    """`holds(x)` is one truth value an event of `rank` trailing axes."""

    rank: int
    words: str
    holds: Callable[[np.ndarray], np.ndarray]


def _is_simplex(x: np.ndarray) -> np.ndarray:
    return np.asarray((x >= 0).all(axis=-1) & (np.abs(x.sum(axis=-1) - 1) < _OFF))


def _is_increasing(x: np.ndarray) -> np.ndarray:
    return np.asarray((np.diff(x, axis=-1) > 0).all(axis=-1))


def _sums_to_zero(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(x.sum(axis=-1)) <= _OFF * np.abs(x).sum(axis=-1))


def _is_symmetric(x: np.ndarray) -> np.ndarray:
    largest = np.abs(x).max(axis=(-1, -2), initial=0.0)
    return np.asarray(np.abs(x - np.swapaxes(x, -1, -2)).max(axis=(-1, -2), initial=0.0) <= _OFF * largest)


def _is_covariance(x: np.ndarray) -> np.ndarray:
    smallest = np.linalg.eigvalsh(np.where(np.isfinite(x), x, 0.0))[..., :1]
    return np.asarray(_is_symmetric(x) & (smallest > 0).all(axis=-1) & np.isfinite(x).all(axis=(-1, -2)))


def _is_correlation(x: np.ndarray) -> np.ndarray:
    diagonal = np.diagonal(x, axis1=-2, axis2=-1)
    return np.asarray(_is_covariance(x) & (np.abs(diagonal - 1) < _OFF).all(axis=-1))


def _is_cholesky_correlation(x: np.ndarray) -> np.ndarray:
    diagonal = np.diagonal(x, axis1=-2, axis2=-1)
    lengths = np.abs((x**2).sum(axis=-1) - 1) < _OFF
    triangle = (np.triu(x, 1) == 0).all(axis=(-1, -2))
    return np.asarray(triangle & (diagonal > 0).all(axis=-1) & lengths.all(axis=-1))


EVENTS: dict[str, Event] = {
    "simplex": Event(1, "positive numbers that sum to 1 along the last axis", _is_simplex),
    "ordered": Event(1, "numbers that increase along the last axis", _is_increasing),
    "zero_sum": Event(1, "numbers that sum to 0 along the last axis", _sums_to_zero),
    "correlation": Event(2, "correlation matrices: symmetric, positive definite, 1 on the diagonal", _is_correlation),
    "cholesky_correlation": Event(
        2,
        "Cholesky factors of correlation matrices: lower triangular, rows of length 1, a positive diagonal",
        _is_cholesky_correlation,
    ),
    "covariance": Event(2, "symmetric positive definite matrices", _is_covariance),
}
