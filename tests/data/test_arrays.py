"""JSON, npz, Parquet and mappings: what is read, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from ppl.data import arrays
from ppl.data.column import Column, Kind
from ppl.language.errors import DataError


def by_name(columns: list[Column]) -> dict[str, Column]:
    return {column.name: column for column in columns}


def json(tmp_path: Path, text: str | bytes) -> dict[str, Column]:
    path = tmp_path / "d.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return by_name(arrays.read_json(path, "d.json"))


def mapping(**values: Any) -> dict[str, Column]:
    return by_name(arrays.from_mapping(values, "data 1"))


def parquet(tmp_path: Path, **columns: Any) -> dict[str, Column]:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table(columns), path)
    return by_name(arrays.read_parquet(path, "t.parquet"))


def texts(column: Column) -> list[str | None]:
    assert column.levels is not None
    return [None if code < 0 else column.levels[code] for code in column.values.reshape(-1)]


# -- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "shape"),
    [
        ("3", Kind.INTEGER, ()),
        ("-2.5", Kind.REAL, ()),
        ("true", Kind.BOOLEAN, ()),
        ('"red"', Kind.TEXT, ()),
        ("[1, 2, 3]", Kind.INTEGER, (3,)),
        ("[1, 2.5]", Kind.REAL, (2,)),
        ("[true, false]", Kind.BOOLEAN, (2,)),
        ('["a", "b", "a"]', Kind.TEXT, (3,)),
        ("[[1, 2, 3], [4, 5, 6]]", Kind.INTEGER, (2, 3)),
        ("[[[1.5]], [[2]]]", Kind.REAL, (2, 1, 1)),
        ('[["a", "b"]]', Kind.TEXT, (1, 2)),
        ("[]", Kind.REAL, (0,)),
        ("[[], []]", Kind.REAL, (2, 0)),
        ("[[[[[[[[1]]]]]]]]", Kind.INTEGER, (1,) * 8),
    ],
)
def test_json_values(tmp_path: Path, value: str, kind: Kind, shape: tuple[int, ...]) -> None:
    found = json(tmp_path, f'{{"x": {value}}}')["x"]
    assert found.unusable is None
    assert (found.kind, found.values.shape) == (kind, shape)
    assert tuple(axis.length for axis in found.axes) == shape
    assert all(axis.identity is None for axis in found.axes)


def test_json_numbers_are_exact(tmp_path: Path) -> None:
    found = json(tmp_path, '{"n": [9223372036854775807, -9223372036854775808], "x": [0.1, 1e-320, -0.0]}')
    assert found["n"].values.tolist() == [2**63 - 1, -(2**63)]
    assert found["x"].values.tolist() == [0.1, 1e-320, 0.0]


def test_json_null_and_nan_are_missing(tmp_path: Path) -> None:
    found = json(tmp_path, '{"x": [1.5, null, NaN], "n": [1, null], "s": ["a", null], "b": [true, null], "o": null}')
    assert found["x"].missing.tolist() == [False, True, True]  # type: ignore[union-attr]
    assert (found["n"].kind, found["n"].missing.tolist()) == (Kind.INTEGER, [False, True])  # type: ignore[union-attr]
    assert texts(found["s"]) == ["a", None]
    np.testing.assert_array_equal(found["b"].values, [1, np.nan])
    assert found["o"].missing is not None
    assert found["o"].missing.shape == ()


def test_json_levels_are_sorted(tmp_path: Path) -> None:
    found = json(tmp_path, '{"g": [["b", "a"], ["ä", "b"]]}')["g"]
    assert found.levels == ("a", "b", "ä")
    assert found.values.tolist() == [[1, 0], [2, 1]]


def test_json_with_a_byte_order_mark_and_any_names(tmp_path: Path) -> None:
    assert list(json(tmp_path, b'\xef\xbb\xbf{"mom hs": 1, "\\u03c3": 2}')) == ["mom hs", "σ"]


def test_places_in_arrays_count_from_one(tmp_path: Path) -> None:
    found = json(tmp_path, '{"x": [[1, 2], [3, 4]], "n": 1}')
    assert found["x"].where((1, 0)) == "d.json, x[2, 1]"
    assert found["n"].where(()) == "d.json, n"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("[[1, 2], [3]]", "x[2]: a list of 1 beside lists of 2"),
        ("[[[1], [2]], [[3], []]]", "x[2, 2]: a list of 0 beside lists of 1"),
        ("[1, [2]]", "x[2]: a list beside single values"),
        ("[[1, 2], [[3], 4]]", "x[2, 1]: a list beside single values"),
        ('{"a": 1}', "x: an object is neither a number nor a list"),
        ('[1, {"a": 1}]', "x[2]: an object is neither a number nor a list"),
        ("[1, Infinity]", "x[2]: an infinite value, and data must be finite"),
        ("-1e999", "x: an infinite value, and data must be finite"),
        ("[" * 9 + "1" + "]" * 9, "x: lists nest more than 8 deep"),
        ("[0.5, 9007199254740993]", "x[2]: 9007199254740993 cannot be held exactly in 64 bits beside decimals"),
        ("[null, 9007199254740993]", "x[2]: 9007199254740993 cannot be held exactly in 64 bits beside gaps"),
        ("[1, " + "9" * 5000 + "]", "x[2]: an infinite value, and data must be finite"),
    ],
)
def test_json_that_cannot_be_used_speaks_up_only_where_it_is(tmp_path: Path, value: str, why: str) -> None:
    found = json(tmp_path, f'{{"x": {value}, "y": 1}}')
    assert found["x"].unusable == f"d.json, {why}"
    assert found["y"].unusable is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ('[1, "two"]', 'd.json, x[2]: "two" is not a number\nall other values are numbers'),
        ("[1, true]", 'd.json, x[2]: "true" is not a number\nall other values are numbers'),
        ('["1", "2"]', "d.json, x: numbers that are written as text\nwrite them without quotes"),
        ("[1, 18446744073709551617]", "d.json, x[2]: 18446744073709551617 does not fit in 64 bits"),
    ],
)
def test_json_that_is_text_says_why_it_is_no_number(tmp_path: Path, value: str, why: str) -> None:
    found = json(tmp_path, f'{{"x": {value}}}')["x"]
    assert found.kind is Kind.TEXT
    assert found.trouble == why


def test_json_nested_beyond_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lists nest too deeply"):
        json(tmp_path, '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}")


def test_duplicate_keys_are_found_at_any_depth(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the name `a` stands twice"):
        json(tmp_path, '{"x": [{"a": 1, "a": 2}]}')


# -- mappings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "shape"),
    [
        (3, Kind.INTEGER, ()),
        (np.float32(1.5), Kind.REAL, ()),
        (np.int8(3), Kind.INTEGER, ()),
        (np.bool_(True), Kind.BOOLEAN, ()),
        ("text", Kind.TEXT, ()),
        ((1, 2), Kind.INTEGER, (2,)),
        ([np.int64(1), 2.5], Kind.REAL, (2,)),
        (np.arange(6).reshape(2, 3), Kind.INTEGER, (2, 3)),
        (np.array([1, 2], dtype=np.uint8), Kind.INTEGER, (2,)),
        (np.array([1.5], dtype=np.float16), Kind.REAL, (1,)),
        (np.array([True]), Kind.BOOLEAN, (1,)),
        (np.array(["a", "b"]), Kind.TEXT, (2,)),
        (np.array(["a", None], dtype=object), Kind.TEXT, (2,)),
        (np.array([1, 2.5, None], dtype=object), Kind.REAL, (3,)),
        ([np.array([1, 2]), np.array([3, 4])], Kind.INTEGER, (2, 2)),
        ([[np.array([1.5])], [[2.5]]], Kind.REAL, (2, 1, 1)),
    ],
)
def test_values_of_a_mapping(value: Any, kind: Kind, shape: tuple[int, ...]) -> None:
    found = mapping(x=value)["x"]
    assert found.unusable is None
    assert (found.kind, found.values.shape) == (kind, shape)


def test_a_mapping_does_not_share_its_nan() -> None:
    given = np.array([1.0, np.nan])
    found = mapping(x=given)["x"]
    assert found.missing is not None
    assert found.missing.tolist() == [False, True]
    assert np.isnan(given[1])


@pytest.mark.parametrize(
    "value", [1j, b"bytes", object(), {1, 2}, np.array([1j]), np.datetime64("2020-01-01"), {"a": 1}]
)
def test_values_that_are_no_data(value: Any) -> None:
    assert mapping(x=value)["x"].unusable is not None


# -- npz --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "d.npz"
    save(path, n=3, x=np.array([[1.5, np.nan]]), k=np.array([1, 2], dtype=np.int16), b=[True], s=["b", "a"])
    found = by_name(arrays.read_npz(path, "d.npz"))
    assert list(found) == ["n", "x", "k", "b", "s"]
    assert [column.kind for column in found.values()] == [
        Kind.INTEGER, Kind.REAL, Kind.INTEGER, Kind.BOOLEAN, Kind.TEXT,
    ]  # fmt: skip
    assert found["n"].values.shape == ()
    assert found["x"].missing is not None
    assert found["x"].missing.tolist() == [[False, True]]
    assert found["k"].values.dtype == np.int64
    assert texts(found["s"]) == ["b", "a"]


def test_an_object_array_is_never_unpickled_and_does_not_matter_until_it_is_used(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("a pickle was read",))

    path = tmp_path / "d.npz"
    np.savez(path, y=[1.0, 2.0], trap=np.array([Trap()], dtype=object))
    found = by_name(arrays.read_npz(path, "d.npz"))
    assert found["y"].values.tolist() == [1.0, 2.0]
    assert found["trap"].unusable == "d.npz, trap: Python objects, which are not read because they can hold code"


# -- Parquet ----------------------------------------------------------------------------------------------------------


def test_parquet(tmp_path: Path) -> None:
    found = parquet(
        tmp_path,
        n=[1, 2],
        small=pa.array([1, 2], pa.uint8()),
        x=[1.5, 2.5],
        half=pa.array([1.5, 2.5], pa.float32()),
        b=[True, False],
        s=["b", "a"],
        large=pa.array(["b", "a"], pa.large_string()),
        coded=pa.array(["b", "a"]).dictionary_encode(),
        coded_numbers=pa.array([7, 8]).dictionary_encode(),
    )
    assert [column.kind.value for column in found.values()] == [
        "integer", "integer", "real", "real", "boolean", "text", "text", "text", "integer",
    ]  # fmt: skip
    assert all(column.axes[0].identity == "rows:rows" for column in found.values())
    assert found["half"].values.tolist() == [1.5, 2.5]
    assert found["coded_numbers"].values.tolist() == [7, 8]
    for name in ("s", "large", "coded"):
        assert texts(found[name]) == ["b", "a"]


def test_parquet_nulls(tmp_path: Path) -> None:
    found = parquet(
        tmp_path,
        n=[1, None, 2**53],
        x=[1.5, None, float("nan")],
        b=[True, None, False],
        s=["a", None, ""],
        coded=pa.array([7, None, 8]).dictionary_encode(),
        nothing=pa.nulls(3),
    )
    assert [list(column.missing) for column in found.values() if column.missing is not None] == [
        [False, True, False], [False, True, True], [False, True, False], [False, True, False], [False, True, False],
        [True, True, True],
    ]  # fmt: skip
    assert (found["n"].kind, found["n"].values[2]) == (Kind.INTEGER, 2.0**53)
    assert texts(found["s"]) == ["a", None, ""]


def test_parquet_in_several_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"n": list(range(10)), "s": list("abcdefghij")}), path, row_group_size=3)
    found = by_name(arrays.read_parquet(path, "t.parquet"))
    assert found["n"].values.tolist() == list(range(10))
    assert texts(found["s"]) == list("abcdefghij")


def test_a_folder_name_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "year=2020"
    folder.mkdir()
    pyarrow.parquet.write_table(pa.table({"n": [1]}), folder / "t.parquet")
    assert [column.name for column in arrays.read_parquet(folder / "t.parquet", "t.parquet")] == ["n"]


def test_large_integers_of_parquet_are_exact(tmp_path: Path) -> None:
    found = parquet(tmp_path, n=[2**63 - 1, 2**53 + 1], u=pa.array([1, 2**64 - 1], pa.uint64()))
    assert found["n"].values.tolist() == [2**63 - 1, 2**53 + 1]
    assert found["u"].trouble == "t.parquet, u: 18446744073709551615 does not fit in 64 bits"
    assert texts(found["u"]) == ["1", "18446744073709551615"]


def test_dates_with_nanoseconds_do_not_matter_until_they_are_used(tmp_path: Path) -> None:
    found = parquet(tmp_path, t=pa.array([1, 2], pa.timestamp("ns", "Europe/Berlin")), y=[1, 2])
    assert found["t"].unusable == "t.parquet, t: dates or times are neither numbers nor text"
    assert found["y"].unusable is None


def test_masked_elements_are_missing() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    flags = np.ma.array([True, False], mask=[True, False])
    first, second = arrays.from_mapping({"x": masked, "b": flags}, "data 1")
    np.testing.assert_array_equal(first.missing, [False, True])
    np.testing.assert_array_equal(second.missing, [True, False])


def test_data_are_copied() -> None:
    given = {"b": np.array([True, False]), "x": np.array([1.0, 2.0]), "i": np.array([1, 2])}
    found = arrays.from_mapping(given, "data 1")
    for column in found:
        assert not np.shares_memory(column.values, given[column.name])
