"""CSV file -> columns over one axis of rows. Strict: what does not fit is an error with its row."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from ppl.data import axes, faults
from ppl.data.big_table import read_numbers
from ppl.data.column import Column, from_cells
from ppl.data.decode import decode

_NUMERIC = re.compile(r"\s*+[-+]?+(?:[0-9]++(?:\.[0-9]++)?+|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?+\s*+")


def read_csv(path: Path, file: str, separator: str = ",") -> list[Column]:
    """The columns of a CSV file; `file` is what messages call it.

    Raises `DataError` for wrong encoding, an empty file, no rows, ragged rows and bad column names.
    """
    plain = read_numbers(path, file, separator)
    if plain is not None:
        return plain
    header, table = _rows(decode(path.read_bytes(), file), file, separator)
    if not table:
        raise faults.no_rows(file)
    axis = axes.rows(len(table))
    return [from_cells(name, cells, axis, file) for name, cells in zip(header, zip(*table, strict=True), strict=True)]


def _rows(text: str, file: str, separator: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, all as long as the header; blank lines at the end are none."""
    rows, lines = _split(text, file, separator)
    while rows and _is_blank(rows[-1]):
        rows.pop()
    if not rows:
        raise faults.empty_file(file, "a table begins with a line of column names")
    _check_separator(rows, file, separator)
    header = _checked_names(rows[0], file)
    for i, row in enumerate(rows[1:], start=1):
        if not row and len(header) == 1:
            rows[i] = [""]  # in a table of one column a blank line is an empty cell
        elif len(row) != len(header):
            all_alike = len(rows) > 2 and all(len(other) == len(row) for other in rows[1:])
            raise faults.ragged_row(file, i, lines[i], row, len(header), separator, all_alike)
    return header, rows[1:]


def _split(text: str, file: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """The cells of every line, and the number of the line on which each row begins."""
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
        if "unexpected end" in str(error):
            raise faults.unclosed_quote(file, start) from None
        raise (faults.cell_too_long if "limit" in str(error) else faults.text_after_quote)(file, start) from None
    return rows, lines


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


def _check_separator(rows: list[list[str]], file: str, separator: str) -> None:
    """Raises `DataError` where the header is one cell because other signs stand between its names."""
    if len(rows[0]) != 1:
        return
    header, first = rows[0][0], separator.join(rows[1]) if len(rows) > 1 else ""
    for other in (",", ";", "\t", "|"):
        if other != separator and other in header and (other in first or len(rows) == 1):
            raise faults.wrong_separator(file, other, separator)
    numbers = first.split()
    if len(header.split()) == len(numbers) > 1 and all(map(_NUMERIC.fullmatch, numbers)):
        raise faults.wrong_separator(file, " ", separator)


def _checked_names(header: list[str], file: str) -> list[str]:
    if all(not name.strip() for name in header):
        raise faults.blank_header(file)
    if all(_NUMERIC.fullmatch(name) for name in header):
        raise faults.header_looks_numeric(file, header)
    names = [name.strip() for name in header]
    check_names(names, file)
    return names


def check_names(names: list[str], file: str) -> None:
    """Raises `DataError` for the first empty or repeated column name."""
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise faults.empty_column_name(file, number, len(names))
        if name in seen:
            raise faults.duplicate_column(file, name, seen[name], number)
        seen[name] = number
