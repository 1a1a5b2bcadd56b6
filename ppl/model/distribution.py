"""`Family(arguments)` with bounds -> a distribution whose parameters are terms, and the terms made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import mistakes, terms
from ppl.model.distributions.family import SIMPLEX, Family, Form, Parameter, canonical
from ppl.model.distributions.table import FAMILIES
from ppl.model.expressions import Reader
from ppl.model.names import match_parameters
from ppl.model.scope import Failed, as_scalar, show_value
from ppl.model.terms import Misaligned, Op, Term
from ppl.numeric.special import larger, log1mexp, smaller


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """A family in one of its forms with parameters, cut at `lower` and `upper` where they were written.

    `support_lower` and `support_upper` are where its values can lie, the family's own bounds included; None where
    there is no bound.
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

    @property
    def all_terms(self) -> tuple[Term, ...]:
        bounds = (self.lower, self.upper, self.support_lower, self.support_upper)
        return (*self.parameters, *(bound for bound in bounds if bound is not None))

    def plates(self) -> tuple[Axis, ...]:
        """The axes over which parameters and bounds vary, event axes left out. Raises `Misaligned`."""
        lists = [
            term.axes[: max(0, len(term.axes) - parameter.event_rank)]
            for term, parameter in zip(self.parameters, self.form.parameters, strict=True)
        ]
        bounds = [bound.axes for bound in (self.lower, self.upper) if bound is not None]
        return terms.align(*lists, *bounds)

    def event_axes(self) -> tuple[Axis, ...]:
        """The event axes as the parameters show them; empty for a family of single numbers, or where none tells."""
        if self.family.event_rank == 0:
            return ()
        for term, parameter in zip(self.parameters, self.form.parameters, strict=True):
            if parameter.event_rank and len(term.axes) >= parameter.event_rank:
                return term.axes[len(term.axes) - self.family.event_rank :]
        return ()


def read(reader: Reader, node: s.Dist) -> Distribution:
    """The distribution that a node of the tree says. Raises `Failed`, `Skipped`."""
    family = FAMILIES[node.family.name]
    given, _ = match_parameters(node, family)
    form = family.form_with(frozenset(given))
    assert form is not None
    nodes = tuple(given[parameter.name].value for parameter in form.parameters)
    parameters = tuple(
        reader.number(value) if parameter.event_rank else as_scalar(reader.number(value))
        for value, parameter in zip(nodes, form.parameters, strict=True)
    )
    lower, upper = _bound_of(reader, node.lower), _bound_of(reader, node.upper)
    if (lower is not None or upper is not None) and (family.event_rank or family.discrete):
        raise Failed(mistakes.cannot_bound(node.span, family.name))
    by_name = {p.name: term for p, term in zip(form.parameters, parameters, strict=True)}
    support = [_natural(family, side, by_name, node.span) for side in ("lower", "upper")]
    distribution = Distribution(
        family, form, parameters, lower, upper,
        _tighter(reader, lower, support[0], larger), _tighter(reader, upper, support[1], smaller), node.span, nodes,
    )  # fmt: skip
    for term, value, parameter in zip(parameters, nodes, form.parameters, strict=True):
        _check_parameter(reader, distribution, term, value, parameter)
    _check_bounds(distribution)
    return distribution


def _bound_of(reader: Reader, node: s.Expr | None) -> Term | None:
    """A bound that was written; one that is infinite everywhere is none."""
    if node is None:
        return None
    term = as_scalar(reader.number(node))
    return None if term.known and np.isinf(np.asarray(term.value)).all() else term


def _natural(family: Family, side: str, by_name: dict[str, Term], span: Span) -> Term | None:
    """The bound that the family itself has on one side: a number, or one of its parameters."""
    bound: float | str = getattr(family.support, side)
    if isinstance(bound, str):
        return by_name[bound]
    return terms.constant(float(bound), (), span) if np.isfinite(bound) else None


def _tighter(reader: Reader, written: Term | None, natural: Term | None, choose: Any) -> Term | None:
    """The tighter of two bounds."""
    if written is None or natural is None:
        return written if natural is None else natural
    try:
        return reader.apply(Op("tighter", choose, None, (choose.__name__,)), [written, natural], (), written.span)
    except Misaligned:
        texts = [reader.env.source.cut(term.span) for term in (written, natural)]
        axes = written.axes, natural.axes
        raise Failed(mistakes.axes_do_not_align(written.span, texts[0], axes[0], texts[1], axes[1], None)) from None


