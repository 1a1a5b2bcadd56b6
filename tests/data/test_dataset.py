"""Several sources become one set of names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ppl.data.dataset import read
from ppl.language.errors import DataError, FileError


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_files_are_merged(in_folder: Path) -> None:
    write(in_folder, a_csv="y,x\n1,2\n3,4\n", b_json='{"K": 3, "w": [1, 2, 3]}', c_tsv="z\tg\n5\tu\n6\tv\n")
    found = read(["a.csv", "b.json", Path("c.tsv"), {"extra": [1.5]}])
    assert list(found.columns) == ["y", "x", "K", "w", "z", "g", "extra"]
    assert found.sources == ("a.csv", "b.json", "c.tsv", "data 4")
    assert found.rows is not None
    assert found.rows.length == 2
    assert found.columns["y"].axes == found.columns["z"].axes  # the rows of both tables are the same rows


def test_without_a_table_there_are_no_rows(in_folder: Path) -> None:
    write(in_folder, a_json='{"y": [1, 2]}')
    assert read(["a.json"]).rows is None
    assert read([]).columns == {}


def test_endings_may_be_in_capitals(in_folder: Path) -> None:
    (in_folder / "A.CSV").write_text("y\n1\n")
    assert list(read(["A.CSV"]).columns) == ["y"]


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        (["a.csv", "b.json"], "the name `y` stands in a.csv and in b.json"),
        (["a.csv", "a.csv"], "the name `y` stands twice in a.csv"),
        (["a.csv", {"y": 1}], "the name `y` stands in a.csv and in data 2"),
        (["a.csv", "c.csv"], "a.csv has 2 rows and c.csv has 3"),
        ([3], "data are paths, mappings of names to arrays, or data frames; not int"),
        ([[1, 2]], "data are paths, mappings of names to arrays, or data frames; not list"),
    ],
)
def test_sources_that_do_not_go_together(in_folder: Path, sources: list[object], why: str) -> None:
    write(in_folder, a_csv="y\n1\n2\n", b_json='{"y": [1]}', c_csv="z\n1\n2\n3\n")
    with pytest.raises(DataError) as caught:
        read(sources)
    assert str(caught.value).startswith(why)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.csv", "missing.csv: there is no such file"),
        ("missing.xyz", "missing.xyz: there is no such file"),
        ("folder", "folder is a folder; name the file in it"),
        ("folder.csv", "folder.csv is a folder; name the file in it"),
        ("table.txt", "table.txt: data files end in .csv, .tsv, .parquet, .json or .npz"),
        ("sheet.xlsx", "sheet.xlsx: data files end in .csv, .tsv, .parquet, .json or .npz\n  save the sheet as CSV"),
        ("", " is a folder"),
    ],
)
def test_files_that_cannot_be_opened(in_folder: Path, name: str, why: str) -> None:
    (in_folder / "folder").mkdir()
    (in_folder / "folder.csv").mkdir()
    write(in_folder, table_txt="y\n1\n", sheet_xlsx="PK")
    with pytest.raises(FileError) as caught:
        read([name])
    assert str(caught.value).startswith(why)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(in_folder: Path) -> None:
    write(in_folder, a_csv="y\n1\n")
    (in_folder / "a.csv").chmod(0)
    with pytest.raises(FileError, match=r"a\.csv: cannot be read: Permission denied"):
        read(["a.csv"])


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "npz", "parquet"])
def test_a_reader_that_meets_a_system_error_names_the_file(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    (in_folder / f"a.{ending}").write_text("y\n1\n")

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(FileError, match=rf"a\.{ending}: cannot be read: Input/output error"):
        read([f"a.{ending}"])
