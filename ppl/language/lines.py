"""text -> statements' extents: which line ends end a statement, and where a broken one begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ppl.language.source import Span
from ppl.values import dataclass

_SCAN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<quoted>"[^"\n]*"?|`[^`\n]*`?)
      | (?P<end>\n|;)
      | (?P<open>[(\[])
      | (?P<close>[)\]])
      | (?P<brace>[{}])
      | (?P<operator>\.\.|[-+*/^@,~=<>!&|]|(?:and|or|not|if|else|in)\b)
      | (?P<word>\w+)
      | (?P<other>\S)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A token as far as layout cares: `kind` is a group name of the scanner."""

    kind: str
    text: str
    start: int
    end: int


def scan(text: str) -> Iterator[Mark]:
    """All marks of a text, comments and white space left out."""
    return (mark for mark in _scan_all(text) if mark.kind != "comment")


def _scan_all(text: str) -> Iterator[Mark]:
    for match in _SCAN.finditer(text):
        yield Mark(match.lastgroup or "other", match.group(), match.start(), match.end())


def comments(text: str) -> list[Mark]:
    """All comments of a text."""
    return [mark for mark in _scan_all(text) if mark.kind == "comment"]


def join_lines(text: str) -> str:
    """`text` with comments, and the line ends that do not end a statement, replaced by blanks: offsets stay.

    A line goes on inside `(` and `[`, and after an operator or a comma.
    """
    pieces, taken, depth, previous = [], 0, 0, ""
    for mark in _scan_all(text):
        goes_on = mark.text == "\n" and (depth > 0 or previous == "operator")
        if mark.kind == "comment" or goes_on:
            pieces += [text[taken : mark.start], " " * len(mark.text)]
            taken = mark.end
            continue
        if mark.kind == "open":
            depth += 1
        elif mark.kind == "close":
            depth = max(0, depth - 1)
        elif mark.kind == "brace":
            depth = 0  # a brace never stands inside other brackets: one before it was left open
        previous = mark.kind
    return "".join([*pieces, text[taken:]])


def open_brackets(text: str, offset: int) -> list[Mark]:
    """The `(`, `[` and `{` that are open just before `offset`, outermost first."""
    stack: list[Mark] = []
    for mark in scan(text):
        if mark.start >= offset:
            break
        if mark.kind == "open" or mark.text == "{":
            stack.append(mark)
        elif mark.kind == "close" and stack and stack[-1].kind == "open":
            stack.pop()
        elif mark.text == "}":
            while stack and stack.pop().text != "{":
                pass
    return stack


def is_closed(text: str, bracket: Mark) -> bool:
    """Whether a bracket has its partner: brackets between them come in pairs."""
    depth = 0
    for mark in scan(text[bracket.start :]):
        depth += {"open": 1, "close": -1}.get(mark.kind, 0)
        if depth == 0 or mark.kind == "brace":
            return depth == 0
    return False


def deepest(text: str) -> tuple[int, int]:
    """How deep brackets nest, and the offset of the bracket that is deepest."""
    depth = most = place = 0
    for mark in scan(text):
        if mark.kind == "open" or mark.text == "{":
            depth += 1
            if depth > most:
                most, place = depth, mark.start
        elif mark.kind == "close" or mark.text == "}":
            depth = max(0, depth - 1)
    return most, place


def starts_line(text: str, offset: int) -> bool:
    """Whether nothing but white space stands before `offset` on its line."""
    return not text[text.rfind("\n", 0, offset) + 1 : offset].strip()


def statement_around(joined: str, offset: int) -> Span:
    """The extent of the statement that holds `offset`, in a text whose lines have been joined.

    Where the offset stands before the opening brace of a block, the block belongs to the statement.
    """
    marks = list(scan(joined))
    edges = [m for m in marks if m.kind == "end" or m.kind == "brace"]
    start = max((m.end for m in edges if m.end <= offset), default=0)
    following = [m for m in edges if m.start >= offset]
    if not following:
        return Span(start, len(joined))
    if following[0].text != "{":
        return Span(start, max(following[0].start, offset))
    depth = 0
    for mark in following:
        depth += {"{": 1, "}": -1}.get(mark.text, 0)
        if depth == 0 and mark.text == "}":
            return Span(start, mark.end)
    return Span(start, len(joined))


def blank(text: str, span: Span) -> str:
    """`text` with a span replaced by blanks, line ends kept."""
    hole = re.sub(r"[^\n]", " ", text[span.start : span.end])
    return text[: span.start] + hole + text[span.end :]
