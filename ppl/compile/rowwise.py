"""log joint -> those of its parts that are elementwise over one axis of the data, as programs for any of its rows.

The axis is `rows`, a loop's, or one of arrays, which aligns with any that is as long. Of each term it is worked out
where its array has that axis, and whether its rows stay apart: constants of the data are then taken at the rows that
are wanted, shapes and gathers follow. What is known was worked out over the whole data before: `standardize(x)` stays
right. An operation that mixes rows (a running sum, a lag, a sum over rows of latents, a product along rows) leaves its
part in the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import autograd.numpy as np
import numpy

from ppl.compile.known_values import quicker
from ppl.compile.linear_terms import together
from ppl.compile.row_places import places_of
from ppl.compile.row_templates import Rows, Template, Templates, taken
from ppl.data.axes import Axis
from ppl.language.errors import InternalError
from ppl.model import terms
from ppl.model.program import Program
from ppl.rewrite.by_value import of_any_value

if TYPE_CHECKING:
    from ppl.compile.joint import LogJoint, Part

_KEPT = 8  # programs, one for each number of rows; the last made are kept
_MOST_COMPARED = 4096  # rows of the larger of two choices that are compared on building
_FEW = 61  # those of the smaller, at most
_AS_NEAR = 1e-8  # relative, and absolute below 1 nat


@dataclass(frozen=True, slots=True, eq=False)
class AtRows:
    """The parts that are elementwise over the axis, at M rows.

    `program` takes constrained latents by name, with a leading axis of S draws: those that live on the axis for the M
    rows alone (*before, M, *after), the others whole. Its outputs are in the order of `Rowwise.parts`. `constants` are
    those of the program, by slot, that other rows would change.
    """

    program: Program
    rows: int
    constants: Mapping[int, numpy.ndarray]

    def log_probs(self, values: Mapping[str, Any]) -> list[Any]:
        """The log densities (S, *plates, *axes) of every part, M elements along the axis; nats."""
        return self.program.run(values)

    def total(self, values: Mapping[str, Any]) -> Any:
        """Their sum (S,), nats; differentiable by autograd. A caller who has drawn M of N rows weighs it by N/M."""
        total: Any = 0.0
        for found, slot in zip(self.program.run(values), self.program.outputs, strict=True):
            rank = np.ndim(found)
            axes = tuple(range(1, rank)) if slot in self.program.over_draws else tuple(range(rank))
            total = total + (np.sum(found, axis=axes) if axes else found)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Rowwise:
    """A log joint in two: `parts` that are elementwise over an axis of N, and `others`, both as places among
    `joint.parts`; `rest` is the joint of these others alone, over the same coordinates with the same Jacobians.

    `local` are the latents that live on the axis, with the place it has in their shapes. Parts that depend on discrete
    latents, which are summed out together, are among the others, as are those that lack the axis: priors of what is
    shared.
    """

    joint: LogJoint
    axis: Axis
    parts: tuple[int, ...]
    others: tuple[int, ...]
    rest: LogJoint
    local: Mapping[str, int]
    templates: Templates = field(repr=False)
    kept: dict[int, Template] = field(default_factory=dict, repr=False)

    def at(self, rows: Rows) -> AtRows:
        """The parts at a slice of rows, or at an array of positions from 0; of a slice no constant is copied."""
        count = len(range(*rows.indices(self.axis.length))) if isinstance(rows, slice) else len(rows)
        template = self.template(count)
        constants = template.at(rows)
        program = replace(template.program, constants={**template.program.constants, **constants})
        return AtRows(program, count, constants)

    def template(self, count: int) -> Template:
        """What `at` fills in, for so many rows."""
        template = self.kept.get(count)
        if template is None:
            template = self.templates.of(count)
            while len(self.kept) >= _KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[count] = template
        return template

    def of_rows(self, values: Mapping[str, numpy.ndarray], rows: Rows) -> dict[str, numpy.ndarray]:
        """The constrained latents as `at(rows)` takes them: of `local` ones these rows."""
        return {
            name: taken(value, rows, 1 + self.local[name]) if name in self.local else value
            for name, value in values.items()
        }

    def subset(self, rows: numpy.ndarray) -> LogJoint:
        """The log joint as it were had the data these rows alone, what is known worked out over all; no local latents.

        The coordinates are those of the whole.
        """
        assert not self.local
        short = dict(zip(self.parts, self.templates.at(rows), strict=True))
        parts = tuple(
            replace(part, log_prob=short[i]) if i in short else part for i, part in enumerate(self.joint.parts)
        )
        return self.joint.with_parts(parts)

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


def rowwise(joint: LogJoint, axis: Axis | None = None) -> Rowwise | None:
    """The log joint split along an axis, by default the longest that an observed part has; None where no part is
    elementwise over it. Raises `InternalError` where rows are not what they are in a larger choice.
    """
    chosen = longest_axis(joint.parts) if axis is None else axis
    if chosen is None:
        return None
    log_probs = [quicker(together(part.log_prob, chosen)) for part in joint.parts]
    places = places_of(log_probs, chosen)
    everywhere = range(len(joint.parts))
    kept = tuple(i for i in everywhere if joint.parts[i].summand is None and id(log_probs[i]) in places)
    if not any(joint.parts[i].observed for i in kept):
        return None
    wanted = tuple(log_probs[i] for i in kept)
    sources = [term for term in terms.ancestors(wanted) if term.source is not None]
    local = {str(term.source): places[id(term)] for term in sources if id(term) in places}
    local |= {of_any_value(name): place for name, place in local.items()}
    others = tuple(i for i in everywhere if i not in kept)
    rest = joint.with_parts(tuple(joint.parts[i] for i in others))
    found = Rowwise(joint, chosen, kept, others, rest, local, Templates(wanted, chosen, places))
    _check(found)
    return found


def longest_axis(parts: Iterable[Part]) -> Axis | None:
    """The longest axis of what is observed and does not depend on discrete latents; of several one with an identity."""
    observed = [part for part in parts if part.observed and part.summand is None]
    axes = [axis for part in observed for axis in part.plates]
    return max(axes, key=lambda axis: (axis.length, axis.identity is not None), default=None)


def _check(split: Rowwise) -> None:
    """Some rows of many against those rows alone, and where all are few the whole too. Raises `InternalError`."""
    rng = numpy.random.default_rng(0)
    joint, length = split.joint, split.axis.length
    many = numpy.sort(rng.permutation(length)[:_MOST_COMPARED])
    few = numpy.sort(rng.permutation(len(many))[: min(_FEW, 1 + len(many) // 2)])
    values = joint.constrain(rng.normal(0.0, 0.5, (2, joint.dimension)))
    values |= {name: values[of_any_value(name)] for name in split.local if of_any_value(name) in values}
    sources = [term for term in terms.ancestors(part.log_prob for part in joint.parts) if term.source is not None]
    for term in sources:  # what has no coordinates: weights of relaxed latents
        if term.source not in values:
            values[str(term.source)] = rng.random((2, *term.shape))
    with numpy.errstate(all="ignore"):
        larger, smaller = (_found(split.at(rows).program, split.of_rows(values, rows)) for rows in (many, many[few]))
        whole = _found(joint.program, values) if length <= _MOST_COMPARED else []
    for number, part in enumerate(split.parts):
        place = 1 + split.templates.places[id(split.templates.wanted[number])]
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
