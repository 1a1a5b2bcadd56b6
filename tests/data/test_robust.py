"""Any bytes give columns or an error that a user can read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ppl.data.axes import rows
from ppl.data.column import Kind, from_cells
from ppl.data.dataset import read
from ppl.language.errors import PplError

QUIET = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = """x y 1 -2.5 1e999 9007199254740993 nan inf NA TRUE , , ; " "" \ufeff é { } [ ] : "x" null true [1,2] \\ '"""
PIECES = (*WORDS.split(), "", " ", "\t", "\n", "\r\n", "\r", "\0", "\u2028")


def columns_or_error(path: Path) -> None:
    try:
        found = read([path])
    except PplError as error:
        assert str(path) in str(error)
        return
    for column in found.columns.values():
        assert column.values.shape == tuple(axis.length for axis in column.axes)
        assert column.missing is None or (column.missing.shape == column.values.shape and column.missing.any())
        if column.kind is Kind.TEXT:
            assert column.levels is not None
            assert column.values.max(initial=-1) < len(column.levels)
        elif column.unusable is None:
            assert np.isfinite(column.values[~column.missing] if column.missing is not None else column.values).all()


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "npz", "parquet"])
@QUIET
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"\xff\xfe")
@example(content=b"\x00")
@example(content=b"PK\x05\x06" + bytes(18))
def test_any_bytes(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"any.{ending}"
    path.write_bytes(content)
    columns_or_error(path)


@pytest.mark.parametrize("ending", ["csv", "tsv", "json"])
@QUIET
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_text_of_likely_pieces(tmp_path: Path, ending: str, pieces: list[str]) -> None:
    path = tmp_path / f"any.{ending}"
    path.write_text("".join(pieces), encoding="utf-8", newline="")
    columns_or_error(path)


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, y=np.arange(20.0), s=["a", "b"])
    return buffer.getvalue()


@QUIET
@given(changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=3), lost=st.integers(0, 40))
def test_damaged_npz(tmp_path: Path, changes: list[tuple[int, int]], lost: int) -> None:
    content = bytearray(_npz())
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path / "any.npz"
    path.write_bytes(content[: len(content) - (lost if lost > 20 else 0)])
    columns_or_error(path)


def test_parquet_that_breaks_off(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"y": [1.5, None], "s": ["a", "b"], "l": [[1], [2, 3]]}), buffer)
    path = tmp_path / "any.parquet"
    for length in range(0, len(buffer.getvalue()), 29):
        path.write_bytes(buffer.getvalue()[:length])
        columns_or_error(path)


@QUIET
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_integers_come_back_as_they_were(numbers: list[int]) -> None:
    found = from_cells("x", [str(number) for number in numbers], rows(len(numbers)), "f")
    assert found.kind is Kind.INTEGER
    assert found.values.tolist() == numbers


@QUIET
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_come_back_as_they_were(numbers: list[float]) -> None:
    found = from_cells("x", [repr(number) for number in numbers], rows(len(numbers)), "f")
    assert found.unusable is None
    assert found.values.tolist() == numbers


@QUIET
@given(st.lists(st.text(max_size=5), min_size=1, max_size=20))
def test_texts_come_back_as_they_were(cells: list[str]) -> None:
    found = from_cells("x", cells, rows(len(cells)), "f")
    if found.kind is Kind.TEXT:
        assert found.levels is not None
        assert list(found.levels) == sorted(set(found.levels))
        back = [None if code < 0 else found.levels[code] for code in found.values]
        assert all(a == b or (a is None and not b.strip()) for a, b in zip(back, cells, strict=True))
