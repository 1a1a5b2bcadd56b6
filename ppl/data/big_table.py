"""large CSV file of nothing but plain numbers -> columns, a few megabytes at a time; anything else is left to others.

The careful reader keeps every cell as a text, twenty times the size of its number. This one takes what it would read in
the same way, and nothing else: no quotes but in the first line, no gaps, no codes that begin with 0, no number that
does not fit.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppl.data import axes
from ppl.data.arrow_values import as_file, numbers_of
from ppl.data.column import LARGEST_EXACT, Column, from_array

FEWEST_BYTES = 1 << 23
_AT_ONCE = 1 << 22  # bytes
_PLAIN = b"0123456789.eE+-\r\n"
_NAME = re.compile(r"[^\W\d]\w*")
_CODE = re.compile(rb"[-+]?0[0-9]")


def read_numbers(path: Path, file: str, separator: str) -> list[Column] | None:
    """The columns; None where the file is small, or not that plain."""
    if path.stat().st_size < FEWEST_BYTES:
        return None
    with path.open("rb") as opened:
        names = _names(opened.readline(), separator)
        if names is None:
            return None
        whole = [True] * len(names)
        parts: list[list[np.ndarray]] = [[] for _ in names]
        for block in _blocks(opened):
            numbers = _numbers(block, len(names), separator)
            if numbers is None or not _note_whole(block, numbers, whole, separator):
                return None
            for part, column in zip(parts, numbers, strict=True):
                part.append(column.copy())
    rows = sum(len(part) for part in parts[0])
    return [
        _column(name, part, is_whole, axes.rows(rows), file)
        for name, part, is_whole in zip(names, parts, whole, strict=True)
    ]


def _names(line: bytes, separator: str) -> list[str] | None:
    try:
        (cells,) = csv.reader([line.decode("utf-8-sig")], delimiter=separator, strict=True)
    except (UnicodeDecodeError, ValueError, csv.Error):
        return None
    names = [name.strip() for name in cells]
    return names if all(map(_NAME.fullmatch, names)) and len(set(names)) == len(names) else None


def _blocks(opened: io.BufferedReader) -> Iterator[bytes]:
    """Whole lines."""
    while block := opened.read(_AT_ONCE):
        yield block + opened.readline()


def _numbers(block: bytes, width: int, separator: str) -> np.ndarray | None:
    """The numbers of some lines (width, rows); None where anything about them is special."""
    if block.translate(None, _PLAIN + separator.encode()):
        return None
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if b"\r" in block and not block.count(b"\r") == block.count(b"\r\n") == lines:
        return None
    columns = _read(block, width, separator, range(width), "double")
    if columns is None or len(columns[0]) != lines:
        return None
    found = np.array([numbers_of(column.combine_chunks()) for column in columns])
    return found if (np.abs(found) < LARGEST_EXACT).all() else None  # infinite ones are large


def _read(block: bytes, width: int, separator: str, wanted: Sequence[int], kind: str) -> list[Any] | None:
    """Some columns as pyarrow reads them: the nearest doubles, or texts as they are written."""
    import pyarrow
    import pyarrow.csv

    names = [str(k) for k in range(width)]
    chosen = [names[k] for k in wanted]
    try:
        table = pyarrow.csv.read_csv(
            as_file(block),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            pyarrow.csv.ParseOptions(delimiter=separator, quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(chosen, kind), include_columns=chosen, null_values=[]
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return list(table.columns)


def _note_whole(block: bytes, numbers: np.ndarray, whole: list[bool], separator: str) -> bool:
    """Note which columns are not of whole numbers, as they are written; false where one holds codes, or a number so
    small that it became 0.
    """
    for k, column in enumerate(numbers):
        whole[k] = whole[k] and bool((column == np.floor(column)).all())
    asked = [k for k, column in enumerate(numbers) if whole[k] or (column == 0).any()]
    texts = _read(block, len(numbers), separator, asked, "binary") if asked else []
    if texts is None:
        return False
    for k, text in zip(asked, texts, strict=True):
        cells = text.to_pylist()
        together = b"\n".join(cells)
        if b"-" in together and any(b"-" in cells[i][1:] for i in np.flatnonzero(numbers[k] == 0)):
            return False
        whole[k] = whole[k] and not (b"." in together or b"e" in together or b"E" in together)
        if whole[k] and any(map(_CODE.match, cells)):
            return False
    return True


def _column(name: str, parts: list[np.ndarray], whole: bool, axis: axes.Axis, file: str) -> Column:
    values = np.concatenate(parts)
    parts.clear()
    if whole:
        return from_array(name, values.astype(np.int64), (axis,), file)
    values.flags.writeable = False  # it is ours: no copy
    return from_array(name, values, (axis,), file)
