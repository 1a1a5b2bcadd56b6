"""a table over the levels of a factor + those levels -> columns over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ppl.data import faults
from ppl.data.axes import Axis
from ppl.data.column import Column, Kind
from ppl.data.levels import codes_on
from ppl.language.errors import nearest
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table given as `over=file`, over its own rows, which no level has been sought for yet."""

    over: str
    file: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> Column:
        """The column that holds the levels: the one called so, the only one of text, or the first."""
        named = [column for column in self.columns if column.name == self.over]
        texts = [column for column in self.columns if column.kind is Kind.TEXT]
        return named[0] if named else texts[0] if len(texts) == 1 else self.columns[0]

    def others(self) -> tuple[Column, ...]:
        key = self.key
        return tuple(column for column in self.columns if column is not key)


def as_table(over: str, file: str, columns: Iterable[Column]) -> Table:
    """Raises `DataError` where the columns are no lists of one length, or there is none beside the key."""
    table = Table(over, file, tuple(columns))
    if len(table.columns) < 2:
        raise faults.nothing_beside_key(file, over)
    for column in table.columns:
        if len(column.axes) != 1:
            raise faults.no_list_in_table(file, column.name, over)
        if column.axes[0].length != table.columns[0].axes[0].length:
            first = table.columns[0]
            raise faults.uneven_lengths(column.name, column.axes[0].length, first.name, first.axes[0].length)
    return table


def join(table: Table, axis: Axis) -> tuple[list[Column], list[str]]:
    """The columns of a table over an axis of levels, beside the key, and notes on what was taken for granted.

    Raises `DataError` for a level that no row or several rows have.
    """
    assert axis.labels is not None
    key = table.key
    codes = codes_on(key, axis.labels)
    times = np.bincount(codes[codes >= 0], minlength=axis.length)
    if (times == 0).any():
        level = axis.labels[int(np.argmin(times))]
        raise faults.level_missing(table.file, key.name, table.over, level, _close(level, key, codes))
    if (times > 1).any():
        twice = int(np.argmax(times > 1))
        rows = [int(row) + 1 for row in np.flatnonzero(codes == twice)[:2]]
        raise faults.level_twice(table.file, key.name, table.over, axis.labels[twice], rows)
    rows_of = np.zeros(axis.length, dtype=np.int64)
    rows_of[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    notes = []
    if key.name != table.over:
        notes.append(f"{table.file}: its rows are matched to the levels of `{table.over}` by the column `{key.name}`")
    extra = int((codes < 0).sum())
    if extra:
        counted = "1 row is" if extra == 1 else f"{extra} rows are"
        notes.append(f"{table.file}: {counted} of no level of `{table.over}` in the data, and left out")
    return [picked(column, rows_of, axis) for column in table.others()], notes


def _close(level: str, key: Column, codes: np.ndarray) -> str | None:
    """The key of a row without a level that is most like a level without a row."""
    if key.levels is None:
        return None
    return nearest(level, {key.levels[int(code)] for code in key.values[codes < 0] if code >= 0})


def picked(column: Column, rows: np.ndarray, axis: Axis) -> Column:
    """Some rows of a column, over another axis."""
    values, missing, levels = column.values[rows], None, column.levels
    if column.missing is not None and column.missing[rows].any():
        missing = column.missing[rows]
    elif column.kind is Kind.INTEGER:
        values = values.astype(np.int64)  # gaps had made them floats
    if levels is not None:
        used = np.unique(values[values >= 0])
        places = np.full(len(levels) + 1, -1, dtype=np.int64)
        places[used] = np.arange(len(used))
        values, levels = places[values], tuple(levels[int(code)] for code in used)
    return replace(column, values=values, axes=(axis,), levels=levels, missing=missing, rows=rows)
