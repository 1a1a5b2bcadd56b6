"""cells or arrays -> typed columns, strictly: nothing is guessed, rounded or dropped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ppl.data.axes import Axis

LARGEST_EXACT = 2**53  # integers up to here are exact as float64
_NUMBER = r"[ \t]*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[ \t]*"
_INTEGERS = re.compile(r"(?:[ \t]*[-+]?[0-9]+[ \t]*\n)*")
_MISSING = re.compile(r"[ \t]*(?:[nN][aA][nN])?[ \t]*")  # an empty cell, or nan
_NUMBERS = re.compile(rf"(?:(?:{_NUMBER}|{_MISSING.pattern})\n)*")
_ONE_NUMBER = re.compile(_NUMBER)
_INFINITE = re.compile(r"[ \t]*[-+]?(?:inf|infinity)[ \t]*", re.IGNORECASE)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


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
    numbers, if so; `unusable` why it cannot be used at all. Both speak up only when the name is used.
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

    def where(self, index: int | tuple[int, ...] | None = None) -> str:
        """The place of an element in words: file, row and column."""
        if index is None or not self.axes:
            return f"{self.file}, {self.name}"
        position = (index,) if isinstance(index, int) else index
        if self.axes[0].identity is not None:
            return f"{self.file}, row {position[0] + 1}, column {self.name}"
        return f"{self.file}, {self.name}[{', '.join(str(i + 1) for i in position)}]"

    def first(self, mask: np.ndarray) -> tuple[int, ...]:
        """The index of the first element that a mask marks."""
        return tuple(int(i) for i in np.argwhere(mask)[0]) if mask.ndim else ()


def from_cells(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    """A column of a text table. All numbers (or empty): numeric; true and false: boolean; anything else: text."""
    joined = "\n".join(cells) + "\n"
    if joined.count("\n") == len(cells):
        if _INTEGERS.fullmatch(joined):
            return _integers(name, cells, axis, file)
        if _NUMBERS.fullmatch(joined):
            return _reals(name, cells, axis, file)
    if all(cell.strip() in _BOOLEANS for cell in cells):
        return Column(name, np.array([_BOOLEANS[cell.strip()] for cell in cells]), Kind.BOOLEAN, (axis,), file)
    return from_texts(name, np.array([cell or None for cell in cells], dtype=object), (axis,), file)


def _integers(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    try:
        return Column(name, np.array([int(cell) for cell in cells], dtype=np.int64), Kind.INTEGER, (axis,), file)
    except OverflowError:  # beyond 64 bits they are names, not numbers: as text they stay what they are
        texts = np.array([str(int(cell)) for cell in cells], dtype=object)
        column = from_texts(name, texts, (axis,), file)
        row = next(i for i, cell in enumerate(cells) if not -(2**63) <= int(cell) < 2**63)
        trouble = f"{column.where(row)}: {cells[row].strip()} does not fit in 64 bits"
        return Column(name, column.values, Kind.TEXT, (axis,), file, column.levels, trouble=trouble)


def _reals(name: str, cells: Sequence[str], axis: Axis, file: str) -> Column:
    values = np.array([np.nan if _MISSING.fullmatch(cell) else float(cell) for cell in cells])
    column = _from_floats(name, values, (axis,), file, None)
    present = [cell for cell in cells if not _MISSING.fullmatch(cell)]
    if 0 < len(present) < len(cells) and _INTEGERS.fullmatch("\n".join(present) + "\n"):
        return _with_integer_kind(column, [abs(int(cell)) for cell in present])
    return column


def _with_integer_kind(column: Column, magnitudes: Sequence[int]) -> Column:
    """A column of integers with gaps, held as float64: exact or in trouble."""
    trouble = None
    if max(magnitudes, default=0) > LARGEST_EXACT:
        trouble = f"{column.where()}: integers beyond 2^53 beside empty cells cannot be held exactly"
    return Column(
        column.name, column.values, Kind.INTEGER, column.axes, column.file, None, column.missing, trouble, trouble
    )


def from_texts(name: str, cells: np.ndarray, axes: tuple[Axis, ...], file: str) -> Column:
    """Text cells, any shape, None where missing, as a factor with sorted levels."""
    flat = cells.reshape(-1)
    missing = np.array([cell is None for cell in flat], dtype=bool)
    levels = tuple(sorted({cell for cell in flat if cell is not None}))
    positions = {level: i for i, level in enumerate(levels)}
    codes = np.array([-1 if cell is None else positions[cell] for cell in flat], dtype=np.int64).reshape(cells.shape)
    column = Column(name, codes, Kind.TEXT, axes, file, levels, missing.reshape(cells.shape) if missing.any() else None)
    trouble = _not_numbers(column, flat)
    return Column(name, codes, Kind.TEXT, axes, file, levels, column.missing, trouble)


def _not_numbers(column: Column, flat: np.ndarray) -> str | None:
    """Why a text column is no numeric one: the first cell that is none, and what it may have been meant for."""
    for position, cell in enumerate(flat):
        if cell is None or _ONE_NUMBER.fullmatch(cell):
            continue
        index = tuple(int(i) for i in np.unravel_index(position, column.values.shape))
        where = column.where(index)
        if _INFINITE.fullmatch(cell):
            return f"{where}: {cell.strip()} is infinite, and data must be finite"
        hint = ""
        if re.fullmatch(r"\s*[-+]?[0-9]+,[0-9]+\s*", cell):
            hint = " (decimals are written with a point)"
        elif cell.strip() in ("NA", "N/A", "n/a", "null", "NULL", ".", "-", "?"):
            hint = " (a missing number is an empty cell)"
        return f"{where}: {cell!r} is not a number{hint}"
    return None


def from_array(
    name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str, missing: np.ndarray | None = None
) -> Column:
    """An array of numbers, booleans or text (object arrays of str and None included), any shape."""
    missing = missing if missing is not None and missing.any() else None
    match array.dtype.kind:
        case "b":
            return Column(name, array, Kind.BOOLEAN, axes, file, missing=missing)
        case "i" | "u":
            return _from_integers(name, array, axes, file, missing)
        case "f":
            return _from_floats(name, array, axes, file, missing)
        case "U" | "T":
            return from_texts(name, array.astype(object), axes, file)
        case "O":
            return _from_objects(name, array, axes, file)
    empty = np.zeros(array.shape)
    reason = f"{file}, {name}: values of type {array.dtype} are neither numbers nor text"
    return Column(name, empty, Kind.REAL, axes, file, unusable=reason)


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
    magnitudes = [int(np.abs(array[~missing].astype(np.float64)).max())] if not missing.all() else []
    values = np.where(missing, np.nan, array.astype(np.float64))
    return _with_integer_kind(Column(name, values, Kind.INTEGER, axes, file, missing=missing), magnitudes)


def _from_floats(name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str, missing: np.ndarray | None) -> Column:
    values = array.astype(np.float64)
    gaps = np.isnan(values) if missing is None else missing | np.isnan(values)
    values = np.where(gaps, np.nan, values)
    column = Column(name, values, Kind.REAL, axes, file, missing=gaps if gaps.any() else None)
    infinite = np.isinf(values)
    if not infinite.any():
        return column
    where = column.where(column.first(infinite))
    trouble = f"{where}: an infinite value, and data must be finite"
    return Column(name, values, Kind.REAL, axes, file, None, column.missing, trouble, trouble)


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
    if sorts <= {"integer", "real", "boolean"} and not ("boolean" in sorts and len(sorts) > 1):
        try:
            reals = np.array([np.nan if cell is None else float(cell) for cell in flat]).reshape(array.shape)
            return _from_floats(name, reals, axes, file, gaps)
        except OverflowError:
            pass
    if "other" in sorts:
        return _unusable(name, array, axes, file, flat)
    texts = np.empty(array.size, dtype=object)
    texts[:] = [None if cell is None else str(cell) for cell in flat]
    column = from_texts(name, texts.reshape(array.shape), axes, file)
    if column.trouble is None:
        trouble = f"{file}, {name}: numbers that are written as text"
        return Column(name, column.values, Kind.TEXT, axes, file, column.levels, column.missing, trouble)
    return column


def _unusable(name: str, array: np.ndarray, axes: tuple[Axis, ...], file: str, flat: list[object]) -> Column:
    kinds = sorted({type(cell).__name__ for cell in flat if cell is not None})
    reason = f"{file}, {name}: values of type {', '.join(kinds)} are neither numbers nor text"
    return Column(name, np.zeros(array.shape), Kind.REAL, axes, file, unusable=reason)


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
