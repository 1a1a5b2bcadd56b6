"""data as they were read -> what a fit keeps of them: the columns its model may need, and a fingerprint of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.model.graph import Model
from ppl.values import dataclass

_MOST_KEPT = 20_000_000  # cells of all columns that are kept


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """`data` is None where it is too long to be kept; `fingerprints` are those of its columns, by name.

    The columns of a table over the levels of `over` go by `over=name` there. Where data are a sample of a file that was
    read as a stream, it has `of_rows`; 0 where they are whole.
    """

    data: Dataset | None
    fingerprints: Mapping[str, str]
    of_rows: int = 0

    @property
    def sampled(self) -> str:
        """`10,003 of 2,000,000 rows`, where what is there of the data is a sample of them; empty otherwise."""
        if not self.of_rows:
            return ""
        held = "some" if self.data is None or self.data.rows is None else f"{self.data.rows.length:,}"
        return f"{held} of {self.of_rows:,} rows"

    def changed(self, other: Mapping[str, str]) -> list[str]:
        """The columns that other data lack, or hold otherwise."""
        return [name for name, mark in self.fingerprints.items() if other.get(name) != mark]


def keep(data: Dataset, model: Model, of_rows: int = 0) -> Given:
    """The columns that the text of a model may mean, out of all that were read for it; data may be few `of_rows`."""
    named = {node for node in model.graph if node in data.columns}
    columns = {name: c for name, c in data.columns.items() if name in named or name in model.source.text}
    kept = replace(data, columns=columns)
    cells = sum(column.values.size for column in _all(kept).values())
    some = data.rows is not None and data.rows.length < of_rows
    return Given(kept if cells <= _MOST_KEPT else None, fingerprints(kept), of_rows if some else 0)


def fingerprints(data: Dataset) -> dict[str, str]:
    """Of every column, by its name."""
    return {name: fingerprint(column) for name, column in _all(data).items()}


def _all(data: Dataset) -> dict[str, Column]:
    others = {f"{table.over}={column.name}": column for table in data.tables for column in table.columns}
    return {**data.columns, **others}


def fingerprint(column: Column) -> str:
    """A SHA-256 of what was read: the kind, the shape, the values, the levels and which cells are missing."""
    mark = hashlib.sha256(f"{column.kind} {column.values.shape} {column.values.dtype}".encode())
    mark.update(np.ascontiguousarray(column.values).tobytes())
    for level in column.levels or ():
        mark.update(f"{len(level)}:{level}".encode("utf-8", "surrogatepass"))
    if column.missing is not None:
        mark.update(np.packbits(column.missing).tobytes())
    return mark.hexdigest()
