"""`ode` -> the terms of its states: slopes cut free of all that does not change on the way, and solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import derive, loops, ode_mistakes, terms
from ppl.model.dependence import dependences, ones, size_of
from ppl.model.expressions import Reader
from ppl.model.names import Line
from ppl.model.program import Program, compile_terms, untraced
from ppl.model.scan_terms import columns_of, over_batches
from ppl.model.scope import Failed, Scope, Skipped, as_scalar
from ppl.model.terms import Misaligned, Op, Term
from ppl.numeric.ode import MOST_STEPS, State, System, integrate, solve
from ppl.numeric.ode_adjoint import Grouped
from ppl.numeric.shape import join, stack

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
    for name, term in _solved(reader, statement, equations, times, origin).items():
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


@dataclass(frozen=True, slots=True, eq=False)
class _Equations:
    """Names, starts and slopes, each with the axes of its state; the inputs that stand for time and states."""

    names: tuple[str, ...]
    starts: list[Term]
    slopes: list[Term]
    time: Term
    states: list[Term]

    @property
    def sizes(self) -> list[int]:
        return [size_of(state.shape) for state in self.states]


def _read(reader: Reader, statement: s.Ode) -> _Equations:
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
    return _Equations(names, starts, slopes, time, states)


def _fits(term: Term, axes: tuple[Axis, ...]) -> bool:
    """Whether a term can be spread over the axes of its state."""
    try:
        terms.align(axes, term.axes)
    except Misaligned:
        return False
    return len(term.axes) <= len(axes)


# -- the solution ------------------------------------------------------------------------------------------------------


def _solved(reader: Reader, statement: s.Ode, equations: _Equations, times: Term, origin: float) -> dict[str, Term]:
    span = statement.span
    slopes, inputs = _cut(equations)
    flat = [
        loops.arranged(reader, start, range(len(start.axes)), (Axis(str(size), size),), span)
        for start, size in zip(equations.starts, equations.sizes, strict=True)
    ]
    args = [loops.joined_along(reader, flat, span)]
    args += [loops.as_axes(reader, term, term.plates, span) for term in inputs.values()]
    system = _system(equations, slopes, tuple(inputs), np.asarray(times.value, dtype=float).reshape(-1), origin)
    ranks = tuple(len(arg.axes) for arg in args)
    trajectory = Trajectory(system, equations.names, statement.time.name, ranks, span)
    axis = times.axes[0] if times.axes else Axis("1", 1)
    columns = Axis(str(system.columns), system.columns)
    whole = reader.apply(Op("ode", trajectory, ranks, (id(system),)), args, (axis, columns), span)
    if whole.known and not np.isfinite(np.asarray(whole.value)).all():
        mistake = trajectory.why_not([np.asarray(arg.value, dtype=float) for arg in args])
        if mistake is not None:
            raise Failed(mistake)
    found = {}
    for name, state, own in zip(equations.names, system.states, equations.states, strict=True):
        part = columns_of(reader, whole, state.first, state.last - state.first, span)
        found[name] = loops.arranged(reader, part, (0, 1), (*times.axes, *own.axes), span)
    return found


def _cut(equations: _Equations) -> tuple[list[Term], dict[str, Term]]:
    """The slopes with inputs in place of all that depends on latents and neither on time nor on states."""
    moving = {id(equations.time), *(id(state) for state in equations.states)}
    depends: dict[int, bool] = {}
    inputs: dict[str, Term] = {}
    leaves: dict[int, Term] = {}

    def leaf(term: Term) -> Term:
        if term.known:
            return term
        if id(term) not in leaves:
            name = f"input {len(inputs)}"
            inputs[name] = term
            leaves[id(term)] = Term(None, (), term.axes, term.kind, term.span, source=name, plates=term.plates)
        return leaves[id(term)]

    def change(term: Term, args: tuple[Term, ...]) -> Term | None:
        depends[id(term)] = id(term) in moving or any(depends.get(id(arg), False) for arg in term.args)
        if term.op is None or not depends[id(term)]:
            return term
        replaced = tuple(
            arg if depends.get(id(old), False) else leaf(old) for arg, old in zip(args, term.args, strict=True)
        )
        return terms.apply(term.op, replaced, term.axes[len(terms.leading_of(term)) :], term.span, term.kind)

    rebuilt = terms.rebuild(equations.slopes, change)
    cut = [
        term if depends.get(id(old), False) else leaf(old) for term, old in zip(rebuilt, equations.slopes, strict=True)
    ]
    return cut, inputs


def _system(
    equations: _Equations, slopes: list[Term], names: tuple[str, ...], times: np.ndarray, origin: float
) -> System:
    ends = np.cumsum(equations.sizes)
    states = tuple(
        State(str(term.source), int(end) - size, int(end), term.shape)
        for term, size, end in zip(equations.states, equations.sizes, ends, strict=True)
    )
    stops = np.unique(times[times > origin])
    near = _dependence(equations, slopes)
    far = np.eye(len(near), dtype=bool) | near
    while not np.array_equal(far, further := far @ far):
        far = further
    program = compile_terms(slopes)
    return System(
        origin, stops, np.searchsorted(stops, times, side="right"), states, names,
        _plain(program, states), _traced(program, states), Grouped.of(near), Grouped.of(far),
    )  # fmt: skip


def _dependence(equations: _Equations, slopes: list[Term]) -> np.ndarray:
    """Which columns of the slopes (rows) depend on which states (columns)."""
    sizes = equations.sizes
    starts = np.cumsum([0, *sizes])
    total = int(starts[-1])
    inputs = {
        str(term.source): ones(np.arange(size), start + np.arange(size), (size, total))
        for term, size, start in zip(equations.states, sizes, starts, strict=False)
    }
    found = dependences(slopes, inputs)
    rows = [found[id(term)] for term in slopes]
    return np.concatenate([
        np.zeros((size, total), dtype=bool) if row is None else np.asarray(row.todense()) > 0
        for row, size in zip(rows, sizes, strict=True)
    ])  # fmt: skip


def _plain(program: Program, states: Sequence[State]) -> Callable[[Mapping[str, Any]], Any]:
    run = untraced(program)
    columns = states[-1].last

    def slopes(values: Mapping[str, Any]) -> np.ndarray:
        draws = len(values["time"])
        found = np.empty((columns, draws))
        for state, array in zip(states, run(values), strict=True):
            if state.shape == ():
                found[state.first] = array
            else:
                found[state.first : state.last] = np.broadcast_to(array, (draws, *state.shape)).reshape(draws, -1).T
        return found

    return slopes


def _traced(program: Program, states: Sequence[State]) -> Callable[[Mapping[str, Any]], Any]:
    def slopes(values: Mapping[str, Any]) -> Any:
        draws = np.zeros(len(values["time"]))
        found = program.run(values)
        if all(state.shape == () for state in states):
            return stack(-2, draws, *found)[1:]
        flat = []
        for state, array in zip(states, found, strict=True):
            wide = array + draws.reshape(-1, *([1] * len(state.shape)))
            flat.append(anp.transpose(anp.reshape(wide, (len(draws), -1))))
        return join(-2, *flat)

    return slopes


# -- solutions that break off ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """The operation of an `ode`: start (columns,) and inputs -> states (times, columns)."""

    system: System
    names: tuple[str, ...]
    time: str
    ranks: tuple[int, ...]
    span: Span

    def __call__(self, *arrays: Any) -> Any:
        return over_batches(partial(solve, self.system), self.ranks)(*arrays)

    def why_not(self, arrays: Sequence[np.ndarray]) -> Mistake | None:
        """What goes wrong for a start and inputs of one draw, if anything does."""
        system, inputs = self.system, [array[None] for array in arrays[1:]]
        start = np.broadcast_to(arrays[0], (1, system.columns))
        if not np.isfinite(start).all():
            column = int(np.argmin(np.isfinite(start[0])))
            return ode_mistakes.no_start(self.span, self._names()[column], f"{start[0, column]:.6g}")
        end = integrate(system, start, inputs).ends.get(0)
        if end is None:
            return None
        time, shown = (
            f"{self.time} = {end.time:.6g}",
            dict(zip(self._names(), map("{:.6g}".format, end.y), strict=True)),
        )
        with np.errstate(all="ignore"):
            slopes = system.at(np.array([end.time]), end.y[:, None], inputs)[:, 0]
        if not np.isfinite(slopes).all():
            return ode_mistakes.no_slope(self.span, self._names()[int(np.argmin(np.isfinite(slopes)))], time, shown)
        if not end.too_many:
            return ode_mistakes.breaks_off(self.span, time, shown)
        fastest = np.linalg.eigvals(self._jacobian(end.time, end.y, inputs)).real.min()
        if -fastest * end.step > 1.0:
            return ode_mistakes.stiff(self.span, MOST_STEPS, time, f"{-fastest:.3g}")
        return ode_mistakes.too_many_steps(self.span, MOST_STEPS, time, shown)

    def _names(self) -> list[str]:
        """The names of all columns."""
        found = []
        for name, state in zip(self.names, self.system.states, strict=True):
            count = state.last - state.first
            found += [name] if state.shape == () else [f"{name}[{i + 1}]" for i in range(count)]
        return found

    def _jacobian(self, time: float, y: np.ndarray, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Of the slopes by the states, by differences."""
        columns = len(y)
        step = 1e-6 * np.maximum(np.abs(y), 1e-6 * np.abs(y).max())
        moved = y[:, None] + np.diag(step)
        wide = [np.repeat(array, columns, axis=0) for array in inputs]
        times = np.full(columns, time)
        with np.errstate(all="ignore"):
            change = self.system.at(times, moved, wide) - self.system.at(times, y[:, None] - np.diag(step), wide)
        return np.nan_to_num(change / (2 * step))
