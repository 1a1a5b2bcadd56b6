"""`columns(...)` -> which columns of the table it names."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from ppl.language import syntax as s
from ppl.model import mistakes
from ppl.model.scope import Failed

if TYPE_CHECKING:
    from ppl.model.expressions import Reader


def chosen(reader: Reader, node: s.Node) -> list[str]:
    """The columns that one argument of `columns` names, in the table's order for patterns."""
    held = [name for name, column in reader.env.data.columns.items() if len(column.axes) == 1]
    match node:
        case s.String(pattern, span):
            rows = reader.env.data.rows
            table = [name for name in held if rows is None or reader.env.data.columns[name].axes == (rows,)]
            found = [name for name in table if fnmatch.fnmatchcase(name, pattern)]
            if not found:
                raise Failed(mistakes.no_such_column(span, pattern, table))
            return found
        case s.Name(name, span):
            if name not in held:
                raise Failed(mistakes.no_such_column(span, name, held))
            return [name]
        case s.Range(s.Name(first, span), s.Name(last, last_span)):
            for name, place in ((first, span), (last, last_span)):
                if name not in held:
                    raise Failed(mistakes.no_such_column(place, name, held))
            return _between(reader, first, last, held, node)
    raise Failed(mistakes.no_such_column(node.span, reader.text(node), held))


def _between(reader: Reader, first: str, last: str, held: list[str], node: s.Range) -> list[str]:
    """`x1..x20`: by number where the names differ in nothing else, else by the order of the table."""
    low, high = re.fullmatch(r"(.*?)([0-9]+)", first), re.fullmatch(r"(.*?)([0-9]+)", last)
    if low and high and low[1] == high[1] and 0 <= int(high[2]) - int(low[2]) < len(held):
        wanted = [f"{low[1]}{number}" for number in range(int(low[2]), int(high[2]) + 1)]
        if low[2].startswith("0") or high[2].startswith("0"):
            width = len(low[2])
            wanted = [f"{low[1]}{number:0{width}d}" for number in range(int(low[2]), int(high[2]) + 1)]
        for name in wanted:
            if name not in held:
                raise Failed(mistakes.no_such_column(node.span, name, held))
        return wanted
    start, stop = held.index(first), held.index(last)
    if stop < start:
        raise Failed(mistakes.bad_range(node.span, start + 1, stop + 1, len(held)))
    return held[start : stop + 1]
