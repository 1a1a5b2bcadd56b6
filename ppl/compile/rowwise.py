"""log joint -> those of its parts that are elementwise over one axis of the data, as programs for any of its rows.

The axis is `rows`, or another one that has an identity (a loop's). Of each term it is worked out where its array has
that axis, and whether its rows stay apart: constants of the data are then taken at the rows that are wanted, shapes and
gathers follow. What is known was worked out over the whole data before: `standardize(x)` stays right. An operation that
mixes rows (a running sum, a lag, a sum over rows of latents, a product along rows) leaves its part in the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import autograd.numpy as np
import numpy

from ppl.compile.joint import LogJoint, Part
from ppl.compile.row_moves import follow
from ppl.compile.row_places import is_outside, places_of
from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language.errors import InternalError
from ppl.model import terms
from ppl.model.program import Program, compile_terms
from ppl.model.terms import Term

Rows = slice | numpy.ndarray

_KEPT = 4  # programs, one for each number of rows; the last used are kept
_MOST_COMPARED = 4096  # rows of the larger of two choices that are compared on building
_FEW = 61  # those of the smaller, at most
_AS_NEAR = 1e-8  # relative, and absolute below 1 nat


@dataclass(frozen=True, slots=True, eq=False)
class AtRows:
    """The parts that are elementwise over the axis, at M rows.

    `program` takes constrained latents by name, with a leading axis of S draws: those that live on the axis for the M
    rows alone (*before, M, *after), the others whole. Its outputs are in the order of `Rowwise.parts`.
    """

    program: Program
    rows: int  # M
    constants: Mapping[int, numpy.ndarray]  # those of the program, by slot, that other rows would change

    def log_probs(self, values: Mapping[str, Any]) -> list[Any]:
        """The log densities (S, *plates, *axes) of every part, M elements along the axis; nats."""
        return self.program.run(values)

    def total(self, values: Mapping[str, Any]) -> Any:
        """Their sum (S,), nats; differentiable by autograd. A caller who has drawn M of N rows weighs it by N/M."""
        return _total(self.program, values)


@dataclass(frozen=True, slots=True, eq=False)
class Rowwise:
    """A log joint in two: `parts` that are elementwise over an axis of N, and `others`, both as places among
    `joint.parts`; `rest` is the joint of these others alone, over the same coordinates with the same Jacobians.

    `local` are the latents that live on the axis, with the place it has in their shapes. Parts that depend on discrete
    latents, which are summed out together, are in the rest, as are those that lack the axis: priors of what is shared.
    """

    joint: LogJoint
    axis: Axis
    parts: tuple[int, ...]
    others: tuple[int, ...]
    rest: LogJoint
    local: Mapping[str, int]
    places: Mapping[int, int]  # of the axis in the shape of a term, by its id; no entry where it lacks it
    templates: dict[int, _Template] = field(default_factory=dict, repr=False)

    def at(self, rows: Rows) -> AtRows:
        """The parts at a slice of rows, or at an array of positions from 0; of a slice no constant is copied."""
        count = len(range(*rows.indices(self.axis.length))) if isinstance(rows, slice) else len(rows)
        template = self.templates.pop(count, None) or self.template(count)
        while len(self.templates) >= _KEPT:
            del self.templates[next(iter(self.templates))]
        self.templates[count] = template
        return template.at(rows)

    def of_rows(self, values: Mapping[str, numpy.ndarray], rows: Rows) -> dict[str, numpy.ndarray]:
        """The constrained latents as `at(rows)` takes them: of `local` ones these rows."""
        return {
            name: _taken(value, rows, 1 + self.local[name]) if name in self.local else value
            for name, value in values.items()
        }

    def log_joint(self, rows: Rows, weight: float) -> Callable[[Any], Any]:
        """z (S, D) -> the log joint (S,) with what is elementwise at these rows alone, times the weight.

        For joints without `local` latents. With weight N/M and rows drawn at random its mean is the log joint.
        """
        assert not self.local
        at = self.at(rows)

        def density(z: Any) -> Any:
            values, log_jacobian = self.joint.constrain_with_jacobian(z)
            return log_jacobian + self.rest.sum_of_parts(values) + weight * at.total(values)

        return density

    def template(self, count: int) -> _Template:
        wanted = [self.joint.parts[i].log_prob for i in self.parts]
        shortened = replace(self.axis, length=count, labels=None)
        changing: list[tuple[numpy.ndarray, numpy.ndarray, int]] = []
        new: dict[int, Term] = {}
        for term in terms.ancestors(wanted):
            new[id(term)] = _at_first(term, new, self.places, self.axis, shortened, changing)
        program = compile_terms(new[id(term)] for term in wanted)
        slots = {id(array): slot for slot, array in program.constants.items()}
        sources = {slots[id(first)]: (whole, place) for first, whole, place in changing if id(first) in slots}
        return _Template(program, count, sources)


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """The program for M rows, whose constants at some slots are taken from whole arrays along an axis."""

    program: Program
    count: int
    sources: Mapping[int, tuple[numpy.ndarray, int]]

    def at(self, rows: Rows) -> AtRows:
        taken = {slot: _taken(whole, rows, place) for slot, (whole, place) in self.sources.items()}
        program = replace(self.program, constants={**self.program.constants, **taken})
        return AtRows(program, self.count, taken)


def rowwise(joint: LogJoint, axis: Axis | None = None) -> Rowwise | None:
    """The log joint split along an axis, by default the longest that an observed part has; None where no part is
    elementwise over it. Raises `InternalError` where rows are not what they are in a larger choice.
    """
    chosen = longest_axis(joint.parts) if axis is None else axis
    if chosen is None or chosen.identity is None:
        return None
    places = places_of((part.log_prob for part in joint.parts), chosen)
    everywhere = range(len(joint.parts))
    kept = tuple(i for i in everywhere if joint.parts[i].summand is None and id(joint.parts[i].log_prob) in places)
    if not any(joint.parts[i].observed for i in kept):
        return None
    sources = [term for term in terms.ancestors(joint.parts[i].log_prob for i in kept) if term.source is not None]
    local = {str(term.source): places[id(term)] for term in sources if id(term) in places}
    others = tuple(i for i in everywhere if i not in kept)
    left = tuple(joint.parts[i] for i in others)
    rest = replace(joint, parts=left, program=compile_terms(part.log_prob for part in left))
    found = Rowwise(joint, chosen, kept, others, rest, local, places)
    _check(found)
    return found


def longest_axis(parts: Iterable[Part]) -> Axis | None:
    observed = [part for part in parts if part.observed and part.summand is None]
    axes = [axis for part in observed for axis in part.plates if axis.identity is not None]
    return max(axes, key=lambda axis: axis.length, default=None)


def _at_first(
    term: Term, new: Mapping[int, Term], places: Mapping[int, int], axis: Axis, shortened: Axis,
    changing: list[tuple[numpy.ndarray, numpy.ndarray, int]],
) -> Term:  # fmt: skip
    """A term at the first M rows; what other rows would change of its constants, and those it needs, is noted."""
    place = places.get(id(term))
    if place is None:
        return term

    def short(axes: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(shortened if each.identity == axis.identity else each for each in axes)

    def constant(whole: numpy.ndarray, axes: Sequence[Axis], plates: Sequence[Axis], at: int) -> Term:
        value = _taken(whole, slice(0, shortened.length), at)
        changing.append((value, whole, at))
        return Term(None, (), short(axes), Kind.REAL, term.span, value=value, plates=short(plates))

    if term.known:
        return constant(terms.numeric(term), term.axes, term.plates, place)
    if term.source is not None:
        return replace(term, axes=short(term.axes))
    assert term.op is not None
    args = tuple(new[id(arg)] for arg in term.args)
    along = places.get(id(term.args[0])) if len(term.args) == 1 else None
    if term.op.moves and len(term.args) == 1 and (along is None or not is_outside(term, 0, along)):
        moved = follow(term, along, place)
        assert moved is not None
        if moved.index is not None:
            args = (*args, constant(moved.index, term.axes, term.plates, place))
        return replace(term, op=moved.op, args=args, axes=short(term.axes), plates=short(term.plates))
    return replace(term, args=args, axes=short(term.axes), plates=short(term.plates))


def _taken(whole: numpy.ndarray, rows: Rows, place: int) -> numpy.ndarray:
    """Rows of an array along its axis `place`: a view for a slice."""
    if isinstance(rows, slice):
        return whole[(*([slice(None)] * place), rows)]
    return numpy.take(whole, rows, axis=place)


def _total(program: Program, values: Mapping[str, Any]) -> Any:
    total: Any = 0.0
    for found, slot in zip(program.run(values), program.outputs, strict=True):
        rank = np.ndim(found)
        axes = tuple(range(1, rank)) if slot in program.over_draws else tuple(range(rank))
        total = total + (np.sum(found, axis=axes) if axes else found)
    return total


def _check(split: Rowwise) -> None:
    """Some rows of many against those rows alone, and where all are few the whole too. Raises `InternalError`."""
    rng = numpy.random.default_rng(0)
    joint, length = split.joint, split.axis.length
    many = numpy.sort(rng.permutation(length)[:_MOST_COMPARED])
    few = numpy.sort(rng.permutation(len(many))[: min(_FEW, 1 + len(many) // 2)])
    values = joint.constrain(rng.normal(0.0, 0.5, (2, joint.dimension)))
    with numpy.errstate(all="ignore"):
        larger, smaller = (_found(split.at(rows).program, split.of_rows(values, rows)) for rows in (many, many[few]))
        whole = _found(joint.program, values) if length <= _MOST_COMPARED else []
    for number, part in enumerate(split.parts):
        place = 1 + split.places[id(joint.parts[part].log_prob)]
        _compare(smaller[number], numpy.take(larger[number], few, axis=place))
        if whole:
            _compare(larger[number], whole[part])


def _found(program: Program, values: Mapping[str, numpy.ndarray]) -> list[numpy.ndarray]:
    """The outputs, all with an axis of draws."""
    outputs = zip(program.run(values), program.outputs, strict=True)
    return [found if slot in program.over_draws else numpy.asarray(found)[None] for found, slot in outputs]


def _compare(found: numpy.ndarray, expected: numpy.ndarray) -> None:
    same = numpy.shape(found) == numpy.shape(expected)
    if not same or not numpy.isclose(found, expected, rtol=_AS_NEAR, atol=_AS_NEAR, equal_nan=True).all():
        raise InternalError("a log density at some rows differs from that of the whole data")
