"""Operands that do not align -> the mistake, with the index to write where one would mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ppl.data.axes import Axis
from ppl.language import syntax as s
from ppl.language.errors import Mistake, written
from ppl.language.source import Span
from ppl.model import level_names, mistakes, terms
from ppl.model.scope import Levels
from ppl.model.terms import Misaligned, Term

if TYPE_CHECKING:
    from ppl.model.expressions import Reader


def misaligned(reader: Reader, error: Misaligned, args: list[Term], nodes: list[s.Expr], span: Span) -> Mistake:
    """Which two operands do not align, and the index that would mend it."""
    pairs = [(i, j) for i in range(len(args)) for j in range(i + 1, len(args))]
    for i, j in pairs:
        try:
            terms.align(args[i].axes, args[j].axes)
        except Misaligned as clash:
            mend = gathering(reader, clash, [(args[i], nodes[i]), (args[j], nodes[j])])
            left, right = reader.text(nodes[i]), reader.text(nodes[j])
            return mistakes.axes_do_not_align(span, left, args[i].axes, right, args[j].axes, mend)
    return mistakes.axes_do_not_align(span, str(error.first), (error.first,), str(error.second), (error.second,), None)


def gathering(reader: Reader, clash: Misaligned, operands: Sequence[tuple[Term, s.Node]]) -> str | None:
    """The index to write, where one operand runs over the levels of a factor of the other's rows."""
    for term, node in operands:
        for axis in (clash.first, clash.second):
            other = clash.second if axis is clash.first else clash.first
            if term.axes and term.axes[-1] == axis and (mend := index_to_write(reader, axis, other, reader.text(node))):
                return mend
    return indices_to_write(reader, operands)


def indices_to_write(reader: Reader, operands: Sequence[tuple[Term, s.Node]]) -> str | None:
    """The indices that bring two arrays over the levels of two factors together: over the rows of both."""
    factors = [factor_of(reader, term.axes[-1]) if term.axes else None for term, _ in operands]
    if len(factors) != 2 or factors[0] is None or factors[1] is None or factors[0].rows != factors[1].rows:
        return None
    shown = [
        f"{_indexable(reader.text(node))}[{written(f.name)}]"
        for (_, node), f in zip(operands, factors, strict=True)
        if f
    ]
    return f"bring both to the rows: `{shown[0]}` and `{shown[1]}`"


def factor_of(reader: Reader, axis: Axis) -> Levels | None:
    identity = axis.identity or ""
    if not identity.startswith("levels:"):
        return None
    return reader.env.levels(identity.removeprefix("levels:"), Span(0, 0))


def index_to_write(reader: Reader, axis: Axis, other: Axis, text: str) -> str | None:
    factor = factor_of(reader, axis)
    if factor is None and axis.name in reader.env.data.axes:
        columns = level_names.columns_of(reader.env.names.program, axis.name)
        base = _indexable(text.removesuffix(f"[{axis.name}]"))
        shown = " or ".join(f"`{base}[{written(column)}]`" for column in columns[:2])
        return f"`{text}` has the axis {axis.name}; did you mean {shown}?" if columns else None
    if level_names.columns_of(reader.env.names.program, other.name) and axis == reader.env.data.rows:
        table = f"ppl fit MODEL DATA {other.name}=FILE"
        return f"`{text}` has one value a row; a table with one for each {other.name} is given as `{table}`"
    over = factor_of(reader, other)
    nested = over is not None and over in reader.scope.lifted and factor is not None and over.rows == factor.rows
    if factor is None or not (other.aligns(factor.rows) or nested):
        return None
    return f"`{text}` has the axis {axis.name}; did you mean `{_indexable(text)}[{written(factor.name)}]`?"


def _indexable(text: str) -> str:
    return text if re.fullmatch(r"\w+(\[[^]]*\])?", text) else f"({text})"
