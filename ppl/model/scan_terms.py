"""A recurrence that has been read -> the terms of its names: a scan, planned from the terms of one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.language.source import Span
from ppl.model import linear_steps, loops, terms
from ppl.model.dependence import dependences, ones, size_of
from ppl.model.expressions import Reader
from ppl.model.program import Program, compile_terms, untraced
from ppl.model.recurrence import Recurrence, State, given
from ppl.model.terms import Op, Term
from ppl.numeric.gather import pick
from ppl.numeric.linear_scan import Carry
from ppl.numeric.scan import Plan, scan


def names_of(reader: Reader, recurrence: Recurrence, span: Span) -> dict[str, Term]:
    """Every name of a recurrence with all its axes, those before the start included."""
    states = list(recurrence.states.values())
    firsts = [_given(reader, state, span) for state in states]
    news = linear_steps.solved(reader, recurrence, span) or _scanned(reader, recurrence, states, firsts, span)
    return {
        state.name: _restored(reader, state, loops.joined_along(reader, [first, news[state.name]], span), span)
        for state, first in zip(states, firsts, strict=True)
    }


def _scanned(
    reader: Reader, recurrence: Recurrence, states: list[State], firsts: list[Term], span: Span
) -> dict[str, Term]:
    """The names from where the recurrence starts, as (times, columns)."""
    joined = _beside(reader, [_padded(reader, first, recurrence.before, span) for first in firsts], span)
    step, inputs, known = _cut(recurrence, [state.new for state in states if state.new is not None])
    plan = _plan(recurrence, states, step, inputs, known)
    args = [joined, *(_with_time(reader, recurrence.plate, term, span) for term in inputs.values())]
    ranks = tuple(len(arg.axes) for arg in args)
    columns = joined.axes[1]
    op = Op("scan", over_batches(partial(scan, plan), ranks), ranks, (id(recurrence),))
    axes = (Axis(recurrence.plate.name, recurrence.plate.length), columns)
    after = reader.apply(op, args, axes, span)
    found = {}
    start = 0
    for state, first in zip(states, firsts, strict=True):
        found[state.name] = columns_of(reader, after, start, first.axes[1].length, span)
        start += first.axes[1].length
    return found


def _given(reader: Reader, state: State, span: Span) -> Term:
    """The given elements of a name as (times, columns)."""
    assert state.new is not None
    size = size_of(tuple(axis.length for axis in state.axes))
    columns = Axis(str(size), size)
    if state.start == 0:
        return terms.constant(np.zeros((0, size)), (Axis("0", 0), columns), span)
    whole = given(reader, state)
    order = [state.time, *(i for i in range(len(whole.axes)) if i != state.time)]
    return loops.arranged(reader, whole, order, (Axis(str(state.start), state.start), columns), span)


def _padded(reader: Reader, term: Term, before: int, span: Span) -> Term:
    """Zeros in front of the given elements of a name that has fewer of them than others; no step reads them."""
    lacking = before - term.axes[0].length
    if lacking == 0:
        return term
    zeros = terms.constant(np.zeros((lacking, term.axes[1].length)), (Axis("", lacking), term.axes[1]), span)
    return loops.joined_along(reader, [zeros, term], span)


def _beside(reader: Reader, parts: list[Term], span: Span) -> Term:
    """(times, columns) of several names, columns side by side."""
    turned = [loops.arranged(reader, part, (1, 0), (part.axes[1], part.axes[0]), span) for part in parts]
    joined = loops.joined_along(reader, turned, span)
    return loops.arranged(reader, joined, (1, 0), (joined.axes[1], joined.axes[0]), span)


def columns_of(reader: Reader, term: Term, start: int, count: int, span: Span) -> Term:
    """Some columns of a term (times, columns)."""
    key = (..., slice(None), slice(start, start + count))
    axes = (term.axes[0], Axis(str(count), count))
    if term.known:
        return replace(term, op=None, args=(), axes=axes, value=np.asarray(term.value)[key])
    op = Op("pick", lambda x: pick(x, key), (2,), ("columns", start, count), moves=True)
    return reader.apply(op, [term], axes, span)


def _restored(reader: Reader, state: State, term: Term, span: Span) -> Term:
    """(times, columns) with the name's own axes in their order."""
    times = Axis(str(term.axes[0].length), term.axes[0].length)
    split = loops.arranged(reader, term, (0, 1), (times, *state.axes), span)
    rest = list(range(1, len(split.axes)))
    order = [*rest[: state.time], 0, *rest[state.time :]]
    return loops.arranged(reader, split, order, tuple(split.axes[i] for i in order), span)


