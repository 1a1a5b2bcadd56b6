"""Supports of matrices -> maps from all of R^n: Cholesky factors of correlations, correlations, covariances.

The free coordinates of an n x n matrix lie along one axis: row after row of a lower triangle.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.transforms import Transform
from ppl.numeric import gather
from ppl.numeric.linear import cholesky, transpose
from ppl.numeric.shape import join
from ppl.numeric.special import exp, softplus

LOG_TWO = numpy.log(2.0)


def size_of_strict(coordinates: int) -> int:
    """How many rows the matrix has whose strict lower triangle has so many elements."""
    return round((1 + numpy.sqrt(1 + 8 * coordinates)) / 2)


def size_of_full(coordinates: int) -> int:
    """The same for a lower triangle with its diagonal."""
    return size_of_strict(coordinates) - 1


@cache
def _places(n: int, offset: int) -> gather.Positions:
    """Where the elements of an n x n matrix stand in a lower triangle that a zero was put behind."""
    rows, columns = numpy.tril_indices(n, offset)
    index = numpy.full((n, n), len(rows))
    index[rows, columns] = numpy.arange(len(rows))
    return gather.Positions(index, len(rows) + 1)


def lower_triangle(z: Any, n: int, offset: int) -> Any:
    """Coordinates (..., m) -> matrices (..., n, n), zero above the diagonal, and on it where the offset is -1."""
    return gather.gather(join(-1, z, numpy.zeros((*np.shape(z)[:-1], 1))), _places(n, offset), -1)


def _flat_triangle(matrix: numpy.ndarray, offset: int) -> numpy.ndarray:
    rows, columns = numpy.tril_indices(matrix.shape[-1], offset)
    return matrix[..., rows, columns]


@cache
def _before(n: int) -> numpy.ndarray:
    """The matrix (n, n) that sums what stands before each element of a row."""
    return numpy.triu(numpy.ones((n, n)), 1)


def _log_sech(z: Any) -> Any:
    """log(1/cosh z) = log sqrt(1 - tanh(z)^2)."""
    return LOG_TWO + z - softplus(2 * z)


def _log_lengths(z: Any, n: int) -> Any:
    """The logarithm of what is left of the unit length of a row before each of its elements."""
    return np.matmul(lower_triangle(_log_sech(z), n, -1), _before(n))


def rows_of_unit_length(partial: Any, log_lengths: Any) -> Any:
    """Partial correlations (a strict lower triangle) and the logarithms of lengths -> the Cholesky factor."""
    n = np.shape(partial)[-1]
    return (partial + numpy.eye(n)) * exp(numpy.tril(numpy.ones((n, n))) * log_lengths)


def _to_cholesky_correlation(z: Any, lower: Any, upper: Any) -> Any:
    """Stan's: tanh of the coordinates are partial correlations, each takes its share of its row's unit length."""
    n = size_of_strict(np.shape(z)[-1])
    return rows_of_unit_length(np.tanh(lower_triangle(z, n, -1)), _log_lengths(z, n))


def _from_cholesky_correlation(theta: Any, lower: Any, upper: Any) -> Any:
    """z = arsinh(element / length of what stands behind it in its row)."""
    squares = numpy.tril(theta) ** 2
    behind = numpy.sqrt(numpy.cumsum(squares[..., :0:-1], axis=-1)[..., ::-1])
    rows, columns = numpy.tril_indices(theta.shape[-1], -1)
    return numpy.arcsinh(theta[..., rows, columns] / behind[..., rows, columns])


def _log_diagonal(z: Any, n: int) -> Any:
    return np.sum(lower_triangle(_log_sech(z), n, -1), axis=-1)


def _cholesky_correlation_log_jacobian(z: Any, lower: Any, upper: Any) -> Any:
    """d L_ij / d z_ij is 1 - tanh^2 times the length that is left before it; the rest is triangular."""
    n = size_of_strict(np.shape(z)[-1])
    strict = numpy.tril(numpy.ones((n, n)), -1)
    left = np.sum(strict * _log_lengths(z, n), axis=(-1, -2))
    return 2 * np.sum(_log_sech(z), axis=-1) + left


def _to_correlation(z: Any, lower: Any, upper: Any) -> Any:
    root = _to_cholesky_correlation(z, lower, upper)
    n = np.shape(root)[-1]
    return np.matmul(root, transpose(root)) * (1 - numpy.eye(n)) + numpy.eye(n)  # exactly 1 on the diagonal


def _correlation_log_jacobian(z: Any, lower: Any, upper: Any) -> Any:
    """By the elements below the diagonal; |d R / d L| is the product of L_ii^(n - i)."""
    n = size_of_strict(np.shape(z)[-1])
    powers = numpy.arange(n - 1, -1, -1.0)
    return _cholesky_correlation_log_jacobian(z, lower, upper) + np.sum(powers * _log_diagonal(z, n), axis=-1)


@cache
def _on_diagonal(n: int) -> numpy.ndarray:
    """Which coordinates of a lower triangle lie on the diagonal."""
    rows, columns = numpy.tril_indices(n)
    return rows == columns


def _to_covariance(z: Any, lower: Any, upper: Any) -> Any:
    """L L', the diagonal of L an exponential."""
    n = size_of_full(np.shape(z)[-1])
    diagonal = _on_diagonal(n)
    root = lower_triangle(np.where(diagonal, exp(np.where(diagonal, z, 0.0)), z), n, 0)
    return np.matmul(root, transpose(root))


def _from_covariance(theta: Any, lower: Any, upper: Any) -> Any:
    flat = _flat_triangle(cholesky(theta), 0)
    diagonal = _on_diagonal(theta.shape[-1])
    return numpy.where(diagonal, numpy.log(numpy.where(diagonal, flat, 1.0)), flat)


def _covariance_log_jacobian(z: Any, lower: Any, upper: Any) -> Any:
    """By the elements of the lower triangle: 2^n times the product of L_ii^(n - i + 2)."""
    n = size_of_full(np.shape(z)[-1])
    powers = numpy.zeros(np.shape(z)[-1])
    powers[_on_diagonal(n)] = numpy.arange(n + 1, 1, -1.0)
    return n * LOG_TWO + np.sum(powers * z, axis=-1)


CHOLESKY_CORRELATION = Transform(
    "Cholesky factor of a correlation",
    _to_cholesky_correlation,
    _from_cholesky_correlation,
    _cholesky_correlation_log_jacobian,
    event_rank=2,
    free=lambda n: n * (n - 1) // 2,
)
CORRELATION = Transform(
    "correlation",
    _to_correlation,
    lambda theta, lower, upper: _from_cholesky_correlation(cholesky(theta), lower, upper),
    _correlation_log_jacobian,
    event_rank=2,
    free=lambda n: n * (n - 1) // 2,
)
COVARIANCE = Transform(
    "covariance",
    _to_covariance,
    _from_covariance,
    _covariance_log_jacobian,
    event_rank=2,
    free=lambda n: n * (n + 1) // 2,
)
