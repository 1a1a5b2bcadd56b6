"""Writes the bad data files that no editor can: binary ones, and texts in other encodings.

python tests/bad_data/make.py
"""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

HERE = Path(__file__).parent
Y = np.array([1.0, 2.0])


def texts() -> None:
    table = "place,y,sigma\nUtrecht,28,15\nKöln,8,10\n"
    (HERE / "latin1.csv").write_bytes(table.encode("latin-1"))
    (HERE / "utf16.csv").write_bytes(b"\xff\xfe" + table.encode("utf-16-le"))
    (HERE / "utf16_without_mark.csv").write_bytes(table.encode("utf-16-le"))
    (HERE / "zero_bytes.csv").write_bytes(b"y,sigma\n28,15\n8,1\x000\n")
    (HERE / "excel.csv").write_bytes(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00")
    (HERE / "latin1.json").write_bytes('{"y": [1, 2],\n "place": ["Köln"]}\n'.encode("latin-1"))
    (HERE / "utf16.json").write_bytes(b"\xff\xfe" + '{"y": [1, 2]}\n'.encode("utf-16-le"))
    (HERE / "zero_bytes.json").write_bytes(b'{"y": [1, 2],\n "sig\x00ma": 3}\n')


def npz() -> None:
    sigmas: dict[str, Any] = {
        "objects": np.array([1, "two"], dtype=object),
        "complex": np.array([1j, 2]),
        "dates": np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
        "bytes": np.array([b"1", b"2"]),
        "records": np.array([(1, 2.0), (2, 3.0)], dtype=[("a", int), ("b", float)]),
        "infinite": np.array([[1, 2], [np.inf, 3]]),
        "missing": np.array([1, np.nan]),
        "unsigned": np.array([1, 2**63 + 1], dtype=np.uint64),
    }
    for name, sigma in sigmas.items():
        np.savez(HERE / f"{name}.npz", y=Y, sigma=sigma)
    buffer = io.BytesIO()
    np.save(buffer, Y)
    (HERE / "single_array.npz").write_bytes(buffer.getvalue())
    whole = (HERE / "missing.npz").read_bytes()
    (HERE / "breaks_off.npz").write_bytes(whole[: len(whole) // 2])
    (HERE / "damaged.npz").write_bytes(whole[:-300] + bytes(20) + whole[-280:])
    (HERE / "empty.npz").write_bytes(b"")
    (HERE / "text.npz").write_bytes(b"y,sigma\n1,2\n")


def parquet() -> None:
    sigmas: dict[str, Any] = {
        "timestamps": [datetime(2020, 1, 1), datetime(2020, 1, 2)],
        "dates": [date(2020, 1, 1), date(2020, 1, 2)],
        "lists": [[1.0, 2.0], [3.0]],
        "decimals": [Decimal("1.5"), Decimal("2.5")],
        "binary": [b"a", b"b"],
        "text": ["a", "b"],
        "nulls": [1.0, None],
        "nulls_integer": [1, None],
        "nulls_boolean": [True, None],
        "nulls_all": pa.nulls(2),
        "integer_beside_null": [2**53 + 1, None],
        "infinite": [1.0, float("inf")],
        "unsigned": pa.array([1, 2**63 + 1], pa.uint64()),
    }
    for name, sigma in sigmas.items():
        _write(name, pa.table({"y": Y, "sigma": sigma}))
    _write("no_rows", pa.table({"y": pa.array([], pa.float64()), "sigma": pa.array([], pa.float64())}))
    _write("no_columns", pa.table({}))
    twice = [pa.array([1.0]), pa.array([2.0]), pa.array([3.0])]
    _write("duplicate_column", pa.Table.from_arrays(twice, names=["y", "sigma", "y"]))
    whole = (HERE / "nulls.parquet").read_bytes()
    (HERE / "breaks_off.parquet").write_bytes(whole[: len(whole) // 2])
    (HERE / "empty.parquet").write_bytes(b"")


def _write(name: str, table: pa.Table) -> None:
    pyarrow.parquet.write_table(table, HERE / f"{name}.parquet")


if __name__ == "__main__":
    texts()
    npz()
    parquet()
