"""Linear algebra over leading batch axes, as autograd primitives that turn failures into NaN for that batch alone."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast


def transpose(x: Any) -> Any:
    """The last two axes swapped."""
    return np.swapaxes(x, -1, -2)


def _each(function: Any, matrices: numpy.ndarray) -> numpy.ndarray:
    """A function of numpy.linalg over all matrices; those on which it fails become NaN, the others stay."""
    try:
        with numpy.errstate(all="ignore"):
            return numpy.asarray(function(matrices))
    except numpy.linalg.LinAlgError:
        flat = matrices.reshape(-1, *matrices.shape[-2:])
        results = numpy.full(flat.shape, numpy.nan)
        for i, matrix in enumerate(flat):
            try:
                results[i] = function(matrix)
            except numpy.linalg.LinAlgError:
                continue
        return results.reshape(matrices.shape)


@primitive
def cholesky(matrices: Any) -> Any:
    """The lower factor of symmetric positive definite matrices (..., n, n); NaN where one is not."""
    return _each(numpy.linalg.cholesky, matrices)


def _cholesky_backward(root: Any, matrices: Any) -> Any:
    # Smith 1995, Murray 2016: K' = L^-T P(L^T L') L^-1, symmetrised, P the lower triangle with its diagonal halved
    size = root.shape[-1]
    halved = numpy.tril(numpy.ones((size, size))) - 0.5 * numpy.eye(size)

    def vjp(g: Any) -> Any:
        inverse = inverse_lower(root)
        inner = halved * np.matmul(transpose(root), g)
        outer = np.matmul(transpose(inverse), np.matmul(inner, inverse))
        return 0.5 * (outer + transpose(outer))

    return vjp


defvjp(cholesky, _cholesky_backward)


@primitive
def inverse_lower(matrices: Any) -> Any:
    """The inverse of lower triangular matrices (..., n, n); NaN where one is singular."""
    diagonal = numpy.diagonal(matrices, axis1=-2, axis2=-1)
    singular = (diagonal == 0.0).any(axis=-1)
    with numpy.errstate(all="ignore"):
        found = _inverse_by_halves(matrices)
    return numpy.where(singular[..., None, None], numpy.nan, found) if singular.any() else found


def _inverse_by_halves(matrices: numpy.ndarray) -> numpy.ndarray:
    """Products of all matrices of a batch at once: three times as fast as one general inverse each."""
    size = matrices.shape[-1]
    if size <= 1:
        return numpy.asarray(1.0 / matrices)
    half = size // 2
    first, second = (_inverse_by_halves(matrices[..., own, own]) for own in (slice(half), slice(half, size)))
    found = numpy.zeros(matrices.shape)
    found[..., :half, :half], found[..., half:, half:] = first, second
    found[..., half:, :half] = -numpy.matmul(second, numpy.matmul(matrices[..., half:, :half], first))
    return found


def _inverse_lower_backward(inverse: Any, matrices: Any) -> Any:
    meta = np.metadata(matrices)
    mask = numpy.tril(numpy.ones(inverse.shape[-2:]))

    def vjp(g: Any) -> Any:
        turned = transpose(inverse)
        return unbroadcast(-mask * np.matmul(turned, np.matmul(g * mask, turned)), meta)

    return vjp


defvjp(inverse_lower, _inverse_lower_backward)


def apply_to_vectors(matrices: Any, vectors: Any) -> Any:
    """matrix @ vector over batch axes that broadcast: (..., n, m) and (..., m) -> (..., n).

    One matrix for many vectors is one product, not a product a vector.
    """
    if np.ndim(matrices) == 2:
        return np.matmul(vectors, transpose(matrices))
    if np.shape(matrices)[-3] == 1 and np.ndim(vectors) >= np.ndim(matrices) - 1:
        shape = np.shape(matrices)
        return np.matmul(vectors, transpose(np.reshape(matrices, (*shape[:-3], *shape[-2:]))))
    return np.matmul(matrices, np.expand_dims(vectors, -1))[..., 0]


@primitive
def inverse(matrices: Any) -> Any:
    """The inverse of matrices (..., n, n); NaN where one is singular."""
    return _each(numpy.linalg.inv, matrices)


def _inverse_backward(answer: Any, matrices: Any) -> Any:
    return lambda g: -np.matmul(transpose(answer), np.matmul(g, transpose(answer)))


defvjp(inverse, _inverse_backward)


@primitive
def determinant(matrices: Any) -> Any:
    """(..., n, n) -> (...)."""
    return numpy.linalg.det(matrices)


@primitive
def log_determinant(matrices: Any) -> Any:
    """The log of the determinant of matrices (..., n, n): minus infinity where it is 0, NaN where it is negative."""
    sign, size = numpy.linalg.slogdet(matrices)
    return numpy.where(sign >= 0, size, numpy.nan)


def _beside(matrices: Any) -> Any:
    """Numbers (...) as matrices (..., 1, 1)."""
    return np.expand_dims(np.expand_dims(matrices, -1), -1)


@primitive
def cofactors(matrices: Any) -> Any:
    """The slope of the determinant of matrices (..., n, n): |A| A^-T, and its limit where A is singular.

    By the singular values s of A = U S V': |U V'| U diag(products of all other s) V'. Its own gradient has no limit
    here, and is NaN where A is singular.
    """
    left, sizes, right = numpy.linalg.svd(matrices)
    others = numpy.where(numpy.eye(sizes.shape[-1], dtype=bool), 1.0, sizes[..., None, :]).prod(axis=-1)
    sign = numpy.linalg.det(left) * numpy.linalg.det(right)
    return sign[..., None, None] * numpy.matmul(left * others[..., None, :], right)


def _cofactors_backward(answer: Any, matrices: Any) -> Any:
    def vjp(g: Any) -> Any:
        turned = transpose(inverse(matrices))
        share = np.sum(g * turned, axis=(-1, -2), keepdims=True)
        return _beside(determinant(matrices)) * (share * turned - np.matmul(turned, np.matmul(transpose(g), turned)))

    return vjp


defvjp(cofactors, _cofactors_backward)
# d |A| = |A| tr(A^-1 dA), d log |A| = tr(A^-1 dA): Petersen and Pedersen, The Matrix Cookbook, 46 and 43
defvjp(determinant, lambda answer, a: lambda g: _beside(g) * cofactors(a))
defvjp(log_determinant, lambda answer, a: lambda g: _beside(g) * transpose(inverse(a)))


@primitive
def solve(matrices: Any, right: Any) -> Any:
    """X of A X = B, for A (..., n, n) and B (..., n, k) over batch axes that broadcast; NaN where A is singular.

    One matrix for many right sides is factored once.
    """
    outer = numpy.broadcast_shapes(matrices.shape[:-2], right.shape[:-2])
    size, count = right.shape[-2:]
    if 0 < matrices.size == size * size:
        side_by_side = numpy.moveaxis(right, -2, 0).reshape(size, -1)
        together = _solve_each(matrices.reshape(size, size), side_by_side)
        found = numpy.moveaxis(together.reshape(size, *right.shape[:-2], count), 0, -2)
        return numpy.broadcast_to(found, (*outer, size, count))
    return _solve_each(matrices, right)


def _solve_each(matrices: Any, right: Any) -> Any:
    try:
        with numpy.errstate(all="ignore"):
            return numpy.linalg.solve(matrices, right)
    except numpy.linalg.LinAlgError:
        return numpy.matmul(_each(numpy.linalg.inv, matrices), right)  # as good for those that have an inverse


def _solve_backward_matrices(answer: Any, matrices: Any, right: Any) -> Any:
    meta = np.metadata(matrices)
    return lambda g: unbroadcast(-np.matmul(solve(transpose(matrices), g), transpose(answer)), meta)


def _solve_backward_right(answer: Any, matrices: Any, right: Any) -> Any:
    meta = np.metadata(right)
    return lambda g: unbroadcast(solve(transpose(matrices), g), meta)


defvjp(solve, _solve_backward_matrices, _solve_backward_right)


def solve_vectors(matrices: Any, right: Any) -> Any:
    """x of A x = b: (..., n, n) and (..., n) -> (..., n)."""
    return solve(matrices, np.expand_dims(right, -1))[..., 0]


def outer(x: Any, y: Any) -> Any:
    """(..., n) and (..., m) -> (..., n, m): every element of the one times every element of the other."""
    return np.expand_dims(x, -1) * np.expand_dims(y, -2)


def kron(x: Any, y: Any) -> Any:
    """The Kronecker product: (..., n, m) and (..., p, q) -> (..., n p, m q)."""
    blocks = np.expand_dims(np.expand_dims(x, -1), -3) * np.expand_dims(np.expand_dims(y, -2), -4)
    shape = np.shape(blocks)
    return np.reshape(blocks, (*shape[:-4], shape[-4] * shape[-3], shape[-2] * shape[-1]))


def kron_vectors(x: Any, y: Any) -> Any:
    """The Kronecker product of vectors: (..., n) and (..., m) -> (..., n m)."""
    blocks = outer(x, y)
    shape = np.shape(blocks)
    return np.reshape(blocks, (*shape[:-2], shape[-2] * shape[-1]))
