"""the data of a fit <-> the group `constant_data` of its file: every column as it was read, and its fingerprint."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.data.axes import plain, rows
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.second_table import Table
from ppl.report.given import Given, fingerprints
from ppl.report.netcdf import Group, axis_of, by_name, text

_MARKS = "column_fingerprints"
_WORDS = ("file", "trouble", "unusable")


def write(file: Any, given: Given) -> None:
    """Raises `FileError` for texts that no file can hold."""
    made = file.create_group("constant_data")
    made.attrs["kept"] = int(given.data is not None)
    if given.of_rows:
        made.attrs["of_rows"] = given.of_rows
    if given.data is None:
        made.create_variable(_MARKS, (), data=_as_bytes(given.fingerprints))
        return
    made.attrs["rows"] = -1 if given.data.rows is None else given.data.rows.length
    made.attrs["rows_name"] = "" if given.data.rows is None else given.data.rows.name
    made.attrs["tables"] = json.dumps([[table.over, table.file] for table in given.data.tables])
    group = Group(made)
    for column in given.data.columns.values():
        _write_column(group, column.name, column, -1)
    for number, table in enumerate(given.data.tables):
        for column in table.columns:
            _write_column(group, f"{table.over}={column.name}", column, number)


def _as_bytes(marks: Any) -> Any:
    return json.dumps(dict(marks)).encode()


def _write_column(group: Group, key: str, column: Column, table: int) -> None:
    values = column.values
    if column.levels is not None:
        values = np.array([*map(text, column.levels), ""])[values]
    elif values.dtype.kind == "b":
        values = values.astype(np.int8)
    axes = column.axes if values.size else ()
    variable = group.variable(key, (), axes, values if values.size else np.zeros(()), "data")
    words = {word: getattr(column, word) for word in _WORDS}
    about = {"name": column.name, "kind": str(column.kind), "table": table, "shape": values.shape, **words}
    variable.attrs["column"] = text(json.dumps(about))
    if column.missing is not None and values.size:
        mask = group.variable(f"{key} is missing", (), axes, column.missing.astype(np.int8), "mask")
        mask.attrs["mask_of"] = text(key)


def read(file: Any) -> Given:
    """Raises `KeyError` and `ValueError` where the file is damaged."""
    group = file.groups["constant_data"]
    of_rows = int(group.attrs.get("of_rows", 0))  # none in files of before they were kept
    if not int(group.attrs["kept"]):
        return Given(None, json.loads(bytes(group.variables[_MARKS][...])), of_rows)
    found = by_name(group)
    masks = {str(v.attrs["mask_of"]): v for v in found.values() if "mask_of" in v.attrs}
    tables: list[list[Column]] = [[] for _ in json.loads(str(group.attrs["tables"]))]
    columns: dict[str, Column] = {}
    for key, variable in found.items():
        if "column" in variable.attrs:
            about = json.loads(str(variable.attrs["column"]))
            column = _column(group, variable, masks.get(key), about)
            if about["table"] < 0:
                columns[column.name] = column
            else:
                tables[about["table"]].append(column)
    sources = tuple(json.loads(str(file.attrs["sources"])))
    named = json.loads(str(group.attrs["tables"]))
    others = tuple(Table(over, source, tuple(own)) for (over, source), own in zip(named, tables, strict=True))
    length = int(group.attrs["rows"])
    axis = None if length < 0 else rows(length, str(group.attrs["rows_name"]))
    data = Dataset(columns, axis, sources, tables=others)
    return Given(data, fingerprints(data), of_rows)


def _column(group: Any, variable: Any, mask: Any, about: dict[str, Any]) -> Column:
    kind, shape = Kind(about["kind"]), tuple(about["shape"])
    axes = tuple(axis_of(group, dimension) for dimension in variable.dimensions)
    values = np.asarray(variable[...])
    missing = None if mask is None else np.asarray(mask[...]).astype(bool)
    column = Column(about["name"], values, kind, axes, **{word: about[word] for word in _WORDS}, missing=missing)
    if not np.prod(shape):
        return replace(column, values=np.zeros(shape), axes=tuple(plain(length) for length in shape))
    if kind is Kind.TEXT:
        texts = np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values.reshape(-1)])
        known = np.ones(texts.shape, dtype=bool) if missing is None else ~missing.reshape(-1)
        levels = tuple(str(level) for level in np.unique(texts[known]))
        codes = np.where(known, np.searchsorted(np.array(levels), texts) if levels else 0, -1)
        return replace(column, values=codes.reshape(shape).astype(np.int64), levels=levels)
    return replace(column, values=values.astype(bool)) if kind is Kind.BOOLEAN else column
