"""column -> column in which one value stands for a missing cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.data.axes import plain
from ppl.data.column import Column, Kind, from_array, from_cells, from_texts


def without(column: Column, value: float | str) -> tuple[Column, int]:
    """The column with a value recoded to missing, and how many cells that were.

    Text cells that are left are read anew, so that a column of numbers with "NA" among them becomes one of numbers.
    """
    if column.kind is Kind.TEXT:
        return _text_without(column, value)
    if isinstance(value, str):
        return column, 0
    hit = np.asarray(column.values == value) & (column.kind is not Kind.BOOLEAN)
    if not hit.any():
        return column, 0
    missing = hit if column.missing is None else hit | column.missing
    values = np.where(missing, np.zeros((), dtype=column.values.dtype), column.values)
    if column.kind is Kind.INTEGER and column.values.dtype.kind == "f":
        values = values.astype(np.int64)
    return from_array(column.name, values, column.axes, column.file, missing), int(hit.sum())


def _text_without(column: Column, value: float | str) -> tuple[Column, int]:
    assert column.levels is not None
    hits = [i for i, level in enumerate(column.levels) if _is_same(level, value)]
    hit = np.isin(column.values, hits)
    if not hit.any():
        return column, 0
    gaps = hit | (column.values < 0)
    labels = np.array([*column.levels, ""], dtype=object)
    cells = labels[column.values]
    cells[gaps] = None
    flat = ["" if cell is None else cell for cell in cells.reshape(-1)]
    shape, axis = column.values.shape, column.axes[0] if len(column.axes) == 1 else plain(column.values.size)
    anew = from_cells(column.name, flat, axis, column.file)
    if anew.kind is Kind.TEXT and len(column.axes) != 1:
        return from_texts(column.name, cells, column.axes, column.file), int(hit.sum())
    gone = None if anew.missing is None else anew.missing.reshape(shape)
    return replace(anew, values=anew.values.reshape(shape), axes=column.axes, missing=gone), int(hit.sum())


def _is_same(level: str, value: float | str) -> bool:
    if isinstance(value, str):
        return level.strip() == value.strip()
    try:
        return float(level) == value
    except ValueError:
        return False
