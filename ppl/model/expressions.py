"""expression -> term: names looked up, axes aligned, what is known computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.language import mistakes as language_mistakes
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import functions as fn
from ppl.model import indexing, mistakes, terms
from ppl.model.scope import Environment, Failed, Levels, Scope, Skipped, as_scalar
from ppl.model.terms import Misaligned, Op, Term, TooLarge
from ppl.numeric import gather
from ppl.numeric.shape import stack
from ppl.numeric.special import sqrt

_MOST_EXPANSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads expressions in one scope. Every method raises `Failed` with the mistake it meets, or `Skipped`."""

    env: Environment
    scope: Scope

    def read(self, node: s.Node) -> Term:
        """The term of an expression; text is allowed, for comparisons and indices."""
        match node:
            case s.Number(value, is_integer, span):
                return terms.constant(value, (), span, Kind.INTEGER if is_integer else Kind.REAL)
            case s.String(value, span):
                return Term(None, (), (), Kind.TEXT, span, value=np.array(0), levels=(value,))
            case s.Name(name, span):
                return self.env.look_up(name, span, self.scope)
            case s.Binary():
                return self.binary(node)
            case s.Unary(op, operand, span):
                return self.unary(op, operand, span)
            case s.Compare():
                return self.compare(node)
            case s.Conditional(test, then, otherwise, span):
                return self.combine(fn.CHOOSE, [test, then, otherwise], span)
            case s.ListOf(items, span):
                return self.list_of(items, span)
            case s.Index():
                return self.index(node)
            case s.Call():
                return self.call(node)
        raise Failed(language_mistakes.not_yet(node.span, "this"))

    def number(self, node: s.Node) -> Term:
        """The term of an expression that must be a number or an array of numbers."""
        term = self.read(node)
        return self.env.as_number(term, self.text(node), node.span)

    def text(self, node: s.Node) -> str:
        return self.env.source.cut(node.span).strip("`")

    # -- elementwise --------------------------------------------------------------------------------------------------

    def combine(self, op: Op, nodes: list[s.Expr], span: Span, kind: Kind = Kind.REAL) -> Term:
        """An elementwise operation on expressions."""
        return self.elementwise(op, [self.number(node) for node in nodes], nodes, span, kind)

    def elementwise(self, op: Op, args: list[Term], nodes: list[s.Expr], span: Span, kind: Kind = Kind.REAL) -> Term:
        try:
            return self.apply(op, args, (), span, kind)
        except Misaligned:
            squeezed = [as_scalar(arg) for arg in args]
            try:
                return self.apply(op, squeezed, (), span, kind)
            except Misaligned as error:
                raise Failed(self.misaligned(error, args, nodes, span)) from None

    def apply(self, op: Op, args: list[Term], core_axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL) -> Term:
        try:
            return terms.apply(op, tuple(args), core_axes, span, kind)
        except TooLarge as error:
            raise Failed(mistakes.too_large(span, error.elements, terms.MOST_ELEMENTS)) from None

    def misaligned(self, error: Misaligned, args: list[Term], nodes: list[s.Expr], span: Span) -> Mistake:
        """Which two operands do not align, and the index that would mend it."""
        pairs = [(i, j) for i in range(len(args)) for j in range(i + 1, len(args))]
        for i, j in pairs:
            try:
                terms.align(args[i].axes, args[j].axes)
            except Misaligned as clash:
                mend = self.gathering(clash, [(args[i], nodes[i]), (args[j], nodes[j])])
                left, right = self.text(nodes[i]), self.text(nodes[j])
                return mistakes.axes_do_not_align(span, left, args[i].axes, right, args[j].axes, mend)
        return mistakes.axes_do_not_align(
            span, str(error.first), (error.first,), str(error.second), (error.second,), None
        )

    def gathering(self, clash: Misaligned, operands: list[tuple[Term, s.Expr]]) -> str | None:
        """The index to write, where one operand runs over the levels of a factor of the other's rows."""
        for term, node in operands:
            for axis in (clash.first, clash.second):
                other = clash.second if axis is clash.first else clash.first
                if term.axes and term.axes[-1] == axis and (mend := self.index_to_write(axis, other, self.text(node))):
                    return mend
        return self.indices_to_write(operands)

    def indices_to_write(self, operands: list[tuple[Term, s.Expr]]) -> str | None:
        """The indices that bring two arrays over the levels of two factors together: over the rows of both."""
        factors = [self.factor_of(term.axes[-1]) if term.axes else None for term, _ in operands]
        if len(factors) != 2 or factors[0] is None or factors[1] is None or factors[0].rows != factors[1].rows:
            return None
        shown = [
            f"{_indexable(self.text(node))}[{f.name}]" for (_, node), f in zip(operands, factors, strict=True) if f
        ]
        return f"bring both to the rows: `{shown[0]}` and `{shown[1]}`"

    def factor_of(self, axis: Axis) -> Levels | None:
        identity = axis.identity or ""
        if not identity.startswith("levels:"):
            return None
        return self.env.levels(identity.removeprefix("levels:"), Span(0, 0))

    def index_to_write(self, axis: Axis, other: Axis, text: str) -> str | None:
        factor = self.factor_of(axis)
        over = self.factor_of(other)
        nested = over is not None and over in self.scope.lifted and factor is not None and over.rows == factor.rows
        if factor is None or not (other.aligns(factor.rows) or nested):
            return None
        return f"`{text}` has the axis {axis.name}; did you mean `{_indexable(text)}[{factor.name}]`?"

    def binary(self, node: s.Binary) -> Term:
        """Chains of operators lean to the left and may be long: walked in a loop."""
        spine: list[s.Binary] = []
        at: s.Expr = node
        while isinstance(at, s.Binary):
            spine.append(at)
            at = at.left
        left = self.number(at)
        for step in reversed(spine):
            right = self.number(step.right)
            if step.op == "@":
                left = self.product(left, right, step)
            elif step.op == "^" and not right.axes and right.known and right.number() in fn.POWERS:
                left = self.apply(fn.POWERS[right.number()], [left], (), step.span)
            else:
                kind = _kind_of(step.op, left, right)
                self.check_product(left, right, step)
                left = self.elementwise(fn.ARITHMETIC[step.op], [left, right], [step.left, step.right], step.span, kind)
        return left

    def check_product(self, left: Term, right: Term, step: s.Binary) -> None:
        """`X * beta` for a matrix of columns and a vector over them is a slip for `X @ beta`."""
        if step.op != "*" or {len(left.axes), len(right.axes)} != {1, 2}:
            return
        matrix, vector = (left, right) if len(left.axes) == 2 else (right, left)
        texts = self.text(step.left), self.text(step.right)
        if is_columns(matrix.axes[1]) and matrix.axes[1] == vector.axes[0]:
            ordered = texts if matrix is left else texts[::-1]
            mend = f"did you mean the matrix product, `{ordered[0]} @ {ordered[1]}`?"
            raise Failed(mistakes.axes_do_not_align(step.span, texts[0], left.axes, texts[1], right.axes, mend))

    def unary(self, op: str, operand: s.Expr, span: Span) -> Term:
        term = self.number(operand)
        if op == "+":
            return term
        if op == "not":
            return self.apply(fn.NOT, [term], (), span, Kind.BOOLEAN)
        return self.apply(fn.NEGATE, [term], (), span, Kind.INTEGER if term.kind is Kind.INTEGER else Kind.REAL)

    def compare(self, node: s.Compare) -> Term:
        """`a < b < c` is `a < b and b < c`."""
        operands = [self.read(operand) for operand in node.operands]
        result: Term | None = None
        for i, op in enumerate(node.ops):
            one = self.compare_two(op, operands[i], operands[i + 1], node, i)
            result = one if result is None else self.elementwise(
                fn.AND, [result, one], [node.operands[i], node.operands[i + 1]], node.span, Kind.BOOLEAN
            )  # fmt: skip
        assert result is not None
        return result

    def compare_two(self, op: str, left: Term, right: Term, node: s.Compare, place: int) -> Term:
        nodes = list(node.operands[place : place + 2])
        if left.kind is Kind.TEXT and right.kind is Kind.TEXT and op in ("==", "!="):
            return self.compare_text(op, left, right, nodes, node.span)
        numbers = [
            self.env.as_number(term, self.text(part), part.span)
            for term, part in zip((left, right), nodes, strict=True)
        ]
        return self.elementwise(fn.COMPARISONS[op], numbers, nodes, node.span, Kind.BOOLEAN)

    def compare_text(self, op: str, left: Term, right: Term, nodes: list[s.Expr], span: Span) -> Term:
        """Texts compare by their levels: the codes of both are put on the levels of the left."""
        assert left.levels is not None and right.levels is not None
        for term, other, node in ((left, right, nodes[1]), (right, left, nodes[0])):
            if not other.axes and term.axes and other.levels and other.levels[0] not in (term.levels or ()):
                name = self.text(nodes[0] if term is left else nodes[1])
                raise Failed(mistakes.unknown_level(node.span, name, other.levels[0], term.levels or (), None))
        places = {level: i for i, level in enumerate(left.levels)}
        translation = np.array([places.get(level, -1) for level in right.levels], dtype=np.int64)
        assert right.value is not None
        recoded = replace(right, value=translation[right.value], levels=left.levels, kind=Kind.INTEGER)
        return self.elementwise(
            fn.COMPARISONS[op], [replace(left, kind=Kind.INTEGER), recoded], nodes, span, Kind.BOOLEAN
        )

    # -- lists, matrices, indices -------------------------------------------------------------------------------------

    def list_of(self, items: tuple[s.Expr, ...], span: Span) -> Term:
        """`[a, b]`: a new first axis; the items align with each other."""
        args = [self.number(item) for item in items]
        try:
            inner = terms.align(*(arg.axes for arg in args))
        except Misaligned as error:
            raise Failed(self.misaligned(error, args, list(items), span)) from None
        rank = len(inner)
        spread = [self.spread(arg, inner, span) for arg in args]
        op = Op("list", lambda *arrays: stack(-rank - 1, *arrays), (rank,) * len(args))
        kind = Kind.INTEGER if all(arg.kind is Kind.INTEGER for arg in args) else Kind.REAL
        return self.apply(op, spread, (axes_of.plain(len(items)), *inner), span, kind)

    def spread(self, term: Term, axes: tuple[Axis, ...], span: Span) -> Term:
        """The term repeated over the leading axes that it lacks, so that it has exactly these axes."""
        if term.axes == axes:
            return term
        lacking = len(axes) - len(term.axes)
        if lacking == 0:
            return replace(term, axes=axes) if term.known else self.apply(_relabel(len(axes)), [term], axes, span)
        rank = len(term.axes)
        lengths = tuple(axis.length for axis in axes[:lacking])

        def repeat(x: np.ndarray) -> np.ndarray:
            shape = anp.shape(x)
            outer, core = shape[: len(shape) - rank], shape[len(shape) - rank :]
            return anp.reshape(x, (*outer, *([1] * lacking), *core)) * np.ones((*lengths, *([1] * rank)))

        return self.apply(Op("repeat", repeat, (rank,), lengths, moves=True), [term], axes, span, term.kind)

    def product(self, left: Term, right: Term, node: s.Binary) -> Term:
        """`@` as in numpy, for vectors and matrices; the axes that meet must align."""
        ranks = len(left.axes), len(right.axes)
        meeting = right.axes[-2:][0] if right.axes else None
        if not (1 <= ranks[0] <= 2 and 1 <= ranks[1] <= 2) or meeting is None or not left.axes[-1].aligns(meeting):
            texts = self.text(node.left), self.text(node.right)
            raise Failed(mistakes.matrix_product(node.span, texts[0], left.axes, texts[1], right.axes))
        core = (*left.axes[:-1], *(right.axes[1:] if ranks[1] == 2 else ()))
        return self.apply(fn.matmul(*ranks), [left, right], core, node.span)

    def index(self, node: s.Index) -> Term:
        unlifted = Reader(self.env, Scope(bound=self.scope.bound))
        base = unlifted.read(node.base)
        return indexing.index(self, base, node)

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, node: s.Call) -> Term:
        name = node.function.name
        if name in self.env.names.functions:
            return self.expand(node)
        row = fn.FUNCTIONS[name]
        if row.sort == "columns":
            return self.columns(node)
        positional: list[s.Expr] = [a.value for a in node.arguments if a.keyword is None]  # type: ignore[misc]
        by = next((a.value for a in node.arguments if a.keyword is not None), None)
        if row.sort == "elementwise" or (row.sort == "either" and len(positional) == 2):
            apply = row.apply if row.sort == "elementwise" else row.pairwise
            assert apply is not None
            return self.combine(Op(name, apply), positional, node.span, row.kind)
        if by is not None:
            return self.by_levels(row, positional, by, node)
        return self.along_axis(row, positional, node)

    def along_axis(self, row: fn.Function, positional: list[s.Expr], node: s.Call) -> Term:
        """A reduction, or what keeps the axis it works along."""
        term = self.number(positional[0])
        rank = len(term.axes)
        if rank == 0:
            if row.sort == "reduction" and row.name not in ("sd", "var"):
                return term  # the sum, mean, ... of one number
            raise Failed(mistakes.needs_an_axis(node.span, row.name))
        if len(positional) == 1 and row.sort in ("reduction", "either"):
            self.check_not_empty(row, term, list(range(rank)), node)
            return self.apply(fn.over_all(row, rank), [term], (), node.span)
        axis = self.axis_number(positional[1], rank) if len(positional) > 1 else rank - 1
        self.check_not_empty(row, term, [axis], node)
        after = term.axes[axis + 1 :]
        if row.sort == "running":
            after = (term.axes[axis], *after)
        elif row.sort == "shorter":
            after = (axes_of.plain(max(0, term.axes[axis].length - 1)), *after)
        return self.apply(fn.along(row, rank, axis), [term], after, node.span)

    def check_not_empty(self, row: fn.Function, term: Term, axes: list[int], node: s.Call) -> None:
        if row.name not in fn.OF_NOTHING and any(term.axes[axis].length == 0 for axis in axes):
            raise Failed(mistakes.nothing_to_reduce(node.span, row.name))

    def axis_number(self, node: s.Expr, rank: int) -> int:
        """The axis that a second argument names, from 0."""
        term = self.number(node)
        if not term.known or term.axes or not term.number().is_integer() or not 1 <= term.number() <= rank:
            raise Failed(mistakes.bad_axis_number(node.span, rank))
        return int(term.number()) - 1

    def by_levels(self, row: fn.Function, positional: list[s.Expr], by: s.Node, node: s.Call) -> Term:
        """`mean(x, by = county)`: one value a level, whatever levels the statement runs over."""
        plain = Reader(self.env, Scope(bound=self.scope.bound))
        factor = plain.factor(by)
        term = plain.number(positional[0])
        if not term.axes or not term.axes[-1].aligns(factor.rows):
            text, by_text = self.text(positional[0]), self.text(by)
            raise Failed(mistakes.axes_do_not_align(node.span, text, term.axes, by_text, (factor.rows,), None))
        positions = gather.Positions(factor.codes, factor.axis.length)
        counts = np.bincount(factor.codes, minlength=factor.axis.length)
        op = Op(f"{row.name} by", _by(row.name, positions, counts), (1,), (factor.name,))
        return self.apply(op, [term], (factor.axis,), node.span)

    def factor(self, node: s.Node) -> Levels:
        """An expression that must be the name of a column with levels."""
        if isinstance(node, s.Name) and node.name in self.env.data.columns and node.name not in self.env.settled:
            self.env.touched.add(node.name)
            factor = self.env.levels(node.name, node.span)
            if factor is not None:
                return factor
        if isinstance(node, s.Name) and node.name in self.env.failed:
            raise Skipped(node.name)
        raise Failed(mistakes.not_a_factor(node.span, self.text(node)))

    def expand(self, node: s.Call) -> Term:
        """A one-line function: its body, with the arguments in place of the parameters."""
        name = node.function.name
        define = self.env.names.functions[name]
        self.env.expansions += 1
        if self.env.expansions > _MOST_EXPANSIONS:
            raise Failed(mistakes.too_much_expansion(node.span, name, _MOST_EXPANSIONS))
        args = [self.read(argument.value) for argument in node.arguments]
        bound = {parameter.name: arg for parameter, arg in zip(define.parameters, args, strict=True)}
        try:
            return Reader(self.env, Scope(self.scope.lifted, bound)).read(define.body)
        except Failed as error:
            inside = error.inside or name
            message = error.bare or error.mistake.message
            shown = f"{message} (in the function `{inside}`, called here)"
            raise Failed(replace(error.mistake, message=shown, span=node.span), inside, message) from None

    def columns(self, node: s.Call) -> Term:
        """`columns("px_*")`, `columns(x1..x20)`, `columns(a, b)`: columns of the table side by side."""
        chosen: list[str] = []
        for argument in node.arguments:
            chosen += indexing.chosen_columns(self, argument.value)
        parts = [self.env.as_number(self.env.column(name, node.span), name, node.span) for name in chosen]
        rows = parts[0].axes
        for name, part in zip(chosen, parts, strict=True):
            if len(part.axes) != 1 or part.axes != rows:
                raise Failed(
                    mistakes.axes_do_not_align(node.span, chosen[0], rows, name, part.axes, "columns of one table")
                )
        axis = Axis("columns", len(chosen), "columns:" + "|".join(chosen), tuple(chosen))
        value = np.stack([np.asarray(part.value, dtype=np.float64) for part in parts], axis=-1)
        return terms.constant(value, (*rows, axis), node.span)


def _indexable(text: str) -> str:
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def _kind_of(op: str, left: Term, right: Term) -> Kind:
    if op in ("and", "or"):
        return Kind.BOOLEAN
    both_whole = left.kind is Kind.INTEGER and right.kind is Kind.INTEGER
    return Kind.INTEGER if both_whole and op in ("+", "-", "*") else Kind.REAL


def _relabel(rank: int) -> Op:
    """The identity, for a term whose axes get to know who they are."""
    return Op("as", lambda x: x, (rank,), moves=True)


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
