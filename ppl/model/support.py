"""A distribution and values -> whether it can give them; a latent and a parameter -> whether it can leave its range."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

import numpy as np

from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import data_mistakes, mistakes, point_mistakes, wrapper_mistakes
from ppl.model.distribution import Distribution, element
from ppl.model.distributions.family import SYMMETRIC, TRIANGULAR, Family
from ppl.model.events import EVENTS
from ppl.model.expressions import Reader
from ppl.model.graph import Latent
from ppl.model.scope import Failed, show_value
from ppl.model.terms import Term

# A matrix where a matrix of another kind is needed: the mend.
_OTHER_MATRIX = {
    (TRIANGULAR, "correlation"): "write `cov = {name}`, or give `{name}` an LKJCholesky distribution",
    (TRIANGULAR, "covariance"): "write `cov = {name}`",
    (SYMMETRIC, "cholesky_correlation"): "write `chol = {name}`, or give `{name}` an LKJ distribution",
}


def check_against_support(distribution: Distribution, supports: dict[str, Distribution]) -> tuple[str, Mistake] | None:
    """A parameter that is simply a latent, and a latent that can leave what the parameter must be: its name."""
    for node, parameter in zip(distribution.nodes, distribution.form.parameters, strict=True):
        requirement = parameter.requirement
        name = node.base if isinstance(node, s.Index) else node
        if not isinstance(name, s.Name) or name.name not in supports:
            continue
        given = supports[name.name]
        mend = _OTHER_MATRIX.get((requirement, given.kind))
        if mend is not None:
            family, mend = distribution.family.name, mend.format(name=name.name)
            words = requirement.words
            return name.name, mistakes.parameter_may_leave(node.span, family, parameter.name, words, name.name, mend)
        if requirement.lower == -np.inf:
            continue
        if given.family.event_rank or given.family.discrete:
            continue
        family = distribution.family.name
        words = requirement.words
        if _may_pass(given.support_lower, requirement.lower, below=True):
            if requirement.upper == 1.0 and "logit" not in distribution.family.parameter_names():
                mend = f"give `{name.name}` a Beta or Uniform distribution, or put it through `inv_logit`"
            elif requirement.upper == 1.0:
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


def check_roles(latents: Iterable[Latent], needed: Container[str]) -> list[Mistake]:
    """Latents of families that cannot be inferred though they are `needed`, or cannot be drawn though they are not."""
    found = []
    for latent in latents:
        for piece in latent.pieces:
            distribution, name = piece.distribution, latent.name
            family = distribution.family
            if name in needed and family.support.kind == "mixed":
                found.append(wrapper_mistakes.cannot_infer_mixed(latent.span, name, family.name))
            if name in needed and family.support.kind == "circle" and distribution.support_lower is None:
                found.append(mistakes.latent_repeats(latent.span, name, family.name))
            if name not in needed and not distribution.can_draw:
                if family.name == "Param":
                    found.append(point_mistakes.nothing_tells(latent.span, name))
                    break
                wrapper = distribution.name if distribution.constraint else None
                found.append(mistakes.cannot_simulate(latent.span, name, family.name, wrapper))
    return found


def check_values(
    reader: Reader, distribution: Distribution, value: Term, counts: np.ndarray, text: str, span: Span
) -> None:
    """Raises `Failed` for the first observed value that the distribution cannot give.

    What does not count (of the value's shape), in rounds that a ragged loop leaves out and in missing cells, may be
    anything.
    """
    values = np.asarray(value.value)
    family = distribution.family
    bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    words = "numbers"
    low = high = None
    if family.support.kind == "category":
        size = distribution.categories
        bad, words = (values < 0) | (values >= size) | (values != np.floor(values)), f"categories 1 to {size}"
        if value.levels is not None and len(value.levels) < size:
            is_column = text in reader.env.data.columns
            raise Failed(data_mistakes.fewer_levels(span, text, value.levels, size, is_column))
        if value.levels is not None:
            words = f"{size} categories, one a level"
    elif family.support.kind == "simplex":
        off = np.abs(values.sum(axis=-1, keepdims=True) - 1) > 1e-6
        bad, words = bad | (values < 0) | off, EVENTS["simplex"].words
    elif family.support.kind == "counts":
        total = _known_bound(distribution.support_upper)
        off = False if total is None else values.sum(axis=-1, keepdims=True) != total[..., None]
        bad, words = bad | (values < 0) | (values != np.floor(values)) | off, "counts that sum to n along the last axis"
    else:
        if family.support.kind == "integer":
            bad, words = bad | (values != np.floor(values)), "whole numbers"
        low, high = _known_bound(distribution.support_lower), _known_bound(distribution.support_upper)
        for bound, beyond in ((low, np.less), (high, np.greater)):
            if bound is not None:
                bad = bad | beyond(values, bound)
    bad = np.broadcast_to(bad, np.broadcast_shapes(bad.shape, values.shape))
    bad = bad & counts
    if bad.any() and bad.shape == values.shape:
        place = tuple(int(i) for i in np.argwhere(bad)[0]) if values.ndim else ()
        where = (reader.env.where(text, place) or element(value, text, place)) if place else "its one value"
        if family.support.kind in ("integer", "interval", "real", "circle", "mixed"):
            words += _range_words(low, high, place)
        shown = show_value(value, place)
        if family.support.kind == "category" and value.levels is None:
            shown = f"{float(values[place]) + 1:.6g}"
        elif family.event_rank and _are_possible(family, values[place[:-1]]):
            shown, where = f"{float(values[place[:-1]].sum()):.6g} in all", re.sub(r"\[\d+\]$|, \d+(?=\]$)", "", where)
        raise Failed(mistakes.outside_support(span, text, distribution.name, words, shown, where, None))
    if distribution.kind in EVENTS:
        _check_events(reader, distribution, value, counts, text, span)


def _check_events(
    reader: Reader, distribution: Distribution, value: Term, counts: np.ndarray, text: str, span: Span
) -> None:
    """Raises `Failed` for the first vector or matrix that is none of the kind."""
    event = EVENTS[distribution.kind]
    values = np.asarray(value.value, dtype=np.float64)
    holds = event.holds(values)
    bad = ~holds & np.broadcast_to(counts, values.shape).reshape(*holds.shape, -1).any(axis=-1)
    if not bad.any():
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    one = values[place]
    inside: tuple[int, ...] = ()
    said = "is not"
    if distribution.kind == "ordered":
        inside = (int(np.argmax(np.diff(one) <= 0)) + 1,)
        said = f"goes from {one[inside[0] - 1]:.6g} to {one[inside[0]]:.6g}"
    elif distribution.kind == "zero_sum":
        said = f"sums to {one.sum():.6g}"
    where = None
    if place or inside:
        at = (*place, *inside)
        full = (*at, *(0,) * (values.ndim - len(at)))
        where = reader.env.where(text, full) if inside or values.ndim == 1 else None
        where = where or f"element {', '.join(str(i + 1) for i in at)} of `{text}`"
    raise Failed(mistakes.no_such_event(span, text, distribution.name, event.words, said, where))


def _are_possible(family: Family, vector: np.ndarray) -> bool:
    """Whether the elements of a vector are as they should be, so that only their sum is wrong."""
    whole = family.support.kind != "counts" or bool((vector == np.floor(vector)).all())
    return whole and bool((vector >= 0).all())


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
