"""A family with parameters and bounds as terms: a distribution; whether it fits a name, and its parameters fit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ppl.data.axes import Axis
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import indexing, mends, mistakes, terms
from ppl.model.arguments import match_parameters
from ppl.model.distributions.composite import Part
from ppl.model.distributions.constraint import CONSTRAINTS
from ppl.model.distributions.family import SIMPLEX, Family, Form, Parameter
from ppl.model.distributions.table import FAMILIES
from ppl.model.expressions import Reader
from ppl.model.scope import Failed, show_value
from ppl.model.terms import Misaligned, Term
from ppl.model.wrappers import WRAPPERS, family_of_parts, told_apart
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """A family in one of its forms with parameters, cut at `lower` and `upper` where they were written.

    Values can lie on the bounds; those of whole numbers are whole. `support_lower` and `support_upper` are where values
    can lie, the family's own bounds included; None where there is no bound. A `constraint`, "ordered" or "zero_sum",
    makes events of vectors of a family of numbers.
    """

    family: Family
    form: Form
    parameters: tuple[Term, ...]
    lower: Term | None
    upper: Term | None
    support_lower: Term | None
    support_upper: Term | None
    span: Span
    nodes: tuple[s.Node, ...]  # the expressions of the parameters, for messages
    constraint: str | None = None

    @property
    def name(self) -> str:
        """What is written: that of the wrapper, or of the family."""
        wrapper = (name for name, constraint in CONSTRAINTS.items() if constraint == self.constraint)
        return next(wrapper, self.family.name)

    @property
    def event_rank(self) -> int:
        return max(self.family.event_rank, 0 if self.constraint is None else 1)

    @property
    def kind(self) -> str:
        """What kind of values it gives: that of a `Support`."""
        return self.constraint or self.family.support.kind

    @property
    def by_element(self) -> bool:
        """Whether a constraint holds elements together that have distributions of their own."""
        return self.constraint is not None and self.family.event_rank == 0

    @property
    def can_draw(self) -> bool:
        if self.constraint == "zero_sum":
            return self.family.name == "Normal"
        if self.constraint == "ordered":
            return self.family.quantile is not None
        return self.family.renormalised

    @property
    def all_terms(self) -> tuple[Term, ...]:
        bounds = (self.lower, self.upper, self.support_lower, self.support_upper)
        return (*self.parameters, *(bound for bound in bounds if bound is not None))

    @property
    def categories(self) -> int:
        """How many values a family of categories can give; those beyond infinite cutpoints, where all end so, are
        left out.
        """
        pairs = zip(self.parameters, self.form.parameters, strict=True)
        vector = next(term for term, parameter in pairs if parameter.event_rank)
        size = vector.axes[-1].length
        if self.family.support.spare and vector.known:
            values = np.asarray(vector.value, dtype=np.float64)
            size = int(np.isfinite(values).sum(axis=-1).max(initial=0))
        return size + self.family.support.spare

    def mapped(self, change: Callable[[Term, int], Term]) -> Distribution:
        """The same with other parameters and bounds: `change(term, event_rank)` of each."""
        ranks = [int(self.by_element) or parameter.event_rank for parameter in self.form.parameters]
        bounds = (self.lower, self.upper, self.support_lower, self.support_upper)
        lower, upper, low, high = (None if bound is None else change(bound, 0) for bound in bounds)
        parameters = tuple(change(term, rank) for term, rank in zip(self.parameters, ranks, strict=True))
        return replace(self, parameters=parameters, lower=lower, upper=upper, support_lower=low, support_upper=high)

    def plates(self) -> tuple[Axis, ...]:
        """The axes over which parameters and bounds vary, event axes left out. Raises `Misaligned`."""
        return self.element_axes()[:-1] if self.by_element else self.element_axes()

    def element_axes(self) -> tuple[Axis, ...]:
        """The same, and the event axis where each of its elements has a distribution of its own."""
        lists = [
            term.axes[: max(0, len(term.axes) - parameter.event_rank)]
            for term, parameter in zip(self.parameters, self.form.parameters, strict=True)
        ]
        bounds = [bound.axes for bound in (self.lower, self.upper) if bound is not None]
        return terms.align(*lists, *bounds)

    def event_axes(self) -> tuple[Axis, ...]:
        """The event axes as the parameters show them; empty for a family of single numbers, or where none tells."""
        if self.by_element:
            return self.element_axes()[-1:]
        rank = self.family.event_rank
        for term, parameter in zip(self.parameters, self.form.parameters, strict=True):
            if parameter.event_rank >= rank > 0 and len(term.axes) >= rank and not parameter.own_length:
                return term.axes[len(term.axes) - rank :]
        return ()


def family_of(node: s.Dist) -> Family:
    """The family that a node of the tree names, maybe in a wrapper."""
    if node.family.name in WRAPPERS:
        own, inner, _ = told_apart(node)
        return family_of_parts(node.family.name, list(own), [_part_of(part) for part in inner])
    constrained = wrapped(node)
    return FAMILIES[node.family.name] if constrained is None else family_of(constrained)


def _part_of(node: s.Dist) -> Part:
    """A distribution within another, as far as can be told without its arguments."""
    family = family_of(node)
    form = family.forms[0]
    if node.family.name in FAMILIES:
        form = family.form_with(frozenset(match_parameters(node, family)[0])) or form
    return Part(family, form, (node.lower is not None, node.upper is not None))


def event_rank_of(node: s.Dist) -> int:
    """How many axes one value of a distribution has."""
    return max(family_of(node).event_rank, 0 if wrapped(node) is None else 1)


def wrapped(node: s.Dist) -> s.Dist | None:
    """What stands in a wrapper."""
    if node.family.name not in CONSTRAINTS:
        return None
    inner = node.arguments[0].value
    assert isinstance(inner, s.Dist)
    return inner


def check_parameter(reader: Reader, distribution: Distribution, term: Term, node: s.Node, parameter: Parameter) -> None:
    requirement = parameter.requirement
    name, text = distribution.family.name, reader.text(node)
    if parameter.event_rank == 2 and len({axis.length for axis in term.axes[-2:]}) > 1:
        raise Failed(mistakes.event_lengths_differ(node.span, name, parameter.name, term.axes, "a square matrix"))
    if term.known and not (parameter.event_rank and len(term.axes) < parameter.event_rank):
        assert term.value is not None
        values = np.asarray(term.value, dtype=np.float64)
        wrong = ~np.broadcast_to(requirement.holds(values), values.shape)
        if not requirement.infinite:
            wrong = wrong | ~np.isfinite(values)
        wrong = wrong & indexing.counts(reader, term)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0]) if values.ndim else ()
            in_data = reader.env.where(text, place) if place else None
            shown: str | None = show_value(term, place)
            where = in_data or (element(term, text, place) if place else None)
            if requirement is SIMPLEX and (values[place[:-1]] >= 0).all():
                shown, where = f"their sum is {values[place[:-1]].sum():.6g}", in_data
            elif parameter.event_rank == 2:  # no element of a matrix is at fault alone
                shown, where = None, in_data
            words, is_data = requirement.words, in_data is not None or over_rows(term)
            raise Failed(mistakes.bad_parameter(node.span, name, parameter.name, words, shown, where, is_data))
    if parameter.event_rank > len(term.axes) and not (distribution.family.event_rank and not term.axes):
        needed = "a vector" if parameter.event_rank == 1 else "a matrix"
        raise Failed(mistakes.event_lengths_differ(node.span, name, parameter.name, term.axes, needed))


def element(term: Term, text: str, place: tuple[int, ...]) -> str:
    """Where an element of a calculated array stands: its row, where it runs over the rows of the table."""
    if len(place) == 1 and over_rows(term):
        return f"row {place[0] + 1}"
    return f"element {', '.join(str(i + 1) for i in place)} of `{text}`"


def over_rows(term: Term) -> bool:
    return bool(term.axes) and (term.axes[0].identity or "").startswith("rows:")


def check_bounds(distribution: Distribution) -> None:
    lower, upper = distribution.support_lower, distribution.support_upper
    if lower is None or upper is None or not (lower.known and upper.known):
        return
    try:
        terms.align(lower.axes, upper.axes)
    except Misaligned:
        return  # said where the distribution meets its name
    whole = distribution.family.discrete
    crossing = (np.greater if whole else np.greater_equal)(np.asarray(lower.value), np.asarray(upper.value))
    if crossing.any():
        low = np.broadcast_to(np.asarray(lower.value), crossing.shape)[crossing][0]
        high = np.broadcast_to(np.asarray(upper.value), crossing.shape)[crossing][0]
        empty = mistakes.no_whole_number if whole else mistakes.empty_bounds
        raise Failed(empty(distribution.span, f"{low:g}", f"{high:g}"))


def fit_to(
    reader: Reader, distribution: Distribution, name: str, axes: tuple[Axis, ...], span: Span, observed: bool
) -> None:
    """Raises `Failed` where the distribution does not fit a name with these axes."""
    check_events(distribution, name, axes, span)
    plate_axes = axes[: len(axes) - distribution.family.event_rank]
    try:
        plates = distribution.element_axes()
    except Misaligned as error:
        raise Failed(_clashing_parameters(reader, distribution, error)) from None
    try:
        fits = len(terms.align(plates, plate_axes)) == len(plate_axes)
        clash = None
    except Misaligned as error:
        fits, clash = False, error
    if fits:
        return
    mend, event = None, axes[len(plate_axes) :]
    if clash is not None:
        operands = list(zip(distribution.parameters, distribution.nodes, strict=True))
        mend = mends.gathering(reader, clash, operands)
    lacks = mistakes.observed_lacks_axis if observed else mistakes.latent_lacks_axis
    raise Failed(lacks(span, name, axes, (*plates, *event), mend))


def check_events(distribution: Distribution, name: str, axes: tuple[Axis, ...], span: Span) -> None:
    """Raises `Failed` where a value has no event axes, the last ones, or a parameter does not fit them."""
    family, rank = distribution.family, distribution.event_rank
    if len(axes) < rank:
        raise Failed(mistakes.event_axis_missing(span, distribution.name, name, rank))
    if rank == 2 and not axes[-1].aligns(axes[-2]):
        raise Failed(mistakes.not_square(span, distribution.name, name, axes[-2:]))
    event = axes[len(axes) - family.event_rank :]
    for term, node, parameter in zip(
        distribution.parameters, distribution.nodes, distribution.form.parameters, strict=True
    ):
        _check_event(family, parameter, term, node.span, event)
    _check_fit(distribution, event)


def _check_fit(distribution: Distribution, event: tuple[Axis, ...]) -> None:
    """Raises `Failed` for a known parameter that is none for events of this length."""
    form = distribution.form
    if form.misfit is None:
        return
    values = [
        np.asarray(term.value, dtype=np.float64) if term.known and not term.plates else None
        for term in distribution.parameters
    ]
    slip = form.misfit(event[-1].length, *values)
    if slip is not None:
        name, words = slip
        nodes = {p.name: node for p, node in zip(form.parameters, distribution.nodes, strict=True)}
        family = distribution.family.name
        raise Failed(mistakes.bad_parameter(nodes[name].span, family, name, words, None, None, False))


def _clashing_parameters(reader: Reader, distribution: Distribution, error: Misaligned) -> Mistake:
    args, nodes = list(distribution.parameters), list(distribution.nodes)
    return mends.misaligned(reader, error, args, nodes, distribution.span)  # type: ignore[arg-type]


def _check_event(family: Family, parameter: Parameter, term: Term, span: Span, event: tuple[Axis, ...]) -> None:
    rank = parameter.event_rank
    if rank == 0 or family.event_rank == 0 or (rank == 1 and not term.axes) or parameter.own_length:
        return
    expected = f"{event[-1].length} numbers" if rank == 1 else f"a {event[-1].length} x {event[-1].length} matrix"
    core = term.axes[max(0, len(term.axes) - rank) :]
    if len(core) < rank or not all(axis.aligns(event[-1]) for axis in core):
        raise Failed(mistakes.event_lengths_differ(span, family.name, parameter.name, core, expected))
