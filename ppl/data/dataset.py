"""files, mappings and data frames -> one set of named columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ppl.data import faults
from ppl.data.arrays import from_frame, from_mapping, read_json, read_npz, read_parquet
from ppl.data.axes import Axis
from ppl.data.column import Column
from ppl.data.csv_table import read_csv
from ppl.data.second_table import Table, as_table
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Dataset:
    """Columns by name, the axis of the table's rows where there is a table, and what the sources are called.

    `tables` have rows for the levels of a factor and wait until these are known; `axes` are the levels that statements
    of the model name; `left_out` are names that stand in the data and are not to be read. Where rows for which
    something is to be predicted stand behind those of a fit, these are the first `fitted`; `absent` are the columns
    that the new ones lack, and `row_counts` the names that `data` lines give to the number of rows. Values may be
    `taken_away` to be drawn anew: nothing is inferred then.
    """

    columns: Mapping[str, Column]
    rows: Axis | None
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was taken for granted when they were put together
    tables: tuple[Table, ...] = ()
    axes: Mapping[str, Axis] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    fitted: int | None = None
    absent: frozenset[str] = frozenset()
    row_counts: frozenset[str] = frozenset()
    taken_away: bool = False


def read(sources: Iterable[Any], tables: Mapping[str, Any] | None = None) -> Dataset:
    """Everything that was given as data, merged; `tables` are those over the levels of a factor, by its name.

    Raises `FileError` for a file that cannot be opened, `DataError` for one that cannot be understood, and for a name
    that stands in two sources.
    """
    columns: dict[str, Column] = {}
    table: Axis | None = None
    names: list[str] = []
    notes: list[str] = []
    for number, source in enumerate(sources, start=1):
        name = _name_of(source, f"data {number}")
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
    second = []
    for over, source in (tables or {}).items():
        name = _name_of(source, f"the table over {over}")
        names.append(f"{over}={name}")
        second.append(as_table(over, name, _columns(source, name)))
    return Dataset(columns, table, tuple(names), tuple(notes), tuple(second))


def _name_of(source: Any, otherwise: str) -> str:
    return fspath(source) if isinstance(source, str | PathLike) else otherwise


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
