"""source -> program: the grammar, run by Lark, again and again where statements do not fit it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedInput

from ppl.language import lines, mistakes, tables
from ppl.language import syntax as s
from ppl.language.build import MOST_NESTED, Builder
from ppl.language.errors import MOST_SHOWN, Mistake, ModelError
from ppl.language.source import Source, Span

GRAMMAR, TABLES = "ppl.lark", "ppl.tables.json"
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
            from ppl.language.explain import explain

            mistake, hole = explain(text, text == source.text, joined, error)
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


def tokens(source: Source) -> list[Token]:
    """The tokens of a model without mistakes, ends of statements among them, each with its place in the text."""
    reading = _grammar().parse_interactive(lines.join_lines(source.text))
    return list(reading.exhaust_lexer())


@cache
def _grammar() -> Lark:
    text = grammar_text()
    stored = _folder() / TABLES
    found = tables.read(stored.read_text(encoding="utf-8"), text) if stored.is_file() else None
    return tables.work_out(text) if found is None else found


def grammar_text() -> str:
    return (_folder() / GRAMMAR).read_text(encoding="utf-8")


def _folder() -> Path:
    """Of the grammar: inside the package where it was installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "grammar", package.parent / "grammar"):
        if (folder / GRAMMAR).is_file():
            return folder
    raise FileNotFoundError("ppl.lark is missing from the installation; install ppl again")
