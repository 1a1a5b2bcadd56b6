"""program -> what its `levels` lines name, before any data is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.model import data_mistakes as mistakes


def statements_of(program: s.Program) -> list[s.Levels]:
    return [statement for statement in program.statements if isinstance(statement, s.Levels)]


def check(program: s.Program, defined: Mapping[str, object]) -> Iterator[Mistake]:
    """What is wrong with the `levels` of a program whatever the data."""
    seen: set[str] = set()
    for statement in statements_of(program):
        name = statement.name.name
        if name in seen or name in defined:
            yield mistakes.levels_twice(statement.name.span, name, name in seen)
        seen.add(name)
        sorts = {type(item) for item in statement.items}
        if not sorts <= {s.Name, s.String} or len(sorts) > 1:
            first = type(statement.items[0]) if isinstance(statement.items[0], s.Name | s.String) else None
            odd = next(item for item in statement.items if type(item) is not first)
            yield mistakes.levels_of_two_sorts(odd.span)
            continue
        words: set[str] = set()
        for item in statement.items:
            word = word_of(item)
            if word in words:
                yield mistakes.level_repeated(item.span, word, isinstance(item, s.String))
            words.add(word)


def word_of(item: s.Expr) -> str:
    assert isinstance(item, s.Name | s.String)
    return item.name if isinstance(item, s.Name) else item.value


def columns_of(program: s.Program, name: str) -> tuple[str, ...]:
    """The columns whose levels `levels name = ...` takes together; none where it gives an order."""
    for statement in statements_of(program):
        if statement.name.name == name:
            return tuple(item.name for item in statement.items if isinstance(item, s.Name))
    return ()
