"""The quick reader of large CSV files gives what the careful one gives, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppl.data import big_table
from ppl.data.csv_table import read_csv

PLAIN = {
    "numbers": "x,n,y\n1.5,3,-2e-3\n-.5,4,1E5\n5.,-7,+0.25\n",
    "whole but written with a point": "x,n\n1.0,1\n2.0,2\n",
    "late decimals": "x,n\n" + "1,2\n" * 30 + "1.5,2\n",
    "no line end": "x,n\n1,2\n3,4",
    "windows": "x,n\r\n1,2\r\n3.5,4\r\n",
    "names in quotes": '"x","n"\n1.5,2\n',
    "byte order mark": "\ufeffx,n\n1.5,2\n",
    "zeros": "x,n\n0,-0\n0.0,3\n",
}
SPECIAL = {
    "gap": "x,n\n1,2\n,4\n",
    "quotes": 'x,n\n"1",2\n3,4\n',
    "text": "x,n\na,2\nb,4\n",
    "codes": "x,n\n1,007\n2,008\n",
    "blank line": "x,n\n1,2\n\n3,4\n",
    "ragged": "x,n\n1,2\n3\n4,5\n",
    "too large": "x,n\n1,9007199254740993\n3,4\n",
    "infinite": "x,n\n1,1e999\n3,4\n",
    "underflow": "x,n\n1,1e-999\n3,4\n",
    "no number": "x,n\n1,1-2\n3,4\n",
    "repeated name": "x,x\n1,2\n3,4\n",
    "name of two words": "x y,n\n1,2\n3,4\n",
    "semicolons": "x;n\n1;2\n3;4\n",
    "lone carriage return": "x,n\n1,2\r3,4\n",
}


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_table, "FEWEST_BYTES", 0)
    monkeypatch.setattr(big_table, "_AT_ONCE", 16)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "d.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("name", PLAIN)
def test_as_the_careful_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, PLAIN[name])
    careful = read_csv(path, "d.csv")
    monkeypatch.setattr(big_table, "FEWEST_BYTES", 0)
    monkeypatch.setattr(big_table, "_AT_ONCE", 16)
    quick = big_table.read_numbers(path, "d.csv", ",")
    assert quick is not None
    for one, other in zip(quick, careful, strict=True):
        assert (one.name, one.kind, one.axes, one.missing, one.trouble) == (
            other.name, other.kind, other.axes, other.missing, other.trouble,
        )  # fmt: skip
        assert one.values.dtype == other.values.dtype
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("name", SPECIAL)
def test_left_to_the_careful_one(name: str, tmp_path: Path, small_is_large: None) -> None:
    assert big_table.read_numbers(written(tmp_path, SPECIAL[name]), "d.csv", ",") is None


def test_to_the_last_digit(tmp_path: Path, small_is_large: None) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(300) * 10.0 ** rng.integers(-30, 12, 300)
    cells = [f"{value:{'.17g' if k % 2 else '.25e'}}" for k, value in enumerate(values)]
    (found,) = big_table.read_numbers(written(tmp_path, "\n".join(["x", *cells])), "d.csv", ",") or []
    assert found.values.tolist() == [float(cell) for cell in cells]


def test_small_files_are_left_alone(tmp_path: Path) -> None:
    assert big_table.read_numbers(written(tmp_path, PLAIN["numbers"]), "d.csv", ",") is None
