"""CSV file -> columns over one axis of rows. Strict: what does not fit is an error with its row."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from ppl.data import axes, faults
from ppl.data.column import Column, from_cells

_NUMERIC = re.compile(r"\s*[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?\s*")
_LONGEST_CELL = 1 << 20  # characters


def read_csv(path: Path, file: str, separator: str = ",") -> list[Column]:
    """The columns of a CSV file; `file` is what messages call it.

    Raises `DataError` for wrong encoding, an empty file, no rows, ragged rows and bad column names.
    """
    text = _decode(path.read_bytes(), file)
    header, table = _rows(text, file, separator)
    _check_header(header, table, file, separator)
    if not table:
        raise faults.no_rows(file)
    axis = axes.rows(len(table))
    return [from_cells(name, cells, axis, file) for name, cells in zip(header, zip(*table, strict=True), strict=True)]


def _decode(content: bytes, file: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise faults.null_byte(file, 1) from None
        line = content.count(b"\n", 0, error.start) + 1
        raise faults.wrong_encoding(file, error.start, line, content[error.start]) from None
    if "\0" in text:
        raise faults.null_byte(file, text.count("\n", 0, text.index("\0")) + 1)
    if not text.strip():
        raise faults.empty_file(file)
    return text


def _rows(text: str, file: str, separator: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, all as long as the header; blank lines at the end are none."""
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            rows.append(row)
            lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise faults.unclosed_quote(file, start) from None
        raise faults.bad_csv(file, reader.line_num, str(error)) from None
    while rows and _is_blank(rows[-1]):
        rows.pop()
    header = rows[0]
    for i, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            if not row and len(header) == 1:
                rows[i] = [""]  # in a table of one column a blank line is an empty cell
                continue
            raise faults.ragged_row(file, i, lines[i], len(row), len(header))
    return header, rows[1:]


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


def _check_header(header: list[str], table: list[list[str]], file: str, separator: str) -> None:
    if len(header) == 1 and separator == ",":
        for other in (";", "\t"):
            if other in header[0] and (not table or other in table[0][0]):
                raise faults.wrong_separator(file, other)
    if not header or all(not name.strip() for name in header):
        raise faults.no_columns(file)
    if all(_NUMERIC.fullmatch(name) for name in header):
        raise faults.header_looks_numeric(file, header)
    header[:] = [name.strip() for name in header]
    check_names(header, file)


def check_names(names: list[str], file: str) -> None:
    """Raises `DataError` for the first empty or repeated column name."""
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise faults.empty_column_name(file, number)
        if name in seen:
            raise faults.duplicate_column(file, name, seen[name], number)
        seen[name] = number
