"""`ode` -> its times, and starts and slopes as terms of one solution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.model import derive, ode_mistakes, terms
from ppl.model.expressions import Reader
from ppl.model.names import Line
from ppl.model.ode_terms import Equations, solved
from ppl.model.scope import Failed, Scope, Skipped, as_scalar
from ppl.model.terms import Misaligned, Term

if TYPE_CHECKING:
    from ppl.model.settle import Settler


def settle(settler: Settler, line: Line, statement: s.Ode) -> None:
    """Settle all states at the line of the first."""
    first = statement.states[0].name.name
    if line.defines != first:
        if first in settler.env.failed:
            raise Skipped(first)
        return
    reader = Reader(settler.env, Scope())
    times = _times(reader, statement)
    origin = _origin(reader, statement)
    _check_times(reader, statement, np.asarray(times.value, dtype=float).reshape(-1), origin)
    equations = _read(reader, statement)
    for name, term in solved(reader, statement, equations, times, origin).items():
        derive.define(settler, reader, name, term, statement.span)


# -- times -------------------------------------------------------------------------------------------------------------


def _times(reader: Reader, statement: s.Ode) -> Term:
    node = statement.times
    times = reader.number(node)
    if not times.known:
        raise Failed(ode_mistakes.times_not_known(node.span, reader.text(node)))
    if len(times.axes) > 1:
        raise Failed(ode_mistakes.times_not_a_list(node.span, reader.text(node), times.axes))
    return times


def _origin(reader: Reader, statement: s.Ode) -> float:
    node = statement.origin
    origin = as_scalar(reader.number(node))
    if not origin.known:
        raise Failed(ode_mistakes.times_not_known(node.span, reader.text(node)))
    if origin.axes:
        raise Failed(ode_mistakes.origin_not_a_number(node.span, reader.text(node), origin.axes))
    return origin.number()


def _check_times(reader: Reader, statement: s.Ode, times: np.ndarray, origin: float) -> None:
    node, text = statement.times, reader.text(statement.times)

    def where(i: int) -> str:
        return reader.env.where(text, (i,)) or f"element {i + 1} of `{text}`"

    down = np.flatnonzero(np.diff(times) < 0)
    if down.size:
        i = int(down[0]) + 1
        shown = f"{times[i]:.6g}", f"{times[i - 1]:.6g}"
        raise Failed(ode_mistakes.times_decrease(node.span, text, where(i), *shown))
    if times.size and times[0] < origin:
        shown = f"{times[0]:.6g}", f"{origin:.6g}"
        raise Failed(ode_mistakes.time_before_start(node.span, text, where(0), *shown))


# -- equations ---------------------------------------------------------------------------------------------------------


def _read(reader: Reader, statement: s.Ode) -> Equations:
    """A state has the axes of its start or, where the slope has more, those of its slope."""
    names = tuple(state.name.name for state in statement.states)
    starts = [reader.number(state.start) for state in statement.states]
    axes = [start.axes for start in starts]
    time = Term(None, (), (), Kind.REAL, statement.time.span, source="time")
    for _ in range(len(names) + 1):  # an axis may come to each state from the one before
        states = [
            Term(None, (), own, Kind.REAL, state.name.span, source=f"state {state.name.name}")
            for state, own in zip(statement.states, axes, strict=True)
        ]
        bound = {statement.time.name: time, **dict(zip(names, states, strict=True))}
        inside = Reader(reader.env, Scope(bound=bound))
        slopes = [inside.number(state.slope) for state in statement.states]
        wider = [slope.axes if len(slope.axes) > len(own) else own for slope, own in zip(slopes, axes, strict=True)]
        if wider == axes:
            break
        axes = wider
    for state, start, slope, term in zip(statement.states, starts, slopes, states, strict=True):
        if not (_fits(slope, term.axes) and _fits(start, term.axes)):
            name = state.name.name
            raise Failed(ode_mistakes.slope_of_other_shape(state.slope.span, name, slope.axes, start.axes))
    slopes = [reader.spread(slope, term.axes, slope.span) for slope, term in zip(slopes, states, strict=True)]
    starts = [reader.spread(start, term.axes, start.span) for start, term in zip(starts, states, strict=True)]
    return Equations(names, starts, slopes, time, states)


def _fits(term: Term, axes: tuple[Axis, ...]) -> bool:
    """Whether a term can be spread over the axes of its state."""
    try:
        terms.align(axes, term.axes)
    except Misaligned:
        return False
    return len(term.axes) <= len(axes)
