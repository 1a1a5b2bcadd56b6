"""names + data -> both, where `X = columns(...)` is observed and has empty cells: `X` is then a matrix of the data.

What holds for a column with a `~` holds for such a matrix: its empty cells do not count, and are latents of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.language import syntax as s
from ppl.model import assembly
from ppl.model.columns import chosen
from ppl.model.expressions import Reader
from ppl.model.names import Line, Names
from ppl.model.scope import Environment, Failed, Scope


def gathered(names: Names, data: Dataset) -> tuple[Names, Dataset]:
    """Names that no longer derive such matrices, and data that hold them. Those without empty cells, and those whose
    columns cannot be put together, are left as they are.
    """
    columns = dict(data.columns)
    made = set()
    for name, parts in _matrices(names, data):
        own = [data.columns[part] for part in parts]
        if any(column.missing is not None for column in own) and all(_fits(column, own[0]) for column in own):
            made.add(name)
            columns[name] = _matrix(name, own)
    if not made:
        return names, data
    lines = tuple(line for line in names.lines if line.random or line.defines not in made)
    return replace(names, lines=lines), replace(data, columns=columns)


def may_have_gaps(names: Names, data: Dataset) -> set[str]:
    """The columns of observed matrices: cells of them may be empty."""
    return {part for _, parts in _matrices(names, data) for part in parts}


def _matrices(names: Names, data: Dataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each name that is `columns(...)` and has a `~`, with its columns, of which none has a `~`."""
    derived, random = names.derived, names.random
    for name, line in derived.items():
        if name in random and (call := _call(line, random[name])) is not None:
            reader = Reader(Environment(names, data), Scope())
            try:
                parts = tuple(part for argument in call.arguments for part in chosen(reader, argument.value))
            except Failed:  # it is said where the line is read
                continue
            if not random.keys() & set(parts) and len(set(parts)) == len(parts):
                yield name, parts


def _call(line: Line, observed: Line) -> s.Call | None:
    """The call of `columns`, where it is all of a definition outside of loops and the whole name is observed."""
    match line.statement, observed.statement:
        case s.Assign(_, None, s.Call() as call), s.Tilde(s.Name(), _):
            plain = call.function.name == "columns" and not line.loops and not observed.loops
            return call if plain else None
    return None


def _fits(column: Column, first: Column) -> bool:
    numbers = column.levels is None and column.unusable is None
    return numbers and len(column.axes) == 1 and column.axes == first.axes


def _matrix(name: str, parts: list[Column]) -> Column:
    values = np.stack([np.asarray(part.values, dtype=np.float64) for part in parts], axis=1)
    missing = np.stack(
        [np.zeros(part.values.shape, dtype=bool) if part.missing is None else part.missing for part in parts], axis=1
    )
    kind = Kind.REAL if any(part.kind is Kind.REAL for part in parts) else Kind.INTEGER
    axes = (*parts[0].axes, assembly.columns_axis([part.name for part in parts]))
    return Column(
        name, np.where(missing, np.nan, values), kind, axes, parts[0].file, missing=missing, rows=parts[0].rows
    )
