"""source -> program: the grammar, run by Lark, and what to say where it does not fit."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from ppl.language import lines, mistakes
from ppl.language import syntax as s
from ppl.language.build import MOST_NESTED, Builder
from ppl.language.errors import MOST_SHOWN, Mistake, ModelError
from ppl.language.source import Source, Span

KEYWORDS = ("for", "in", "if", "else", "and", "or", "not", "data", "only", "missing", "levels", "factor", "ode", "from")
_LONGEST = 2_000_000  # characters; a model is a page, a file of this size is something else


def parse(source: Source) -> s.Program:
    """The syntax tree of a model.

    Raises `ModelError` with every independent mistake: a statement that does not parse is blanked out and the rest
    parsed again.
    """
    if len(source.text) > _LONGEST:
        raise ModelError(source, [mistakes.too_long(len(source.text), _LONGEST)])
    depth, place = lines.deepest(source.text)
    if depth > MOST_NESTED:
        raise ModelError(source, [mistakes.nested_too_deeply(Span(place, place + 1), MOST_NESTED)])
    found: list[Mistake] = []
    text = source.text
    while len(found) <= MOST_SHOWN:
        joined = lines.join_lines(text)
        try:
            tree = _grammar().parse(joined)
        except UnexpectedInput as error:
            mistake, hole = _explain(text, joined, error)
            found.append(mistake)
            text = lines.blank(text, hole)
            continue
        builder = Builder(source)
        statements = builder.transform(tree)
        found += builder.found
        if not found:
            return s.Program(source, statements)
        break
    raise ModelError(source, found)


@cache
def _grammar() -> Lark:
    return Lark(grammar_text(), parser="lalr", lexer="contextual", propagate_positions=True)


def grammar_text() -> str:
    """The grammar: inside the package where it was installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "grammar", package.parent / "grammar"):
        if (folder / "ppl.lark").is_file():
            return (folder / "ppl.lark").read_text(encoding="utf-8")
    raise FileNotFoundError("ppl.lark is missing from the installation; install ppl again")


def _explain(text: str, joined: str, error: UnexpectedInput) -> tuple[Mistake, Span]:
    """What a parse error means, and the part of the text to leave out before parsing on."""
    start, found = _offending(joined, error)
    span = Span(start, start + max(len(found), 1))
    open_ones = lines.open_brackets(joined, start)
    innermost = open_ones[-1] if open_ones else None
    if innermost is not None and (not found or _left_open(text, innermost, start, found)):
        mistake = mistakes.bracket_never_closed(Span(innermost.start, innermost.end), innermost.text)
        whole = lines.statement_around(joined, innermost.start)
        return mistake, Span(whole.start, max(start, innermost.end))
    if found == "}":
        return mistakes.bracket_never_opened(span, found), span
    whole = lines.statement_around(joined, start)
    if found in (")", "]") and not _closes(innermost, found):
        return mistakes.bracket_never_opened(span, found), whole
    return _sort_out(joined, span, found), whole


def _offending(joined: str, error: UnexpectedInput) -> tuple[int, str]:
    """Offset and text of what the parser stumbled over; the text is empty at the end of the model."""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return error.token.start_pos or 0, str(error.token)
    if isinstance(error, UnexpectedCharacters):
        start = error.pos_in_stream or 0
        mark = next((m for m in lines.scan(joined[start:])), None)
        return start, mark.text if mark is not None else joined[start]
    return len(joined.rstrip()), ""


def _left_open(text: str, bracket: lines.Mark, offset: int, found: str) -> bool:
    """Whether the parser stumbled because a `(` or `[` was left open, and not over a slip between its brackets."""
    return bracket.kind == "open" and (found == "}" or lines.starts_line(text, offset))


def _closes(bracket: lines.Mark | None, closing: str) -> bool:
    return bracket is not None and {"(": ")", "[": "]", "{": "}"}[bracket.text] == closing


def _sort_out(joined: str, span: Span, found: str) -> Mistake:
    """The mistake behind an unexpected piece of text, looked at with what stands before it."""
    before = joined[: span.start].rstrip(" \t")
    for width in (3, 2):
        for start in range(max(0, span.start - width + 1), span.start + 1):
            if joined[start : start + width] in mistakes.FOREIGN:
                return mistakes.unexpected_text(Span(start, start + width), joined[start : start + width])
    if found.startswith(('"', "`")) and (len(found) == 1 or not found.endswith(found[0])):
        return mistakes.quote_never_closed(span, found[0])
    previous = next(reversed(list(lines.scan(before))), None)
    follows_value = previous is not None and (previous.kind in ("word", "close", "quoted"))
    if found in ("", "\n", ";"):
        return mistakes.statement_breaks_off(Span(len(before), len(before) + 1))
    if found == "=":
        return mistakes.assignment_in_expression(span)
    if found in KEYWORDS and not (follows_value and found in ("if", "else", "and", "or", "in", "from", "for")):
        return mistakes.keyword_as_name(span, found)
    if previous is not None and previous.text in KEYWORDS and found in ("~", "=", "["):
        return mistakes.keyword_as_name(Span(previous.start, previous.end), previous.text)
    if follows_value and (found[0].isalnum() or found[0] in '_"`.('):
        return mistakes.operator_missing(span, found)
    return mistakes.unexpected_text(span, found)
