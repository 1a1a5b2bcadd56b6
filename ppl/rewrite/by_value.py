"""model, discrete latents of rows -> its densities once for each of their values: what goes by rows stays so.

A discrete latent that each row has for itself, or an observed column of categories of which cells are missing, is set
to one value after the other, in all rows at once. Then every density is that of a model without it, and the sum over
the values is one over few numbers of each row. Rows whose value is known count for the first of the values alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.model import functions as fn
from ppl.model import terms
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.indexing import pick_by
from ppl.model.terms import Term, inputs

MOST_VALUES = 128  # combinations of a row's values


@dataclass(frozen=True, slots=True, eq=False)
class OneValue:
    """A density at the values with this number; `prior` where it is that of a discrete latent, or says which count."""

    number: int
    name: str
    said: Piece | Factor
    log_prob: Term
    prior: bool


@dataclass(frozen=True, slots=True, eq=False)
class ByValue:
    """All densities that depend on discrete latents of rows, at each of the `values` (combinations, latents)."""

    latents: tuple[str, ...]
    values: np.ndarray
    densities: tuple[OneValue, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """A discrete latent of the rows: of all, or of those whose cell of a column is `missing`."""

    latent: Latent
    values: np.ndarray
    missing: np.ndarray | None


def by_value(model: Model, values: Mapping[str, np.ndarray], axis: Axis) -> ByValue | None:
    """With the values of each discrete latent; None where one of them is not a row's own, or there are too many."""
    owned = [_own(model, latent, values[latent.name], axis) for latent in model.discrete]
    own = [one for one in owned if one is not None]
    if not own or len(own) < len(owned) or np.prod([float(len(one.values)) for one in own]) > MOST_VALUES:
        return None
    names = tuple(one.latent.name for one in own)
    combinations = np.array(list(product(*(one.values for one in own))))
    found: list[OneValue] = []
    for number, chosen in enumerate(combinations):
        setting = dict(zip(names, chosen.tolist(), strict=True))
        for one, value in zip(own, chosen, strict=True):
            prior = _prior(one, _set(one.latent.pieces[0].log_prob, own, setting), axis)
            found.append(OneValue(number, one.latent.name, one.latent.pieces[0], prior, True))
            if one.missing is not None:
                counts = _counts(one, float(value), axis)
                found.append(OneValue(number, one.latent.name, one.latent.pieces[0], counts, True))
        for name, said, log_prob in _others(model, names):
            found.append(OneValue(number, name, said, _set(log_prob, own, setting), False))
    return ByValue(names, combinations, tuple(found))


def _own(model: Model, latent: Latent, values: np.ndarray, axis: Axis) -> _Own | None:
    if len(latent.pieces) != 1:
        return None
    if len(latent.axes) == 1 and latent.axes[0].identity == axis.identity and latent.pieces[0].place is None:
        return _Own(latent, values, None)
    column = model.data.columns.get(latent.name)
    if column is None or column.missing is None or len(column.axes) != 1 or column.axes[0].identity != axis.identity:
        return None
    return _Own(latent, values, np.asarray(column.missing))


def _others(model: Model, names: Sequence[str]) -> Iterator[tuple[str, Piece | Factor, Term]]:
    """All densities that depend on these latents, their own priors left out."""
    said: list[tuple[str, Piece | Factor]] = [(x.name, piece) for x in model.latents for piece in x.pieces]
    said += [(factor.name, factor) for factor in model.factors]
    for name, one in said:
        if set(names) & set(inputs([one.log_prob])):
            yield name, one, one.log_prob


def _set(term: Term, own: Sequence[_Own], setting: Mapping[str, float]) -> Term:
    """A term with the discrete latents at these values."""
    known = {one.latent.name: one for one in own}

    def change(each: Term, args: tuple[Term, ...]) -> Term | None:
        if each.source in known:
            return terms.constant(np.full(each.shape, setting[each.source]), each.axes, each.span, Kind.INTEGER)
        if each.op is not None and each.op.name == "take" and args[1].known:
            places, before = each.op.options
            axes = (*args[0].axes[:before], *args[1].axes, *args[0].axes[before + len(places) :])
            return pick_by(args[0], places, args[1], axes, before, each.span)
        return None

    return terms.rebuild([term], change)[0]


def _prior(one: _Own, log_prob: Term, axis: Axis) -> Term:
    """The prior over the rows: where only some have the latent, 0 in the others."""
    if one.missing is None:
        return log_prob
    cells = np.where(one.missing, np.cumsum(one.missing) - 1, 0)
    flat = terms.constant(cells, (axis,), log_prob.span, Kind.INTEGER)
    picked = pick_by(log_prob, (0,), flat, (axis,), 0, log_prob.span)
    test = terms.constant(one.missing, (axis,), log_prob.span, Kind.BOOLEAN)
    return terms.apply(fn.CHOOSE, (test, picked, terms.constant(0.0, (), log_prob.span)), (), log_prob.span)


def _counts(one: _Own, value: float, axis: Axis) -> Term:
    """0 where this value is summed over, minus infinity in rows whose own is known, but for the first value."""
    counts = one.missing | (value == one.values[0])
    return terms.constant(np.where(counts, 0.0, -np.inf), (axis,), one.latent.span)
