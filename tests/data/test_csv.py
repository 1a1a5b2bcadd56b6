"""CSV and TSV: what is read, and as what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppl.data.column import Column, Kind
from ppl.data.csv_table import read_csv


def table(tmp_path: Path, content: str | bytes, separator: str = ",") -> dict[str, Column]:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {column.name: column for column in read_csv(path, "t.csv", separator)}


def one(tmp_path: Path, *cells: str) -> Column:
    """The column that these cells make."""
    return table(tmp_path, "\n".join(["x,other", *(f"{cell},0" for cell in cells)]))["x"]


def texts(column: Column) -> list[str | None]:
    assert column.levels is not None
    return [None if code < 0 else column.levels[code] for code in column.values]


def test_a_table_is_vectors_over_one_axis_of_rows(tmp_path: Path) -> None:
    found = table(tmp_path, "school,y,sigma\nChoate,28,15.5\nDeerfield,8,10\n")
    assert list(found) == ["school", "y", "sigma"]
    assert [column.kind for column in found.values()] == [Kind.TEXT, Kind.INTEGER, Kind.REAL]
    for column in found.values():
        (axis,) = column.axes
        assert (axis.name, axis.length, axis.identity) == ("rows", 2, "rows:rows")
        assert column.file == "t.csv"
        assert column.missing is column.unusable is None
    np.testing.assert_array_equal(found["y"].values, [28, 8])
    assert found["y"].values.dtype == np.int64
    np.testing.assert_array_equal(found["sigma"].values, [15.5, 10.0])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n\n", "\n  \n"])
def test_line_ends_and_blank_lines_at_the_end(tmp_path: Path, end: str, last: str) -> None:
    found = table(tmp_path, ("x,y\n1,2\n3,4" + last).replace("\n", end))
    np.testing.assert_array_equal(found["x"].values, [1, 3])
    np.testing.assert_array_equal(found["y"].values, [2, 4])


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(table(tmp_path, b"\xef\xbb\xbfx,y\n1,2\n")) == ["x", "y"]


def test_quoted_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    found = table(tmp_path, 'place,"y, in mm"\n"Utrecht, NL",1\n"the ""old"" one",2\n"two\nlines",3\n')
    assert list(found) == ["place", "y, in mm"]
    assert texts(found["place"]) == ["Utrecht, NL", 'the "old" one', "two\nlines"]
    np.testing.assert_array_equal(found["y, in mm"].values, [1, 2, 3])


def test_names_are_trimmed_and_any_script(tmp_path: Path) -> None:
    assert list(table(tmp_path, " x , größe,mom hs,σ\n1,2,3,4\n")) == ["x", "größe", "mom hs", "σ"]


def test_a_table_of_one_column(tmp_path: Path) -> None:
    np.testing.assert_array_equal(table(tmp_path, "y\n1\n2\n")["y"].values, [1, 2])
    assert texts(table(tmp_path, "name\nJohn Smith\nJane; Doe\n")["name"]) == ["John Smith", "Jane; Doe"]


def test_a_blank_line_in_a_table_of_one_column_is_an_empty_cell(tmp_path: Path) -> None:
    found = table(tmp_path, "y\n1\n\n3\n\n")["y"]
    np.testing.assert_array_equal(found.values, [1, np.nan, 3])
    np.testing.assert_array_equal(found.missing, [False, True, False])


def test_codes_that_begin_with_zero_stay_what_they_are(tmp_path: Path) -> None:
    found = one(tmp_path, "007", "7", "", "01001")
    assert texts(found) == ["007", "7", None, "01001"]
    assert found.trouble is not None and "row 1" in found.trouble and "begins with 0" in found.trouble
    assert one(tmp_path, "0", "0.5", "00.5").kind is Kind.REAL


def test_a_number_too_small_to_hold_is_refused(tmp_path: Path) -> None:
    found = one(tmp_path, "0", "0e-5", "1e-400")
    assert found.unusable is not None and "row 3" in found.unusable and "too small" in found.unusable
    assert one(tmp_path, "0", "0.00e-5", "1e-300").unusable is None


@pytest.mark.parametrize("odd", ["NA", "1" * 100_000 + "x", " " * 100_000 + "x", "1e" * 30_000, "." * 100_000])
def test_a_cell_that_is_no_number_costs_its_length_once(tmp_path: Path, odd: str) -> None:
    found = one(tmp_path, *["12345"] * 1000, odd)
    assert found.kind is Kind.TEXT


def test_tabs(tmp_path: Path) -> None:
    found = table(tmp_path, "place\ty\nA, B\t1\n C\t2\n", separator="\t")
    assert texts(found["place"]) == ["A, B", " C"]
    np.testing.assert_array_equal(found["y"].values, [1, 2])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "+2", "-3", "-0"], [1, 2, -3, 0]),
        ([" 1", "2 ", "\t3\t"], [1, 2, 3]),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["9007199254740993", "0"], [2**53 + 1, 0]),
    ],
)
def test_integers_are_exact(tmp_path: Path, cells: list[str], expected: list[int]) -> None:
    found = one(tmp_path, *cells)
    assert found.kind is Kind.INTEGER
    assert found.values.tolist() == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.5", "2"], [1.5, 2.0]),
        (["1.", ".5", "-.5", "+1.5"], [1.0, 0.5, -0.5, 1.5]),
        (["1e3", "1E-3", "-2.5e+2"], [1000.0, 0.001, -250.0]),
        ([" 1.5 ", "2.5\t"], [1.5, 2.5]),
        (["0.1", "1e-320"], [0.1, 1e-320]),
    ],
)
def test_decimal_numbers(tmp_path: Path, cells: list[str], expected: list[float]) -> None:
    found = one(tmp_path, *cells)
    assert found.kind is Kind.REAL
    assert found.values.tolist() == expected


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", " NAN "])
def test_empty_cells_and_nan_are_missing_numbers(tmp_path: Path, cell: str) -> None:
    for cells, kind in (([cell, "1.5"], Kind.REAL), ([cell, "2"], Kind.INTEGER)):
        found = one(tmp_path, *cells)
        assert found.kind is kind
        assert found.missing is not None
        assert found.missing.tolist() == [True, False]
        assert np.isnan(found.values[0])
        assert found.trouble is found.unusable is None


def test_a_column_of_nothing(tmp_path: Path) -> None:
    found = one(tmp_path, "", "")
    assert found.kind is Kind.REAL
    assert found.missing is not None
    assert found.missing.all()


@pytest.mark.parametrize("words", [("true", "false"), ("True", "False"), ("TRUE", "FALSE")])
def test_booleans(tmp_path: Path, words: tuple[str, str]) -> None:
    found = one(tmp_path, words[0], f" {words[1]} ", words[0])
    assert found.kind is Kind.BOOLEAN
    assert found.values.tolist() == [True, False, True]


def test_booleans_with_gaps_are_numbers_with_gaps(tmp_path: Path) -> None:
    found = one(tmp_path, "TRUE", "", "FALSE")
    assert found.kind is Kind.REAL
    np.testing.assert_array_equal(found.values, [1, np.nan, 0])
    assert found.missing is not None
    assert found.missing.tolist() == [False, True, False]


def test_levels_are_sorted_and_text_is_kept_as_it_is(tmp_path: Path) -> None:
    found = one(tmp_path, "b", "a", " a", "B", "b")
    assert found.kind is Kind.TEXT
    assert found.levels == (" a", "B", "a", "b")
    assert texts(found) == ["b", "a", " a", "B", "b"]


@pytest.mark.parametrize("word", ["NA", "N/A", "null", "None", "-", "?", "inf", "Infinity", "nan"])
def test_words_for_nothing_stay_levels_of_a_text(tmp_path: Path, word: str) -> None:
    found = one(tmp_path, "red", word)
    assert found.missing is None
    assert texts(found) == ["red", word]


def test_empty_cells_of_a_text_are_missing(tmp_path: Path) -> None:
    found = one(tmp_path, "red", "", "  ", "blue")
    assert found.levels == ("blue", "red")
    assert texts(found) == ["red", None, None, "blue"]
    assert found.missing is not None
    assert found.missing.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    "cell", ["1_000", "0x1F", "１", "1 000", "1,5", "1e", "e5", ".", "--1", "1/2", "٣", "5%", "1\u00a0"]
)
def test_nothing_is_guessed(tmp_path: Path, cell: str) -> None:
    found = table(tmp_path, f'x\n1\n"{cell}"\n')["x"]
    assert found.kind is Kind.TEXT
    assert texts(found) == ["1", cell]
    assert found.trouble is not None
    assert found.trouble.startswith("t.csv, row 2, column x: ")


def test_integers_beyond_64_bits_are_names(tmp_path: Path) -> None:
    found = one(tmp_path, "18446744073709551617", "+5", " 7 ", "9" * 5000)
    assert texts(found) == ["18446744073709551617", "+5", "7", "9" * 5000]
    assert found.trouble == "t.csv, row 1, column x: 18446744073709551617 does not fit in 64 bits"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["1.5", "1e999"], "row 2, column x: 1e999 is too large for a number of 64 bits"),
        (["1.5", "-1e999", "1e999"], "row 2, column x: -1e999 is too large for a number of 64 bits"),
        (["1.5", "9007199254740993"], "row 2, column x: 9007199254740993 cannot be held exactly"),
        (["", "9007199254740993"], "row 2, column x: 9007199254740993 cannot be held exactly"),
        (["", "9" * 5000], f"row 2, column x: {'9' * 40}... is too large for a number of 64 bits"),
    ],
)
def test_numbers_that_would_be_rounded_are_not_usable(tmp_path: Path, cells: list[str], why: str) -> None:
    found = one(tmp_path, *cells)
    assert found.unusable is not None
    assert found.unusable.startswith(f"t.csv, {why}")


def test_large_integers_that_are_exact_may_stand_beside_gaps(tmp_path: Path) -> None:
    found = one(tmp_path, "", "9007199254740992", str(2**60))
    assert found.kind is Kind.INTEGER
    assert found.unusable is None
    assert found.values[1:].tolist() == [2.0**53, 2.0**60]


def test_a_place_is_named_by_file_row_and_column(tmp_path: Path) -> None:
    found = one(tmp_path, "a", "b")
    assert found.where() == "t.csv, x"
    assert found.where(1) == found.where((1,)) == "t.csv, row 2, column x"


def test_many_rows(tmp_path: Path) -> None:
    lines = [f"{i},{i / 8},level {i % 7},{'TRUE' if i % 2 else 'FALSE'}" for i in range(20_000)]
    found = table(tmp_path, "\n".join(["i,x,g,b", *lines]))
    assert found["i"].values[-1] == 19_999
    assert found["x"].values[-1] == 19_999 / 8
    assert found["g"].levels == tuple(f"level {i}" for i in range(7))
    assert int(found["b"].values.sum()) == 10_000
