"""The distribution that a statement writes -> its family, parameters and bounds as terms; wrappers among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ppl.data import axes as axes_of
from ppl.data.column import Kind
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import mistakes, terms, wrapper_mistakes
from ppl.model.arguments import match_parameters
from ppl.model.distribution import Distribution, check_bounds, check_parameter, family_of, wrapped
from ppl.model.distributions.composite import Part
from ppl.model.distributions.constraint import CONSTRAINTS
from ppl.model.distributions.family import Family
from ppl.model.expressions import Reader
from ppl.model.scope import Failed, as_scalar
from ppl.model.terms import Misaligned, Op, Term
from ppl.model.wrappers import WRAPPERS, family_of_parts, told_apart
from ppl.numeric.special import floor, inv_logit, larger, smaller


def read(reader: Reader, node: s.Dist) -> Distribution:
    """The distribution that a node of the tree says. Raises `Failed`, `Skipped`."""
    if node.family.name in WRAPPERS:
        return _composed(reader, node)
    inner = wrapped(node)
    if inner is not None:
        return _constrained(read(reader, inner), CONSTRAINTS[node.family.name], node, inner)
    family = family_of(node)
    given, _ = match_parameters(node, family)
    form = family.form_with(frozenset(given))
    assert form is not None
    nodes = tuple(given[parameter.name].value for parameter in form.parameters)
    parameters = tuple(
        reader.number(value) if parameter.event_rank else as_scalar(reader.number(value))
        for value, parameter in zip(nodes, form.parameters, strict=True)
    )
    lower, upper = (_bound_of(reader, node, family, side) for side in ("lower", "upper"))
    if (lower is not None or upper is not None) and not family.can_be_bounded:
        raise Failed(mistakes.cannot_bound(node.span, family.name))
    if family.support.kind == "circle" and (lower is None) != (upper is None):
        raise Failed(mistakes.repeats(node.span, family.name))
    by_name = {p.name: term for p, term in zip(form.parameters, parameters, strict=True)}
    support = [_natural(family, side, by_name, node.span) for side in ("lower", "upper")]
    distribution = Distribution(
        family, form, parameters, lower, upper,
        _tighter(reader, lower, support[0], larger), _tighter(reader, upper, support[1], smaller), node.span, nodes,
    )  # fmt: skip
    for term, value, parameter in zip(parameters, nodes, form.parameters, strict=True):
        check_parameter(reader, distribution, term, value, parameter)
    check_bounds(distribution)
    return distribution


def _composed(reader: Reader, node: s.Dist) -> Distribution:
    """A distribution made of others: its parameters, and theirs with their bounds, in one row."""
    name = node.family.name
    own, inner, _ = told_apart(node)
    parts = [read(reader, part) for part in inner]
    _check_parts(name, node, parts)
    if node.lower is not None or node.upper is not None:
        raise Failed(mistakes.cannot_bound(node.span, name))
    given = {keyword: _own_parameter(reader, name, keyword, value) for keyword, value in own.items()}
    shapes = [Part(part.family, part.form, (part.lower is not None, part.upper is not None)) for part in parts]
    family = family_of_parts(name, [WRAPPERS[name].scales.get(keyword, keyword) for keyword in own], shapes)
    form = family.forms[0]
    by_name = {WRAPPERS[name].scales.get(keyword, keyword): keyword for keyword in own}
    named = [parameter.name for parameter in form.parameters[: len(own)]]
    terms_of = [given[by_name[parameter]] for parameter in named]
    nodes: list[s.Node] = [_as_written(by_name[parameter], own[by_name[parameter]]) for parameter in named]
    if name == "Mixture":
        _check_weights(terms_of[0], nodes[0], parts, node)
    for part, written in zip(parts, inner, strict=True):
        bounds = [(part.lower, written.lower), (part.upper, written.upper)]
        said = [*zip(part.parameters, part.nodes, strict=True), *(pair for pair in bounds if pair[0] is not None)]
        for term, value in said:
            assert term is not None and value is not None
            along = name == "Mixture" and len(parts) == 1
            terms_of.append(_along_weights(reader, term, terms_of[0], value, part) if along else term)
            nodes.append(value)
    found = Distribution(
        family, form, tuple(terms_of), None, None, *_hull(reader, name, given, parts), node.span, tuple(nodes)
    )
    for term, value, parameter in zip(terms_of[: len(own)], nodes, form.parameters, strict=False):
        check_parameter(reader, found, term, value, parameter)
    return found


def _own_parameter(reader: Reader, name: str, keyword: str, value: s.Expr) -> Term:
    term = reader.number(value)
    if keyword == "weights":
        return term
    return reader.apply(_INV_LOGIT, [as_scalar(term)], (), value.span) if keyword == "logit" else as_scalar(term)


def _as_written(keyword: str, value: s.Expr) -> s.Expr:
    """The expression that stands for a parameter given on another scale."""
    return s.Call(s.Name("inv_logit", value.span), (s.Argument(value),), value.span) if keyword == "logit" else value


_INV_LOGIT = Op("inv_logit", inv_logit)


def _check_parts(name: str, node: s.Dist, parts: list[Distribution]) -> None:
    for part in parts:
        why = None
        if part.event_rank or part.kind in ("category", "circle"):
            why = "it does not give single numbers on a line"
        elif not part.family.renormalised:
            why = "it has no total"
        elif name == "Censored" and (part.family.log_cdf is None or part.lower is not None or part.upper is not None):
            why = "it takes a plain family, without bounds"
        elif name == "Hurdle" and part.kind == "mixed":
            why = "it has zeros of its own"
        if why is not None:
            raise Failed(wrapper_mistakes.not_a_part(part.span, name, part.name, why))
    discrete = [part.name for part in parts if part.family.discrete]
    continuous = [part.name for part in parts if not part.family.discrete]
    if discrete and continuous:
        raise Failed(wrapper_mistakes.parts_differ(node.span, name, discrete[0], continuous[0]))


def _check_weights(weights: Term, node: s.Node, parts: list[Distribution], whole: s.Dist) -> None:
    if weights.axes and len(parts) > 1 and weights.axes[-1].length != len(parts):
        raise Failed(wrapper_mistakes.weights_differ(node.span, weights.axes[-1].length, len(parts)))
    if not weights.axes:
        raise Failed(wrapper_mistakes.weights_differ(node.span, 1, len(parts)))


def _along_weights(reader: Reader, term: Term, weights: Term, node: s.Node, part: Distribution) -> Term:
    """A parameter of a part with one element for each weight."""
    axis = weights.axes[-1]
    if not term.axes:
        return reader.spread(term, (axis,), node.span)
    if not term.axes[-1].aligns(axis):
        names = {id(t): p.name for t, p in zip(part.parameters, part.form.parameters, strict=True)}
        length = axes_of.show(term.axes)
        name = names.get(id(term), "bound")
        raise Failed(wrapper_mistakes.not_along_weights(node.span, part.name, name, length, axis.length))
    return term


def _hull(
    reader: Reader, name: str, given: dict[str, Term], parts: list[Distribution]
) -> tuple[Term | None, Term | None]:
    """Where values can lie: from the lowest to the highest that a part can give, zeros and limits included."""
    zero = terms.constant(0.0, (), parts[0].span)
    ends: list[Term | None] = []
    for side, choose in (("lower", smaller), ("upper", larger)):
        found = [getattr(part, f"support_{side}") for part in parts]
        if side in given:
            found = [given[side]]
        elif name in ("ZeroInflated", "Hurdle"):
            found.append(zero)
        if any(end is None for end in found) or (name == "Mixture" and any(end.axes for end in found)):
            ends.append(None)
            continue
        end = found[0]
        for other in found[1:]:
            end = reader.apply(Op("wider", choose, None, (side,)), [end, other], (), end.span, end.kind)
        ends.append(end)
    return ends[0], ends[1]


def _constrained(found: Distribution, constraint: str, node: s.Dist, inner: s.Dist) -> Distribution:
    family, wrapper = found.family, node.family.name
    if node.lower is not None or node.upper is not None:
        raise Failed(mistakes.bounds_of_wrapper(node.span, wrapper, family.name))
    bounds = [bound for bound in (found.support_lower, found.support_upper) if bound is not None]
    if constraint == "zero_sum":
        if found.kind != "real" or bounds:
            bounded = bool(bounds) and not family.discrete
            raise Failed(mistakes.not_for_zero_sum(inner.span, family.name, bounded))
    elif family.event_rank or family.discrete or found.constraint is not None or found.kind == "mixed":
        raise Failed(mistakes.not_for_ordered(inner.span, found.name))
    elif any(bound.axes for bound in bounds):
        raise Failed(mistakes.ordered_bounds_vary(inner.span, family.name))
    return replace(found, constraint=constraint, span=node.span)


def _bound_of(reader: Reader, node: s.Dist, family: Family, side: str) -> Term | None:
    """A bound that was written; one that is infinite everywhere is none. Of whole numbers, the last that it allows."""
    written = node.lower if side == "lower" else node.upper
    if written is None:
        return None
    term = as_scalar(reader.number(written))
    if term.known and np.isinf(np.asarray(term.value)).all():
        return None
    if not family.discrete:
        return term
    return reader.apply(_LAST_WHOLE[side, side in node.excludes], [term], (), term.span, Kind.INTEGER)


_LAST_WHOLE = {
    ("lower", True): Op("first above", lambda x: floor(x) + 1),
    ("lower", False): Op("first from", lambda x: -floor(-x)),
    ("upper", True): Op("last below", lambda x: -floor(-x) - 1),
    ("upper", False): Op("last up to", floor),
}


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
