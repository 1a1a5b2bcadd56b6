"""named columns -> a table as CSV, Parquet or JSON, by the ending of the file."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppl.language.errors import UsageError
from ppl.report.atomic import replacing, write_text

Columns = Sequence[tuple[str, np.ndarray]]  # of one length each; text, whole numbers, truth values or decimals
ENDINGS = (".csv", ".parquet", ".json")


def check_ending(path: str | os.PathLike[str]) -> None:
    """Raises `UsageError` for a file that is none of the three."""
    if Path(path).suffix.lower() not in ENDINGS:
        raise UsageError(f"{os.fspath(path)}: tables are written as {', '.join(ENDINGS)}, by the ending of the file")


def write(columns: Columns, path: str | os.PathLike[str]) -> None:
    """Raises `UsageError` and `FileError`."""
    check_ending(path)
    ending = Path(path).suffix.lower()
    if ending == ".parquet":
        _write_parquet(columns, path)
    else:
        write_text(path, as_csv(columns) if ending == ".csv" else as_json(columns))


def as_csv(columns: Columns) -> str:
    """One line a row, all digits; a missing number is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(map(_cell, values.tolist()) for _, values in columns), strict=True))
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return str(value)


def as_json(columns: Columns) -> str:
    """One object, a list for each column; a number that JSON cannot hold is null."""
    told = {name: [_json_cell(value) for value in values.tolist()] for name, values in columns}
    return json.dumps(told, ensure_ascii=False) + "\n"


def _json_cell(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_parquet(columns: Columns, path: str | os.PathLike[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    arrays = [pyarrow.array(values.tolist() if values.dtype.kind == "U" else values) for _, values in columns]
    table = pyarrow.table(arrays, names=[name for name, _ in columns])
    with replacing(path) as side:
        pyarrow.parquet.write_table(table, side)