def _with_time(reader: Reader, plate: Axis, term: Term, span: Span) -> Term:
    """An input of the step without plates: time first where it varies, then the plates of inner loops."""
    inner = tuple(other for other in term.plates if other != plate)
    term = loops.as_axes(reader, term, inner, span)
    return loops.as_axes(reader, term, (plate,), span) if plate in term.plates else term


def _cut(recurrence: Recurrence, new: list[Term]) -> tuple[list[Term], dict[str, Term], dict[str, Term]]:
    """The step with inputs in place of all that does not depend on earlier states: those unknown, and those known.

    A known part that stays the same at all times is left in as the constant it is.
    """
    carries = {id(carry.term) for carry in recurrence.carries}
    depends: dict[int, bool] = {}
    inputs: dict[str, Term] = {}
    known: dict[str, Term] = {}
    leaves: dict[int, Term] = {}

    def leaf(term: Term) -> Term:
        if id(term) not in leaves:
            kind = known if term.known else inputs
            name = f"{'known' if term.known else 'input'} {len(kind)}"
            kind[name] = term
            leaves[id(term)] = Term(None, (), term.axes, term.kind, term.span, source=name, plates=term.plates)
        return leaves[id(term)]

    def moves_along(term: Term) -> bool:
        return not term.known or recurrence.plate in term.plates

    def change(term: Term, args: tuple[Term, ...]) -> Term | None:
        depends[id(term)] = id(term) in carries or any(depends.get(id(arg), False) for arg in term.args)
        if term.op is None or not depends[id(term)]:
            return term
        replaced = tuple(
            arg if depends.get(id(old), False) or not moves_along(old) else leaf(old)
            for arg, old in zip(args, term.args, strict=True)
        )
        return terms.apply(term.op, replaced, term.axes[len(terms.leading_of(term)) :], term.span, term.kind)

    rebuilt = terms.rebuild(new, change)
    cut = [term if depends.get(id(old), False) else leaf(old) for term, old in zip(rebuilt, new, strict=True)]
    return cut, inputs, known


def _plan(
    recurrence: Recurrence, states: list[State], step: list[Term], inputs: Mapping[str, Term], known: Mapping[str, Term]
) -> Plan:
    sizes = [size_of(tuple(axis.length for axis in state.axes)) for state in states]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    first = {state.name: int(starts[i]) for i, state in enumerate(states)}
    size = {state.name: sizes[i] for i, state in enumerate(states)}
    carries = tuple(
        Carry(
            str(carry.term.source), carry.lags, first[carry.state.name],
            first[carry.state.name] + size[carry.state.name], tuple(axis.length for axis in carry.state.axes),
        )
        for carry in recurrence.carries
    )  # fmt: skip
    plate = recurrence.plate
    every = compile_terms(step)
    single = compile_terms(_at_one_time(step, plate))
    groups, reads = _reads(recurrence, step, sizes)
    return Plan(
        steps=plate.length, before=recurrence.before, columns=int(starts[-1]), carries=carries, names=tuple(inputs),
        over_time=tuple(plate in term.plates for term in inputs.values()),
        known={name: _as_input(term, plate) for name, term in known.items()},
        single=untraced(single), every=_traced(every), groups=groups, reads=reads,
    )  # fmt: skip


def _as_input(term: Term, plate: Axis) -> np.ndarray:
    """A known array as an input of one draw, time first."""
    value = np.moveaxis(terms.numeric(term), term.plates.index(plate), 0)
    return value[None]


