"""expression -> term: names looked up, axes aligned, what is known computed."""

from __future__ import annotations

from dataclasses import replace

import autograd.numpy as anp
import numpy as np

from ppl.data import axes as axes_of
from ppl.data.axes import Axis, is_columns
from ppl.data.column import Kind
from ppl.language import mistakes as language_mistakes
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import calls, fitted, indexing, mends, mistakes, terms
from ppl.model import functions as fn
from ppl.model.scope import Environment, Failed, Scope, as_scalar
from ppl.model.terms import Misaligned, Op, Term, TooLarge
from ppl.numeric.shape import stack
from ppl.values import dataclass


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
                args = [self.number(part) for part in (test, then, otherwise)]
                return self.elementwise(fn.CHOOSE, args, [test, then, otherwise], span, terms.whole_if(*args[1:]))
            case s.ListOf(items, span):
                return self.list_of(items, span)
            case s.Index():
                return self.index(node)
            case s.Call():
                return calls.call(self, node)
            case s.Range():
                raise Failed(language_mistakes.range_as_value(node.span, self.text(node)))
        raise AssertionError(f"{type(node).__name__} stands where only an expression can")

    def number(self, node: s.Node) -> Term:
        """The term of an expression that must be a number or an array of numbers."""
        term = self.read(node)
        return self.env.as_number(term, self.text(node), node.span)

    def text(self, node: s.Node) -> str:
        return self.env.source.cut(node.span).strip("`")

    # -- elementwise --------------------------------------------------------------------------------------------------

    def elementwise(self, op: Op, args: list[Term], nodes: list[s.Expr], span: Span, kind: Kind = Kind.REAL) -> Term:
        try:
            return self.apply(op, args, (), span, kind)
        except Misaligned:
            squeezed = [as_scalar(arg) for arg in args]
            try:
                return self.apply(op, squeezed, (), span, kind)
            except Misaligned as error:
                raise Failed(mends.misaligned(self, error, args, nodes, span)) from None

    def counting_new_rows(self) -> Reader:
        """A reader for bounds and lengths: where there are rows behind those of a fit, they count."""
        return replace(self, scope=replace(self.scope, counts_new=True)) if self.env.data.fitted is not None else self

    def apply(self, op: Op, args: list[Term], core_axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL) -> Term:
        fitted.check_by_rows(self, op, args, span)
        try:
            return terms.apply(op, tuple(args), core_axes, span, kind)
        except TooLarge as error:
            raise Failed(mistakes.too_large(span, error.elements, terms.MOST_ELEMENTS)) from None

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
                kind = terms.whole_if(left) if right.number() == 2 else Kind.REAL
                left = self.apply(fn.POWERS[right.number()], [left], (), step.span, kind)
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
        return self.apply(fn.NEGATE, [term], (), span, terms.whole_if(term))

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
            raise Failed(mends.misaligned(self, error, args, list(items), span)) from None
        rank = len(inner)
        spread = [self.spread(arg, inner, span) for arg in args]
        op = Op("list", lambda *arrays: stack(-rank - 1, *arrays), (rank,) * len(args))
        return self.apply(op, spread, (axes_of.plain(len(items)), *inner), span, terms.whole_if(*args))

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
        lengths = None
        if ranks == (2, 2):
            lengths = (left.axes[0].length, left.axes[1].length, right.axes[1].length)
        return self.apply(fn.matmul(*ranks, lengths), [left, right], core, node.span)

    def index(self, node: s.Index) -> Term:
        if isinstance(node.base, s.Name) and node.base.name in self.env.resolve:
            return self.env.resolve[node.base.name](self, node)
        unlifted = replace(self, scope=replace(self.scope, lifted=()))
        base = unlifted.read(node.base)
        return indexing.index(self, base, node)


def _kind_of(op: str, left: Term, right: Term) -> Kind:
    if op in ("and", "or"):
        return Kind.BOOLEAN
    return terms.whole_if(left, right) if op in ("+", "-", "*") else Kind.REAL


def _relabel(rank: int) -> Op:
    """The identity, for a term whose axes get to know who they are."""
    return Op("as", lambda x: x, (rank,), moves=True)
