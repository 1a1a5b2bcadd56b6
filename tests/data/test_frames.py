"""Data frames: what their columns become."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ppl.data.column import Kind
from ppl.data.dataset import read
from ppl.language.errors import DataError


def test_kinds_of_columns() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [1.5, np.nan],
            "b": [True, False],
            "s": ["b", "a"],
            "nullable": pd.array([1, None], dtype="Int64"),
            "full": pd.array([1, 2], dtype="Int64"),
            "truth": pd.array([True, None], dtype="boolean"),
            "decimal": pd.array([1.5, None], dtype="Float64"),
            "words": pd.array(["b", None], dtype="string"),
            "coded": pd.Categorical(["b", "a"], categories=["b", "a", "c"], ordered=True),
            "coded_gap": pd.Categorical(["b", None]),
        }
    )
    found = read([frame])
    assert found.rows is not None
    assert found.rows.length == 2
    kinds = {name: column.kind.value for name, column in found.columns.items()}
    assert kinds == {
        "n": "integer", "x": "real", "b": "boolean", "s": "text", "nullable": "integer", "full": "integer",
        "truth": "real", "decimal": "real", "words": "text", "coded": "text", "coded_gap": "text",
    }  # fmt: skip
    missing = {name: column.missing.tolist() for name, column in found.columns.items() if column.missing is not None}
    assert list(missing) == ["x", "nullable", "truth", "decimal", "words", "coded_gap"]
    assert all(marks == [False, True] for marks in missing.values())
    assert found.columns["coded"].levels == ("a", "b")  # sorted; an order is given in the model
    assert all(column.file == "data 1" for column in found.columns.values())


def test_integers_with_gaps_are_not_rounded() -> None:
    found = read([pd.DataFrame({"id": pd.array([2**53 + 1, None], dtype="Int64")})])
    assert found.columns["id"].unusable is not None
    assert "9007199254740993 cannot be held exactly" in found.columns["id"].unusable


def test_the_index_of_a_frame_is_no_column() -> None:
    frame = pd.DataFrame({"y": [1, 2, 3]}, index=["a", "b", "c"])
    found = read([frame[frame.y > 1]])
    assert list(found.columns) == ["y"]
    assert found.columns["y"].values.tolist() == [2, 3]


def test_names_that_are_no_texts() -> None:
    assert list(read([pd.DataFrame({1: [1], (2, "a"): [2]})]).columns) == ["1", "(2, 'a')"]


def test_dates_do_not_matter_until_they_are_used() -> None:
    frame = pd.DataFrame({"y": [1, 2], "when": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    assert read([frame]).columns["when"].unusable == "data 1, when: dates are neither numbers nor text"


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (pd.DataFrame(), "data 1: a table without columns"),
        (pd.DataFrame({"y": []}), "data 1: column names, but no rows"),
        (pd.DataFrame([[1, 2]], columns=["y", "y"]), "data 1: columns 1 and 2 are both called `y`"),
        (pd.DataFrame([[1, 2]], columns=["y", ""]), "data 1: column 2 has no name"),
    ],
)
def test_frames_that_are_no_tables(frame: pd.DataFrame, why: str) -> None:
    with pytest.raises(DataError) as caught:
        read([frame])
    assert str(caught.value).startswith(why)


def test_series_and_frames_inside_a_mapping() -> None:
    found = read([{"y": pd.Series([1.5, 2.5]), "X": pd.DataFrame({"a": [1, 2], "b": [3, 4]})}])
    assert found.rows is None
    assert found.columns["y"].kind is Kind.REAL
    assert found.columns["X"].values.tolist() == [[1, 3], [2, 4]]
