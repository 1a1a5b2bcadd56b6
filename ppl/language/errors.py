"""mistakes -> text: every error a user can see, and the one place that renders them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ppl.language.source import Source, Span
from ppl.values import dataclass

MOST_SHOWN = 20  # mistakes rendered for one run
WIDEST_LINE = 160  # characters of a source line that are shown around the caret


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong.

    `kind` names the sort of mistake (the function in `mistakes.py` that made it), `message` says what is wrong, `span`
    where in the model, `mend` how to put it right. `in_data` marks those whose cause lies in the data.
    """

    kind: str
    message: str
    span: Span | None = None
    mend: str | None = None
    in_data: bool = False


class PplError(Exception):
    """Anything a user did that cannot be done; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(PplError):
    """A command or a call that makes no sense as it was given."""

    exit_code = 2


class VerdictError(PplError):
    """A fit whose verdict is worse than was asked for."""

    exit_code = 3


class DataError(PplError):
    """Data that cannot be read, or does not fit the model."""

    exit_code = 5


class FileError(PplError):
    """A file that cannot be opened or written, or is not what it should be."""

    exit_code = 6


class InternalError(PplError):
    """A mistake of ppl itself, found by a check of its own: no result is better than one that may be wrong."""

    exit_code = 70  # EX_SOFTWARE of sysexits.h

    def __init__(self, message: str):
        super().__init__(f"internal error: {message}; please report this, with the model")


class ModelError(PplError):
    """Mistakes in a model; `str()` shows them all, each with its line and a caret."""

    exit_code = 4

    def __init__(self, source: Source, mistakes: Iterable[Mistake]):
        self.source = source
        self.mistakes = tuple(sorted(dict.fromkeys(mistakes), key=_position))
        if all(mistake.in_data for mistake in self.mistakes):
            self.exit_code = DataError.exit_code
        super().__init__(render(source, self.mistakes))


def _position(mistake: Mistake) -> int:
    return -1 if mistake.span is None else mistake.span.start


def render(source: Source, mistakes: Iterable[Mistake], severity: str = "error") -> str:
    """The mistakes as text: place and message, the line, a caret, the mend."""
    mistakes = list(mistakes)
    blocks = [_render_one(source, mistake, severity) for mistake in mistakes[:MOST_SHOWN]]
    if len(mistakes) > MOST_SHOWN:
        blocks.append("... and more")
    return "\n".join(blocks)


def _render_one(source: Source, mistake: Mistake, severity: str) -> str:
    mend = [f"  {line}" for line in (mistake.mend or "").splitlines()]
    if mistake.span is None:
        return "\n".join([f"{source.name}: {severity}: {mistake.message}", *mend])
    line_number, column = source.place(mistake.span.start)
    head = f"{source.name}:{line_number}:{column}: {severity}: {mistake.message}"
    line = source.line(line_number)
    shown, offset = _window(line, column - 1)
    length = max(1, min(mistake.span.end - mistake.span.start, len(shown) - (column - 1 - offset)))
    before = shown[: column - 1 - offset]
    marked = shown[column - 1 - offset :][:length] or " "
    caret = _blank_like(before) + "^" + "~" * (text_width(marked) - 1)
    return "\n".join([head, f"    {shown}".rstrip(), f"    {caret}", *mend])


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a very long line around a column, and where it begins."""
    if len(line) <= WIDEST_LINE:
        return line, 0
    offset = max(0, min(column - WIDEST_LINE // 2, len(line) - WIDEST_LINE))
    return line[offset : offset + WIDEST_LINE], offset


def text_width(text: str) -> int:
    """Columns a text takes in a terminal: wide letters two, combining marks none."""
    return max(1, sum(_cells(character) for character in text))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _blank_like(text: str) -> str:
    return "".join("\t" if character == "\t" else " " * _cells(character) for character in text)


def nearest(name: str, candidates: Iterable[str], cutoff: float = 0.62) -> str | None:
    """The candidate most like `name`, or None where nothing is alike; capitals and underscores count little."""
    by_folded: dict[str, str] = {}
    for candidate in sorted(set(candidates)):
        by_folded.setdefault(_fold(candidate), candidate)
    if not name or not by_folded:
        return None
    if len(name) <= 2:  # too short to be like anything but itself
        cutoff = 1.0
    from difflib import get_close_matches

    found = get_close_matches(_fold(name), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def written(name: str) -> str:
    """A name as it is written in a model: in backticks where it is no identifier."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"`{name}`"


def _fold(name: str) -> str:
    return name.casefold().replace("_", "")
