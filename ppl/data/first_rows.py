"""tables, one after the other -> the rows where a level, a missing cell or an end of a column is met."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

_MOST_LEVELS = 10_000  # of a column; whole numbers with more are no levels
_FEW_LEVELS = 50  # of whole numbers that index nothing: rows of further ones would move means and sds


class Seen:
    """The levels, and the rows with the ends of columns, that were met so far."""

    def __init__(self, indexed: Collection[str], ended: Collection[str]) -> None:
        self.levels: dict[str, set[Any]] = {}
        self.gaps: set[str] = set()
        self._indexed, self._ended = indexed, ended
        self._ends: dict[tuple[str, int], tuple[float, Any, int]] = {}  # a number, its row, where it stands

    def look_for_ends(self, table: Any, first: int) -> None:
        for name in sorted(self._ended):
            values = np.array(table[name].to_numpy(), dtype=np.float64) if _is_number(table[name].type) else np.zeros(0)
            for sign in (-1, 1):
                signed = np.where(np.isfinite(values), sign * values, -np.inf)
                row = int(np.argmax(signed)) if len(signed) else 0
                if len(signed) and signed[row] > self._ends.get((name, sign), (-np.inf,))[0]:
                    self._ends[name, sign] = float(signed[row]), table.slice(row, 1), first + row

    def ends(self) -> list[tuple[int, Any]]:
        """The rows, each once, by their places in the file."""
        rows = {place: table for _, table, place in self._ends.values()}
        return sorted(rows.items(), key=lambda found: found[0])

    def first_rows(self, table: Any) -> np.ndarray:
        """The rows of a table where a level, or a missing cell of a column, is met for the first time."""
        import pyarrow.types as types

        found: list[int] = []
        for name, chunked in zip(table.column_names, table.columns, strict=True):
            column = chunked.combine_chunks()
            if column.null_count and name not in self.gaps:
                self.gaps.add(name)
                found.append(int(np.argmax(np.asarray(column.is_null()))))
            most = _MOST_LEVELS if name in self._indexed or not types.is_integer(column.type) else _FEW_LEVELS
            if types.is_floating(column.type) or len(self.levels.get(name, ())) > most:
                continue
            found += self._new(name, column, most)
        return np.unique(np.array(found, dtype=np.int64))

    def _new(self, name: str, column: Any, most: int) -> list[int]:
        import pyarrow.types as types

        codes = column if types.is_dictionary(column.type) else column.dictionary_encode()
        values = codes.dictionary.to_pylist()
        numbers, rows = np.unique(np.asarray(codes.indices.fill_null(-1)), return_index=True)
        known = self.levels.setdefault(name, set())
        found = []
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            if number >= 0 and values[number] not in known and len(known) <= most:
                known.add(values[number])
                found.append(row)
        return found


def _is_number(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_floating(kind) or types.is_integer(kind))
