"""the data of a fit + new rows -> data with the new rows behind the old ones, what is to be predicted missing there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ppl.data.axes import Axis, rows
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.levels import codes_on, label_of, labels_of
from ppl.data.second_table import Table
from ppl.language.errors import DataError


def with_rows(data: Dataset, outcomes: Collection[str]) -> Dataset:
    """The data with arrays as long as what was observed taken for the columns of a table, where they hold none.

    Raises `DataError` where that cannot be.
    """
    if data.rows is not None:
        return data
    lengths = {data.columns[name].axes[:1] for name in outcomes}
    if len(lengths) != 1 or not next(iter(lengths)):
        raise DataError("new rows cannot be predicted: the data of this fit are no table, nor lists of one length")
    axis = rows(next(iter(lengths))[0].length)
    columns = {
        name: replace(column, axes=(axis, *column.axes[1:])) if _length(column) == axis.length else column
        for name, column in data.columns.items()
    }
    return replace(data, columns=columns, rows=axis)


def _length(column: Column) -> int | None:
    return column.axes[0].length if column.axes else None


def append(
    data: Dataset, new: Dataset, outcomes: Collection[str], random: Collection[str], counts: Collection[str]
) -> Dataset:
    """The `outcomes`, of which nothing is read from the new data, are missing in all new rows. Of `random` names cells
    may be missing there; `counts` are single numbers that stand for the number of rows. Raises `DataError`.
    """
    assert data.rows is not None
    count = _count(new)
    axis = replace(data.rows, length=data.rows.length + count)
    columns, absent = dict(data.columns), set()
    for name, column in data.columns.items():
        if name in counts:
            columns[name] = replace(column, values=np.array(axis.length))
        elif not column.axes or column.axes[0].identity != data.rows.identity:
            _check_same(column, new)
        elif name in outcomes:
            columns[name] = _joined(column, _nothing(column, count), axis)
        elif name in new.columns:
            columns[name] = _joined(column, _aligned(column, new.columns[name], count, random), axis)
        else:
            absent.add(name)
            columns[name] = _joined(column, _stand_in(column, count), axis)
    tables = tuple(_longer(table, new) for table in data.tables)
    return replace(
        data, columns=columns, rows=axis, tables=tables, fitted=data.rows.length, absent=frozenset(absent), notes=(),
        row_counts=frozenset(counts),
    )  # fmt: skip


def _count(new: Dataset) -> int:
    """How many rows the new data have; single numbers go with each of them."""
    if new.rows is not None:
        return new.rows.length
    lengths = {column.axes[0].length: column for column in new.columns.values() if column.axes}
    if len(lengths) > 1:
        (one, first), (other, second) = list(lengths.items())[:2]
        raise DataError(f"{first.file}: `{first.name}` has {one} elements, and `{second.name}` {other}")
    return next(iter(lengths), 1)


def _check_same(column: Column, new: Dataset) -> None:
    other = new.columns.get(column.name)
    if other is not None and not np.array_equal(other.values, column.values):
        raise DataError(f"{other.file}: `{column.name}` is no column of the rows: it stays what it was in the fit")


def _nothing(column: Column, count: int) -> Column:
    shape = (count, *column.values.shape[1:])
    if column.levels is not None:
        return replace(column, values=np.full(shape, -1), missing=np.ones(shape, dtype=bool))
    return replace(column, values=np.full(shape, np.nan), missing=np.ones(shape, dtype=bool))


def _stand_in(column: Column, count: int) -> Column:
    """Values that may occur, for a column that the new data lack: what is predicted must not depend on them."""
    first = 0
    if column.missing is not None:
        by_row = ~column.missing.reshape(len(column.missing), -1).any(axis=1)
        first = int(np.argmax(by_row))
    picked = np.full(count, first)
    return replace(
        column, values=column.values[picked], missing=None if column.missing is None else column.missing[picked]
    )


def _aligned(column: Column, other: Column, count: int, random: Collection[str]) -> Column:
    """The new cells of a column in the type of the old ones."""
    if other.unusable is not None:
        raise DataError(other.unusable)
    if not other.axes:
        missing = None if other.missing is None else np.broadcast_to(other.missing, (count,))
        other = replace(other, values=np.broadcast_to(other.values, (count,)), axes=(rows(count),), missing=missing)
    if other.values.shape[1:] != column.values.shape[1:]:
        raise DataError(f"{other.file}: `{column.name}` has rows of another shape than in the fit")
    if other.missing is not None and other.missing.any() and column.name not in random:
        raise DataError(f"{other.where(other.first(other.missing))}: a value is missing, and the prediction needs it")
    if column.levels is not None and other.levels is None and other.kind is not Kind.REAL:
        labels = labels_of(other)
        return replace(other, values=codes_on(other, labels), kind=Kind.TEXT, levels=labels)
    if (column.levels is None) != (other.levels is None) or Kind.BOOLEAN in {column.kind, other.kind} != {column.kind}:
        sorts = [("text" if c.levels is not None else f"{c.kind} values") for c in (other, column)]
        raise DataError(f"{other.file}: `{column.name}` holds {sorts[0]}, and {sorts[1]} in the data of the fit")
    return other


def _joined(column: Column, new: Column, axis: Axis) -> Column:
    missing = None
    if column.missing is not None or new.missing is not None:
        masks = [np.zeros(c.values.shape, dtype=bool) if c.missing is None else c.missing for c in (column, new)]
        missing = np.concatenate(masks)
        missing = missing if missing.any() else None
    axes = (axis, *column.axes[1:])
    if column.levels is not None:
        labels = tuple(sorted({*column.levels, *(new.levels or ())}))
        values = np.concatenate([_recoded(c, labels) for c in (column, new)])
        return replace(column, values=values, levels=labels, missing=missing, axes=axes, rows=None)
    values = np.concatenate([column.values, new.values])  # whole numbers beside gaps become floats
    kind = Kind.REAL if Kind.REAL in (column.kind, new.kind) else column.kind
    if kind is Kind.BOOLEAN and missing is not None:
        kind = Kind.REAL
    return replace(column, values=values, kind=kind, missing=missing, axes=axes, rows=None)


def _recoded(column: Column, labels: tuple[str, ...]) -> np.ndarray:
    return codes_on(column, labels)


def _longer(table: Table, new: Dataset) -> Table:
    """A table over levels with the rows of those it lacks, where the new data bring such a table."""
    other = next((found for found in new.tables if found.over == table.over), None)
    if other is None:
        return table
    key, own = table.key, {column.name: column for column in other.columns}
    lacking = [column.name for column in table.columns if column.name not in own]
    if lacking:
        raise DataError(f"{other.file}: the table over `{table.over}` lacks the column `{lacking[0]}`")
    known = set(labels_of(key))
    fresh = own[key.name]
    labels = fresh.levels if fresh.levels is not None else tuple(map(label_of, fresh.values))
    names = [labels[int(code)] for code in fresh.values] if fresh.levels is not None else list(labels)
    chosen = np.array([name not in known for name in names])
    axis = rows(len(key.values) + int(chosen.sum()), table.columns[0].axes[0].name)
    columns = []
    for column in table.columns:
        more = _aligned(column, own[column.name], len(chosen), ())
        picked = replace(more, values=more.values[chosen], missing=None)
        columns.append(_joined(column, picked, axis))
    return replace(table, columns=tuple(columns))
