"""A distribution and a value -> the term of its log density, bounds and their normalising constant included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode
from autograd.extend import primitive, register_notrace

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language.source import Span
from ppl.model import terms
from ppl.model.distribution import Distribution
from ppl.model.distributions.constraint import log_density_of_sum, sum_over_event
from ppl.model.distributions.family import REAL, Family, Form, Requirement, canonical
from ppl.model.distributions.mass import log_mass
from ppl.model.events import EVENTS
from ppl.model.expressions import Reader
from ppl.model.terms import Op, Term
from ppl.values import dataclass


def log_prob(reader: Reader, distribution: Distribution, value: Term, span: Span) -> Term:
    """The log density of a value, elementwise over its plates, bounds and their normalising constant included."""
    family, form = distribution.family, distribution.form
    args = [value, *with_events(reader, distribution, value.axes)]
    ranks = (family.event_rank, *(parameter.event_rank for parameter in form.parameters))
    density = reader.apply(Op(f"{family.name}.log_prob", form.log_prob, ranks, _form_key(form)), args, (), span)
    density = _guarded(density, args[1:], form)
    density = _cut(reader, distribution, density, value, span)
    return density if distribution.constraint is None else _together(reader, distribution, density, value, span)


def _cut(reader: Reader, distribution: Distribution, density: Term, value: Term, span: Span) -> Term:
    """The density between the bounds that were written."""
    family, form = distribution.family, distribution.form
    if distribution.lower is None and distribution.upper is None:
        return density
    bounds = [distribution.lower, distribution.upper]
    given = [bound for bound in bounds if bound is not None]
    sides = tuple(bound is not None for bound in bounds)
    if family.renormalised:
        mass = Op(f"{family.name}.log_mass", _log_mass(family, form, sides), None, (sides, *_form_key(form)))
        density = reader.apply(
            Op("-", anp.subtract), [density, reader.apply(mass, [*given, *distribution.parameters], (), span)], (), span
        )
    return reader.apply(Op("within", _within(sides), None, (sides,)), [density, value, *given], (), span)


def _together(reader: Reader, distribution: Distribution, density: Term, value: Term, span: Span) -> Term:
    """The density of vectors under a constraint, from that of their elements.

    That the constraint holds is checked for what is observed, and true of a latent; other values may break an order.
    """
    family, form, event = distribution.family, distribution.form, value.axes[-1:]
    if distribution.by_element:
        density = reader.apply(Op("sum over event", sum_over_event, (1,)), [density], (), span)
    if distribution.constraint == "zero_sum" and family.name == "Normal":
        parameters = [reader.spread(term, event, span) if not term.axes else term for term in distribution.parameters]

        def log_density(*given: Any) -> Any:
            return log_density_of_sum(*canonical(form, given))

        mass = Op("Normal.log_density_of_sum", log_density, (1, 1), _form_key(form))
        density = reader.apply(Op("-", anp.subtract), [density, reader.apply(mass, parameters, (), span)], (), span)
    if distribution.constraint == "ordered" and not value.known and value.source is None:
        density = reader.apply(Op("ordered", _where_ordered, (0, 1)), [density, value], (), span)
    return density


def _where_ordered(density: Any, value: Any) -> Any:
    return anp.where(_is_ordered(value), density, -np.inf)


@primitive
def _is_ordered(value: Any) -> Any:
    return EVENTS["ordered"].holds(value)


@primitive
def _hold(requirements: tuple[Requirement, ...], ranks: tuple[int, ...], *parameters: Any) -> Any:
    """Where all parameters hold their requirements."""
    held: Any = True
    for requirement, rank, parameter in zip(requirements, ranks, parameters, strict=True):
        held = held & requirement.holds_quickly(np.asarray(parameter), rank)
    return np.asarray(held)


register_notrace(VJPNode, _is_ordered)
register_notrace(VJPNode, _hold)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A density where its parameters hold their requirements, and minus infinity elsewhere.

    Written out, a Normal density with the scale -1 is as good a number as any.
    """

    requirements: tuple[Requirement, ...]
    ranks: tuple[int, ...]

    def __call__(self, density: Any, *parameters: Any) -> Any:
        return anp.where(_hold(self.requirements, self.ranks, *parameters), density, -np.inf)

    def around(self, density: Term, parameters: Sequence[Term]) -> Term:
        """The guarded term. Raises `Misaligned`."""
        op = Op("guard", self, (0, *self.ranks), (self,))
        return terms.apply(op, (density, *parameters), (), density.span)


def _guarded(density: Term, parameters: Sequence[Term], form: Form) -> Term:
    """A density with a guard for the parameters that are not known; those that are were checked."""
    guarded = [
        (term, parameter)
        for term, parameter in zip(parameters, form.parameters, strict=True)
        if not term.known and parameter.requirement is not REAL
    ]
    if not guarded:
        return density
    guard = Guarded(
        tuple(parameter.requirement for _, parameter in guarded),
        tuple(parameter.event_rank for _, parameter in guarded),
    )
    return guard.around(density, [term for term, _ in guarded])


def _form_key(form: Form) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in form.parameters)


def with_events(reader: Reader, distribution: Distribution, value_axes: tuple[Axis, ...]) -> list[Term]:
    """The parameters; a single number given for a vector parameter is repeated over the event axis."""
    if distribution.family.event_rank == 0:
        return list(distribution.parameters)
    event = value_axes[len(value_axes) - distribution.family.event_rank :]
    alone = (Axis("1", 1),)
    return [
        reader.spread(term, alone if parameter.own_length else event, term.span)
        if parameter.event_rank == 1 and not term.axes
        else term
        for term, parameter in zip(distribution.parameters, distribution.form.parameters, strict=True)
    ]


def _log_mass(family: Family, form: Form, sides: tuple[bool, ...]) -> Any:
    """The log of the probability between bounds, those first that were written."""

    def mass(*args: Any) -> Any:
        given = list(args[: sum(sides)])
        lower, upper = (given.pop(0) if side else None for side in sides)
        return log_mass(family, canonical(form, args[sum(sides) :]), lower, upper)

    return mass


def _within(sides: tuple[bool, ...]) -> Any:
    def within(density: Any, value: Any, *bounds: Any) -> Any:
        outside: Any = np.False_
        for is_upper, bound in zip([side for side, given in enumerate(sides) if given], bounds, strict=True):
            beyond = anp.greater(value, bound) if is_upper else anp.less(value, bound)
            outside = anp.logical_or(outside, beyond)
        return anp.where(outside, -np.inf, density)

    return within


def categories(reader: Reader, value: Term, distribution: Distribution) -> Term:
    """Categories, 1..K or levels in their order, as positions from 0, as the densities count them."""
    if distribution.family.support.kind != "category":
        return value
    if not value.known:
        one = terms.constant(1.0, (), value.span)
        return reader.apply(Op("-", anp.subtract), [value, one], (), value.span, Kind.INTEGER)
    if value.kind is Kind.TEXT:
        return replace(value, kind=Kind.INTEGER)
    return replace(value, value=np.asarray(value.value) - 1)
