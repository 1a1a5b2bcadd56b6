"""term over rows -> the sum of known columns times unknown numbers that it is, and the same with one matrix product."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.model import functions as fn
from ppl.model import terms
from ppl.model.terms import Op, Term
from ppl.numeric.shape import side_by_side, stack


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """known + sum s a + sum x b + sum X c: over N rows, with numbers s and single latent terms a and b, columns x (N,),
    matrices X (N, K) and latent vectors c (K,).
    """

    known: Any = 0.0  # a number or (N,)
    offsets: tuple[tuple[float, Term], ...] = ()
    columns: tuple[tuple[numpy.ndarray, Term], ...] = ()
    matrices: tuple[tuple[float, numpy.ndarray, Term], ...] = ()  # with a factor

    def __add__(self, other: Linear) -> Linear:
        return Linear(
            self.known + other.known,
            self.offsets + other.offsets,
            self.columns + other.columns,
            self.matrices + other.matrices,
        )

    def times(self, factor: Any) -> Linear | None:
        """By a number or a column (N,); a matrix is not copied."""
        if numpy.ndim(factor) == 0:
            return Linear(
                factor * self.known,
                tuple((factor * s, a) for s, a in self.offsets),
                tuple((factor * x, b) for x, b in self.columns),
                tuple((factor * s, x, c) for s, x, c in self.matrices),
            )
        if self.matrices:
            return None
        columns = [(x * factor, b) for x, b in self.columns] + [
            (factor if s == 1.0 else s * factor, a) for s, a in self.offsets
        ]
        return Linear(factor * self.known, (), tuple(columns))


def linear(term: Term, axis: Axis) -> Linear | None:
    """What a term over these rows alone, or over nothing, is a sum of; None where it is no such sum."""
    own = term.axes
    if term.plates or len(own) > 1 or (own and not own[0].aligns(axis)):
        return None
    if term.known:
        return Linear(terms.numeric(term) if own else term.number())
    if not own:
        return Linear(offsets=((1.0, term),))
    name, args = "" if term.op is None else term.op.name, term.args
    if name == "@":
        x, c = args
        fits = x.known and not x.plates and len(x.axes) == 2 and len(c.axes) == 1 and not c.plates and not c.known
        return Linear(matrices=((1.0, terms.numeric(x), c),)) if fits else None
    if name == "*" and any(arg.known for arg in args):
        factor, other = args if args[0].known else args[::-1]
        inner = linear(other, axis)
        return None if inner is None or factor.plates else inner.times(terms.numeric(factor)[()])
    if name not in ("+", "-", "neg"):
        return None
    parts = [linear(arg, axis) for arg in args]
    if any(part is None for part in parts):
        return None
    last = parts[-1] if name == "+" else parts[-1].times(-1.0)  # type: ignore[union-attr]
    assert last is not None
    return last if name == "neg" else parts[0] + last  # type: ignore[operator]


def together(term: Term, axis: Axis) -> Term:
    """The same term; each sum in it of two and more columns times single numbers is one matrix product."""
    inside = {id(arg) for each in terms.ancestors([term]) if _is_sum(each) for arg in each.args}
    changed: dict[int, Term] = {}
    for each in terms.ancestors([term]):
        if _is_sum(each) and id(each) not in inside and len(each.axes) == 1 and each.axes[0].aligns(axis):
            found = linear(each, axis)
            if found is not None and len(found.columns) > 1:
                changed[id(each)] = _as_product(found, each)
    return terms.rebuild([term], lambda each, args: changed.get(id(each)))[0] if changed else term


def _is_sum(term: Term) -> bool:
    return term.op is not None and not term.known and term.op.name in ("+", "-")


def _as_product(found: Linear, like: Term) -> Term:
    """known + offsets + matrices, and all columns as one matrix."""
    rows, span = like.axes, like.span
    width = Axis(str(len(found.columns)), len(found.columns))
    x = terms.constant(side_by_side([x for x, _ in found.columns]), (*rows, width), span)
    op = Op("list", lambda *arrays: stack(-1, *arrays), (0,) * width.length)
    b = terms.apply(op, tuple(b for _, b in found.columns), (width,), span)
    total = terms.apply(fn.matmul(2, 1), (x, b), rows, span)
    for s, matrix, c in found.matrices:
        product = terms.apply(fn.matmul(2, 1), (terms.constant(matrix, (*rows, *c.axes), span), c), rows, span)
        total = _plus(total, product, s)
    for s, a in found.offsets:
        total = _plus(total, a, s)
    if numpy.any(found.known):
        known = numpy.broadcast_to(found.known, (rows[0].length,)) if numpy.ndim(found.known) else found.known
        axes = rows if numpy.ndim(found.known) else ()
        total = _plus(total, terms.constant(known, axes, span), 1.0)
    return replace(total, kind=Kind.REAL)


def _plus(total: Term, other: Term, factor: float) -> Term:
    if factor in (1.0, -1.0):
        return terms.apply(fn.ADD if factor > 0 else fn.SUBTRACT, (total, other), (), total.span)
    scaled = terms.apply(fn.MULTIPLY, (terms.constant(factor, (), total.span), other), (), total.span)
    return terms.apply(fn.ADD, (total, scaled), (), total.span)
