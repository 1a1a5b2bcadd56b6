"""Calls of functions -> terms: reductions, sums over levels and loops, one-line functions, columns of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.data import axes as axes_of
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.model import assembly, bases, data_mistakes, fitted, kernels, loops, matrices, mistakes, terms
from ppl.model import functions as fn
from ppl.model.columns import chosen
from ppl.model.scope import Failed, Levels, Skipped
from ppl.model.terms import Op, Term
from ppl.numeric import gather
from ppl.numeric.shape import side_by_side
from ppl.numeric.special import sqrt

if TYPE_CHECKING:
    from ppl.model.expressions import Reader

_MOST_EXPANSIONS = 10_000
_BUILD: dict[str, Callable[[Reader, s.Call], Term]] = {
    **matrices.BUILD,
    **assembly.BUILD,
    **kernels.BUILD,
    **bases.BUILD,
}
_KEEP_WHOLE = ("abs", "min", "max", "sum", "prod", "cumsum", "cumprod", "diff")  # whole numbers stay whole


def call(reader: Reader, node: s.Call) -> Term:
    name = node.function.name
    if name in reader.env.names.functions:
        return expand(reader, node)
    if name == "logp":
        from ppl.model import log_density  # an expression made of a distribution, which is made of expressions

        found = node.arguments[0].value
        assert isinstance(found, s.LogDensityOf)
        return log_density.read(reader, found)
    row = fn.FUNCTIONS[name]
    if row.sort == "columns":
        return columns_of(reader, node)
    if row.sort == "built":
        return _BUILD[name](reader, node)
    loop = next((a.value for a in node.arguments if isinstance(a.value, s.Comprehension)), None)
    if loop is not None:
        return over_loop(reader, row, loop, node)
    positional: list[s.Expr] = [a.value for a in node.arguments if a.keyword is None]  # type: ignore[misc]
    by = next((a.value for a in node.arguments if a.keyword is not None), None)
    if row.sort == "elementwise" or (row.sort == "either" and len(positional) == 2):
        apply = row.apply if row.sort == "elementwise" else row.pairwise
        assert apply is not None
        args = [reader.number(part) for part in positional]
        kind = terms.whole_if(*args) if name in _KEEP_WHOLE else row.kind
        return reader.elementwise(Op(name, apply), args, positional, node.span, kind)
    if by is not None:
        return by_levels(reader, row, positional, by, node)
    return along_axis(reader, row, positional, node)


def over_loop(reader: Reader, row: fn.Function, body: s.Comprehension, node: s.Call) -> Term:
    """`sum(f(i) for i in a..b)`: the body over an axis of its own, which is summed over."""
    inside = loops.opened(reader, body.binders)
    own = inside.scope.plates[len(reader.scope.plates) :]
    term = inside.number(body.body)
    ragged = inside.scope.mask is not reader.scope.mask
    if ragged and row.name not in fn.NEUTRAL:
        raise Failed(mistakes.uneven_range(node.span, reader.text(node)))
    if row.name not in fn.OF_NOTHING and any(plate.length == 0 for plate in own):
        raise Failed(mistakes.nothing_to_reduce(node.span, row.name))
    term = loops.over_plates(inside, term, own, node.span)
    if ragged:
        term = loops.masked(inside, term, fn.NEUTRAL[row.name], node.span)
    return loops.reduced(reader, row, term, own, node.span)


def along_axis(reader: Reader, row: fn.Function, positional: list[s.Expr], node: s.Call) -> Term:
    """A reduction, or what keeps the axis it works along."""
    term = reader.number(positional[0])
    rank = len(term.axes)
    if rank == 0:
        if row.sort == "reduction" and row.name not in ("sd", "var"):
            return term  # the sum, mean, ... of one number
        raise Failed(mistakes.needs_an_axis(node.span, row.name))
    kind = terms.whole_if(term) if row.name in _KEEP_WHOLE else Kind.REAL
    if len(positional) == 1 and row.sort in ("reduction", "either"):
        check_not_empty(reader, row, term, list(range(rank)), node)
        term = fitted.rows_of_fit(reader, term, list(range(rank)), node.span)
        return reader.apply(fn.over_all(row, rank), [term], (), node.span, kind)
    axis = axis_number(reader, positional[1], rank) if len(positional) > 1 else rank - 1
    check_not_empty(reader, row, term, [axis], node)
    if row.sort in ("reduction", "either"):
        term = fitted.rows_of_fit(reader, term, [axis], node.span)
    after = term.axes[axis + 1 :]
    if row.sort == "running":
        after = (term.axes[axis], *after)
    elif row.sort == "shorter":
        after = (axes_of.plain(max(0, term.axes[axis].length - 1)), *after)
    return reader.apply(fn.along(row, rank, axis), [term], after, node.span, kind)


def check_not_empty(reader: Reader, row: fn.Function, term: Term, axes: list[int], node: s.Call) -> None:
    if row.name not in fn.OF_NOTHING and any(term.axes[axis].length == 0 for axis in axes):
        raise Failed(mistakes.nothing_to_reduce(node.span, row.name))


def axis_number(reader: Reader, node: s.Expr, rank: int) -> int:
    """The axis that a second argument names, from 0."""
    term = reader.number(node)
    if not term.known or term.axes or not term.number().is_integer() or not 1 <= term.number() <= rank:
        raise Failed(mistakes.bad_axis_number(node.span, rank))
    return int(term.number()) - 1


def by_levels(reader: Reader, row: fn.Function, positional: list[s.Expr], by: s.Node, node: s.Call) -> Term:
    """`mean(x, by = county)`: one value a level, whatever levels the statement runs over."""
    plain = replace(reader, scope=replace(reader.scope, lifted=()))
    factor = factor_of(plain, by)
    term = plain.number(positional[0])
    if not term.axes or not term.axes[-1].aligns(factor.rows):
        text, by_text = reader.text(positional[0]), reader.text(by)
        raise Failed(mistakes.axes_do_not_align(node.span, text, term.axes, by_text, (factor.rows,), None))
    if (factor.codes < 0).any():
        where = factor.column.where(int(np.argmin(factor.codes)))
        raise Failed(mistakes.missing_value(by.span, factor.name, where))
    codes = (
        factor.codes if not fitted.are_rows(reader.env.data, factor.rows) else factor.codes[: reader.env.data.fitted]
    )
    term = fitted.rows_of_fit(plain, term, [len(term.axes) - 1], node.span)
    positions = gather.Positions(codes, factor.axis.length)
    counts = np.bincount(codes, minlength=factor.axis.length)
    if (counts == 0).any() and row.name != "sum":
        level = factor.axis.label(int(np.argmin(counts)))
        raise Failed(data_mistakes.level_without_rows(node.span, reader.text(positional[0]), factor.name, level))
    op = Op(f"{row.name} by", _by(row.name, positions, counts), (1,), (factor.name,))
    return reader.apply(op, [term], (factor.axis,), node.span)


def factor_of(reader: Reader, node: s.Node) -> Levels:
    """An expression that must be the name of a column with levels."""
    if isinstance(node, s.Name) and node.name in reader.env.data.columns and node.name not in reader.env.settled:
        reader.env.touched.add(node.name)
        factor = reader.env.levels(node.name, node.span)
        if factor is not None:
            return factor
    if isinstance(node, s.Name) and node.name in reader.env.failed:
        raise Skipped(node.name)
    raise Failed(mistakes.not_a_factor(node.span, reader.text(node)))


def expand(reader: Reader, node: s.Call) -> Term:
    """A one-line function: its body, with the arguments in place of the parameters."""
    name = node.function.name
    define = reader.env.names.functions[name]
    reader.env.expansions += 1
    if reader.env.expansions > _MOST_EXPANSIONS:
        raise Failed(mistakes.too_much_expansion(node.span, name, _MOST_EXPANSIONS))
    args = [reader.read(argument.value) for argument in node.arguments]
    bound = {parameter.name: arg for parameter, arg in zip(define.parameters, args, strict=True)}
    try:
        return replace(reader, scope=replace(reader.scope, bound=bound)).read(define.body)
    except Failed as error:
        inside = error.inside or name
        message = error.bare or error.mistake.message
        shown = f"{message} (in the function `{inside}`, called here)"
        raise Failed(replace(error.mistake, message=shown, span=node.span), inside, message) from None


def columns_of(reader: Reader, node: s.Call) -> Term:
    """`columns("px_*")`, `columns(x1..x20)`, `columns(a, b)`: columns of the table side by side."""
    names = [name for argument in node.arguments for name in chosen(reader, argument.value)]
    parts = [reader.env.as_number(reader.env.column(name, node.span), name, node.span) for name in names]
    rows = parts[0].axes
    for name, part in zip(names, parts, strict=True):
        if len(part.axes) != 1 or part.axes != rows:
            raise Failed(mistakes.axes_do_not_align(node.span, names[0], rows, name, part.axes, "columns of one table"))
    axis = assembly.columns_axis(names)
    value = side_by_side([np.asarray(part.value) for part in parts])
    return terms.constant(value, (*rows, axis), node.span)


def _by(name: str, positions: gather.Positions, counts: np.ndarray) -> Callable[[Any], Any]:
    """Sum, mean, variance and sd over the elements that share a level."""

    def total(x: Any) -> Any:
        return gather.add_up(x, positions, -1)

    def mean(x: Any) -> Any:
        return total(x) / counts

    def variance(x: Any) -> Any:
        deviation = x - gather.gather(mean(x), positions, -1)
        return total(deviation * deviation) / np.where(counts > 1, counts - 1, np.nan)

    return {"sum": total, "mean": mean, "var": variance, "sd": lambda x: sqrt(variance(x))}[name]
