"""Linear algebra over batches beside scipy's one matrix at a time, and its gradients beside differences."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import linalg

from ppl.numeric.linear import apply_to_vectors, cholesky, inverse_lower, transpose
from tests.witness import assert_close, assert_gradients

N = 4
RNG = np.random.default_rng(6)
ROOTS = np.tril(RNG.standard_normal((2, 3, N, N)), -1) + np.exp(RNG.standard_normal((2, 3, N, 1))) * np.eye(N)
MATRICES = ROOTS @ np.swapaxes(ROOTS, -1, -2)


def test_transpose() -> None:
    expected = np.stack([[one.T for one in row] for row in ROOTS])
    assert_close(transpose(ROOTS), expected, 0, 0)
    assert_gradients(transpose, ROOTS)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_cholesky(shape: tuple[int, ...]) -> None:
    matrices = MATRICES[(0,) * (2 - len(shape))]
    expected = np.empty(matrices.shape)
    for place in np.ndindex(*shape):
        expected[place] = linalg.cholesky(matrices[place], lower=True)
    assert_close(cholesky(matrices), expected, 1e-12, 1e-12)
    assert_gradients(cholesky, matrices, symmetric=True)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_inverse_lower(shape: tuple[int, ...]) -> None:
    roots = ROOTS[(0,) * (2 - len(shape))]
    expected = np.empty(roots.shape)
    for place in np.ndindex(*shape):
        expected[place] = linalg.solve_triangular(roots[place], np.eye(N), lower=True)
    assert_close(inverse_lower(roots), expected, 1e-12, 1e-12)
    assert_gradients(inverse_lower, roots)


def test_inverse_lower_looks_at_the_lower_triangle_alone() -> None:
    full = ROOTS + np.triu(RNG.standard_normal(ROOTS.shape), 1)
    assert_close(inverse_lower(full), inverse_lower(ROOTS), 0, 0)
    assert_gradients(inverse_lower, full)


def test_inverse_lower_of_very_different_rows() -> None:
    sizes = 10.0 ** np.array([-8, 8, -3, 3])
    expected = linalg.solve_triangular(ROOTS[0, 0], np.eye(N), lower=True) / sizes
    assert_close(inverse_lower(sizes[:, None] * ROOTS[0, 0]), expected, 1e-12, 0)


def test_second_derivatives() -> None:
    assert_gradients(elementwise_grad(lambda x: anp.exp(cholesky(x))), MATRICES[0, 0], symmetric=True)
    assert_gradients(elementwise_grad(inverse_lower), ROOTS[0, 0])


def test_failure_stays_with_its_matrix() -> None:
    """Value and gradient are NaN for that matrix of the batch alone."""
    matrices = MATRICES[0].copy()
    matrices[1, 0, 0] = -1.0
    found, slope = cholesky(matrices), elementwise_grad(cholesky)(matrices)
    for i, good in enumerate([True, False, True]):
        assert np.isfinite(slope[i]).all() == good
        if good:
            assert_close(found[i], linalg.cholesky(matrices[i], lower=True), 1e-12, 1e-12)
        else:
            assert np.isnan(found[i]).all()


def test_singular_triangle_stays_alone() -> None:
    roots = ROOTS[0].copy()
    roots[1, 2, 2] = 0.0
    found, slope = inverse_lower(roots), elementwise_grad(inverse_lower)(roots)
    for i, good in enumerate([True, False, True]):
        assert np.isfinite(slope[i]).all() == good
        assert np.isfinite(found[i]).all() == good
    assert_close(found[2], linalg.solve_triangular(roots[2], np.eye(N), lower=True), 1e-12, 1e-12)


@pytest.mark.parametrize(
    ("of_matrices", "of_vectors"),
    [
        ((), ()),
        ((), (5,)),
        ((), (3, 5)),
        ((1,), (5,)),
        ((3,), (3,)),
        ((3,), ()),
        ((3, 1), (5,)),
        ((3, 1), (3, 5)),
        ((3, 1), (1, 5)),
        ((3, 5), (5,)),
        ((3, 5), (3, 1)),
        ((2, 3, 1), (2, 3, 5)),
        ((2, 1, 1), (3, 5)),
        ((2, 1, 1), (2, 3, 5)),
        ((2, 1, 1), (4, 2, 3, 5)),
    ],
)
def test_apply_to_vectors(of_matrices: tuple[int, ...], of_vectors: tuple[int, ...]) -> None:
    matrices, vectors = RNG.standard_normal((*of_matrices, 2, N)), RNG.standard_normal((*of_vectors, N))
    expected = np.einsum("...nm,...m->...n", matrices, vectors)
    assert_close(apply_to_vectors(matrices, vectors), expected, 1e-12, 1e-12)
    assert_gradients(apply_to_vectors, matrices, vectors)
