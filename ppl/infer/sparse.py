"""guide and fixed draws -> the sparse Hessian of the negative ELBO, its factor, and Newton's steps to its optimum.

Of thousands of coordinates each interacts with a few, and a few with all: the factor is as sparse as the Hessian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from ppl.infer import curvature
from ppl.infer.curvature import Directions
from ppl.infer.meanfield import CONVERGED
from ppl.infer.objective import LogDensity, MeanField, negative_elbo
from ppl.values import dataclass

_DAMPING = (0.0, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # of the diagonal
_HALVINGS = 8
_COLUMNS_AT_ONCE = 4_000_000  # numbers
_FEW_ENTRIES, _DENSE = 16, 10.0  # a column with more than both, the second times sqrt(N), is full
_FARTHEST = 2.0  # a step in log sigma


def hessian(
    joint: LogDensity, guide: MeanField, eps: np.ndarray, scale: np.ndarray, directions: Directions
) -> sparse.csc_matrix:
    """As `objective.hessian`, (2D, 2D) and sparse; what is seen from both sides is averaged."""
    dimension = len(guide.mu)
    z = guide.draws(eps)
    shown = curvature.second_differences(
        lambda points: joint.value_and_gradient(points)[1], z, scale, directions, joint.draws_at_once
    )
    spread = guide.sigma * eps
    row, column = np.concatenate(directions.rows), np.concatenate(directions.columns)
    blocks = np.zeros((4, len(row)))
    start = 0
    for r, c, entries in zip(directions.rows, directions.columns, shown, strict=True):
        by_row, by_column = entries * spread[:, r], entries * spread[:, c]
        found = (entries, by_column, by_row, by_row * spread[:, c])
        blocks[:, start : start + len(r)] = [-values.mean(axis=0) for values in found]
        start += len(r)
    count = _matrix(np.ones(len(row)), row, column, dimension)
    total = count + count.T

    def both(block: np.ndarray, mirrored: np.ndarray) -> sparse.csc_matrix:
        summed = _matrix(block, row, column, dimension) + _matrix(mirrored, column, row, dimension)
        return summed.multiply(total.power(-1.0))

    _, gradients = joint.value_and_gradient(z)
    curved = sparse.diags((gradients * spread).mean(axis=0))
    mixed = both(blocks[1], blocks[2])
    by_mean, by_scale = both(blocks[0], blocks[0]), both(blocks[3], blocks[3]) - curved
    return sparse.bmat([[by_mean, mixed], [mixed.T, by_scale]], format="csc")


def _matrix(values: np.ndarray, row: np.ndarray, column: np.ndarray, dimension: int) -> sparse.csc_matrix:
    return sparse.csc_matrix((values, (row, column)), shape=(dimension, dimension))


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A symmetric positive definite matrix, scaled by `unit` to a diagonal of ones and put in `order`, as L D L' of its
    permutation.
    """

    unit: np.ndarray
    order: np.ndarray
    lu: Any

    @staticmethod
    def of(matrix: sparse.csc_matrix, damping: float = 0.0) -> Factor | None:
        """The factor of a matrix, with so much added to its scaled diagonal; None where it is not positive definite."""
        diagonal = np.abs(matrix.diagonal())
        if not np.isfinite(matrix.data).all() or not (diagonal > 0).all():
            return None
        unit = np.sqrt(diagonal)
        scaled = sparse.diags(1 / unit) @ matrix @ sparse.diags(1 / unit) + damping * sparse.identity(len(unit))
        order, permuted = np.arange(len(unit)), "MMD_AT_PLUS_A"
        full = np.diff(matrix.indptr) > max(_FEW_ENTRIES, _DENSE * np.sqrt(len(unit)))
        if full.any():  # they go last: finding that out takes SuperLU longer than all else
            rest = np.flatnonzero(~full)
            inner = _factored(scaled.tocsr()[rest][:, rest], permuted)
            if inner is None:
                return None
            order, permuted = np.concatenate([rest[np.argsort(inner.perm_c)], np.flatnonzero(full)]), "NATURAL"
            scaled = scaled.tocsr()[order][:, order]
        lu = _factored(scaled, permuted)
        return None if lu is None else Factor(unit, order, lu)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(N,) or (N, n)."""
        unit = self.unit if right.ndim == 1 else self.unit[:, None]
        found = np.empty(right.shape)
        found[self.order] = self.lu.solve((right / unit)[self.order])
        return found / unit

    def columns(self, which: np.ndarray) -> np.ndarray:
        """Columns of the inverse (N, n)."""
        right = np.zeros((len(self.unit), len(which)))
        right[which, np.arange(len(which))] = 1.0
        return self.solve(right)

    def variances(self, which: np.ndarray) -> np.ndarray:
        """Of the diagonal of the inverse, some."""
        step = max(1, _COLUMNS_AT_ONCE // len(self.unit))
        found = [
            self.columns(some)[some, np.arange(len(some))]
            for some in (which[i : i + step] for i in range(0, len(which), step))
        ]
        return np.concatenate(found)

    def draw(self, eps: np.ndarray) -> np.ndarray:
        """Standard normal draws (S, N) -> draws (S, N) with the inverse as covariance."""
        upper = self.lu.U
        right = eps.T * np.sqrt(upper.diagonal())[:, None]
        solved = linalg.spsolve_triangular(upper.tocsr(), right, lower=False)
        found = np.empty(solved.shape)
        found[self.order] = solved[self.lu.perm_c]
        return np.asarray((found / self.unit[:, None]).T)


def _factored(matrix: sparse.csr_matrix, permuted: str) -> Any | None:
    """As SuperLU has it; None where it is not positive definite."""
    options = {"SymmetricMode": True}
    try:
        lu = linalg.splu(matrix.tocsc(), permc_spec=permuted, diag_pivot_thresh=0.0, options=options)
    except RuntimeError:  # exactly singular
        return None
    return lu if (lu.U.diagonal() > 0).all() and np.array_equal(lu.perm_r, lu.perm_c) else None


@dataclass(frozen=True, slots=True, eq=False)
class SparseOptimum:
    """The guide at the optimum over fixed draws; `hessian` and its factor there, None where not positive definite.

    `newton_step` is the largest step left, in sds of the linear response where those are known, else of the guide.
    """

    guide: MeanField
    elbo: float
    hessian: sparse.csc_matrix
    factor: Factor | None
    newton_step: float


def maximise(
    joint: LogDensity, guide: MeanField, eps: np.ndarray, directions: Directions, most_steps: int
) -> SparseOptimum:
    """Damped Newton steps to the ELBO's optimum."""
    value, gradient = negative_elbo(joint, guide, eps)
    dimension = len(guide.mu)
    while True:
        matrix = hessian(joint, guide, eps, guide.sigma, directions)
        factor, left = Factor.of(matrix), np.inf
        if factor is not None:
            step = -factor.solve(gradient)
            left = float(np.abs(np.concatenate([step[:dimension] / guide.sigma, step[dimension:]])).max())
        most_steps -= 1
        moved = None
        if left >= CONVERGED and most_steps >= 0:
            moved = _step(joint, guide, eps, matrix, factor, value, gradient)
        if moved is None:
            return SparseOptimum(guide, -value, matrix, factor, left)
        guide, value, gradient = moved


def _step(
    joint: LogDensity, guide: MeanField, eps: np.ndarray, matrix: sparse.csc_matrix, undamped: Factor | None,
    value: float, gradient: np.ndarray,
) -> tuple[MeanField, float, np.ndarray] | None:  # fmt: skip
    """The first damped or shortened step that lowers the value, with value and gradient there."""
    for damping in _DAMPING:
        factor = Factor.of(matrix, damping) if damping else undamped
        if factor is None:
            continue
        step = -factor.solve(gradient)
        step *= min(1.0, _FARTHEST / max(1e-300, float(np.abs(step[len(guide.mu) :]).max())))
        for halvings in range(_HALVINGS):
            trial = MeanField.unpack(guide.packed() + 0.5**halvings * step)
            trial_value, trial_gradient = negative_elbo(joint, trial, eps)
            if trial_value < value:
                return trial, trial_value, trial_gradient
        if value - trial_value > -1e-6:
            return None
    return None
