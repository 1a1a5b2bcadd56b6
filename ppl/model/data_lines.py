"""`data` and `levels` lines + data -> the data as the model reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace

import numpy as np

from ppl.data import faults, second_table
from ppl.data.axes import Axis, plain
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.levels import has_levels, labels_of
from ppl.data.recode import without
from ppl.language import syntax as s
from ppl.language.errors import Mistake, nearest
from ppl.model import data_mistakes as mistakes
from ppl.model import level_lines, level_names
from ppl.model.names import Names
from ppl.model.scope import Failed
from ppl.values import dataclass


def prepare(names: Names, data: Dataset) -> Prepared:
    """The data after all `data` and `levels` lines; tables over levels have become columns over them.

    Raises `DataError` for a table whose rows do not meet the levels.
    """
    lines = [statement for statement in names.program.statements if isinstance(statement, s.Data)]
    items = [item for line in lines for item in line.items]
    lengths = {axis.name for item in items for axis in item.axes if isinstance(axis, s.Name)}
    step = Prepared(data)
    if any(line.only for line in lines):
        step.data = _only({item.name.name for item in items} | lengths, step.data)
    for item in items:
        if item.name.name in mistakes.names_of(data) or item.name.name not in lengths:
            step.guarded(item.name.name, _recoded, item)
    for statement in level_names.statements_of(names.program):
        step.guarded(statement.name.name, _with_levels(names), statement)
    for table in data.tables:
        if table.over not in step.failed:
            step.data = _joined(table.over, step.data)
    measure = _Lengths(names)
    for item in items:
        if item.axes and item.name.name not in step.failed:
            step.guarded(item.name.name, measure.bound, item)
    step.data = replace(step.data, tables=(), notes=tuple(dict.fromkeys(step.data.notes)))
    return step


@dataclass(slots=True)
class Prepared:
    """The data as far as they have been prepared, the mistakes met, and the names these are about."""

    data: Dataset
    found: list[Mistake] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)

    def guarded(self, name: str, change: Callable[..., Dataset], statement: s.DataItem | s.Levels) -> None:
        try:
            self.data = change(statement, self.data)
        except Failed as error:
            self.found.append(error.mistake)
            self.failed.add(name)


def _only(wanted: set[str], data: Dataset) -> Dataset:
    """`data only K, y[N]`: all other names are as if they were not there; the keys of tables stay."""
    tables = tuple(
        replace(table, columns=tuple(c for c in table.columns if c.name in wanted or c is table.key))
        for table in data.tables
    )
    left_out = frozenset(mistakes.names_of(data)) - wanted
    columns = {name: column for name, column in data.columns.items() if name in wanted}
    return replace(data, columns=columns, tables=tables, left_out=left_out)


def _recoded(item: s.DataItem, data: Dataset) -> Dataset:
    """`data grade missing -1`. Raises `Failed` for a name that the data lack."""
    name = item.name.name
    if name not in mistakes.names_of(data):
        raise Failed(mistakes.not_in_data(item.name.span, name, data))
    if item.missing is None:
        return data
    value, times = _literal(item.missing), 0

    def one(column: Column) -> Column:
        nonlocal times
        if column.name != name:
            return column
        column, found = without(column, value)
        times += found
        return column

    columns = {key: one(column) for key, column in data.columns.items()}
    tables = tuple(replace(table, columns=tuple(map(one, table.columns))) for table in data.tables)
    notes = data.notes
    if not times:
        shown = f'"{value}"' if isinstance(value, str) else f"{value:g}"
        notes = (*notes, f"no value of `{name}` is {shown}: nothing was recoded to missing")
    return replace(data, columns=columns, tables=tables, notes=notes)


def _literal(node: s.Expr) -> float | str:
    match node:
        case s.String(value):
            return value
        case s.Number(value):
            return value
        case s.Unary("-", s.Number(value)):
            return -value
        case s.Unary("+", s.Number(value)):
            return value
    raise Failed(mistakes.strange_missing(node.span))


def _with_levels(names: Names) -> Callable[[s.Levels, Dataset], Dataset]:
    def settle(statement: s.Levels, data: Dataset) -> Dataset:
        name = statement.name.name
        if name in names.random and name not in data.columns:
            raise Failed(mistakes.levels_twice(statement.name.span, name, False))
        return level_lines.settle(statement, data)

    return settle


def _joined(over: str, data: Dataset) -> Dataset:
    """The columns of the table over the levels of one factor. Raises `DataError`."""
    table = next(table for table in data.tables if table.over == over)
    columns, notes = second_table.join(table, _levels_of(over, table.file, data))
    for column in columns:
        if column.name in data.columns:
            raise faults.name_in_two(column.name, data.columns[column.name].file, table.file)
    joined = {**data.columns, **{column.name: column for column in columns}}
    return replace(data, columns=joined, notes=(*data.notes, *notes))


def _levels_of(over: str, file: str, data: Dataset) -> Axis:
    """The axis of the levels that a table was given for."""
    if over in data.axes:
        return data.axes[over]
    column = data.columns.get(over)
    if column is None:
        close = nearest(over, [*data.columns, *data.axes])
        hint = f"; did you mean `{close}`?" if close else ""
        if over in data.left_out:
            hint = ", because `data only` does not name it"
        raise faults.no_levels_to_join(file, over, f"the data hold no column `{over}`{hint}")
    if not has_levels(column):
        reason = f"the column `{over}` has no levels: it is no list of text or whole numbers"
        raise faults.no_levels_to_join(file, over, reason)
    labels = labels_of(column)
    return Axis(over, len(labels), f"levels:{over}", labels)


@dataclass(slots=True)
class _Lengths:
    """The lengths that `data y[N]` has bound so far, each with what bound it."""

    names: Names
    sources: dict[str, str] = field(default_factory=dict)

    def bound(self, item: s.DataItem, data: Dataset) -> Dataset:
        """The data with the lengths of one array named. Raises `Failed` where an array is not so long."""
        column = data.columns[item.name.name]
        if not column.axes and len(item.axes) == 1:
            column = _as_list(column)
        if len(column.axes) != len(item.axes):
            raise Failed(mistakes.other_rank(item.name.span, column.name, column.axes, len(item.axes)))
        axes = []
        for node, axis in zip(item.axes, column.axes, strict=True):
            data = self.one(node, axis, column, data)
            named = isinstance(node, s.Name) and axis.identity is None
            axes.append(plain(axis.length, node.name) if named and isinstance(node, s.Name) else axis)
        return replace(data, columns={**data.columns, column.name: replace(column, axes=tuple(axes))})

    def one(self, node: s.Expr, axis: Axis, column: Column, data: Dataset) -> Dataset:
        """The data with the length of one axis, which is checked where it is known already."""
        text = self.names.program.source.cut(node.span).strip("`")
        if isinstance(node, s.Number) and node.is_integer:
            self.check(node, axis, column, text, f"{node.value:.15g}", None)
            return data
        if not isinstance(node, s.Name):
            raise Failed(mistakes.strange_length(node.span, text))
        if text == "rows" and data.rows is not None and "rows" not in data.columns:
            if axis.identity != data.rows.identity:
                self.check(node, axis, column, text, str(data.rows.length), None)
            return data
        if axis.identity == f"levels:{text}":
            return data
        if text in self.names.derived:
            raise Failed(mistakes.length_defined(node.span, text))
        if text not in data.columns:
            self.sources[text] = f"the length of `{column.name}`"
            length = Column(text, np.array(axis.length), Kind.INTEGER, (), column.file)
            over_rows = data.rows is not None and axis.identity == data.rows.identity
            counts = data.row_counts | ({text} if over_rows else frozenset())
            columns = {**data.columns, text: length}
            return replace(data, columns=columns, left_out=data.left_out - {text}, row_counts=counts)
        known = data.columns[text]
        self.check(node, axis, column, text, mistakes.show_number(known.values), self.sources.get(text, known.file))
        return data

    def check(self, node: s.Expr, axis: Axis, column: Column, text: str, length: str, source: str | None) -> None:
        if length != str(axis.length):
            raise Failed(mistakes.other_length(node.span, column.name, axis, text, length, source))


def _as_list(column: Column) -> Column:
    """A single number read as the list of one element it may have been."""
    missing = None if column.missing is None else column.missing.reshape(1)
    return replace(column, values=column.values.reshape(1), axes=(plain(1),), missing=missing)
