"""grammar -> parser: by tables worked out beforehand, where they are those of this grammar, or by working them out.

To work them out takes Lark about 90 ms, to read them 10. They are numbers and names in JSON; Lark's own cache is a
pickle in a temporary folder. `python grammar/make_tables.py` writes them anew.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

_DECIMALS = 2  # of the version of Lark: 1.3 of 1.3.1


def work_out(grammar: str) -> Lark:
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=True)


def as_text(parser: Lark, grammar: str) -> str:
    """A parser as JSON, with marks of the grammar and of the Lark it comes from."""
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    return json.dumps({"of": _mark(grammar), "data": data, "memo": memo}, separators=(",", ":")) + "\n"


def read(text: str, grammar: str) -> Lark | None:
    """None where the tables are those of another grammar, or of a Lark that may keep them in another way."""
    try:
        stored = json.loads(text)
        if stored["of"] != _mark(grammar):
            return None
        table = stored["data"]["parser"]["parser"]
        stored["memo"] = _by_number(stored["memo"])
        table["tokens"] = _by_number(table["tokens"])
        table["states"] = {
            state: {token: tuple(action) for token, action in _by_number(actions).items()}
            for state, actions in _by_number(table["states"]).items()
        }
        return Lark.load({"data": stored["data"], "memo": stored["memo"]})
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _mark(grammar: str) -> list[str]:
    version = ".".join(lark.__version__.split(".")[:_DECIMALS])
    return [version, hashlib.sha256(grammar.encode()).hexdigest()]


def _by_number(found: dict[str, Any]) -> dict[int, Any]:
    """JSON has texts for keys alone."""
    return {int(key): value for key, value in found.items()}
