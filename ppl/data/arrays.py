"""JSON, npz, Parquet, data frames and mappings -> columns."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppl.data import axes, faults
from ppl.data.arrow_values import numbers_of
from ppl.data.column import Column, from_array, unusable
from ppl.data.csv_table import check_names
from ppl.data.decode import decode
from ppl.language.errors import DataError

_MOST_AXES = 8
_MOST_DIGITS = 4000  # of an integer; Python reads 4300
# What zipfile, zlib and numpy raise for files that are damaged, encrypted, or no npz files.
_DAMAGED = (
    ValueError, OSError, EOFError, KeyError, RuntimeError, MemoryError, OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_json(path: Path, file: str) -> list[Column]:
    """Scalars and nested lists of one JSON object."""
    text = decode(path.read_bytes(), file)
    if not text.strip():
        raise faults.empty_file(file, 'data in JSON are one object, names and values: {"N": 3, "y": [1, 2, 3]}')
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, file), parse_int=_whole)
    except json.JSONDecodeError as error:
        raise _not_json(text, error, file) from None
    except RecursionError:
        raise faults.json_too_deep(file) from None
    if not isinstance(found, dict):
        raise faults.json_not_an_object(file, "a list" if isinstance(found, list) else "a single value")
    return from_mapping(found, file)


def _whole(digits: str) -> int | float:
    """An integer; one of so many digits that Python reads none is infinite as a number of 64 bits."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _not_json(text: str, error: json.JSONDecodeError, file: str) -> DataError:
    """Why a text is no JSON, told by what stands where the reader stopped; Python's own words vary."""
    offset, rest, before = error.pos, text[error.pos :], text[: error.pos].rstrip()
    if rest[:1] in ("]", "}") and before.endswith(","):
        offset, rest = len(before) - 1, before[-1] + rest
    word = re.match(r"[A-Za-z_]+", rest)
    reason, mend = f"`{rest[:1]}` does not belong here", None
    if not rest:
        reason, mend = "the text breaks off", "is a bracket never closed?"
    elif error.msg.startswith("Unterminated") or rest[0] in "\r\n":
        reason, mend = "a text is not closed on its line", "add the closing double quote"
    elif rest[0] < " ":
        reason, mend = "a control character inside a text", "this is no text file, or it is damaged"
    elif rest[0] == "\\":
        reason, mend = "a single backslash", "inside a text a backslash is written twice"
    elif rest[0] == "," and rest[1:].lstrip()[:1] in ("]", "}"):
        reason, mend = "nothing follows this comma", "delete it"
    elif rest[0] == "'":
        mend = "names and texts stand in double quotes"
    elif rest[0] in "#/":
        mend = "JSON has no comments"
    elif rest[0] in ".+":
        mend = "a number begins with a digit or a minus"
    elif word is not None:
        reason = f"`{word.group()}` is no value"
        mend = "texts stand in double quotes; a missing value is `null`, truth values are `true` and `false`"
    elif before.endswith("}") and rest[0] == "{":
        mend = "one object holds all the data: names with lists"
    elif rest[0] in '"[{' or rest[0].isdigit():
        mend = "is a comma or a colon missing before it?"
    elif rest[0] in "]}":
        mend = "is a bracket closed twice, or by the wrong one?"
    line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    return faults.bad_json(file, line, column, reason, mend)


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
    reason = None
    missing = None
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        missing = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
    elif isinstance(value, list | tuple):
        array, reason = _nested(value, f"{file}, {name}")
    else:
        array = np.empty((), dtype=object)
        array[()] = value
        if isinstance(value, Mapping):
            reason = f"{file}, {name}: an object is neither a number nor a list"
    if reason is None and array.ndim > _MOST_AXES:
        reason = f"{file}, {name}: {array.ndim} axes, more than {_MOST_AXES}"
    if reason is not None:
        return unusable(name, (), file, reason)
    return from_array(name, array, tuple(axes.plain(n) for n in array.shape), file, missing)


def _nested(value: list[Any] | tuple[Any, ...], place: str) -> tuple[np.ndarray, str | None]:
    """A nested list as an object array, and why it is none: lists of different lengths, or lists beside numbers."""
    shape: list[int] = []
    level: list[Any] = [value]
    nothing = np.asarray(None)
    while level and all(isinstance(item, list | tuple) for item in level):
        if len(shape) == _MOST_AXES:
            return nothing, f"{place}: lists nest more than {_MOST_AXES} deep"
        lengths = [len(item) for item in level]
        odd = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
        if odd is not None:
            return nothing, f"{place}{_index(odd, shape)}: a list of {lengths[odd]} beside lists of {lengths[0]}"
        shape.append(lengths[0])
        level = [cell.tolist() if isinstance(cell, np.ndarray) else cell for item in level for cell in item]
    for i, item in enumerate(level):
        if isinstance(item, Mapping):
            return nothing, f"{place}{_index(i, shape)}: an object is neither a number nor a list"
        if isinstance(item, list | tuple):
            return nothing, f"{place}{_index(i, shape)}: a list beside single values"
    array = np.empty(len(level), dtype=object)
    array[:] = level
    return array.reshape(shape), None


