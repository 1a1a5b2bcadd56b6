"""data as they are given -> their rows, so many at a time: of a Parquet file few are in memory, of all else all are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.data import axes, dataset
from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.data.row_groups import Streamed, blocks_of, groups_asked, is_parquet
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows in order, the first of which is row `start` (from 0)."""

    start: int
    data: Dataset


def blocks(sources: Sequence[Any], tables: Mapping[str, Any], count: int, text: str) -> Iterator[Rows]:
    """The same blocks of the same rows, whatever holds them; of a Parquet file the columns that a text may mean.

    Data that are no table are one block. Raises what reading raises.
    """
    if is_parquet(sources, tables) or any(isinstance(source, Streamed) for source in sources):
        start = 0
        for data in blocks_of(groups_asked(sources, tables, text), count):
            yield Rows(start, data)
            start += count
        return
    whole = dataset.read(sources, tables)
    if whole.rows is None or whole.rows.length <= count:
        yield Rows(0, whole)
        return
    for start in range(0, whole.rows.length, count):
        yield Rows(start, _cut(whole, start, min(start + count, whole.rows.length)))


def _cut(data: Dataset, start: int, stop: int) -> Dataset:
    assert data.rows is not None
    axis = axes.rows(stop - start, data.rows.name)
    columns = {
        name: _cut_column(column, start, stop, axis) if column.axes and column.axes[0] == data.rows else column
        for name, column in data.columns.items()
    }
    return replace(data, columns=columns, rows=axis)


def _cut_column(column: Column, start: int, stop: int, axis: axes.Axis) -> Column:
    """The rows, with the levels alone that stand in them."""
    values, levels = column.values[start:stop], column.levels
    if levels is not None:
        known = np.unique(values[values >= 0])
        values = np.where(values >= 0, np.searchsorted(known, values), -1)
        levels = tuple(levels[int(code)] for code in known)
    gaps = None if column.missing is None else column.missing[start:stop]
    return replace(
        column, values=values, levels=levels, missing=gaps if gaps is not None and gaps.any() else None,
        axes=(axis, *column.axes[1:]), rows=np.arange(start, stop) if column.rows is None else column.rows[start:stop],
    )  # fmt: skip
