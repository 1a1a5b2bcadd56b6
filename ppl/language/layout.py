"""tokens and comments -> items of a layout: on which line each stands, and whether a space comes before it."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from ppl.language.lines import Mark
from ppl.values import dataclass

_WORDS = ("NAME", "NUMBER", "STRING")
_CLOSING = {")", "]"}
_TIGHT = {"*", "/", "^", ".."}
_NO_SPACE_BEFORE = {",", ")", "]", ";", "'"}
_NO_SPACE_AFTER = {"(", "["}


@dataclass(frozen=True, slots=True)
class Item:
    """A token or a comment as it is laid out.

    `line` counts the lines of the text. `continues`: it begins a line on which a statement goes on. `defines`: it is
    the `~` or `=` of a statement that is not inside braces opened on its own line.
    """

    text: str
    start: int
    line: int
    is_comment: bool
    space_before: bool
    blank_before: bool
    continues: bool
    defines: bool


def items(text: str, tokens: Sequence[Token], comments: Sequence[Mark]) -> list[Item]:
    """All that is printed, in order; `;` that separate nothing are left out."""
    ends = {token.start_pos for token in tokens if token.type == "_END" and token == "\n"}
    kept = [token for token in tokens if token.type != "_END" or token != "\n"]
    kept = _without_idle_semicolons(text, kept)
    found = _spaced(text, kept)
    places: list[tuple[int, int, Token | Mark]] = [(t.start_pos or 0, t.end_pos or 0, t) for t in kept]
    places += [(comment.start, comment.end, comment) for comment in comments]
    places.sort(key=lambda place: place[0])
    result: list[Item] = []
    line, before, braces = 0, 0, 0
    for start, end, thing in places:
        newlines = [i for i in range(before, start) if text[i] == "\n"]
        line += len(newlines)
        fresh = bool(newlines) or not result
        if fresh:
            braces = 0
        continues = fresh and bool(result) and not any(i in ends for i in newlines)
        is_comment = isinstance(thing, Mark)
        space, depth = (True, 0) if isinstance(thing, Mark) else found[start]
        shown = thing.text if isinstance(thing, Mark) else str(thing)
        braces += {"{": 1}.get(shown, 0) if not is_comment else 0
        defines = not is_comment and shown in ("~", "=") and depth == 0 and braces == 0
        result.append(Item(shown, start, line, is_comment, space, len(newlines) > 1, continues, defines))
        before = end
    return result


def _without_idle_semicolons(text: str, tokens: Sequence[Token]) -> list[Token]:
    """`;` stays only between two statements on one line."""
    kept: list[Token] = []
    for i, token in enumerate(tokens):
        if token == ";" and token.type == "_END":
            after = tokens[i + 1] if i + 1 < len(tokens) else None
            idle = after is None or after in ("}", ";") or not kept or kept[-1] in ("{", ";")
            if idle or "\n" in text[token.end_pos : after.start_pos if after is not None else None]:
                continue
            if "\n" in text[kept[-1].end_pos : token.start_pos]:
                continue
        kept.append(token)
    return kept


def _spaced(text: str, tokens: Sequence[Token]) -> dict[int, tuple[bool, int]]:
    """For each token, by its place, whether a space comes before it, and how deep in brackets it stands."""
    result: dict[int, tuple[bool, int]] = {}
    stack: list[str] = []  # of open brackets: "(", "[" for a list, "index"
    in_range = _in_ranges(tokens)
    previous: Token | None = None
    was_sign = False
    for i, token in enumerate(tokens):
        if token in _CLOSING and token.type not in _WORDS:
            stack.pop()
        is_sign = token.type == "ADD" and not _ends_operand(previous)
        tight = token.type == "ADD" and not is_sign and (i in in_range or stack[-1:] == ["index"])
        after_tight = (
            previous is not None and previous.type == "ADD" and not was_sign and _is_tight(i - 1, in_range, stack)
        )
        space = not (was_sign or tight or after_tight) and _space_between(text, previous, token, stack)
        result[token.start_pos or 0] = (space, len(stack))
        if token.type not in _WORDS and token in ("(", "["):
            stack.append("index" if token == "[" and _ends_operand(previous) else str(token))
        previous, was_sign = token, is_sign
    return result


def _is_tight(place: int, in_range: set[int], stack: list[str]) -> bool:
    return place in in_range or stack[-1:] == ["index"]


def _ends_operand(token: Token | None) -> bool:
    return token is not None and (token.type in _WORDS or token in _CLOSING)


def _space_between(text: str, left: Token | None, right: Token, stack: list[str]) -> bool:
    if left is None:
        return False
    is_mark = right.type not in _WORDS
    if is_mark and right in _NO_SPACE_BEFORE:
        return False
    if left.type not in _WORDS:
        if left in _NO_SPACE_AFTER:
            return False
        if left == "," and stack[-1:] == ["index"]:
            return text[left.end_pos : right.start_pos].isspace()  # y[i,t] and A[M, J]: as the author likes it
        if left == "/":
            return _is_wide(text, left)
        if left in _TIGHT:
            return left == ".." and right.startswith(".")
    if is_mark and right == "/":
        return _is_wide(text, right)
    if is_mark and right in _TIGHT:
        return right == ".." and left.type == "NUMBER" and left.endswith(".")  # `1...5` would be read as 1 to 0.5
    if is_mark and right in ("(", "["):
        return not _ends_operand(left)
    return True


def _is_wide(text: str, slash: Token) -> bool:
    """Whether a `/` has white space on both sides: between long operands it may."""
    assert slash.start_pos is not None and slash.end_pos is not None
    return text[slash.start_pos - 1].isspace() and text[slash.end_pos : slash.end_pos + 1].isspace()


def _in_ranges(tokens: Sequence[Token]) -> set[int]:
    """The `+` and `-` that belong to the ends of a range, `2..n-1`, and to nothing in brackets inside it."""
    found: set[int] = set()
    stack: list[list[int]] = [[]]  # of the segment at each depth: the places of its signs, and -1 for `..`
    for i, token in enumerate(tokens):
        mark = "" if token.type in _WORDS else str(token)
        if mark in ("(", "[", "{"):
            stack.append([])
        elif mark in (")", "]", "}") and len(stack) > 1:
            found |= _closed(stack.pop())
        elif mark in (",", "in", "~", "=", "for", "from", "\n", ";", "if", "else"):
            found |= _closed(stack[-1])
            stack[-1] = []
        elif mark == "..":
            stack[-1].append(-1)
        elif token.type == "ADD":
            stack[-1].append(i)
        if mark == "{":
            found |= _closed(stack[-2])
            stack[-2] = []
    return found | {place for segment in stack for place in _closed(segment)}


def _closed(segment: list[int]) -> set[int]:
    return {place for place in segment if place >= 0} if -1 in segment else set()
