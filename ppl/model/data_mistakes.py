"""One constructor per mistake about `data` and `levels` lines; each gives message and mend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.levels import label_of
from ppl.language.errors import Mistake, nearest, written
from ppl.language.source import Span
from ppl.model.mistakes import axes_words

_KINDS = {
    Kind.TEXT: "text",
    Kind.INTEGER: "whole numbers",
    Kind.BOOLEAN: "truth values",
    Kind.REAL: "decimal numbers",
}


def in_a_loop(span: Span, word: str) -> Mistake:
    mend = "move it out of the loop: it says the same in every round"
    return Mistake("in-a-loop", f"`{word}` cannot stand inside `for`", span, mend)


def names_of(data: Dataset) -> list[str]:
    """All names that can be read from the data."""
    return [*data.columns, *(column.name for table in data.tables for column in table.others())]


def not_in_data(span: Span, name: str, data: Dataset) -> Mistake:
    """A name of a `data` or `levels` line that the data lack, or that `data only` leaves out."""
    if name in data.left_out:
        return left_out(span, name)
    held = names_of(data)
    close = nearest(name, held)
    mend = f"did you mean `{close}`?" if close else f"they hold {', '.join(held[:8])}" + (", ..." * (len(held) > 8))
    return Mistake("not-in-data", f"the data hold no `{name}`", span, mend)


def left_out(span: Span, name: str) -> Mistake:
    message = f"`{name}` is in the data, and `data only` does not name it"
    return Mistake("left-out", message, span, f"add it to that line: `data only ..., {written(name)}`")


# -- levels -----------------------------------------------------------------------------------------------------------


def levels_twice(span: Span, name: str, by_levels: bool) -> Mistake:
    other = "another `levels` line" if by_levels else "another statement"
    mend = "list all columns in one line" if by_levels else "give the axis a name of its own"
    return Mistake("levels-twice", f"`{name}` is defined in {other} too", span, mend)


def levels_of_two_sorts(span: Span) -> Mistake:
    mend = '`levels team = home, away` takes the levels of columns; `levels size = "S", "M", "L"` gives them in order'
    return Mistake("levels-of-two-sorts", "levels are columns, or texts in double quotes", span, mend)


def level_repeated(span: Span, word: str, is_text: bool) -> Mistake:
    shown = f'the level "{word}"' if is_text else f"the column `{word}`"
    return Mistake("level-repeated", f"{shown} stands twice", span, "delete one of them")


def levels_beside_column(span: Span, name: str) -> Mistake:
    mend = f"list it among the columns, or give the axis another name: `levels {name}s = ...`"
    return Mistake("levels-beside-column", f"`{name}` is a column of its own", span, mend)


def column_without_levels(span: Span, name: str, reason: str | None) -> Mistake:
    mend = reason or "columns of text, whole numbers or truth values have levels"
    return Mistake("column-without-levels", f"`{name}` has no levels", span, mend, reason is not None)


def levels_of_two_kinds(span: Span, first: str, kind: Kind, second: str, other: Kind) -> Mistake:
    message = f"`{first}` holds {_KINDS[kind]} and `{second}` {_KINDS[other]}"
    return Mistake("levels-of-two-kinds", message, span, "columns that share levels are of one kind", in_data=True)


def not_among_levels(span: Span, column: Column, place: tuple[int, ...], labels: Sequence[str]) -> Mistake:
    value = column.values[place]
    label = label_of(value) if column.levels is None else column.levels[int(value)]
    close = nearest(label, labels)
    add = f'correct the cell, or add the level: `levels {written(column.name)} = ..., "{label}"`'
    mend = f'did you mean "{close}"?' if close else add
    message = f'"{label}" is none of the levels: {column.where(place)}'
    return Mistake("not-among-levels", message, span, mend, in_data=True)


def fewer_levels(span: Span, text: str, levels: Sequence[str], count: int, is_column: bool) -> Mistake:
    have = "1 level" if len(levels) == 1 else f"{len(levels)} levels"
    message = f"`{text}` has {have}, and its distribution {count} categories"
    shown = ", ".join([*(f'"{level}"' for level in levels[:3]), "..."])
    column = written(text) if is_column else "column"
    mend = f"which category is which? give all {count} in order: `levels {column} = {shown}`"
    return Mistake("fewer-levels", message, span, mend, in_data=True)


def level_without_rows(span: Span, name: str, factor: str, level: str) -> Mistake:
    mend = f"give it in a table with a row for each level, `ppl fit MODEL DATA {factor}=FILE`, or name fewer levels"
    message = f'no row has {factor} "{level}", so `{name}` has no value there'
    return Mistake("level-without-rows", message, span, mend, in_data=True)


# -- data lines -------------------------------------------------------------------------------------------------------


def strange_missing(span: Span) -> Mistake:
    mend = 'a number or a text in double quotes: `missing -1`, `missing "NA"`'
    return Mistake("strange-missing", "this is no value that could stand for a missing cell", span, mend)


def strange_length(span: Span, text: str) -> Mistake:
    mend = "a name or a whole number: `data y[N]`, `data y[10]`"
    return Mistake("strange-length", f"`{text}` names no length", span, mend)


def other_rank(span: Span, name: str, axes: tuple[Axis, ...], found: int) -> Mistake:
    given = "1 length" if found == 1 else f"{found} lengths"
    return Mistake("other-rank", f"`{name}` has {axes_words(axes)}, and {given} here", span, in_data=True)


def other_length(span: Span, name: str, axis: Axis, text: str, length: str, source: str | None) -> Mistake:
    """An axis that is longer or shorter than a data line says."""
    said = f"`{text}` is {length}" + (f" ({source})" if source else "")
    if text == length:
        said = f"not {length}"
    return Mistake("other-length", f"`{name}` has {axes_words((axis,))}, and {said}", span, in_data=True)


def length_defined(span: Span, name: str) -> Mistake:
    mend = f"drop one of the two: the length of the data, or `{name} = ...`"
    return Mistake("length-defined", f"`{name}` is defined by another statement too", span, mend)


def show_number(value: np.ndarray) -> str:
    return f"{float(value.reshape(-1)[0]):.15g}" if value.size == 1 else "no single number"
