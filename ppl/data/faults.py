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
    mend = "\n  save the sheet as CSV (UTF-8)" if path.lower().endswith((".xls", ".xlsx", ".ods")) else ""
    return FileError(f"{path}: data files end in .csv, .tsv, .parquet, .json or .npz{mend}")


def wrong_encoding(file: str, line: int, character: int, byte: int) -> DataError:
    return DataError(
        f"{file}, line {line}, character {character}: byte 0x{byte:02x} is not UTF-8\n"
        f"  save the file as UTF-8, or convert it: iconv -f latin1 -t utf-8 {file} > converted{_ending(file)}"
    )


def _ending(file: str) -> str:
    return file[file.rfind(".") :]


def is_utf16(file: str) -> DataError:
    return DataError(
        f"{file}: the text is UTF-16, not UTF-8\n"
        f"  save the file as UTF-8, or convert it: iconv -f utf-16 -t utf-8 {file} > converted{_ending(file)}"
    )


def zero_byte(file: str, line: int) -> DataError:
    return DataError(f"{file}, line {line}: a zero byte\n  this is no text file, or it is damaged")


def zip_not_text(file: str) -> DataError:
    return DataError(f"{file}: this is an Excel or zip file, not text\n  save the sheet as CSV (UTF-8)")


def empty_file(file: str, begins: str) -> DataError:
    return DataError(f"{file}: the file is empty\n  {begins}")


def no_rows(file: str) -> DataError:
    return DataError(f"{file}: column names, but no rows\n  a table has at least one row of data")


def no_columns(file: str) -> DataError:
    return DataError(f"{file}: a table without columns")


def blank_header(file: str) -> DataError:
    return DataError(f"{file}, line 1: no column names\n  the first line of a table holds the names of its columns")


def ragged_row(
    file: str, row: int, line: int, cells: list[str], expected: int, separator: str, all_alike: bool
) -> DataError:
    """A row with more or fewer cells than the header; `all_alike` where all rows have as many cells as this one."""
    between = "tab" if separator == "\t" else "comma"
    if not cells:
        mend = "delete the blank line"
    elif expected == 1:
        mend = "the names of the columns stand on the first line, and no title above them"
    elif len(cells) < expected:
        mend = f"a missing value is an empty cell between two {between}s"
    elif not any(cell.strip() for cell in cells[expected:]):
        mend = f"delete the {between} at the end of the line"
    elif all_alike:
        mend = "all rows are alike: does the header lack a name? decimals are written with a point"
    else:
        mend = f"a text with a {between} stands in double quotes; decimals are written with a point"
    found, wanted = _counted(len(cells), "cell"), _counted(expected, "column")
    return DataError(f"{file}, row {row} (line {line}): {found}, but the header names {wanted}\n  {mend}")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


def duplicate_column(file: str, name: str, first: int, second: int) -> DataError:
    return DataError(
        f"{file}: columns {first} and {second} are both called `{name}`\n  rename one of them, or delete it"
    )


def empty_column_name(file: str, number: int, columns: int) -> DataError:
    mend = "write one into the first line, or delete the column"
    if number == 1:
        mend += "; R leaves row names out with write.csv(..., row.names = FALSE)"
    elif number == columns:
        mend += "; does the line end in a comma?"
    return DataError(f"{file}: column {number} has no name\n  {mend}")


def unclosed_quote(file: str, line: int) -> DataError:
    return DataError(
        f"{file}, line {line}: a double quote is opened here and never closed\n"
        "  close it; a double quote that belongs to a text is written twice, inside quotes"
    )


def text_after_quote(file: str, line: int) -> DataError:
    return DataError(
        f"{file}, line {line}: a cell goes on after its closing double quote\n"
        '  a double quote that belongs to a text is written twice: "the ""old"" school"'
    )


def cell_too_long(file: str, line: int) -> DataError:
    return DataError(f"{file}, line {line}: a cell longer than a cell can be\n  is a double quote never closed?")


def wrong_separator(file: str, found: str, expected: str) -> DataError:
    words = {",": "commas", "\t": "tabs", " ": "blanks", ";": "`;`", "|": "`|`"}
    return DataError(
        f"{file}: the columns are separated by {words[found]}, not by {words[expected]}\n"
        "  save the table with commas (and decimal points) as .csv, or with tabs as .tsv"
    )


def header_looks_numeric(file: str, header: list[str]) -> DataError:
    shown = ",".join(header[:6])
    return DataError(
        f"{file}: the first line holds numbers, not column names: {shown}\n  write the names of the columns above it"
    )


def bad_json(file: str, line: int, column: int, reason: str, mend: str | None = None) -> DataError:
    return DataError(f"{file}:{line}:{column}: not JSON: {reason}" + (f"\n  {mend}" if mend else ""))


def json_too_deep(file: str) -> DataError:
    return DataError(f"{file}: lists nest too deeply to be read")


def json_not_an_object(file: str, found: str) -> DataError:
    return DataError(
        f"{file}: {found} stands at the top\n"
        '  data in JSON are one object, names and values: {"N": 3, "y": [1, 2, 3]}; a table is written as CSV'
    )


def duplicate_key(file: str, name: str) -> DataError:
    return DataError(f"{file}: the name `{name}` stands twice\n  rename one of them, or delete it")


def name_in_two(name: str, first: str, second: str) -> DataError:
    where = f"in {first} and in {second}" if first != second else f"twice in {first}"
    return DataError(f"the name `{name}` stands {where}\n  rename it in one of them, or delete it there")


def tables_differ(first: str, rows: int, second: str, others: int) -> DataError:
    return DataError(
        f"{first} has {rows} rows and {second} has {others}\n"
        "  tables that are given together hold the same rows\n"
        f"  a table with a row for each level of a column is given as column={second}"
    )


def bad_parquet(file: str) -> DataError:
    return DataError(f"{file}: this is no Parquet file, or it is damaged")


def bad_npz(file: str) -> DataError:
    return DataError(f"{file}: this is no npz file, or it is damaged\n  np.savez(file, y=y, x=x) writes one")


def not_data(found: str) -> DataError:
    return DataError(f"data are paths, mappings of names to arrays, or data frames; not {found}")


def uneven_lengths(name: str, length: int, other: str, expected: int) -> DataError:
    return DataError(f"column `{name}` has {length} values and column `{other}` has {expected}")


# -- tables over levels -----------------------------------------------------------------------------------------------


def nothing_beside_key(file: str, over: str) -> DataError:
    return DataError(f"{file}: a table over `{over}` has a column of its levels, and at least one more")


def no_list_in_table(file: str, name: str, over: str) -> DataError:
    return DataError(f"{file}: `{name}` is no list with one value for each level of `{over}`")


def level_missing(file: str, key: str, over: str, level: str, close: str | None) -> DataError:
    mend = f'is it the one written "{close}" there?' if close else f"every level of `{over}` has one row there"
    return DataError(f'{file}: no row has the level "{level}" of `{over}` in the column `{key}`\n  {mend}')


def level_twice(file: str, key: str, over: str, level: str, rows: list[int]) -> DataError:
    where = f"in the rows {rows[0]} and {rows[1]} of the column `{key}`"
    return DataError(f'{file}: the level "{level}" of `{over}` stands {where}\n  every level has one row there')


def no_levels_to_join(file: str, over: str, reason: str) -> DataError:
    mend = "a table is given as NAME=FILE for the levels of a column, or of `levels NAME = ...`"
    return DataError(f"{over}={file}: {reason}\n  {mend}")
