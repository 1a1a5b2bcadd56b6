"""model, split by rows -> what is observed of each row, as an array of standardised numbers for an encoder.

Read are the observed values of the parts that depend on the latents that are to be encoded, and the columns that these
parts' distributions read. Categories become indicators; a missing cell is 0, with an indicator of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ppl.data.axes import Axis
from ppl.model.graph import Factor, Model
from ppl.model.terms import Term, ancestors, inputs, numeric

_MOST = 100_000  # numbers of a row


class TooWide(Exception):
    """A row of more numbers than an encoder reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How rows are read: `gaps` says of each observed part whether it has indicators of missing cells; the `kept`
    columns, those that vary, less their `mean`, divided by their `scale`.
    """

    gaps: tuple[bool, ...]
    kept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @property
    def width(self) -> int:
        return len(self.kept)


def observed_of(model: Model, names: Collection[str], axis: Axis, labels: Collection[str] = ()) -> tuple[Factor, ...]:
    """The observed parts over the axis that depend on the latents of these names, or on the `labels`, discrete ones;
    these themselves left out.
    """
    wanted = {*names, *labels}
    over_rows = [x for x in model.observed if _place(x.value, axis) >= 0 and x.name not in labels]
    own = [factor for factor in over_rows if wanted & set(inputs([factor.log_prob]))]
    behind = {name for factor in own for name in inputs([factor.log_prob])}  # columns of which cells are missing
    return tuple(factor for factor in over_rows if factor in own or factor.name in behind)


def layout(factors: Sequence[Factor], axis: Axis) -> Layout:
    """Worked out over all rows of the data that are fitted. Raises `TooWide`."""
    gaps = tuple(factor.missing is not None for factor in factors)
    whole = _raw(factors, axis, gaps)
    if whole.shape[1] > _MOST:
        raise TooWide
    known = ~np.isnan(whole)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, whole, 0.0)
    mean = filled.sum(axis=0) / count
    scale = np.sqrt((np.where(known, whole - mean, 0.0) ** 2).sum(axis=0) / count)
    kept = np.flatnonzero(scale > 1e-12 * np.maximum(1.0, np.abs(mean)))
    return Layout(gaps, kept, mean[kept], scale[kept])


def rows_of(factors: Sequence[Factor], axis: Axis, how: Layout) -> np.ndarray:
    """What the encoder gets (N, width)."""
    raw = _raw(factors, axis, how.gaps)[:, how.kept]
    return np.nan_to_num((raw - how.mean) / how.scale)


def _raw(factors: Sequence[Factor], axis: Axis, gaps: Sequence[bool]) -> np.ndarray:
    """Numbers of each row, NaN where a cell is missing."""
    parts = [part for factor, gap in zip(factors, gaps, strict=True) for part in _of(factor, axis, gap)]
    return np.concatenate(parts, axis=1) if parts else np.zeros((axis.length, 0))


def _of(factor: Factor, axis: Axis, gap: bool) -> Iterator[np.ndarray]:
    value, distribution = factor.value, factor.distribution
    assert value is not None and distribution is not None
    at = _place(value, axis)
    numbers = _by_row(numeric(value), at)
    missing = np.zeros(numbers.shape, dtype=bool)
    if factor.missing is not None:
        missing = _by_row(np.broadcast_to(_over_event(factor.missing, value.shape), value.shape), at)
    if distribution.family.support.kind == "category":
        categories = range(distribution.categories or 0)
        for k in categories:
            yield np.where(missing, 0.0, numbers == k)
    else:
        yield np.where(missing, np.nan, numbers)
    if gap:
        yield missing.astype(np.float64)
    seen: set[int] = {id(value)}
    for term in ancestors(distribution.all_terms):
        place = _place(term, axis)
        if term.known and place >= 0 and id(term) not in seen:
            seen.add(id(term))
            yield _by_row(numeric(term), place)


def _over_event(missing: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask over plates as one over the event too."""
    mask = np.asarray(missing)
    return mask.reshape(*mask.shape, *([1] * (len(shape) - mask.ndim)))


def _place(term: Term | None, axis: Axis) -> int:
    """Where a term has the axis; -1 where it lacks it."""
    axes = () if term is None else (*term.plates, *term.axes)
    return next((i for i, each in enumerate(axes) if each.identity == axis.identity and axis.identity), -1)


def _by_row(values: np.ndarray, place: int) -> np.ndarray:
    moved = np.moveaxis(np.asarray(values, dtype=np.float64), place, 0)
    return moved.reshape(len(moved), -1)
