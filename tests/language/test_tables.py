"""The stored tables of the parser are those of the grammar; others are not taken."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from lark import Lark
from lark.grammar import Rule

from ppl.language import parser, tables

GRAMMAR = parser.grammar_text()
STORED = (parser._folder() / parser.TABLES).read_text(encoding="utf-8")
MEND = "python grammar/make_tables.py"


def actions(found: Lark) -> dict[int, dict[str, tuple[str, Any]]]:
    table = found.parser.parser._parse_table
    return {
        state: {token: (type(action).__name__, action, argument) for token, (action, argument) in row.items()}
        for state, row in table.states.items()
    }


def start_of(found: Lark) -> int:
    return int(found.parser.parser._parse_table.start_states["start"])


def rule(found: Rule) -> tuple[Any, ...]:
    options = found.options
    symbols = [(symbol.name, symbol.is_term, getattr(symbol, "filter_out", None)) for symbol in found.expansion]
    read = options.keep_all_tokens, options.expand1, options.priority, list(options.empty_indices)
    return found.origin.name, symbols, found.alias, found.order, *read


def terminals(found: Lark) -> dict[str, tuple[Any, ...]]:
    return {t.name: (t.pattern.type, t.pattern.to_regexp(), list(t.pattern.flags), t.priority) for t in found.terminals}


def assert_same_automaton(one: Lark, other: Lark) -> None:
    """The same states from the start on, under whatever numbers: each action alike, each shift to matching states."""
    rows, others = actions(one), actions(other)
    stands_for, waiting = {start_of(one): start_of(other)}, [start_of(one)]
    while waiting:
        state = waiting.pop()
        row, match = rows[state], others[stands_for[state]]
        assert row.keys() == match.keys()
        for token, (_, action, argument) in row.items():
            _, its_action, its_argument = match[token]
            assert str(action) == str(its_action)
            if str(action) == "Shift":
                if argument not in stands_for:
                    stands_for[argument] = its_argument
                    waiting.append(argument)
                assert stands_for[argument] == its_argument
            else:
                assert rule(argument) == rule(its_argument)
    assert len(stands_for) == len(rows) == len(others)


def test_stored_tables_are_those_of_the_grammar() -> None:
    if json.loads(STORED)["of"][0] != tables._mark(GRAMMAR)[0]:
        pytest.skip(f"they are of another Lark, and not taken: {MEND}")
    stored = tables.read(STORED, GRAMMAR)
    assert stored is not None, f"they are of another grammar: {MEND}"
    made = tables.work_out(GRAMMAR)
    assert_same_automaton(stored, made)
    assert terminals(stored) == terminals(made)
    assert sorted(stored.lexer_conf.ignore) == sorted(made.lexer_conf.ignore)


def test_tables_of_another_grammar_are_not_taken() -> None:
    changed = GRAMMAR.replace('"factor" expr', '"factors" expr')
    assert changed != GRAMMAR
    assert tables.read(STORED, changed) is None


def test_tables_of_another_lark_are_not_taken() -> None:
    assert tables.read(re.sub(r'"of":\["[0-9.]+"', '"of":["0.1"', STORED), GRAMMAR) is None


def test_damaged_tables_are_not_taken() -> None:
    damaged = json.loads(STORED)
    del damaged["data"]["rules"]
    assert tables.read(json.dumps(damaged), GRAMMAR) is None
    assert tables.read(STORED[:1000], GRAMMAR) is None


def test_automata_that_differ_are_told_apart() -> None:
    changed = tables.work_out(GRAMMAR.replace('"factor" expr', '"factors" expr "," expr'))
    try:
        assert_same_automaton(tables.work_out(GRAMMAR), changed)
    except AssertionError:
        return
    raise AssertionError("the comparison sees nothing")
