"""Derived names that refer to their own past -> a scan: a step from earlier states to the next, run over time.

    for t in 2..n { sigma[t] = sqrt(a + b*(y[t-1] - mu)^2 + c*sigma[t-1]^2) }

The step is read once, over all times, with earlier states as inputs of their own. What in it does not depend on them is
computed for all times at once, outside the scan; the rest is what `Recurrence` holds, for the compiler to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import indexing, loop_mistakes, loops
from ppl.model.brackets import Place, check_cover, lengths_of, place_of
from ppl.model.expressions import Reader
from ppl.model.names import Line
from ppl.model.scope import Environment, Failed, NotYet, Scope
from ppl.model.terms import Term
from ppl.values import dataclass

Parts = list[tuple[Place, Term, Span]]


@dataclass(slots=True)
class State:
    """One name of a recurrence: its elements from before it starts, and the term of one step.

    The name's axes are `lengths`, that at `time` being time, and then `inner`. One time of it has all others.
    """

    name: str
    line: Line
    place: Place
    time: int
    lengths: tuple[int, ...]
    given: Parts = field(default_factory=list)
    inner: tuple[Axis, ...] = ()
    new: Term | None = None  # over time

    @property
    def start(self) -> int:
        """The position of the element that the first round defines."""
        positions = self.place.positions[self.time]
        return int(positions.min()) if positions.size else self.lengths[self.time]

    @property
    def others(self) -> tuple[Axis, ...]:
        return tuple(Axis(str(n), n) for i, n in enumerate(self.lengths) if i != self.time)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Those of one time."""
        return (*self.others, *self.inner)


@dataclass(frozen=True, slots=True, eq=False)
class CarryTerm:
    """An input of the step: the states of `lags` times before, over time and the plates or the axis of the lags."""

    term: Term
    state: State
    lags: np.ndarray


@dataclass(slots=True)
class Recurrence:
    """A recurrence over the loop `plate`."""

    plate: Axis
    states: dict[str, State]
    carries: list[CarryTerm] = field(default_factory=list)

    @property
    def before(self) -> int:
        """How many states are given: those that the name with most of them has."""
        return max(state.start for state in self.states.values())

    def element(self, reader: Reader, node: s.Index) -> Term:
        """What an index of a name of the recurrence stands for inside the step."""
        assert isinstance(node.base, s.Name)
        state = self.states[node.base.name]
        if not state.time < len(node.subscripts) <= len(state.lengths) + len(state.inner):
            found, expected = len(node.subscripts), len(state.lengths)
            raise Failed(loop_mistakes.pieces_differ(node.span, state.name, found, expected))
        when = node.subscripts[state.time]
        others = tuple(x for i, x in enumerate(node.subscripts) if i != state.time)
        lags = self.lags(reader, when, state)
        if lags is None:
            return indexing.index(reader, given(reader, state), node)
        ranged = isinstance(when, s.Range)
        if not ranged and lags.ndim == 0 and int(lags) == 0:
            if state.new is None:
                raise NotYet(loop_mistakes.not_yet_defined(node.span, reader.text(node)))
            base = state.new
        else:
            base = self.carry(reader, state, lags, when)
        subscripts = (s.Whole(when.span), *others) if ranged else others
        return indexing.index(reader, base, replace(node, subscripts=subscripts)) if others else base

    def lags(self, reader: Reader, when: s.Node, state: State) -> np.ndarray | None:
        """How many times back, over the plates of inner loops or a range; None for a fixed time before the start."""
        if isinstance(when, s.Whole):
            raise Failed(loop_mistakes.whole_past(when.span, state.name))
        ranged = isinstance(when, s.Range)
        term = indexing.neighbours(reader, when, state.lengths[state.time]) if ranged else reader.number(when)  # type: ignore[arg-type]
        if not term.known or (term.axes and not ranged):
            raise Failed(loop_mistakes.whole_past(when.span, state.name))
        times = np.asarray(term.value) - 1
        text = reader.text(when)
        if self.plate not in term.plates:
            if term.plates or (times >= state.start).any():
                raise Failed(loop_mistakes.lag_moves(when.span, text, self.plate.name))
            return None
        if self.plate.length == 0:
            return np.ones(times.shape[1:], dtype=np.int64)
        axis = term.plates.index(self.plate)
        times = np.moveaxis(times, axis, 0)
        counts = np.moveaxis(indexing.counts(reader, term), axis, 0)
        now = np.arange(state.start, state.start + self.plate.length).reshape(-1, *([1] * (times.ndim - 1)))
        lags = now - times
        if (lags[counts] < 0).any():
            raise Failed(loop_mistakes.from_the_future(when.span, text, self.plate.name))
        if (times[counts] < 0).any():
            raise Failed(loop_mistakes.before_the_first(when.span, text, state.name))
        if (lags != lags[0]).any():
            raise Failed(loop_mistakes.lag_moves(when.span, text, self.plate.name))
        return lags[0].astype(np.int64)

    def carry(self, reader: Reader, state: State, lags: np.ndarray, when: s.Node) -> Term:
        """An input for earlier states; the same one wherever the same are read."""
        if (lags == 0).any():
            raise Failed(loop_mistakes.not_yet_defined(when.span, reader.text(when)))
        plates: tuple[Axis, ...] = ()
        axes = state.axes
        if isinstance(when, s.Range):
            axes = (Axis(str(lags.size), lags.size), *axes)
        else:
            plates = tuple(plate for plate in reader.number(when).plates if plate != self.plate)
        for known in self.carries:
            same = known.state is state and known.term.plates[1:] == plates and known.term.axes == axes
            if same and np.array_equal(known.lags, lags):
                return known.term
        source = f"carry {len(self.carries)}"
        term = Term(None, (), axes, Kind.REAL, when.span, source=source, plates=(self.plate, *plates))
        self.carries.append(CarryTerm(term, state, lags))
        return term


