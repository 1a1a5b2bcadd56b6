"""Linear algebra over batches beside scipy's one matrix at a time, and its gradients beside differences."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import linalg

from ppl.numeric import linear as module
from ppl.numeric.linear import (
    apply_to_vectors,
    cholesky,
    cofactors,
    determinant,
    inverse,
    inverse_lower,
    kron,
    kron_vectors,
    log_determinant,
    outer,
    solve,
    solve_vectors,
    transpose,
)
from tests.witness import assert_close, assert_gradients, functions_of

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


GENERAL = RNG.standard_normal((2, 3, N, N)) + 2 * np.eye(N)
SHAPES = pytest.mark.parametrize("shape", [(), (3,), (2, 3)])


@SHAPES
def test_inverse_and_determinants(shape: tuple[int, ...]) -> None:
    matrices = GENERAL[(0,) * (2 - len(shape))]
    expected, sizes = np.empty(matrices.shape), np.empty(shape)
    for place in np.ndindex(*shape):
        expected[place] = linalg.solve(matrices[place], np.eye(N))
        sizes[place] = linalg.det(matrices[place])
    assert_close(inverse(matrices), expected, 1e-11, 1e-11)
    assert_close(determinant(matrices), sizes, 1e-12, 1e-12)
    assert_gradients(inverse, matrices)
    assert_gradients(determinant, matrices)


@SHAPES
def test_log_determinant(shape: tuple[int, ...]) -> None:
    matrices = MATRICES[(0,) * (2 - len(shape))]
    expected = np.empty(shape)
    for place in np.ndindex(*shape):
        expected[place] = np.log(linalg.eigvalsh(matrices[place])).sum()
    assert_close(log_determinant(matrices), expected, 1e-12, 1e-12)
    assert_gradients(log_determinant, matrices)


def test_determinant_of_singular_matrices() -> None:
    """It has a slope there as everywhere: the determinants of what is left without a row and a column."""
    once = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert_close(cofactors(once), np.array([[-3.0, 6, -3], [6, -12, 6], [-3, 6, -3]]), 1e-12, 1e-12)
    assert_close(cofactors(np.ones((3, 3))), np.zeros((3, 3)), 0, 1e-12)
    assert_gradients(determinant, np.stack([once, np.ones((3, 3)), once.T @ once]))
    assert_gradients(cofactors, GENERAL[0])


def test_log_determinant_of_what_has_none() -> None:
    turned = np.array([[0.0, 1.0], [1.0, 0.0]])  # determinant -1
    flat = np.ones((2, 2))
    found = log_determinant(np.stack([turned, flat, np.eye(2), 1e-300 * np.eye(2)]))
    assert np.isnan(found[0])
    assert found[1] == -np.inf
    assert_close(found[2:], [0.0, -600 * np.log(10)], 1e-14, 0)


@pytest.mark.parametrize(
    ("of_matrices", "of_right"),
    [((), ()), ((), (5,)), ((), (3, 5)), ((1,), (5,)), ((1, 1), (5,)), ((3,), ()), ((3,), (3,)), ((3, 1), (2,))],
)
def test_solve(of_matrices: tuple[int, ...], of_right: tuple[int, ...]) -> None:
    matrices = RNG.standard_normal((*of_matrices, N, N)) + 3 * np.eye(N)
    right = RNG.standard_normal((*of_right, N, 2))
    batch = np.broadcast_shapes(of_matrices, of_right)
    expected = np.empty((*batch, N, 2))
    for place in np.ndindex(*batch):
        one = np.broadcast_to(matrices, (*batch, N, N))[place]
        expected[place] = linalg.solve(one, np.broadcast_to(right, (*batch, N, 2))[place])
    assert_close(solve(matrices, right), expected, 1e-11, 1e-11)
    assert_gradients(solve, matrices, right)
    assert_close(solve_vectors(matrices, right[..., 0]), expected[..., 0], 1e-11, 1e-11)
    assert_gradients(solve_vectors, matrices, right[..., 0])


def test_solve_nothing() -> None:
    assert solve(np.zeros((2, 0, 0)), np.zeros((1, 0, 3))).shape == (2, 0, 3)
    assert solve(np.zeros((0, 0)), np.zeros((2, 0, 3))).shape == (2, 0, 3)


def test_second_derivatives_of_solving() -> None:
    one, right = GENERAL[0, 0], GENERAL[1, 0, :, :2]
    assert_gradients(elementwise_grad(inverse), one)
    assert_gradients(elementwise_grad(lambda x: anp.exp(determinant(x) / 10)), one)
    assert_gradients(elementwise_grad(log_determinant), MATRICES[0, 0])
    assert_gradients(elementwise_grad(lambda x: solve(x, right)), one)


def test_singular_matrix_stays_alone() -> None:
    """Its inverse and its solution are NaN, with their gradients; those of the others are as they would be alone."""
    matrices, right = MATRICES[0].copy(), RNG.standard_normal((3, N, 2))
    matrices[1] = 1.0
    for function in (inverse, log_determinant, lambda x: solve(x, right), lambda x: solve(x, right[0])):
        found, slope = function(matrices), elementwise_grad(function)(matrices)
        for i, good in enumerate([True, False, True]):
            assert np.isfinite(slope[i]).all() == good
            assert np.isfinite(found[i]).all() == good
    assert_close(solve(matrices, right)[2], linalg.solve(matrices[2], right[2]), 1e-11, 1e-11)
    assert_close(inverse(matrices)[2], linalg.solve(matrices[2], np.eye(N)), 1e-11, 1e-11)


@pytest.mark.parametrize(("of_left", "of_right"), [((), ()), ((3,), ()), ((2, 1), (3,)), ((2, 3), (2, 3))])
def test_products(of_left: tuple[int, ...], of_right: tuple[int, ...]) -> None:
    left, right = RNG.standard_normal((*of_left, 2, 3)), RNG.standard_normal((*of_right, 4, 2))
    batch = np.broadcast_shapes(of_left, of_right)
    lefts, rights = np.broadcast_to(left, (*batch, 2, 3)), np.broadcast_to(right, (*batch, 4, 2))
    for function, witness, pick in (
        (kron, np.kron, ()),
        (kron_vectors, np.kron, (0,)),
        (outer, np.outer, (0,)),
    ):
        of = (..., *pick, *[slice(None)] * (2 - len(pick)))
        found = function(left[of], right[of])
        for place in np.ndindex(*batch):
            assert_close(found[place], witness(lefts[(*place, *pick)], rights[(*place, *pick)]), 1e-14, 1e-14)
        assert_gradients(function, left[of], right[of])


def test_every_function_is_tested() -> None:
    assert functions_of(module) == {
        "apply_to_vectors", "cholesky", "cofactors", "determinant", "inverse", "inverse_lower", "kron", "kron_vectors",
        "log_determinant", "outer", "solve", "solve_vectors", "transpose",
    }  # fmt: skip
