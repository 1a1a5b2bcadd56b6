"""terms -> a flat list of array operations, run over S draws at once.

Equal operations on equal arguments are done once; what is known from data alone is a constant. Values are numpy arrays
or autograd's boxes around them: the list is what autograd differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import autograd.numpy as np
import numpy

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.model import terms
from ppl.model.terms import Op, Term
from ppl.numeric.trace import raw
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    """`slots[target] = apply(*slots[sources])`; `shapes[i]`, where there is one, is what argument i is first reshaped
    to behind its axis of draws, so that leading axes line up.
    """

    op: Op
    sources: tuple[int, ...]
    target: int
    shapes: tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Instructions in order. Slots hold constants first, then inputs by name, then results."""

    constants: Mapping[int, numpy.ndarray]
    inputs: Mapping[str, int]
    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]
    over_draws: frozenset[int]  # the slots whose arrays have a leading axis of draws
    slots: int

    def run(self, values: Mapping[str, Any]) -> list[Any]:
        """The outputs for latents with a leading axis of S draws; an output of data alone has no such axis."""
        slots: list[Any] = [None] * self.slots
        for slot, constant in self.constants.items():
            slots[slot] = constant
        for name, slot in self.inputs.items():
            slots[slot] = values[name]
        for step in self.instructions:
            arguments = [
                slots[source] if shape is None else self._reshaped(slots[source], source, shape)
                for source, shape in zip(step.sources, step.shapes, strict=True)
            ]
            slots[step.target] = step.op.apply(*arguments)
        return [slots[output] for output in self.outputs]

    def _reshaped(self, array: Any, source: int, shape: tuple[int, ...]) -> Any:
        return np.reshape(array, (len(array), *shape) if source in self.over_draws else shape)


def compile_terms(outputs: Iterable[Term]) -> Program:
    """The program that computes these terms from the latents they depend on."""
    wanted = list(outputs)
    builder = _Builder({}, {}, [], {}, {}, set())
    for term in terms.ancestors(wanted):
        builder.add(term)
    slots = tuple(builder.slot_of[id(term)] for term in wanted)
    return Program(
        builder.constants, builder.inputs, tuple(builder.instructions), slots, frozenset(builder.over_draws),
        builder.count(),
    )  # fmt: skip


@dataclass(slots=True)
class _Builder:
    constants: dict[int, numpy.ndarray]
    inputs: dict[str, int]
    instructions: list[Instruction]
    slot_of: dict[int, int]  # by id of a term
    known: dict[tuple[Any, ...], int]  # by operation and arguments
    over_draws: set[int]

    def count(self) -> int:
        return len(self.constants) + len(self.inputs) + len(self.instructions)

    def add(self, term: Term) -> None:
        if term.known:
            slot = self.count()
            value = numpy.asarray(term.value)
            self.constants[slot] = value if term.kind is Kind.REAL else value.astype(numpy.float64)
        elif term.source is not None:
            slot = self.inputs.get(term.source, self.count())
            self.inputs[term.source] = slot
            self.over_draws.add(slot)
        else:
            slot = self.operation(term)
        self.slot_of[id(term)] = slot

    def operation(self, term: Term) -> int:
        assert term.op is not None
        sources = tuple(self.slot_of[id(arg)] for arg in term.args)
        key = (term.op.name, term.op.options, term.op.core_ranks, sources)
        if key in self.known:
            return self.known[key]
        slot = self.count()
        shapes = tuple(self.shape(term, i, source) for i, source in enumerate(sources))
        self.instructions.append(Instruction(term.op, sources, slot, shapes))
        self.over_draws.add(slot)
        self.known[key] = slot
        return slot

    def shape(self, term: Term, argument: int, source: int) -> tuple[int, ...] | None:
        """What an argument is reshaped to, so that plates and leading axes line up; None where it is right as it is."""
        arg = term.args[argument]
        wanted = terms.lined_up(term, argument)
        if wanted == arg.shape or (source not in self.over_draws and not term.plates):
            return None  # numpy itself puts axes in front of what has no axis of draws
        return wanted


def untraced(program: Program) -> Callable[[Mapping[str, Any]], list[Any]]:
    """A program in plain numpy: for loops in which autograd's bookkeeping would cost most."""
    steps = [
        (
            raw(step.op.apply),
            step.sources,
            step.target,
            [
                (i, shape, source in program.over_draws)
                for i, (shape, source) in enumerate(zip(step.shapes, step.sources, strict=True))
                if shape is not None
            ],
        )
        for step in program.instructions
    ]
    template: list[Any] = [None] * program.slots
    for slot, constant in program.constants.items():
        template[slot] = constant
    inputs = list(program.inputs.items())

    def run(values: Mapping[str, Any]) -> list[Any]:
        slots = list(template)
        for name, slot in inputs:
            slots[slot] = values[name]
        for function, sources, target, shapes in steps:
            arguments = [slots[source] for source in sources]
            for i, shape, over_draws in shapes:
                array = arguments[i]
                arguments[i] = array.reshape((len(array), *shape) if over_draws else shape)
            slots[target] = function(*arguments)
        return [slots[output] for output in program.outputs]

    return run


def evaluate(program: Program, values: Mapping[str, Any], draws: int) -> list[numpy.ndarray]:
    """The outputs as plain arrays that all have a leading axis of draws."""
    with numpy.errstate(all="ignore"):
        found = program.run(values)
    return [
        numpy.asarray(value) if slot in program.over_draws else numpy.broadcast_to(value, (draws, *numpy.shape(value)))
        for value, slot in zip(found, program.outputs, strict=True)
    ]


def behind(term: Term, plates: tuple[Axis, ...], leading: int, event_rank: int = 0) -> tuple[int, ...]:
    """The shape in which a term lines up with an array over plates, `leading` axes and an event of `event_rank` axes.

    A single number that stands for an event gets singleton axes there.
    """
    own = {plate.identity: plate.length for plate in term.plates}
    core = min(event_rank, len(term.axes))
    lengths = [axis.length for axis in term.axes]
    lacking = leading - (len(lengths) - core)
    return (
        *(own.get(plate.identity, 1) for plate in plates),
        *([1] * lacking),
        *lengths,
        *([1] * (event_rank - core)),
    )