# -- checks -----------------------------------------------------------------------------------------------------------


def _check_parameter(
    reader: Reader, distribution: Distribution, term: Term, node: s.Node, parameter: Parameter
) -> None:
    requirement = parameter.requirement
    name, text = distribution.family.name, reader.text(node)
    if parameter.event_rank == 2 and len({axis.length for axis in term.axes[-2:]}) > 1:
        raise Failed(mistakes.event_lengths_differ(node.span, name, parameter.name, term.axes, "a square matrix"))
    if term.known and not (parameter.event_rank and len(term.axes) < parameter.event_rank):
        assert term.value is not None
        values = np.asarray(term.value, dtype=np.float64)
        wrong = ~np.broadcast_to(requirement.holds(values), values.shape) | ~np.isfinite(values)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0]) if values.ndim else ()
            in_data = reader.env.where(text, place) if place else None
            shown: str | None = show_value(term, place)
            where = in_data or (_element(term, text, place) if place else None)
            if requirement is SIMPLEX and (values[place[:-1]] >= 0).all():
                shown, where = f"their sum is {values[place[:-1]].sum():.6g}", in_data
            elif parameter.event_rank == 2:  # no element of a matrix is at fault alone
                shown, where = None, in_data
            words, is_data = requirement.words, in_data is not None or _over_rows(term)
            raise Failed(mistakes.bad_parameter(node.span, name, parameter.name, words, shown, where, is_data))
    if parameter.event_rank > len(term.axes) and not (distribution.family.event_rank and not term.axes):
        needed = "a vector" if parameter.event_rank == 1 else "a matrix"
        raise Failed(mistakes.event_lengths_differ(node.span, name, parameter.name, term.axes, needed))


def _element(term: Term, text: str, place: tuple[int, ...]) -> str:
    """Where an element of a calculated array stands: its row, where it runs over the rows of the table."""
    if len(place) == 1 and _over_rows(term):
        return f"row {place[0] + 1}"
    return f"element {', '.join(str(i + 1) for i in place)} of `{text}`"


def _over_rows(term: Term) -> bool:
    return bool(term.axes) and (term.axes[0].identity or "").startswith("rows:")


def check_against_support(distribution: Distribution, supports: dict[str, Distribution]) -> tuple[str, Mistake] | None:
    """A parameter that is simply a latent, and a latent that can leave what the parameter must be: its name."""
    for node, parameter in zip(distribution.nodes, distribution.form.parameters, strict=True):
        requirement = parameter.requirement
        name = node.base if isinstance(node, s.Index) else node
        if not isinstance(name, s.Name) or name.name not in supports or requirement.lower == -np.inf:
            continue
        given = supports[name.name]
        if given.family.event_rank or given.family.discrete:
            continue
        family = distribution.family.name
        words = requirement.words
        if _may_pass(given.support_lower, requirement.lower, below=True):
            if requirement.upper == 1.0:
                mend = f"give `{name.name}` a Beta or Uniform distribution, or use log-odds: `{family}(logit = ...)`"
            else:
                mend = f"bound it, `{name.name} ~ {given.family.name}(...) > 0`, or give it a family of positive values"
            return name.name, mistakes.parameter_may_leave(node.span, family, parameter.name, words, name.name, mend)
        if np.isfinite(requirement.upper) and _may_pass(given.support_upper, requirement.upper, below=False):
            mend = f"bound it: `{name.name} ~ {given.family.name}(...) < {requirement.upper:g}`"
            return name.name, mistakes.parameter_may_leave(node.span, family, parameter.name, words, name.name, mend)
    return None


def _may_pass(bound: Term | None, limit: float, below: bool) -> bool:
    """Whether values can lie beyond a limit, as far as the bound is known."""
    if bound is None:
        return True
    if not bound.known:
        return False
    values = np.asarray(bound.value)
    return bool((values < limit).any() if below else (values > limit).any())


