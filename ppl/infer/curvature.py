"""gradients -> Hessians: which coordinates interact, and central differences of batched gradients along few directions.

Coordinates that no factor ties together can be moved at the same time, so a hierarchy with thousands of group effects
needs a handful of directions, not thousands (Curtis, Powell, Reid 1974; the few coordinates that interact with very
many, such as the mean of all groups, are moved one at a time and give the rest of their rows by symmetry).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ppl.values import dataclass

if TYPE_CHECKING:
    from scipy import sparse

STEP = 3e-3  # of a coordinate's scale; the error is of the order of its square
_MOST_THRESHOLDS = 12

Gradient = Callable[[np.ndarray], np.ndarray]  # (S, D) -> (S, D)


@dataclass(frozen=True, slots=True)
class Directions:
    """Groups of coordinates that are moved together, and which entries of the Hessian each group shows.

    `groups[c]` are coordinates; moving them shows the entries `(rows[c][k], columns[c][k])`.
    """

    dimension: int
    groups: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.groups)


def plan(interacts: np.ndarray) -> Directions:
    """Few directions that show every entry of a symmetric Hessian with this pattern (D, D, true on the diagonal)."""
    dimension = len(interacts)
    degrees = interacts.sum(axis=0)
    best: list[np.ndarray] | None = None
    best_hubs = np.arange(dimension)
    thresholds = np.flatnonzero(np.bincount(degrees))
    if len(thresholds) > _MOST_THRESHOLDS:
        thresholds = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, _MOST_THRESHOLDS).astype(int))]
    for most in thresholds:
        hubs = np.flatnonzero(degrees > most)
        rest = np.flatnonzero(degrees <= most)
        if best is not None and len(hubs) >= len(best_hubs) + len(best):
            continue
        groups = _color(interacts[np.ix_(rest, rest)])
        if best is None or len(hubs) + len(groups) < len(best_hubs) + len(best):
            best, best_hubs = [rest[group] for group in groups], hubs
    assert best is not None or dimension == 0
    return _entries(interacts, best_hubs if dimension else np.arange(0), best or [])


def _color(interacts: np.ndarray) -> list[np.ndarray]:
    """Groups of columns of which no two have an entry in the same row, greedily."""
    free = np.ones(len(interacts), dtype=bool)
    groups = []
    while free.any():
        taken = np.zeros(len(interacts), dtype=bool)  # rows the group has an entry in
        group = []
        for j in np.flatnonzero(free):
            if not (taken & interacts[:, j]).any():
                group.append(j)
                taken |= interacts[:, j]
        free[group] = False
        groups.append(np.array(group))
    return groups


def _entries(interacts: np.ndarray, hubs: np.ndarray, groups: list[np.ndarray]) -> Directions:
    is_hub = np.zeros(len(interacts), dtype=bool)
    is_hub[hubs] = True
    all_groups, rows, columns = [], [], []
    for hub in hubs:
        touched = np.flatnonzero(interacts[:, hub])
        all_groups.append(np.array([hub]))
        rows.append(touched)
        columns.append(np.full(len(touched), hub))
    for group in groups:
        row, which = np.nonzero(interacts[:, group] & ~is_hub[:, None])
        all_groups.append(group)
        rows.append(row)
        columns.append(group[which])
    return Directions(len(interacts), tuple(all_groups), tuple(rows), tuple(columns))


def plan_sparse(pattern: sparse.csr_matrix, most: int) -> tuple[Directions, np.ndarray] | None:
    """As `plan`, from a sparse pattern, and the coordinates that are moved one at a time, its hubs.

    None where it would take more than `most` directions.
    """
    dimension = pattern.shape[0]
    degrees = np.diff(pattern.indptr)
    best: tuple[np.ndarray, np.ndarray] | None = None
    for limit in _thresholds(degrees, most):
        hubs = np.flatnonzero(degrees > limit)
        if len(hubs) >= most:
            continue
        color = _color_sparse(pattern, degrees > limit, most - len(hubs))
        if color is not None and (best is None or len(hubs) + color.max() < len(best[0]) + best[1].max()):
            best = hubs, color
    if best is None:
        return None
    hubs, color = best
    is_hub = color < 0
    entries = pattern.tocoo()
    rows, columns = entries.row.astype(np.int64), entries.col.astype(np.int64)
    shown = np.where(is_hub[columns], np.cumsum(is_hub)[columns] - 1, len(hubs) + color[columns])
    kept = is_hub[columns] | ~is_hub[rows]
    rows, columns, shown = rows[kept], columns[kept], shown[kept]
    order = np.argsort(shown, kind="stable")
    cuts = np.cumsum(np.bincount(shown, minlength=len(hubs) + int(color.max()) + 1))[:-1]
    groups = [hubs[i : i + 1] for i in range(len(hubs))]
    groups += [np.flatnonzero(color == c) for c in range(int(color.max()) + 1)]
    by_direction = tuple(np.split(rows[order], cuts)), tuple(np.split(columns[order], cuts))
    return Directions(dimension, tuple(groups), *by_direction), hubs


def _thresholds(degrees: np.ndarray, most: int) -> np.ndarray:
    """Degrees that leave at most `most` coordinates above them: where the sorted degrees fall the most."""
    ordered = np.sort(degrees)[::-1].astype(float)[: most + 1]
    falls = np.flatnonzero(ordered[1:] < ordered[:-1]) + 1
    steepest = falls[np.argsort(ordered[falls] / ordered[falls - 1], kind="stable")][:_MOST_THRESHOLDS]
    return np.unique(ordered[np.concatenate([[0], steepest])])


def _color_sparse(pattern: sparse.csr_matrix, is_hub: np.ndarray, most: int) -> np.ndarray | None:
    """Colors (D,), -1 for hubs, that differ where two of the rest share a row; None where `most` are too few."""
    rest = np.flatnonzero(~is_hub)
    inner = pattern[rest][:, rest].tocsr()
    if len(rest) and np.diff(inner.indptr).max() > most:
        return None
    near = (inner @ inner).tocsr()
    color = np.full(len(rest), -1)
    for i in range(len(rest)):
        taken = set(color[near.indices[near.indptr[i] : near.indptr[i + 1]]].tolist())
        free = next(c for c in range(len(taken) + 1) if c not in taken)
        if free >= most:
            return None
        color[i] = free
    found = np.full(len(is_hub), -1)
    found[rest] = color
    return found


def second_differences(
    gradient: Gradient, z: np.ndarray, scale: np.ndarray, directions: Directions, draws_at_once: int
) -> list[np.ndarray]:
    """For every direction the entries it shows of each draw's Hessian: a list of arrays (S, entries).

    z (S, D); `scale`, (D,) or (S, D), is about the size over which the gradient changes by itself. All moved points are
    evaluated in as few batches as `draws_at_once` allows.
    """
    steps = np.broadcast_to(STEP * scale, z.shape)
    per_batch = max(1, draws_at_once // max(1, 2 * len(z)))
    shown: list[np.ndarray] = []
    for first in range(0, len(directions), per_batch):
        batch = range(first, min(first + per_batch, len(directions)))
        moves = np.zeros((len(batch), *z.shape))
        for k, c in enumerate(batch):
            moves[k][:, directions.groups[c]] = steps[:, directions.groups[c]]
        above = z[None] + moves
        below = z[None] - moves
        points = np.concatenate([above, below]).reshape(-1, z.shape[1])
        found = gradient(points).reshape(2, len(batch), *z.shape)
        change = found[0] - found[1]
        for k, c in enumerate(batch):
            shown.append(change[k][:, directions.rows[c]] / (2 * steps[:, directions.columns[c]]))
    return shown


def assemble(directions: Directions, shown: list[np.ndarray]) -> np.ndarray:
    """Entries, one list a direction -> the symmetric matrix (D, D). What is seen from both sides is averaged."""
    matrix = np.zeros((directions.dimension, directions.dimension))
    seen = np.zeros((directions.dimension, directions.dimension), dtype=bool)
    for row, column, entries in zip(directions.rows, directions.columns, shown, strict=True):
        matrix[row, column] = entries
        seen[row, column] = True
    both = seen & seen.T
    return np.where(both, 0.5 * (matrix + matrix.T), np.where(seen, matrix, matrix.T))


def hessians(
    gradient: Gradient, z: np.ndarray, scale: np.ndarray, directions: Directions, draws_at_once: int
) -> np.ndarray:
    """The Hessians (S, D, D) of a log density at points z (S, D), from its gradient; `scale` is (D,) or (S, D)."""
    shown = second_differences(gradient, z, scale, directions, draws_at_once)
    found = [assemble(directions, [entries[k] for entries in shown]) for k in range(len(z))]
    return np.array(found).reshape(len(z), z.shape[1], z.shape[1])
