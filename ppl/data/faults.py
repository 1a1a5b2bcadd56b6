"""One constructor per way in which data cannot be read: an error that says where, and how to mend it."""

from __future__ import annotations

from ppl.language.errors import DataError, FileError


def no_such_file(path: str) -> FileError:
    return FileError(f"{path}: there is no such file")


def is_a_folder(path: str) -> FileError:
    return FileError(f"{path} is a folder; name the file in it")


def cannot_read(path: str, reason: str) -> FileError:
    return FileError(f"{path}: cannot be read: {reason}")


def unknown_format(path: str) -> FileError:
    return FileError(f"{path}: data files end in .csv, .tsv, .parquet, .json or .npz")


def wrong_encoding(file: str, offset: int, line: int, byte: int) -> DataError:
    return DataError(
        f"{file}, line {line}: byte {offset + 1} (0x{byte:02x}) is not UTF-8\n"
        f"  save the file as UTF-8, or convert it: iconv -f latin1 -t utf-8 {file} > converted.csv"
    )


def null_byte(file: str, line: int) -> DataError:
    return DataError(f"{file}, line {line}: a zero byte\n  this is no text file, or it is UTF-16: save it as UTF-8")


def empty_file(file: str) -> DataError:
    return DataError(f"{file}: the file is empty\n  a table begins with a line of column names")


def no_rows(file: str) -> DataError:
    return DataError(f"{file}: column names, but no rows")


def no_columns(file: str) -> DataError:
    return DataError(f"{file}: a table without columns")


def ragged_row(file: str, row: int, line: int, found: int, expected: int) -> DataError:
    return DataError(
        f"{file}, row {row} (line {line}): {found} {_cells(found)}, but the header names {expected} columns\n"
        "  a comma inside a text must stand in double quotes; a missing value is an empty cell between two commas"
    )


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"


def duplicate_column(file: str, name: str, first: int, second: int) -> DataError:
    return DataError(
        f"{file}: columns {first} and {second} are both called `{name}`\n  rename one of them, or delete it"
    )


def empty_column_name(file: str, number: int) -> DataError:
    return DataError(f"{file}: column {number} has no name\n  write one into the first line, or delete the column")


def unclosed_quote(file: str, line: int) -> DataError:
    return DataError(f"{file}, line {line}: a double quote is opened here and never closed")


def bad_csv(file: str, line: int, reason: str) -> DataError:
    return DataError(f"{file}, line {line}: {reason}")


def wrong_separator(file: str, separator: str) -> DataError:
    shown = "tabs" if separator == "\t" else f"`{separator}`"
    return DataError(
        f"{file}: the columns are separated by {shown}, not by commas\n"
        "  save the table with commas (and decimal points), or with tabs as .tsv"
    )


def header_looks_numeric(file: str, header: list[str]) -> DataError:
    shown = ",".join(header[:6])
    return DataError(
        f"{file}: the first line holds numbers, not column names: {shown}\n  write the names of the columns above it"
    )


def bad_json(file: str, line: int, column: int, reason: str) -> DataError:
    return DataError(f"{file}:{line}:{column}: not JSON: {reason}")


def json_not_an_object(file: str, found: str) -> DataError:
    return DataError(
        f"{file}: {found} stands at the top\n"
        '  data in JSON are one object, names and values: {"N": 3, "y": [1, 2, 3]}'
    )


def duplicate_key(file: str, name: str) -> DataError:
    return DataError(f"{file}: the name `{name}` stands twice\n  rename one of them, or delete it")


def name_in_two(name: str, first: str, second: str) -> DataError:
    where = f"in {first} and in {second}" if first != second else f"twice in {first}"
    return DataError(f"the name `{name}` stands {where}\n  rename it in one of them, or delete it there")


def tables_differ(first: str, rows: int, second: str, others: int) -> DataError:
    return DataError(
        f"{first} has {rows} rows and {second} has {others}\n"
        "  tables that are given together hold the same rows; what belongs to a factor is joined to the rows first"
    )


def bad_parquet(file: str, reason: str) -> DataError:
    return DataError(f"{file}: not a Parquet file: {reason}")


def bad_npz(file: str, reason: str) -> DataError:
    return DataError(f"{file}: not an npz file of plain arrays: {reason}")


def not_data(found: str) -> DataError:
    return DataError(f"data are paths, mappings of names to arrays, or data frames; not {found}")


def uneven_lengths(name: str, length: int, other: str, expected: int) -> DataError:
    return DataError(f"column `{name}` has {length} values and column `{other}` has {expected}")
