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
    return numpy.tril(_each(numpy.linalg.inv, numpy.tril(matrices)))


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
