"""positions -> a pattern: which elements (rows) are made of which others (columns), and how patterns are joined.

A small one is an array of booleans, a large one a sparse matrix of scipy: to import that, and each call of it, costs
more than all the patterns of a small model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.values import dataclass

if TYPE_CHECKING:
    from scipy import sparse

_LARGE = 1 << 16  # entries, of zeros and ones


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Ones where a row depends on a column; `matrix` is an array of booleans, or sparse and of integers."""

    matrix: Any

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.matrix.shape
        return int(rows), int(columns)

    @property
    def is_dense(self) -> bool:
        return isinstance(self.matrix, np.ndarray)

    @property
    def nnz(self) -> int:
        """How many entries are ones, or more where some are listed twice."""
        return int(np.count_nonzero(self.matrix)) if self.is_dense else int(self.matrix.nnz)

    @property
    def T(self) -> Pattern:  # noqa: N802  (as numpy and scipy call it)
        return Pattern(self.matrix.T)

    def __add__(self, other: Pattern) -> Pattern:
        """Ones where either has them."""
        if self.is_dense and other.is_dense:
            return Pattern(self.matrix | other.matrix)
        return Pattern(self.sparse() + other.sparse())

    def __matmul__(self, other: Pattern) -> Pattern:
        """Rows of this by columns of the other, through whatever lies between."""
        if self.is_dense and other.is_dense and self.shape[0] * other.shape[1] <= _LARGE:
            return Pattern(self.matrix.astype(np.float32) @ other.matrix.astype(np.float32) > 0)
        return Pattern(self.sparse() @ other.sparse())

    def __getitem__(self, rows: np.ndarray) -> Pattern:
        small = self.is_dense and len(rows) * self.shape[1] <= _LARGE
        return Pattern(self.matrix[rows] if small else self.sparse()[rows])

    def sum(self, axis: int) -> np.ndarray:
        """How many entries there are in each column (axis 0) or row (axis 1)."""
        return np.asarray(self.matrix.sum(axis=axis)).reshape(-1)

    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the ones."""
        if self.is_dense:
            rows, columns = np.nonzero(self.matrix)
            return rows, columns
        listed = self.matrix.tocoo()
        return listed.row, listed.col

    def todense(self) -> np.ndarray:
        """Of booleans."""
        return np.asarray(self.matrix if self.is_dense else self.matrix.todense()) != 0

    def sparse(self) -> sparse.csr_matrix:
        """Of ones."""
        from scipy import sparse

        if self.is_dense:
            return sparse.csr_matrix(self.matrix.astype(np.int32))
        matrix = self.matrix.tocsr()
        matrix.data = np.ones_like(matrix.data)
        return matrix


def ones_at(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Pattern:
    """The pattern that has ones at these places."""
    if shape[0] * shape[1] <= _LARGE:
        matrix = np.zeros(shape, dtype=bool)
        matrix[rows, columns] = True
        return Pattern(matrix)
    from scipy import sparse

    return Pattern(sparse.csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape))