def _index(position: int, shape: list[int]) -> str:
    """Element `position` of an array in row order, as a message shows it."""
    return f"[{', '.join(str(int(i) + 1) for i in np.unravel_index(position, shape))}]"


def read_npz(path: Path, file: str) -> list[Column]:
    """Arrays of an npz file; pickled objects are refused."""
    with path.open("rb") as opened:
        try:
            zipfile.ZipFile(opened).close()  # np.load would take anything else for a single array, or for pickles
            opened.seek(0)
            with np.load(opened, allow_pickle=False) as arrays:
                return [_from_member(arrays, name, file) for name in arrays.files]
        except _DAMAGED:
            raise faults.bad_npz(file) from None


def _from_member(arrays: Any, name: str, file: str) -> Column:
    try:
        return _from_value(name, arrays[name], file)
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        reason = f"{file}, {name}: Python objects, which are not read because they can hold code"
        return unusable(name, (), file, reason)


def read_parquet(path: Path, file: str) -> list[Column]:
    """The columns of a Parquet file, read one after another: no more than one is there twice at any time."""
    import pyarrow
    import pyarrow.parquet

    path.open("rb").close()  # a file that cannot be opened is no bad one
    try:
        with pyarrow.OSFile(str(path)) as opened:
            found = pyarrow.parquet.ParquetFile(opened, pre_buffer=False)
            names = found.schema_arrow.names
            check_names([str(name).strip() for name in names], file)
            if found.metadata.num_columns != len(names):  # nested ones
                return from_arrow(found.read(use_threads=False), file)
            columns = [from_arrow(found.read(columns=[name], use_threads=False), file) for name in names]
            return [column for one in columns for column in one] or from_arrow(found.read(use_threads=False), file)
    except (pyarrow.ArrowException, OSError, UnicodeError):
        raise faults.bad_parquet(file) from None


def from_arrow(table: Any, file: str) -> list[Column]:
    """The columns of a pyarrow table."""
    if not table.column_names:
        raise faults.no_columns(file)
    if table.num_rows == 0:
        raise faults.no_rows(file)
    axis = axes.rows(table.num_rows)
    return [
        _from_arrow_column(str(name).strip(), chunked, axis, file)
        for name, chunked in zip(table.column_names, table.columns, strict=True)
    ]


def _from_arrow_column(name: str, chunked: Any, axis: axes.Axis, file: str) -> Column:
    import pyarrow.types as types

    data = chunked.combine_chunks()
    if types.is_dictionary(data.type):
        data = data.dictionary_decode()
    kind = data.type
    if types.is_integer(kind) or types.is_floating(kind):
        values, missing = numbers_of(data), None
        if data.null_count:
            missing = np.array(data.is_null().to_pylist())
            values = np.where(missing, values.dtype.type(0), values)
        return from_array(name, values, (axis,), file, missing)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind) or types.is_null(kind):
        array = np.empty(axis.length, dtype=object)
        array[:] = data.to_pylist()
        return from_array(name, array, (axis,), file)
    words = (
        "dates or times" if types.is_temporal(kind) else "lists" if types.is_nested(kind) else f"values of type {kind}"
    )
    return unusable(name, (axis,), file, f"{file}, {name}: {words} are neither numbers nor text")


def from_frame(frame: Any, file: str) -> list[Column]:
    """The columns of a data frame (pandas, polars): anything with `columns` whose items turn into arrays."""
    names = [str(name) for name in frame.columns]
    check_names(names, file)
    if not names:
        raise faults.no_columns(file)
    columns: list[Column] = []
    for name, label in zip(names, frame.columns, strict=True):
        array = _frame_column(frame[label])
        if array.shape[0] == 0:
            raise faults.no_rows(file)
        if columns and array.shape[0] != columns[0].axes[0].length:
            raise faults.uneven_lengths(name, array.shape[0], columns[0].name, columns[0].axes[0].length)
        columns.append(from_array(name, array, (axes.rows(array.shape[0]),), file))
    return columns


def _frame_column(values: Any) -> np.ndarray:
    if not hasattr(values, "to_numpy"):
        return np.asarray(values)
    if type(getattr(values, "dtype", None)).__module__.startswith("pandas"):
        return np.asarray(values.to_numpy(dtype=object))  # integers with gaps would become floats, and be rounded
    return np.asarray(values.to_numpy())
