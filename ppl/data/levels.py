"""column -> its levels: the labels that occur, in order, and each element's place among given labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ppl.data.column import Column, Kind


def has_levels(column: Column) -> bool:
    """Whether a column is a list of text, whole numbers or truth values."""
    return len(column.axes) == 1 and holds_levels(column)


def holds_levels(column: Column) -> bool:
    """Whether the cells of an array are text, whole numbers (as floats too, where there are gaps) or truth values."""
    if column.unusable is not None or (column.kind is Kind.REAL and column.missing is None):
        return False
    known = column.values if column.missing is None else column.values[~column.missing]
    return column.kind is not Kind.REAL or bool((known == np.floor(known)).all())


def labels_of(column: Column) -> tuple[str, ...]:
    """The labels of all levels that occur, in their order; missing cells have none."""
    values = column.values if column.missing is None else column.values[~column.missing]
    unique = np.unique(values, return_index=True)[0]  # without an index numpy asks for numpy.ma, and imports it
    if column.levels is not None:
        return tuple(column.levels[int(code)] for code in unique)
    return tuple(map(label_of, unique))


def label_of(value: np.generic) -> str:
    """A whole number or a truth value as a level is called."""
    number = value.item()
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return str(number).lower()


def joined(columns: Iterable[Column]) -> tuple[str, ...]:
    """The labels of the levels of several columns of one kind, in order: numbers as numbers, text as text."""
    several = list(columns)
    labels = {label for column in several for label in labels_of(column)}
    if all(column.kind in (Kind.INTEGER, Kind.REAL) for column in several):
        return tuple(sorted(labels, key=int))
    return tuple(sorted(labels))


def codes_on(column: Column, labels: Sequence[str]) -> np.ndarray:
    """For each element its position among the labels; -1 where it is missing or none of them."""
    places = {label: i for i, label in enumerate(labels)}
    if column.levels is not None:
        table = np.array([*(places.get(level, -1) for level in column.levels), -1], dtype=np.int64)
        return table[column.values]  # a missing text is at -1, the last
    codes = np.full(column.values.shape, -1, dtype=np.int64)
    there = np.ones(codes.shape, dtype=bool) if column.missing is None else ~column.missing
    unique, inverse = np.unique(column.values[there], return_inverse=True)
    table = np.array([places.get(label_of(value), -1) for value in unique], dtype=np.int64)
    codes[there] = table[inverse.reshape(-1)]
    return codes


def in_order(column: Column, labels: tuple[str, ...]) -> Column:
    """The column as text with the given levels in the given order; whole numbers and truth values become text too.

    Every element must be one of the labels, or missing.
    """
    trouble = column.trouble or f"`levels {column.name} = ...` makes it a factor, and a factor is no number"
    return replace(column, values=codes_on(column, labels), kind=Kind.TEXT, levels=labels, trouble=trouble)
