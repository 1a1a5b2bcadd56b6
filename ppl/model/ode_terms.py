"""Starts and slopes of an `ode` -> the terms of its states: cut free of what does not change on the way, and solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import loops, ode_mistakes, terms
from ppl.model.dependence import dependences, ones, size_of
from ppl.model.expressions import Reader
from ppl.model.program import Program, compile_terms, untraced
from ppl.model.scan_terms import columns_of, over_batches
from ppl.model.scope import Failed
from ppl.model.terms import Op, Term
from ppl.numeric.ode import MOST_STEPS, State, System, integrate, solve
from ppl.numeric.ode_adjoint import Grouped
from ppl.numeric.shape import join, stack
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """Names, starts and slopes, each with the axes of its state; the inputs that stand for time and states."""

    names: tuple[str, ...]
    starts: list[Term]
    slopes: list[Term]
    time: Term
    states: list[Term]

    @property
    def sizes(self) -> list[int]:
        return [size_of(state.shape) for state in self.states]


def solved(reader: Reader, statement: s.Ode, equations: Equations, times: Term, origin: float) -> dict[str, Term]:
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
    patterns = tuple(np.tile(one, (axis.length, 1)) for one in _far(equations, slopes, inputs))
    op = Op("ode", trajectory, ranks, (id(system),), core_patterns=patterns)
    whole = reader.apply(op, args, (axis, columns), span)
    if whole.known and not np.isfinite(np.asarray(whole.value)).all():
        mistake = trajectory.why_not([np.asarray(arg.value, dtype=float) for arg in args])
        if mistake is not None:
            raise Failed(mistake)
    found = {}
    for name, state, own in zip(equations.names, system.states, equations.states, strict=True):
        part = columns_of(reader, whole, state.first, state.last - state.first, span)
        found[name] = loops.arranged(reader, part, (0, 1), (*times.axes, *own.axes), span)
    return found


def _cut(equations: Equations) -> tuple[list[Term], dict[str, Term]]:
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
    equations: Equations, slopes: list[Term], names: tuple[str, ...], times: np.ndarray, origin: float
) -> System:
    ends = np.cumsum(equations.sizes)
    states = tuple(
        State(str(term.source), int(end) - size, int(end), term.shape)
        for term, size, end in zip(equations.states, equations.sizes, ends, strict=True)
    )
    stops = np.unique(times[times > origin])
    near, *_ = _near(equations, slopes, {})
    far, *_ = _far(equations, slopes, {})
    program = compile_terms(slopes)
    return System(
        origin, stops, np.searchsorted(stops, times, side="right"), states, names,
        _plain(program, states), _traced(program, states), Grouped.of(near), Grouped.of(far),
    )  # fmt: skip


def _near(equations: Equations, slopes: list[Term], inputs: Mapping[str, Term]) -> list[np.ndarray]:
    """Which slopes (rows) depend on which states (columns); on which elements of each input."""
    sizes = [sum(equations.sizes), *(size_of(term.shape) for term in inputs.values())]
    names = [*(str(term.source) for term in equations.states), *inputs]
    widths = [*equations.sizes, *sizes[1:]]
    first = np.cumsum([0, *widths])
    total = int(first[-1])
    leaves = {
        name: ones(np.arange(width), start + np.arange(width), (width, total))
        for name, width, start in zip(names, widths, first, strict=False)
    }
    found = dependences(slopes, leaves)
    rows = [found[id(term)] for term in slopes]
    whole = np.concatenate([
        np.zeros((size, total), dtype=bool) if row is None else np.asarray(row.todense()) > 0
        for row, size in zip(rows, equations.sizes, strict=True)
    ])  # fmt: skip
    return np.split(whole, np.cumsum(sizes)[:-1], axis=1)


def _far(equations: Equations, slopes: list[Term], inputs: Mapping[str, Term]) -> list[np.ndarray]:
    """Which states depend on which at the start, by way of others too; on which elements of each input."""
    near, *by_input = _near(equations, slopes, inputs)
    far = np.eye(len(near), dtype=bool) | near
    while not np.array_equal(far, further := far @ far):
        far = further
    return [far, *(far @ one for one in by_input)]


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
            return stack(-2, found[0] + draws, *found[1:])
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
            f"{self.time} = {end.time:.4g}",
            dict(zip(self._names(), map("{:.4g}".format, end.y), strict=True)),
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
