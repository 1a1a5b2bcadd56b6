"""JSON, npz, Parquet, data frames and mappings -> columns."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppl.data import axes, faults
from ppl.data.column import Column, Kind, from_array
from ppl.data.csv_table import check_names

_MOST_AXES = 8


def read_json(path: Path, file: str) -> list[Column]:
    """Scalars and nested lists of one JSON object."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        content = path.read_bytes()
        line = content.count(b"\n", 0, error.start) + 1
        raise faults.wrong_encoding(file, error.start, line, content[error.start]) from None
    if not text.strip():
        raise faults.empty_file(file)
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, file))
    except json.JSONDecodeError as error:
        raise faults.bad_json(file, error.lineno, error.colno, error.msg) from None
    except RecursionError:
        raise faults.bad_json(file, 1, 1, "lists nest too deeply") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise faults.bad_json(file, 1, 1, str(error).split(";")[0]) from None
    if not isinstance(found, dict):
        raise faults.json_not_an_object(file, "a list" if isinstance(found, list) else "a single value")
    return from_mapping(found, file)


def _unique(pairs: list[tuple[str, Any]], file: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise faults.duplicate_key(file, next(name for name in names if names.count(name) > 1))
    return found


def from_mapping(values: Mapping[str, Any], file: str) -> list[Column]:
    """Names with scalars, nested lists or arrays; their axes have no identity."""
    return [_from_value(str(name), value, file) for name, value in values.items()]


def _from_value(name: str, value: Any, file: str) -> Column:
    trouble = None
    array = np.asarray(None)
    if hasattr(value, "__array__"):
        array = np.asarray(value)
    elif isinstance(value, list | tuple):
        array, trouble = _nested(name, value, file)
    elif isinstance(value, Mapping):
        trouble = f"{file}, {name}: an object is neither a number nor a list"
    else:
        array = np.empty((), dtype=object)
        array[()] = value
    if trouble is None and array.ndim > _MOST_AXES:
        trouble = f"{file}, {name}: {array.ndim} axes, more than {_MOST_AXES}"
    if trouble is not None:
        return Column(name, np.zeros(()), Kind.REAL, (), file, unusable=trouble)
    return from_array(name, array, tuple(axes.plain(n) for n in array.shape), file)


def _nested(name: str, value: list[Any] | tuple[Any, ...], file: str) -> tuple[np.ndarray, str | None]:
    """A nested list as an object array, and why it is none: lists of different lengths, or lists beside numbers."""
    shape: list[int] = []
    level: list[Any] = [value]
    while level and all(isinstance(item, list | tuple) for item in level):
        if len(shape) > _MOST_AXES:
            return np.asarray(None), f"{file}, {name}: lists nest more than {_MOST_AXES} deep"
        lengths = {len(item) for item in level}
        if len(lengths) > 1:
            lacking = next(i for i, item in enumerate(level) if len(item) != len(level[0]))
            index = tuple(int(i) + 1 for i in np.unravel_index(lacking, shape))
            place = f"{name}[{', '.join(map(str, index))}]"
            reason = f"{file}, {place}: a list of {len(level[lacking])} beside lists of {len(level[0])}"
            return np.asarray(None), reason
        shape.append(lengths.pop())
        level = [cell for item in level for cell in item]
    if any(isinstance(item, list | tuple | Mapping) for item in level):
        return np.asarray(None), f"{file}, {name}: lists stand beside single values"
    array = np.empty(len(level), dtype=object)
    array[:] = level
    return array.reshape(shape), None


def read_npz(path: Path, file: str) -> list[Column]:
    """Arrays of an npz file; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as found:
            return from_mapping({name: found[name] for name in found.files}, file)
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise faults.bad_npz(file, str(error).splitlines()[0] if str(error) else "damaged") from None


def read_parquet(path: Path, file: str) -> list[Column]:
    """The columns of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise faults.bad_parquet(file, str(error).splitlines()[0]) from None
    return from_arrow(table, file)


def from_arrow(table: Any, file: str) -> list[Column]:
    """The columns of a pyarrow table."""
    import pyarrow.types as types

    check_names([str(name).strip() for name in table.column_names], file)
    if not table.column_names:
        raise faults.no_columns(file)
    if table.num_rows == 0:
        raise faults.no_rows(file)
    axis = axes.rows(table.num_rows)
    columns = []
    for name, chunked in zip(table.column_names, table.columns, strict=True):
        data = chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)
        kind = data.type.value_type if types.is_dictionary(data.type) else data.type
        missing = np.asarray(data.is_null()) if data.null_count else None
        if types.is_integer(kind) or types.is_floating(kind):
            filled = data.fill_null(0) if data.null_count else data
            array = np.asarray(filled)
        elif types.is_boolean(kind) and missing is None:
            array = np.asarray(data)
        else:
            array = np.empty(table.num_rows, dtype=object)
            array[:] = data.to_pylist()
            missing = None
        columns.append(from_array(str(name).strip(), array, (axis,), file, missing))
    return columns


def from_frame(frame: Any, file: str) -> list[Column]:
    """The columns of a data frame (pandas, polars): anything with `columns` whose items turn into arrays."""
    names = [str(name) for name in frame.columns]
    check_names(names, file)
    if not names:
        raise faults.no_columns(file)
    columns: list[Column] = []
    for name, label in zip(names, frame.columns, strict=True):
        values = frame[label]
        if hasattr(values, "to_numpy"):
            values = values.to_numpy()
        array = np.asarray(values)
        if array.shape[0] == 0:
            raise faults.no_rows(file)
        if columns and array.shape[0] != columns[0].axes[0].length:
            raise faults.uneven_lengths(name, array.shape[0], columns[0].name, columns[0].axes[0].length)
        columns.append(from_array(name, array, (axes.rows(array.shape[0]),), file))
    return columns
