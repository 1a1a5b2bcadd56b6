"""What was read from files -> arrays; what `data` statements say about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.data.column import Kind
from ppl.data.dataset import Dataset
from ppl.language import syntax as s
from tests.interpreter.arrays import Array, Axis, array
from tests.interpreter.expressions import label


def columns_of(data: Dataset) -> dict[str, Array]:
    """Text as text; an empty cell is None in text and NaN in numbers."""
    found = {}
    for name, column in data.columns.items():
        if column.unusable is not None:
            continue
        values: Any = column.values
        if column.kind is Kind.TEXT:
            values = np.array([*(column.levels or ()), None], dtype=object)[column.values]
        elif column.missing is not None:
            values = np.where(column.missing, np.nan, column.values)
        axes = [Axis(f"rows of {axis.name}" if axis.identity is not None else "") for axis in column.axes]
        found[name] = array(values, axes)
    return found


def restricted(columns: dict[str, Array], statements: tuple[Any, ...]) -> tuple[dict[str, Array], dict[str, int]]:
    """The columns that the model reads, recoded, and the lengths that `data y[N]` binds."""
    counts: dict[str, int] = {}
    only: set[str] | None = None
    found = dict(columns)
    for statement in statements:
        if not isinstance(statement, s.Data):
            continue
        if statement.only:
            only = (only or set()) | {item.name.name for item in statement.items}
        for item in statement.items:
            name = item.name.name
            for node, length in zip(item.axes, found[name].shape if name in found else (), strict=False):
                if isinstance(node, s.Name) and not (node.name in found and (only is None or node.name in only)):
                    counts[node.name] = length
            if item.missing is not None:
                found[name] = recoded(found[name], item.missing)
    return {name: a for name, a in found.items() if only is None or name in only}, counts


def recoded(column: Array, missing: Any) -> Array:
    sign = -1 if isinstance(missing, s.Unary) else 1
    literal = missing.operand if isinstance(missing, s.Unary) else missing
    code = literal.value if isinstance(literal, s.String) else sign * literal.value
    nothing = None if isinstance(code, str) else float("nan")

    def rule(place: tuple[int, ...]) -> Any:
        return nothing if column.at(place) == code else column.at(place)

    return Array(column.shape, column.axes, rule)


def label_order(values: list[Any]) -> tuple[str, ...]:
    """The labels of the different values, sorted as what they are."""
    different = sorted({x for x in values if x is not None and x == x})
    return tuple(label(x) for x in different)