def _at_one_time(step: list[Term], plate: Axis) -> list[Term]:
    """The step with an axis of one time instead of all."""
    one = replace(plate, length=1)

    def shrunk(plates: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(one if other == plate else other for other in plates)

    def change(term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.source is not None:
            return replace(term, plates=shrunk(term.plates))
        assert term.op is not None
        op = replace(term.op, adds=shrunk(term.op.adds), drops=shrunk(term.op.drops))
        return terms.apply(op, args, term.axes[len(terms.leading_of(term)) :], term.span, term.kind)

    return terms.rebuild(step, change)


def _traced(program: Program) -> Callable[[Mapping[str, Any]], Any]:
    """The step at all times, for autograd: the new states (S, times, columns)."""

    def run(values: Mapping[str, Any]) -> Any:
        found = program.run(values)
        draws = max(len(array) for array in found)
        flat = []
        for array in found:
            shape = anp.shape(array)
            wide = array * np.ones((draws, *([1] * (len(shape) - 1)))) if shape[0] < draws else array
            flat.append(anp.reshape(wide, (draws, shape[1], int(np.prod(shape[2:])))))
        return flat[0] if len(flat) == 1 else anp.concatenate(flat, axis=-1)

    return run


def over_batches(run: Callable[..., Any], ranks: tuple[int, ...]) -> Callable[..., Any]:
    """A function over whatever axes lie before the core of its arguments, draws and others, as one axis of draws."""

    def apply(*arrays: Any) -> Any:
        outer = [anp.shape(array)[: anp.ndim(array) - rank] for array, rank in zip(arrays, ranks, strict=True)]
        batch = np.broadcast_shapes(*outer)
        flat = []
        for array, rank, own in zip(arrays, ranks, outer, strict=True):
            core = anp.shape(array)[anp.ndim(array) - rank :]
            if len(batch) > 1 and own != batch and any(n > 1 for n in own):
                array = array * np.ones((*batch, *([1] * rank)))
                own = batch
            flat.append(anp.reshape(array, (int(np.prod(own)), *core)))
        found = run(*flat)
        return anp.reshape(found, (*batch, *anp.shape(found)[1:]))

    return apply


def _reads(
    recurrence: Recurrence, step: list[Term], sizes: list[int]
) -> tuple[tuple[np.ndarray, ...], tuple[tuple[np.ndarray, ...], ...]]:
    """Groups of columns of the new state, and for each element of a carry the column of a group it has a part in."""
    total = sum(sizes)
    touched = _dependence(recurrence, step)
    everything = np.concatenate(touched, axis=1) if touched else np.zeros((total, 0), dtype=bool)
    groups: list[list[int]] = []
    taken: list[np.ndarray] = []
    for column in range(total):
        for group, used in zip(groups, taken, strict=True):
            if not (used & everything[column]).any():
                group.append(column)
                used |= everything[column]
                break
        else:
            groups.append([column])
            taken.append(everything[column].copy())
    reads = []
    for dependent in touched:
        own = []
        for group in groups:
            part = dependent[group]
            own.append(np.where(part.any(axis=0), np.array(group)[part.argmax(axis=0)], -1))
        reads.append(tuple(own))
    return tuple(np.array(group) for group in groups), tuple(reads)


def _dependence(recurrence: Recurrence, step: list[Term]) -> list[np.ndarray]:
    """For each carry, which new columns (rows) depend on which of its elements (columns), at one time."""
    one = _at_one_time(step, recurrence.plate)
    sizes = [
        int(carry.lags.size) * size_of(tuple(axis.length for axis in carry.state.axes)) for carry in recurrence.carries
    ]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    total = int(starts[-1])
    inputs = {
        str(carry.term.source): ones(np.arange(size), start + np.arange(size), (size, total))
        for carry, size, start in zip(recurrence.carries, sizes, starts, strict=False)
    }
    found = dependences(one, inputs)
    rows = [found[id(term)] for term in one]
    shown = [
        np.zeros((size_of(term.shape), total), dtype=bool) if row is None else np.asarray(row.todense()) > 0
        for term, row in zip(one, rows, strict=True)
    ]
    whole = np.concatenate(shown)
    return [whole[:, start : start + size] for start, size in zip(starts, sizes, strict=False)]