def _check_bounds(distribution: Distribution) -> None:
    lower, upper = distribution.support_lower, distribution.support_upper
    if lower is None or upper is None or not (lower.known and upper.known):
        return
    try:
        terms.align(lower.axes, upper.axes)
    except Misaligned:
        return  # said where the distribution meets its name
    crossing = np.asarray(lower.value) >= np.asarray(upper.value)
    if crossing.any():
        low = np.broadcast_to(np.asarray(lower.value), crossing.shape)[crossing][0]
        high = np.broadcast_to(np.asarray(upper.value), crossing.shape)[crossing][0]
        raise Failed(mistakes.empty_bounds(distribution.span, f"{low:g}", f"{high:g}"))


def check_values(reader: Reader, distribution: Distribution, value: Term, text: str, span: Span) -> None:
    """Raises `Failed` for the first observed value that the distribution cannot give."""
    values = np.asarray(value.value)
    family = distribution.family
    bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    words = "numbers"
    low = high = None
    if family.support.kind == "category":
        size = distribution.parameters[0].axes[-1].length
        bad, words = (values < 0) | (values >= size) | (values != np.floor(values)), f"categories 1 to {size}"
        if value.levels is not None:
            words = f"{size} categories, one a level"
    elif family.support.kind == "simplex":
        off = np.abs(values.sum(axis=-1, keepdims=True) - 1) > 1e-6
        bad, words = bad | (values < 0) | off, "positive numbers that sum to 1 along the last axis"
    else:
        if family.support.kind == "integer":
            bad, words = bad | (values != np.floor(values)), "whole numbers"
        low, high = _known_bound(distribution.support_lower), _known_bound(distribution.support_upper)
        for bound, beyond in ((low, np.less), (high, np.greater)):
            if bound is not None:
                bad = bad | beyond(values, bound)
    bad = np.broadcast_to(bad, np.broadcast_shapes(bad.shape, values.shape))
    if bad.any() and bad.shape == values.shape:
        place = tuple(int(i) for i in np.argwhere(bad)[0]) if values.ndim else ()
        where = (reader.env.where(text, place) or _element(value, text, place)) if place else "its one value"
        if family.support.kind in ("integer", "interval", "real"):
            words += _range_words(low, high, place)
        shown = show_value(value, place)
        if family.support.kind == "category" and value.levels is None:
            shown = f"{float(values[place]) + 1:.6g}"
        elif family.support.kind == "simplex" and (values[place[:-1]] >= 0).all():
            shown, where = f"{float(values[place[:-1]].sum()):.6g} in all", where.removesuffix(f"[{place[-1] + 1}]")
        raise Failed(mistakes.outside_support(span, text, family.name, words, shown, where, None))


def _known_bound(bound: Term | None) -> np.ndarray | None:
    return None if bound is None or not bound.known else np.asarray(bound.value)


def _range_words(low: np.ndarray | None, high: np.ndarray | None, place: tuple[int, ...]) -> str:
    def one(bound: np.ndarray) -> str:
        return f"{float(bound[place[len(place) - bound.ndim :]]):g}"

    if low is not None and high is not None:
        return f" between {one(low)} and {one(high)}"
    if low is not None:
        return f" from {one(low)} up"
    return f" up to {one(high)}" if high is not None else ""


# -- terms of a distribution ------------------------------------------------------------------------------------------


def log_prob(reader: Reader, distribution: Distribution, value: Term, span: Span) -> Term:
    """The log density of a value, elementwise over its plates, bounds and their normalising constant included."""
    family, form = distribution.family, distribution.form
    args = [value, *with_events(reader, distribution, value.axes)]
    ranks = (family.event_rank, *(parameter.event_rank for parameter in form.parameters))
    density = reader.apply(Op(f"{family.name}.log_prob", form.log_prob, ranks, _form_key(form)), args, (), span)
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
    if value.known:  # a latent cannot leave its bounds
        density = reader.apply(Op("within", _within(sides), None, (sides,)), [density, value, *given], (), span)
    return density


def _form_key(form: Form) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in form.parameters)


def with_events(reader: Reader, distribution: Distribution, value_axes: tuple[Axis, ...]) -> list[Term]:
    """The parameters; a single number given for a vector parameter is repeated over the event axis."""
    if distribution.family.event_rank == 0:
        return list(distribution.parameters)
    event = value_axes[len(value_axes) - distribution.family.event_rank :]
    return [
        reader.spread(term, event, term.span) if parameter.event_rank == 1 and not term.axes else term
        for term, parameter in zip(distribution.parameters, distribution.form.parameters, strict=True)
    ]