def opened(
    env: Environment, lines: list[Line], names: set[str], plates: dict[int, Axis], parts: Mapping[str, Parts]
) -> tuple[Recurrence, dict[int, Reader]]:
    """The recurrence that lines in loops make, and for each line a reader inside its loops, time outermost."""
    first = lines[0]
    for line in lines:
        if any(other.defines == line.defines for other in lines[: lines.index(line)]):
            raise Failed(loop_mistakes.two_steps(line.name_span, str(line.defines)))
        if {id(b) for b in line.loops} != {id(b) for b in first.loops} and len(line.loops) == len(first.loops) == 1:
            raise Failed(loop_mistakes.other_loops(line.name_span, str(line.defines)))
    found = time_of(lines, names)
    if found is None:
        raise Failed(loop_mistakes.two_directions(first.name_span, str(first.defines)))
    variable, where = found
    readers, states = {}, {}
    plate: Axis | None = None
    for line in lines:
        ordered = sorted(line.loops, key=lambda binder: binder.name.name != variable)
        reader = loops.opened(Reader(env, Scope()), tuple(ordered), plates)
        own = reader.scope.bound[variable].plates[0]
        mask = reader.scope.mask
        if plate not in (None, own):
            raise Failed(loop_mistakes.other_loops(line.name_span, str(line.defines)))
        if mask is not None and not bool(np.asarray(mask.value).all()):
            raise Failed(loop_mistakes.ragged_definition(line.name_span, str(line.defines)))
        if own != min(reader.scope.plates, key=lambda other: str(other.identity)):
            raise Failed(loop_mistakes.time_not_outermost(line.name_span, variable))
        plate = own
        readers[id(line)] = reader
        name = str(line.defines)
        states[name] = _state(reader, line, name, where[name], parts.get(name, []))
    assert plate is not None
    return Recurrence(plate, states), readers


def _state(reader: Reader, line: Line, name: str, time: int, given_parts: Parts) -> State:
    place = place_of(reader, name, line.subscripts or ())
    for other, _, span in given_parts:
        if len(other.positions) != len(place.positions):
            raise Failed(loop_mistakes.pieces_differ(span, name, len(other.positions), len(place.positions)))
    lengths = lengths_of([place, *(other for other, _, _ in given_parts)])
    spans = [line.name_span, *(span for _, _, span in given_parts)]
    check_cover(name, [place, *(other for other, _, _ in given_parts)], spans, lengths)
    inner = given_parts[0][1].axes[len(given_parts[0][0].axes) :] if given_parts else ()
    return State(name, line, place, time, lengths, given_parts, inner)


