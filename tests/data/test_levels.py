"""Levels of columns, cells recoded to missing, and tables over levels: what becomes of each cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ppl.data import dataset, levels, recode, second_table
from ppl.data.axes import Axis
from ppl.data.column import Column, Kind
from ppl.language.errors import DataError


def column(tmp_path: Path, cells: list[str], name: str = "x") -> Column:
    path = tmp_path / "d.csv"
    path.write_text(f"{name},other\n" + "".join(f"{cell},0\n" for cell in cells))
    return dataset.read([path]).columns[name]


def show(found: Column) -> list[object]:
    """The cells, None where missing."""
    gaps = np.zeros(found.values.shape, dtype=bool) if found.missing is None else found.missing
    cells = found.values.tolist() if found.levels is None else [found.levels[int(i)] for i in found.values]
    return [None if gap else cell for cell, gap in zip(cells, gaps, strict=True)]


def test_labels_and_codes(tmp_path: Path) -> None:
    texts = column(tmp_path, ["b", "a", "", "b"])
    assert levels.labels_of(texts) == ("a", "b")
    assert levels.codes_on(texts, ("x", "b")).tolist() == [1, -1, -1, 1]
    numbers = column(tmp_path, ["10", "9", "", "10"])
    assert levels.labels_of(numbers) == ("9", "10")
    assert levels.codes_on(numbers, ("10", "9")).tolist() == [0, 1, -1, 0]
    truths = column(tmp_path, ["true", "false"])
    assert levels.labels_of(truths) == ("false", "true")
    assert levels.codes_on(truths, ("true",)).tolist() == [0, -1]


def test_joined_levels_sort_as_their_kind_does(tmp_path: Path) -> None:
    one, two = column(tmp_path, ["10", "9"]), column(tmp_path, ["2", "10"])
    assert levels.joined([one, two]) == ("2", "9", "10")
    assert levels.joined([column(tmp_path, ["b", "a"]), column(tmp_path, ["B", "a"])]) == ("B", "a", "b")


def test_levels_in_a_given_order(tmp_path: Path) -> None:
    found = levels.in_order(column(tmp_path, ["M", "S", "", "M"]), ("S", "M", "L"))
    assert found.levels == ("S", "M", "L")
    assert found.values.tolist() == [1, 0, -1, 1]
    assert show(found) == ["M", "S", None, "M"]
    whole = levels.in_order(column(tmp_path, ["2", "1", "2"]), ("2", "1"))
    assert whole.kind is Kind.TEXT
    assert show(whole) == ["2", "1", "2"]


@pytest.mark.parametrize(
    ("cells", "value", "expected", "kind", "count"),
    [
        (["1", "-9", "3"], -9.0, [1, None, 3], Kind.INTEGER, 1),
        (["1", "", "-9"], -9.0, [1, None, None], Kind.INTEGER, 1),
        (["1.5", "-9", "3"], -9.0, [1.5, None, 3], Kind.REAL, 1),
        (["1.5", "99.9"], 99.9, [1.5, None], Kind.REAL, 1),
        (["1", "NA", "3"], "NA", [1, None, 3], Kind.INTEGER, 1),
        (["1.5", " NA ", "3"], "NA", [1.5, None, 3], Kind.REAL, 1),
        (["true", "NA", "false"], "NA", [1, None, 0], Kind.REAL, 1),
        (["a", "?", "b", "?"], "?", ["a", None, "b", None], Kind.TEXT, 2),
        (["007", "NA", "012"], "NA", ["007", None, "012"], Kind.TEXT, 1),
        (["a", "-9", "b"], -9.0, ["a", None, "b"], Kind.TEXT, 1),
        (["1", "2"], -9.0, [1, 2], Kind.INTEGER, 0),
        (["1", "2"], "NA", [1, 2], Kind.INTEGER, 0),
        (["true", "false"], 1.0, [True, False], Kind.BOOLEAN, 0),
    ],
)
def test_a_value_recoded_to_missing(
    cells: list[str], value: float | str, expected: list[object], kind: Kind, count: int, tmp_path: Path
) -> None:
    found, times = recode.without(column(tmp_path, cells), value)
    assert show(found) == expected
    assert found.kind is kind
    assert times == count


def test_recoding_a_matrix() -> None:
    (found,) = dataset.read([{"m": [[1, -9], [3, 4]]}]).columns.values()
    recoded, times = recode.without(found, -9.0)
    assert times == 1
    assert recoded.missing is not None and recoded.missing.tolist() == [[False, True], [False, False]]
    (texts,) = dataset.read([{"m": [["a", "-"], ["3", "b"]]}]).columns.values()
    recoded, _ = recode.without(texts, "-")
    assert recoded.kind is Kind.TEXT
    assert recoded.missing is not None and recoded.missing.tolist() == [[False, True], [False, False]]
    (mixed,) = dataset.read([{"m": [[1, "NA"], [3, 4]]}]).columns.values()
    recoded, _ = recode.without(mixed, "NA")
    assert recoded.kind is Kind.INTEGER
    np.testing.assert_array_equal(recoded.values, [[1, np.nan], [3, 4]])


def join(text: str, tmp_path: Path, labels: tuple[str, ...] = ("a", "b")) -> tuple[dict[str, Column], list[str]]:
    path = tmp_path / "g.csv"
    path.write_text(text)
    (table,) = dataset.read([], {"g": path}).tables
    found, notes = second_table.join(table, Axis("g", len(labels), "levels:g", labels))
    return {column.name: column for column in found}, notes


def test_rows_are_matched_to_levels(tmp_path: Path) -> None:
    found, notes = join("u,g,t\n1,b,x\n2,c,y\n3,a,z\n", tmp_path)
    assert show(found["u"]) == [3, 1]
    assert show(found["t"]) == ["z", "x"]
    assert found["t"].levels == ("x", "z")
    assert found["u"].where(0).endswith("row 3, column u")
    assert set(found) == {"u", "t"}
    assert [note.split(": ")[1] for note in notes] == ["1 row is of no level of `g` in the data, and left out"]


def test_gaps_in_rows_that_are_left_out_do_not_matter(tmp_path: Path) -> None:
    found, _ = join("g,u\na,1\nb,2\nc,\n", tmp_path)
    assert found["u"].missing is None
    assert found["u"].values.dtype == np.int64
    found, _ = join("g,u\na,1\nb,\nc,3\n", tmp_path)
    assert show(found["u"]) == [1, None]


def test_the_key_is_the_column_of_that_name_the_only_text_or_the_first(tmp_path: Path) -> None:
    found, notes = join("n,name\n1,b\n2,a\n", tmp_path)
    assert show(found["n"]) == [2, 1]
    assert "matched to the levels of `g` by the column `name`" in notes[0]
    found, _ = join("k,u\n2,5\n1,6\n", tmp_path, ("1", "2"))
    assert show(found["u"]) == [6, 5]
    found, _ = join("t,g,u\nx,2,5\ny,1,6\n", tmp_path, ("1", "2"))
    assert show(found["u"]) == [6, 5]
    assert show(found["t"]) == ["y", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g,u\na,1\nB,2\n", 'no row has the level "b"'),
        ("g,u\na,1\nb,2\na,3\n", 'the level "a" of `g` stands in the rows 1 and 3'),
        ("g\na\nb\n", "and at least one more"),
    ],
)
def test_levels_stand_there_once(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        join(text, tmp_path)


def test_mappings_and_frames_as_tables() -> None:
    for source in ({"g": ["b", "a"], "u": [1.5, 2.5]}, pd.DataFrame({"g": ["b", "a"], "u": [1.5, 2.5]})):
        (table,) = dataset.read([], {"g": source}).tables
        found, _ = second_table.join(table, Axis("g", 2, "levels:g", ("a", "b")))
        assert show(found[0]) == [2.5, 1.5]
    with pytest.raises(DataError, match="`u` has 3 values"):
        dataset.read([], {"g": {"g": ["b", "a"], "u": [1, 2, 3]}})
    with pytest.raises(DataError, match="no list with one value for each level"):
        dataset.read([], {"g": {"g": ["b", "a"], "u": 3}})
