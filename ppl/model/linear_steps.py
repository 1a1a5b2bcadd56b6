"""A recurrence whose step is linear in one number of the time before -> its names without a scan, by `first_order`.

    err[t] = y[t] - mu - theta*err[t-1]
    sigma[t] = sqrt(a + b*y[t-1]^2 + c*sigma[t-1]^2)       which is linear in the squares

What the step adds and what it multiplies by are ordinary terms over all times. Names that only read the one that is
carried follow from it, over all times as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language.source import Span
from ppl.model import functions as fn
from ppl.model import loops, terms
from ppl.model.expressions import Reader
from ppl.model.recurrence import Recurrence, State, given
from ppl.model.terms import Op, Term
from ppl.numeric.first_order import first_order
from ppl.numeric.gather import pick
from ppl.values import dataclass


def solved(reader: Reader, recurrence: Recurrence, span: Span) -> dict[str, Term] | None:
    """The names from where the recurrence starts, as (times, columns); None where its step is not of this kind."""
    if len(recurrence.carries) != 1 or recurrence.plate.length == 0:
        return None
    carry, state = recurrence.carries[0], recurrence.carries[0].state
    scalar = state.axes == () and carry.lags.ndim == 0 and int(carry.lags) == 1
    if not scalar or carry.term.plates != (recurrence.plate,) or state.new is None:
        return None
    if any(term.source is not None and term.kind is not Kind.REAL for term in terms.ancestors([state.new])):
        return None  # discrete latents: a recurrence says that it cannot depend on them
    split = _Linear(reader, carry.term, span)
    rooted = state.new.op == fn.SQRT
    step = split.of(state.new.args[0], squared=True) if rooted else split.of(state.new, squared=False)
    if step is None or step.times is None:
        return None
    before = _times(reader, given(reader, state), state.start - 1, state.start, span)
    series = _series(reader, recurrence.plate, step, before, rooted, span)
    n = recurrence.plate.length
    own = _times(reader, series, 1, n + 1, span)
    own = reader.apply(fn.SQRT, [own], (), span) if rooted else own
    earlier = loops.joined_along(reader, [before, _times(reader, own, 0, n - 1, span)], span) if n > 1 else before
    spread = Op("over time", _same, (1,), ("over time",), adds=(recurrence.plate,))
    carried = terms.apply(spread, (earlier,), (), span)
    found = {state.name: own}
    for name, other in recurrence.states.items():
        if other is not state:
            assert other.new is not None
            (put_in,) = terms.rebuild([other.new], lambda term, _: carried if term is carry.term else None)
            found[name] = _over_time(reader, put_in, recurrence.plate, span)
    return {name: _columns(reader, found[name], other, span) for name, other in recurrence.states.items()}


def _over_time(reader: Reader, term: Term, plate: Axis, span: Span) -> Term:
    """A term of the step, with time as its first axis."""
    return loops.as_axes(reader, loops.over_plates(reader, term, (plate,), span), (plate,), span)


def _columns(reader: Reader, term: Term, state: State, span: Span) -> Term:
    """A name over time as (times, columns)."""
    size = int(np.prod([axis.length for axis in state.axes]))
    axes = (Axis(str(term.axes[0].length), term.axes[0].length), Axis(str(size), size))
    return loops.arranged(reader, term, tuple(range(len(term.axes))), axes, span)


def _same(x: Any) -> Any:
    return x


def _times(reader: Reader, term: Term, first: int, last: int, span: Span) -> Term:
    """Some of the elements of a series."""
    op = Op("pick", lambda x: pick(x, (..., slice(first, last))), (1,), ("times", first, last), moves=True)
    return reader.apply(op, [term], (Axis(str(last - first), last - first),), span)


def _series(reader: Reader, plate: Axis, step: _Step, before: Term, squares: bool, span: Span) -> Term:
    """The number that is carried, or its square, from the last one given on: (times + 1,)."""
    assert step.times is not None
    if plate in step.times.plates:
        times = loops.as_axes(reader, step.times, (plate,), span)
    else:
        times = loops.arranged(reader, step.times, (), (Axis("1", 1),), span)
    plus = step.plus or terms.constant(0.0, (), span)
    added = _over_time(reader, plus, plate, span)
    first = reader.apply(fn.SQUARE, [before], (), span) if squares else before
    joined = loops.joined_along(reader, [first, added], span)
    op = Op("scan", lambda a, b: first_order(a, b, squares), (1, 1), ("first order", squares))
    return reader.apply(op, [times, joined], joined.axes, span)


@dataclass(frozen=True, slots=True)
class _Step:
    """`times` x before + `plus`; None for nothing."""

    times: Term | None
    plus: Term | None


@dataclass(slots=True)
class _Linear:
    """Takes terms of a step apart."""

    reader: Reader
    carry: Term
    span: Span

    def of(self, term: Term, squared: bool) -> _Step | None:
        """A term as linear in the carry, or in its square; None where it is not."""
        if not any(each is self.carry for each in terms.ancestors([term])):
            return _Step(None, term)
        if term is self.carry or term.op is None:
            return None if squared else _Step(terms.constant(1.0, (), self.span), None)
        if term.op == fn.SQUARE and squared and term.args[0] is self.carry:
            return _Step(terms.constant(1.0, (), self.span), None)
        if term.axes or term.op not in (fn.ADD, fn.SUBTRACT, fn.MULTIPLY, fn.DIVIDE, fn.NEGATE):
            return None
        parts = [self.of(arg, squared) for arg in term.args]
        if any(part is None for part in parts):
            return None
        one, *others = [part for part in parts if part is not None]
        if term.op == fn.NEGATE:
            return _Step(self.negative(one.times), self.negative(one.plus))
        (other,) = others
        if term.op in (fn.ADD, fn.SUBTRACT):
            return _Step(self.sum(term.op, one.times, other.times), self.sum(term.op, one.plus, other.plus))
        if term.op == fn.MULTIPLY and one.times is None:
            one, other = other, one
        if other.times is not None or other.plus is None:
            return None
        return _Step(self.scaled(term.op, one.times, other.plus), self.scaled(term.op, one.plus, other.plus))

    def sum(self, op: Op, one: Term | None, other: Term | None) -> Term | None:
        if other is None:
            return one
        if one is None:
            return other if op == fn.ADD else self.negative(other)
        return self.reader.apply(op, [one, other], (), self.span)

    def scaled(self, op: Op, term: Term | None, factor: Term) -> Term | None:
        return None if term is None else self.reader.apply(op, [term, factor], (), self.span)

    def negative(self, term: Term | None) -> Term | None:
        return None if term is None else self.reader.apply(fn.NEGATE, [term], (), self.span)
