"""Banded factors of many matrices against NumPy's of each."""

from __future__ import annotations

import numpy as np
import pytest

from ppl.infer import banded


@pytest.mark.parametrize(("n", "width"), [(1, 0), (5, 0), (6, 1), (9, 3), (4, 3)])
def test_against_full_matrices(n: int, width: int) -> None:
    rng = np.random.default_rng(n)
    full = np.empty((7, n, n))
    for one in full:
        half = np.tril(np.triu(rng.normal(size=(n, n)), -width)) + 3 * np.eye(n)
        one[:] = half @ half.T
    bands = np.zeros((n, width + 1, 7))
    for i in range(n):
        for k in range(min(width, i) + 1):
            bands[i, k] = full[:, i, i - k]
    lower = banded.cholesky(bands)
    right = rng.normal(size=(n, 7))
    expected = np.linalg.solve(full, right.T[:, :, None])[:, :, 0].T
    np.testing.assert_allclose(banded.solve(lower, right), expected, rtol=1e-9)
    np.testing.assert_allclose(banded.log_determinant(lower), np.linalg.slogdet(full)[1])
    factors = np.linalg.cholesky(full)
    drawn = np.linalg.solve(np.swapaxes(factors, 1, 2), right.T[:, :, None])[:, :, 0].T
    np.testing.assert_allclose(banded.solve_upper(lower, right), drawn, rtol=1e-9)


def test_what_is_not_positive_definite_has_no_numbers() -> None:
    bands = np.ones((3, 2, 2))
    bands[:, 0, 1] = 4.0
    lower = banded.cholesky(bands)
    assert not np.isfinite(banded.log_determinant(lower)[0]) and np.isfinite(banded.log_determinant(lower)[1])
