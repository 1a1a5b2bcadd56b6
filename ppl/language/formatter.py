"""source -> the same model in the house style: spaces, indentation and blank lines, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ppl.language import lines
from ppl.language.layout import Item, items
from ppl.language.parser import parse, tokens
from ppl.language.source import Source
from ppl.values import dataclass

_INDENT = 2  # spaces a brace
_BEFORE_COMMENT = 2


def formatted(source: Source) -> str:
    """The text in the house style; formatting it again changes nothing, and both parse to the same tree.

    Line breaks, comments and the order of everything stay. Columns stay where they were made on purpose: `~` and `=`
    of neighbouring lines, comments behind several lines. Raises `ModelError` for a text that does not parse.
    """
    parse(source)
    found = items(source.text, tokens(source), lines.comments(source.text))
    layout = list(_lines(source, found))
    _align_operators(layout)
    _align_comments(layout)
    text = "\n".join(line.text() for line in layout)
    return text + "\n" if text else ""


@dataclass(slots=True)
class _Line:
    """A line being laid out: the code as it will stand, and where things stood before."""

    indent: int
    code: str
    comment: str
    comment_column: int  # where its trailing comment stood
    operator: int  # where in the code its first `~` or `=` stands; -1 for none
    operator_column: int  # where it stood
    spaced: bool  # whether more than one space stood before it
    pad: int = 0
    column: int = 0  # of the comment

    def width(self) -> int:
        return self.indent + len(self.code) + self.pad

    def text(self) -> str:
        code = self.code
        if self.pad:
            code = code[: self.operator] + " " * self.pad + code[self.operator :]
        start = " " * self.indent + code if code or self.comment else ""
        if not self.comment:
            return start
        return start.ljust(self.column) + self.comment if code else start + self.comment


def _lines(source: Source, found: Sequence[Item]) -> Iterator[_Line]:
    """One line for each that the text has, blank lines folded to one and left out at both ends of a block."""
    depth = base_old = base_new = 0
    before: Item | None = None
    for _, group in groupby(found, key=lambda item: item.line):
        row = list(group)
        first = row[0]
        old = _column(source, first)
        if first.continues:
            indent = base_new + max(_INDENT, old - base_old)
        else:
            indent = _INDENT * (depth - (first.text == "}"))
            base_old, base_new = old, indent
        inside = before is None or before.text == "{" or first.text == "}"
        if first.blank_before and not inside:
            yield _Line(0, "", "", -1, -1, -1, False)
        yield _laid_out(source, row, indent)
        depth += sum({"{": 1, "}": -1}.get(item.text, 0) for item in row if not item.is_comment)
        before = row[-1]


def _laid_out(source: Source, row: Sequence[Item], indent: int) -> _Line:
    code, comment, comment_column = "", "", -1
    operator, operator_column, spaced = -1, -1, False
    for item in row:
        if item.is_comment:
            comment, comment_column = item.text.rstrip(), _column(source, item)
            continue
        code += (" " if item.space_before and code else "") + item.text
        if item.defines and operator < 0 and not row[0].continues:
            operator, operator_column = len(code) - 1, _column(source, item)
            spaced = source.text[max(0, item.start - 2) : item.start].isspace()
    return _Line(indent, code, comment, comment_column, operator, operator_column, spaced)


def _column(source: Source, item: Item) -> int:
    return source.place(item.start)[1] - 1


def _align_operators(layout: Sequence[_Line]) -> None:
    """Neighbouring lines whose `~` or `=` stood below each other, by spaces put there, keep that."""
    for (operator_column, _), group in groupby(layout, key=lambda line: (line.operator_column, line.indent)):
        row = list(group)
        if operator_column < 0 or len(row) < 2 or not any(line.spaced for line in row):
            continue
        widest = max(line.operator for line in row)
        for line in row:
            line.pad = widest - line.operator


def _align_comments(layout: Sequence[_Line]) -> None:
    """Trailing comments that shared a column share one still; others follow two spaces behind."""
    trailing = [line for line in layout if line.comment and line.code]
    for line in trailing:
        alike = [other for other in trailing if other.comment_column == line.comment_column]
        least = max(other.width() for other in alike) + _BEFORE_COMMENT
        line.column = max(least, line.comment_column) if len(alike) > 1 else least
