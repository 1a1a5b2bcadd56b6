"""cells or arrays -> typed columns, strictly: nothing is guessed, rounded or dropped."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import written
from ppl.values import dataclass

LARGEST_EXACT = 2**53  # integers up to here are exact as float64
_MOST_DIGITS = 4000  # of an integer; Python reads 4300
_LONGEST_SHOWN = 40  # characters of a cell in a message
_LONGEST_HINTED = 200  # characters of a cell that are looked at for what it may have been meant for
# Possessive throughout: nothing that was matched is given back, so a cell that does not fit costs its length, once.
_NUMBER = r"[ \t]*+[-+]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?+[ \t]*+"
_INTEGER = r"[ \t]*+[-+]?+[0-9]++[ \t]*+"
_INTEGERS = re.compile(rf"(?:{_INTEGER}\n)*+")
_MISSING = re.compile(r"[ \t]*+(?:[nN][aA][nN])?+[ \t]*+")  # an empty cell, or nan
_NUMBERS = re.compile(rf"(?:(?:{_NUMBER}|{_MISSING.pattern})\n)*+")
_INTEGERS_AND_GAPS = re.compile(rf"(?:(?:{_INTEGER}|{_MISSING.pattern})\n)*+")
_ONE_NUMBER = re.compile(_NUMBER)
_ONE_INTEGER = re.compile(_INTEGER)
_PADDED = re.compile(r"^[ \t]*+[-+]?+0[0-9]++[ \t]*+$", re.MULTILINE)  # an integer that begins with 0
_TINY = re.compile(r"[^eE]*?[1-9][^eE]*+[eE]-")  # not zero, with a negative exponent
_INFINITE = re.compile(r"[ \t]*[-+]?(?:inf|infinity)[ \t]*", re.IGNORECASE)
_OTHER_DTYPES = {"c": "complex numbers", "M": "dates", "m": "durations", "S": "bytes", "V": "records"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


# Cells that are no numbers, and what to write instead.
_HINTS = [
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"\s*[-+]?[0-9]{1,3}(,[0-9]{3})+\s*", "numbers hold no commas: 1,500 is written 1500, or 1.5"),
        (r"\s*[-+]?[0-9]*,[0-9]+\s*", "decimals are written with a point"),
        (r"\s*(NA|N/A|n/a|na|null|NULL|None|#N/A|\.|-|--|\?)\s*", "a missing number is an empty cell"),
        (r"\s*#.*", "this is an error of a spreadsheet; a missing number is an empty cell"),
        (r"\s*[-+]?[0-9.]+\s*%\s*", "a number is written without the %"),
        (r"\s*[$€£¥]\s*[-+]?[0-9.,]+\s*", "a number is written without the currency"),
        (r"\s*[\u2010-\u2015\u2212][0-9.]+\s*", "this is a typographic minus; write -"),
        (r"\s*[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*", "dates are no numbers; count the days from one of them"),
    )
]


class Kind(StrEnum):
    REAL = "real"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """An array of data under one name: a column of a table, or a scalar or an array from JSON or npz.

    `values` is float64, int64 or bool; for text it holds the positions in `levels` (sorted). `missing` marks the empty
    cells, where there are any: there a number is NaN, a text -1. `trouble` says why the column cannot be used as
    numbers, if so; `unusable` why it cannot be used at all. Both speak up only when the name is used. `rows` are the
    rows of the file (from 0) where they stand in another order there.
    """

    name: str
    values: np.ndarray
    kind: Kind
    axes: tuple[Axis, ...]
    file: str
    levels: tuple[str, ...] | None = None
    missing: np.ndarray | None = None
    trouble: str | None = None
    unusable: str | None = None
    rows: np.ndarray | None = None

    def where(self, index: int | tuple[int, ...] | None = None) -> str:
        """The place of an element in words: file, row and column."""
        if index is None or not self.axes:
            return f"{self.file}, {self.name}"
        position = (index,) if isinstance(index, int) else index
        if self.axes[0].identity is not None:
            row = position[0] if self.rows is None else int(self.rows[position[0]])
            return f"{self.file}, row {row + 1}, column {self.name}"
        return f"{self.file}, {self.name}[{', '.join(str(i + 1) for i in position)}]"

    def first(self, mask: np.ndarray) -> tuple[int, ...]:
        """The index of the first element that a mask marks."""
        return tuple(int(i) for i in np.argwhere(mask)[0]) if mask.ndim else ()


def from_cells(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    """A column of a text table. All numbers (or empty): numeric; true and false: boolean; anything else: text."""
    joined = "\n".join(cells) + "\n"
    if joined.count("\n") == len(cells):
        whole = _INTEGERS.fullmatch(joined)
        if (whole or _INTEGERS_AND_GAPS.fullmatch(joined)) and _PADDED.search(joined):
            return _padded(name, cells, axis, file)
        if whole:
            return _integers(name, cells, axis, file)
        if _NUMBERS.fullmatch(joined):
            return _reals(name, cells, axis, file)
    truths = [_BOOLEANS.get(cell.strip()) for cell in cells]
    gaps = np.array([not cell.strip() for cell in cells])
    if all(truth is not None or gap for truth, gap in zip(truths, gaps, strict=True)):
        if not gaps.any():
            return Column(name, np.array(truths, dtype=bool), Kind.BOOLEAN, (axis,), file)
        return _from_floats(name, np.array(truths, dtype=np.float64), (axis,), file, gaps)
    return from_texts(name, np.array([cell if cell.strip() else None for cell in cells], dtype=object), (axis,), file)


def _padded(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    """Whole numbers some of which begin with 0 are codes (007, 01001): as text they stay what they are."""
    texts = [None if _MISSING.fullmatch(cell) else cell.strip() for cell in cells]
    column = from_texts(name, np.array(texts, dtype=object), (axis,), file)
    place = next(i for i, cell in enumerate(cells) if _PADDED.fullmatch(cell))
    trouble = f"{column.where(place)}: {_short(cells[place])} begins with 0, so the column is read as codes\n"
    return replace(column, trouble=f"{trouble}numbers that are meant as such are written without leading zeros")


def _integers(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    numbers = [_whole(cell) for cell in cells]
    too_long = next((i for i, number in enumerate(numbers) if not -(2**63) <= number < 2**63), None)
    if too_long is None:
        return Column(name, np.array(numbers, dtype=np.int64), Kind.INTEGER, (axis,), file)
    # beyond 64 bits they are names, not numbers: as text they stay what they are
    column = from_texts(name, np.array([cell.strip() for cell in cells], dtype=object), (axis,), file)
    trouble = f"{column.where(too_long)}: {_short(cells[too_long])} does not fit in 64 bits"
    return replace(column, trouble=trouble)


def _whole(cell: str) -> int:
    """The integer that a cell says, or some larger one where it has more digits than Python reads."""
    if len(cell) < _MOST_DIGITS:
        return int(cell)
    digits = cell.strip().lstrip("+-").lstrip("0") or "0"
    magnitude = int(digits) if len(digits) < _MOST_DIGITS else 10**_MOST_DIGITS
    return -magnitude if cell.strip().startswith("-") else magnitude


def _short(cell: str) -> str:
    """A cell as a message shows it."""
    text = cell.strip()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _reals(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    present = [cell for cell in cells if not _MISSING.fullmatch(cell)]
    values = np.array([np.nan if _MISSING.fullmatch(cell) else float(cell) for cell in cells])
    column = _from_floats(name, values, (axis,), file, None)
    for row in np.flatnonzero(np.abs(values) >= LARGEST_EXACT).tolist():
        cell = cells[row]
        if np.isinf(values[row]):
            return _refused(column, row, f"{_short(cell)} is too large for a number of 64 bits")
        if _ONE_INTEGER.fullmatch(cell) and int(values[row]) != _whole(cell):
            return _refused(column, row, f"{_short(cell)} cannot be held exactly in 64 bits beside decimals or gaps")
    for row in np.flatnonzero(values == 0).tolist() if any("-" in cell for cell in present) else ():
        if _TINY.match(cells[row]):
            return _refused(column, row, f"{_short(cells[row])} is too small for a number of 64 bits")
    whole = present and _INTEGERS.fullmatch("\n".join(present) + "\n")
    return replace(column, kind=Kind.INTEGER) if whole else column


def _refused(column: Column, index: int | tuple[int, ...], why: str) -> Column:
    """A column that cannot be used because of one element."""
    reason = f"{column.where(index)}: {why}"
    return replace(column, trouble=reason, unusable=reason)


def from_texts(name: str, cells: np.ndarray, axes: tuple[Axis, ...], file: str) -> Column:
    """Text cells, any shape, None where missing, as a factor with sorted levels."""
    flat = cells.reshape(-1)
    missing = np.array([cell is None for cell in flat], dtype=bool)
    levels = tuple(sorted({cell for cell in flat if cell is not None}))
    positions = {level: i for i, level in enumerate(levels)}
    codes = np.array([-1 if cell is None else positions[cell] for cell in flat], dtype=np.int64).reshape(cells.shape)
    column = Column(name, codes, Kind.TEXT, axes, file, levels, missing.reshape(cells.shape) if missing.any() else None)
    return replace(column, trouble=_not_numbers(column, [cell for cell in flat if cell is not None]))


def _not_numbers(column: Column, present: Sequence[str]) -> str | None:
    """Why a text column is no numeric one: the first cell that is none, and what it may have been meant for."""
    odd = {level for level in column.levels or () if not _ONE_NUMBER.fullmatch(level)}
    truths = {level for level in odd if level.strip() in _BOOLEANS}
    what = "a number"
    if truths and odd != truths and 2 * sum(cell in truths for cell in present) >= len(present):
        odd, what = odd - truths, "a truth value"  # a column of truth values with something else among them
    if not odd:
        return None
    is_odd = np.isin(column.values, [i for i, level in enumerate(column.levels or ()) if level in odd])
    place = column.first(is_odd)
    assert column.levels is not None
    cell = column.levels[int(column.values[place])]
    if _INFINITE.fullmatch(cell):
        return f"{column.where(place)}: {cell.strip()} is infinite, and data must be finite"
    hint = next((hint for pattern, hint in _HINTS if pattern.fullmatch(cell[:_LONGEST_HINTED])), None)
    count = int(is_odd.sum())
    if hint is None and count == len(present):
        hint = f"text can be compared, `{written(column.name)} == {_quoted(cell)}`, and used as an index or an axis"
    elif hint is None:
        plural = what.removeprefix("a ") + "s"
        hint = f"all other values are {plural}" if count == 1 else f"{count} of {len(present)} values are no {plural}"
    return f"{column.where(place)}: {_quoted(cell)} is not {what}" + (f"\n{hint}" if hint else "")


def _quoted(cell: str) -> str:
    return f'"{_short(cell)}"'


def from_array(
    name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str, missing: np.ndarray | None = None
) -> Column:
    """An array of numbers, booleans or text (object arrays of str and None included), any shape."""
    missing = missing if missing is not None and missing.any() else None
    if missing is not None and array.dtype.kind in "bUTO":
        cells = array.astype(object)
        cells[missing] = None
        return _from_objects(name, cells, axes, file)
    match array.dtype.kind:
        case "b":
            return Column(name, array.copy(), Kind.BOOLEAN, axes, file)
        case "i" | "u":
            return _from_integers(name, array, axes, file, missing)
        case "f":
            return _from_floats(name, array, axes, file, missing)
        case "U" | "T":
            return from_texts(name, array.astype(object), axes, file)
        case "O":
            return _from_objects(name, array, axes, file)
    words = _OTHER_DTYPES.get(array.dtype.kind, f"values of type {array.dtype}")
    return unusable(name, axes, file, f"{file}, {name}: {words} are neither numbers nor text")


def _from_integers(
    name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str, missing: np.ndarray | None
) -> Column:
    if array.size and array.dtype.kind == "u" and int(array.max()) >= 2**63:
        texts = array.astype(str).astype(object)
        column = from_texts(name, texts, axes, file)
        trouble = f"{file}, {name}: {int(array.max())} does not fit in 64 bits"
        return Column(name, column.values, Kind.TEXT, axes, file, column.levels, trouble=trouble)
    if missing is None:
        return Column(name, array.astype(np.int64), Kind.INTEGER, axes, file)
    values = np.where(missing, np.nan, array.astype(np.float64))
    column = Column(name, values, Kind.INTEGER, axes, file, missing=missing)
    for place in np.argwhere(~missing & (np.abs(values) >= LARGEST_EXACT)):
        index = tuple(int(i) for i in place)
        if int(values[index]) != int(array[index]):
            return _refused(column, index, f"{array[index]} cannot be held exactly in 64 bits beside gaps")
    return column


def _from_floats(name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str, missing: np.ndarray | None) -> Column:
    values = np.asarray(array, dtype=np.float64)
    values = values.copy() if values is array and array.flags.writeable else values  # what cannot change is kept
    gaps = np.isnan(values) if missing is None else missing | np.isnan(values)
    values = np.where(gaps, np.nan, values) if gaps.any() else values
    column = Column(name, values, Kind.REAL, axes, file, missing=gaps if gaps.any() else None)
    infinite = np.isinf(values)
    if infinite.any():
        return _refused(column, column.first(infinite), "an infinite value, and data must be finite")
    return column


def _from_objects(name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str) -> Column:
    """Python values: all of one sort, or text beside numbers (usable as text only), or unusable."""
    flat = [None if _is_gap(cell) else cell for cell in array.reshape(-1).tolist()]
    sorts = {_sort_of(cell) for cell in flat if cell is not None}
    gaps = np.array([cell is None for cell in flat], dtype=bool).reshape(array.shape)
    if not sorts:
        return _from_floats(name, np.full(array.shape, np.nan), axes, file, gaps)
    if sorts == {"boolean"} and not gaps.any():
        return Column(name, array.astype(bool), Kind.BOOLEAN, axes, file)
    if sorts == {"integer"}:
        numbers = [0 if cell is None else int(cell) for cell in flat]
        if all(-(2**63) <= number < 2**63 for number in numbers):
            integers = np.array(numbers, dtype=np.int64).reshape(array.shape)
            return _from_integers(name, integers, axes, file, gaps if gaps.any() else None)
    if sorts in ({"boolean"}, {"real"}, {"integer", "real"}):
        return _from_numbers(name, flat, array.shape, axes, file, gaps)
    if "other" in sorts:
        kinds = sorted({type(cell).__name__ for cell in flat if cell is not None})
        reason = f"{file}, {name}: values of type {', '.join(kinds)} are neither numbers nor text"
        return unusable(name, axes, file, reason)
    texts = np.empty(array.size, dtype=object)
    texts[:] = [None if cell is None else _as_text(cell) for cell in flat]
    column = from_texts(name, texts.reshape(array.shape), axes, file)
    if sorts == {"integer"}:
        large = next(i for i, cell in enumerate(flat) if cell is not None and not -(2**63) <= cell < 2**63)
        index = tuple(int(i) for i in np.unravel_index(large, array.shape))
        return replace(column, trouble=f"{column.where(index)}: {_short(str(flat[large]))} does not fit in 64 bits")
    if column.trouble is None:
        return replace(column, trouble=f"{file}, {name}: numbers that are written as text\nwrite them without quotes")
    return column


def _from_numbers(
    name: str, flat: Sequence[Any], shape: tuple[int, ...], axes: tuple[Axis, ...], file: str, gaps: np.ndarray
) -> Column:
    """Decimal numbers and integers, or truth values, with gaps."""
    values = np.array([np.nan if cell is None else _as_float(cell) for cell in flat]).reshape(shape)
    column = _from_floats(name, values, axes, file, gaps)
    for position, cell in enumerate(flat):
        if isinstance(cell, int) and abs(cell) > LARGEST_EXACT and column.unusable is None:
            index = tuple(int(i) for i in np.unravel_index(position, shape))
            if int(values[index]) != cell:
                return _refused(column, index, f"{_short(str(cell))} cannot be held exactly in 64 bits beside decimals")
    return column


def _as_float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf if cell > 0 else -math.inf


def _as_text(cell: object) -> str:
    return str(cell).lower() if isinstance(cell, bool | np.bool_) else str(cell)


def unusable(name: str, axes: tuple[Axis, ...], file: str, reason: str) -> Column:
    """A column of values that are neither numbers nor text: an error where it is used."""
    return Column(name, np.zeros(tuple(axis.length for axis in axes)), Kind.REAL, axes, file, unusable=reason)


def _is_gap(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell) or type(cell).__name__ in ("NAType", "NaTType")


def _sort_of(cell: object) -> str:
    if isinstance(cell, bool | np.bool_):
        return "boolean"
    if isinstance(cell, int | np.integer):
        return "integer"
    if isinstance(cell, float | np.floating):
        return "real"
    return "text" if isinstance(cell, str) else "other"