def _log_mass(family: Family, form: Form, sides: tuple[bool, ...]) -> Any:
    """log P(lower < X < upper), each part from the tail in which it is small."""
    log_cdf, log_sf = family.log_cdf, family.log_sf
    assert log_cdf is not None and log_sf is not None

    def mass(*args: Any) -> Any:
        count = sum(sides)
        parameters = canonical(form, args[count:])
        if sides == (True, False):
            return log_sf(args[0], *parameters)
        if sides == (False, True):
            return log_cdf(args[0], *parameters)
        below, above = log_cdf(args[1], *parameters), log_sf(args[0], *parameters)
        from_below = below + log1mexp(smaller(log_cdf(args[0], *parameters) - below, -1e-300))
        from_above = above + log1mexp(smaller(log_sf(args[1], *parameters) - above, -1e-300))
        return anp.where(below < above, from_below, from_above)

    return mass


def _within(sides: tuple[bool, ...]) -> Any:
    def within(density: Any, value: Any, *bounds: Any) -> Any:
        outside = False
        for is_upper, bound in zip([side for side, given in enumerate(sides) if given], bounds, strict=True):
            outside = outside | ((value > bound) if is_upper else (value < bound))
        return anp.where(outside, -np.inf, density)

    return within


def fit_to(
    reader: Reader, distribution: Distribution, name: str, axes: tuple[Axis, ...], span: Span, observed: bool
) -> None:
    """Raises `Failed` where the distribution does not fit a name with these axes."""
    family = distribution.family
    if len(axes) < family.event_rank:
        raise Failed(mistakes.event_axis_missing(span, family.name, name))
    event, plate_axes = axes[len(axes) - family.event_rank :], axes[: len(axes) - family.event_rank]
    for term, parameter in zip(distribution.parameters, distribution.form.parameters, strict=True):
        _check_event(family, parameter, term, event)
    try:
        plates = distribution.plates()
    except Misaligned as error:
        raise Failed(_clashing_parameters(reader, distribution, error)) from None
    try:
        fits = len(terms.align(plates, plate_axes)) == len(plate_axes)
        clash = None
    except Misaligned as error:
        fits, clash = False, error
    if fits:
        return
    if not observed:
        mend = None
        if clash is not None:
            mend = reader.gathering(clash, list(zip(distribution.parameters, distribution.nodes, strict=True)))  # type: ignore[arg-type]
        raise Failed(mistakes.latent_lacks_axis(span, name, axes, (*plates, *event), mend))
    mend = None
    if clash is not None:
        operands = [(t, n) for t, n in zip(distribution.parameters, distribution.nodes, strict=True)]
        mend = reader.gathering(clash, operands)  # type: ignore[arg-type]
    raise Failed(mistakes.observed_lacks_axis(span, name, axes, (*plates, *event), mend))


def _clashing_parameters(reader: Reader, distribution: Distribution, error: Misaligned) -> Mistake:
    args, nodes = list(distribution.parameters), list(distribution.nodes)
    return reader.misaligned(error, args, nodes, distribution.span)  # type: ignore[arg-type]


def _check_event(family: Family, parameter: Parameter, term: Term, event: tuple[Axis, ...]) -> None:
    rank = parameter.event_rank
    if rank == 0 or family.event_rank == 0 or (rank == 1 and not term.axes):
        return
    length = event[-1].length
    if len(term.axes) < rank:
        raise Failed(
            mistakes.event_lengths_differ(
                term.span, family.name, parameter.name, term.axes, f"a {length} x {length} matrix"
            )
        )
    core = term.axes[len(term.axes) - rank :]
    if not all(axis.aligns(event[-1]) for axis in core):
        expected = f"{length} numbers" if rank == 1 else f"a {length} x {length} matrix"
        raise Failed(mistakes.event_lengths_differ(term.span, family.name, parameter.name, core, expected))


def categories(value: Term, distribution: Distribution) -> Term:
    """Observed categories, 1..K or levels in their order, as positions from 0."""
    if distribution.family.support.kind != "category" or not value.known:
        return value
    if value.kind is Kind.TEXT:
        return replace(value, kind=Kind.INTEGER)
    return replace(value, value=np.asarray(value.value) - 1)
