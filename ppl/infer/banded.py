"""many symmetric banded matrices -> their Cholesky factors, and what follows from these, all at once.

A matrix with b diagonals below its main one is an array (n, b + 1, S) for S matrices of the same shape: [i, k] is the
entry at row i and column i - k. Rows are worked through in order, each with calls over all S.
"""

from __future__ import annotations

import numpy as np


def cholesky(bands: np.ndarray) -> np.ndarray:
    """The lower factors in the same shape; no numbers where a matrix is not positive definite."""
    n, width, _ = bands.shape
    lower = np.zeros_like(bands)
    with np.errstate(all="ignore"):
        for i in range(n):
            for k in range(min(width - 1, i), -1, -1):
                j = i - k
                shared = min(width - 1 - k, j)  # columns that both rows have before j
                entry = bands[i, k]
                if shared > 0:
                    ours, theirs = lower[i, k + 1 : k + 1 + shared], lower[j, 1 : 1 + shared]
                    entry = entry - np.einsum("ks,ks->s", ours, theirs)
                lower[i, k] = np.sqrt(entry) if k == 0 else entry / lower[j, 0]
    return lower


def log_determinant(lower: np.ndarray) -> np.ndarray:
    """Of the matrices, by their factors: (S,)."""
    with np.errstate(all="ignore"):
        return np.asarray(2.0 * np.log(lower[:, 0]).sum(axis=0))


def solve(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solutions (n, S) of the matrices, by their factors, for right sides (n, S)."""
    return solve_upper(lower, _solve_lower(lower, right))


def _solve_lower(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    n, width, _ = lower.shape
    found = right.copy()
    for i in range(n):
        for k in range(1, min(width - 1, i) + 1):
            found[i] -= lower[i, k] * found[i - k]
        found[i] /= lower[i, 0]
    return found


def solve_upper(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """As `solve`, of the transposed factors alone: standard normals become draws whose precision the matrices are."""
    n, width, _ = lower.shape
    found = right.copy()
    for i in range(n - 1, -1, -1):
        found[i] /= lower[i, 0]
        for k in range(1, min(width - 1, i) + 1):
            found[i - k] -= lower[i, k] * found[i]
    return found