def step(recurrence: Recurrence, reader: Reader, line: Line) -> None:
    """Read what one line says of a round."""
    assert isinstance(line.statement, s.Assign)
    state = recurrence.states[str(line.defines)]
    term = reader.number(line.statement.value)
    if state.place.axes:
        term = reader.spread(term, (*state.place.axes, *term.axes[len(state.place.axes) :]), line.statement.span)
    own = term.axes[len(state.place.axes) :]
    if [axis.length for axis in own] != [axis.length for axis in state.inner]:
        raise Failed(loop_mistakes.pieces_of_other_shape(line.statement.span, state.name, own, state.inner))
    state.new = slice_of(reader, recurrence.plate, state, term, line.statement.span)


def given(reader: Reader, state: State) -> Term:
    """The elements of a name from before the recurrence starts, with all its axes."""
    lengths = tuple(state.start if i == state.time else n for i, n in enumerate(state.lengths))
    return loops.put_together(reader, state.name, state.given, lengths)


def slice_of(reader: Reader, plate: Axis, state: State, term: Term, span: Span) -> Term:
    """What a round defines, over time, with the other loops of its line as axes in the order of the name's own."""
    plates = tuple(other for other in reader.scope.plates if other != plate)
    term = loops.as_axes(reader, loops.over_plates(reader, term, reader.scope.plates, span), plates, span)
    if not state.others:
        return term
    time = state.place.plates.index(plate)
    positions = tuple(np.take(x, 0, axis=time) for i, x in enumerate(state.place.positions) if i != state.time)
    axes = (*(Axis(str(other.length), other.length) for other in plates), *state.place.axes)
    place = Place(positions, (), axes)
    return loops.put_together(reader, state.name, [(place, term, span)], tuple(a.length for a in state.others))


def time_of(lines: list[Line], names: set[str]) -> tuple[str, dict[str, int]] | None:
    """The loop variable that is time, and where it stands in the bracket of each name.

    It is the one variable along which a name refers to other elements than those its own statement defines.
    """
    targets = {line.defines: line.subscripts or () for line in lines}
    found = None
    for variable in [binder.name.name for binder in lines[0].loops]:
        places = {name: _place_of(variable, targets[name]) for name in names if name in targets}
        if any(place is None for place in places.values()):
            continue
        lagged = [
            True
            for line in lines
            for node in _references(line, names)
            if _differs(node, places.get(node.base.name), targets.get(node.base.name))  # type: ignore[union-attr]
        ]
        if lagged and found is None:
            found = variable, {str(name): int(place) for name, place in places.items() if place is not None}
        elif lagged:
            return None  # a recurrence along two loops at once
    return found


def _place_of(variable: str, subscripts: tuple[s.Node, ...]) -> int | None:
    return next((i for i, node in enumerate(subscripts) if variable in _variables(node)), None)


def _variables(node: s.Node) -> set[str]:
    found, stack = set(), [node]
    while stack:
        at = stack.pop()
        if isinstance(at, s.Name):
            found.add(at.name)
        stack.extend(s.parts(at))
    return found


def _references(line: Line, names: set[str]) -> list[s.Index]:
    """Where the right side of a line reads names of the recurrence."""
    assert isinstance(line.statement, s.Assign)
    found: list[s.Index] = []
    stack: list[s.Node] = [line.statement.value]
    while stack:
        at = stack.pop()
        if isinstance(at, s.Index) and isinstance(at.base, s.Name) and at.base.name in names:
            found.append(at)
        stack.extend(s.parts(at))
    return found


def _differs(node: s.Index, place: int | None, target: tuple[s.Node, ...] | None) -> bool:
    """Whether a reference reads another time than its name's own statement defines."""
    if place is None or target is None or place >= len(node.subscripts):
        return True
    return not _same(node.subscripts[place], target[place])


def _same(first: s.Node, second: s.Node) -> bool:
    """Whether two expressions say the same, wherever they stand."""
    match first, second:
        case s.Name(a), s.Name(b):
            return a == b
        case s.Number(a), s.Number(b):
            return a == b
        case s.Binary(op, left, right), s.Binary(other, left2, right2):
            return op == other and _same(left, left2) and _same(right, right2)
    return False
