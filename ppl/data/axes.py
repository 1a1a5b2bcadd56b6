"""What an axis is: a length, a name for people, and an identity that says what it may be aligned with."""

from __future__ import annotations

from dataclasses import field

from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an array.

    Axes of two different identities never align, even when equally long; an axis without identity (declared by a
    count, or read from JSON) aligns by length. `labels` name its elements wherever they are shown.
    """

    name: str
    length: int
    identity: str | None = None
    labels: tuple[str, ...] | None = field(default=None, compare=False, repr=False)

    def aligns(self, other: Axis) -> bool:
        if self.length != other.length:
            return False
        return self.identity is None or other.identity is None or self.identity == other.identity

    def label(self, index: int) -> str:
        """What element `index` (from 0) is called: its label, or its position from 1."""
        return str(index + 1) if self.labels is None else self.labels[index]

    def __str__(self) -> str:
        return f"{self.name} ({self.length})" if self.name != str(self.length) else self.name


def plain(length: int, name: str | None = None) -> Axis:
    """An axis without identity."""
    return Axis(name if name is not None else str(length), length)


def rows(length: int, table: str = "rows") -> Axis:
    """The axis of a table's rows; a second table has a name of its own."""
    return Axis(table, length, identity=f"rows:{table}")


def is_columns(axis: Axis) -> bool:
    """Whether an axis runs over columns that `columns(...)` put side by side."""
    return (axis.identity or "").startswith("columns:")


def show(axes: tuple[Axis, ...]) -> str:
    """Axes as a message shows them: `school (8) x 3`, or `a single number`."""
    return " x ".join(str(axis) for axis in axes) if axes else "a single number"
