"""files, mappings and data frames -> one set of named columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ppl.data import faults
from ppl.data.arrays import from_frame, from_mapping, read_json, read_npz, read_parquet
from ppl.data.axes import Axis
from ppl.data.column import Column
from ppl.data.csv_table import read_csv


@dataclass(frozen=True, slots=True)
class Dataset:
    """Columns by name, the axis of the table's rows where there is a table, and what the sources are called."""

    columns: Mapping[str, Column]
    rows: Axis | None
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was taken for granted when they were put together


def read(sources: Iterable[Any]) -> Dataset:
    """Everything that was given as data, merged.

    Raises `FileError` for a file that cannot be opened, `DataError` for one that cannot be understood, and for a name
    that stands in two sources.
    """
    columns: dict[str, Column] = {}
    table: Axis | None = None
    names: list[str] = []
    notes: list[str] = []
    for number, source in enumerate(sources, start=1):
        name = _name_of(source, number)
        names.append(name)
        found = _columns(source, name)
        for column in found:
            if column.name in columns:
                raise faults.name_in_two(column.name, columns[column.name].file, name)
            axis = column.axes[0] if column.axes else None
            if axis is not None and axis.identity is not None:
                if table is not None and table.length != axis.length:
                    first = next(c.file for c in columns.values() if table in c.axes)
                    raise faults.tables_differ(first, table.length, name, axis.length)
                if table is not None and column is found[0]:
                    first = next(c.file for c in columns.values() if table in c.axes)
                    notes.append(f"{first} and {name} both have {table.length} rows: taken as the same rows, in order")
                table = axis
            columns[column.name] = column
    return Dataset(columns, table, tuple(names), tuple(notes))


def _name_of(source: Any, number: int) -> str:
    return fspath(source) if isinstance(source, str | PathLike) else f"data {number}"


def _columns(source: Any, name: str) -> list[Column]:
    if isinstance(source, str | PathLike):
        return _read_file(Path(source), name)
    if isinstance(source, Mapping):
        return from_mapping(source, name)
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        return from_frame(source, name)
    raise faults.not_data(type(source).__name__)


def _read_file(path: Path, name: str) -> list[Column]:
    readers = {
        ".csv": lambda: read_csv(path, name),
        ".tsv": lambda: read_csv(path, name, separator="\t"),
        ".json": lambda: read_json(path, name),
        ".npz": lambda: read_npz(path, name),
        ".parquet": lambda: read_parquet(path, name),
    }
    reader = readers.get(path.suffix.lower())
    if path.is_dir():
        raise faults.is_a_folder(name)
    if not path.exists():
        raise faults.no_such_file(name)
    if reader is None:
        raise faults.unknown_format(name)
    try:
        return reader()
    except OSError as error:
        raise faults.cannot_read(name, error.strerror or str(error)) from None
