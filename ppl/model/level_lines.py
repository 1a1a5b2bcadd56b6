"""`levels name = ...` + data -> the axis of the named levels, and columns whose levels stand in the given order."""

from __future__ import annotations

from dataclasses import replace

from ppl.data.axes import Axis
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.levels import codes_on, has_levels, holds_levels, in_order, joined
from ppl.language import syntax as s
from ppl.model import data_mistakes as mistakes
from ppl.model.level_names import word_of
from ppl.model.scope import Failed


def settle(statement: s.Levels, data: Dataset) -> Dataset:
    """The data with the axis that one statement names. Raises `Failed`."""
    if isinstance(statement.items[0], s.String):
        return _ordered(statement, data)
    return _together(statement, data)


def _axis(name: str, labels: tuple[str, ...]) -> Axis:
    return Axis(name, len(labels), f"levels:{name}", labels)


def _together(statement: s.Levels, data: Dataset) -> Dataset:
    """`levels team = home, away`: the levels of several columns."""
    name = statement.name.name
    columns: list[Column] = []
    for item in statement.items:
        column = data.columns.get(word_of(item))
        if column is None:
            raise Failed(mistakes.not_in_data(item.span, word_of(item), data))
        if not has_levels(column):
            raise Failed(mistakes.column_without_levels(item.span, column.name, column.unusable))
        first = columns[0] if columns else column
        if _sort(column) is not _sort(first):
            raise Failed(mistakes.levels_of_two_kinds(item.span, first.name, first.kind, column.name, column.kind))
        columns.append(column)
    if name in data.columns and name not in {column.name for column in columns}:
        raise Failed(mistakes.levels_beside_column(statement.name.span, name))
    return replace(data, axes={**data.axes, name: _axis(name, joined(columns))})


def _sort(column: Column) -> Kind:
    """The kind of a column with levels; whole numbers with gaps are numbers."""
    return Kind.INTEGER if column.kind is Kind.REAL else column.kind


def _ordered(statement: s.Levels, data: Dataset) -> Dataset:
    """`levels size = "S", "M", "L"`: the order of a column's levels, or an axis of its own."""
    name = statement.name.name
    labels = tuple(word_of(item) for item in statement.items)
    if name in data.left_out:
        raise Failed(mistakes.not_in_data(statement.name.span, name, data))
    tables = []
    for table in data.tables:
        others = tuple(
            _put(statement, c, labels) if c.name == name and c is not table.key else c for c in table.columns
        )
        tables.append(replace(table, columns=others))
    columns = dict(data.columns)
    if name in columns:
        columns[name] = _put(statement, columns[name], labels)
    return replace(data, columns=columns, tables=tuple(tables), axes={**data.axes, name: _axis(name, labels)})


def _put(statement: s.Levels, column: Column, labels: tuple[str, ...]) -> Column:
    """The column with its levels in the given order."""
    if not holds_levels(column):
        raise Failed(mistakes.column_without_levels(statement.name.span, column.name, column.unusable))
    wrong = codes_on(column, labels) < 0
    if column.missing is not None:
        wrong &= ~column.missing
    if wrong.any():
        place = column.first(wrong)
        raise Failed(mistakes.not_among_levels(statement.span, column, place, labels))
    return in_order(column, labels)
