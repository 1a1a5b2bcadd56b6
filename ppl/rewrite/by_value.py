"""model, discrete latents of rows -> its densities once for each of their values: what goes by rows stays so.

A discrete latent that each row has for itself, or an observed column of categories of which cells are missing, is set
to one value after the other, in all rows at once. Then every density is that of a model without it, and the sum over
the values is one over few numbers of each row. Rows whose value is known count for the first of the values alone.
Where an encoder reads these values, its latents have others for each of them, and names of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
_AT = "\x1f"  # between a latent's name and a number: in no name


def at_value(name: str, number: int) -> str:
    """What an encoded latent is called at the values with this number."""
    return f"{name}{_AT}{number}"


def of_any_value(name: str) -> str:
    """The way back; other names stay as they are."""
    return name.partition(_AT)[0]


@dataclass(frozen=True, slots=True, eq=False)
class OneValue:
    """A density at the values with this number; `prior` where it is that of a discrete latent, or says which count."""

    number: int
    name: str
    said: Piece | Factor
    log_prob: Term
    prior: bool


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Combinations of `values` (combinations, latents) of discrete latents of rows.

    `codes` (N, combinations) say for each row which it has where what is unknown is set to that of each number; only
    what `counts` (N, combinations) is summed over: of a known value there is one.
    """

    latents: tuple[str, ...]
    values: np.ndarray
    codes: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class ByValue:
    """All densities that depend on discrete latents of rows, at each of the values of `of`."""

    of: Values
    densities: tuple[OneValue, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """A discrete latent of the rows: of all, or of those whose cell of a column is `missing`."""

    latent: Latent
    values: np.ndarray
    missing: np.ndarray | None


def by_value(
    model: Model, values: Mapping[str, np.ndarray], axis: Axis, encoded: Collection[str] = ()
) -> ByValue | None:
    """With the values of each discrete latent; None where one of them is not a row's own, or there are too many.

    The densities that depend on `encoded` latents are among them, where these have the names that `at_value` gives;
    which rows count is then left to the caller.
    """
    own = _owned(model, values, axis)
    if own is None:
        return None
    names = tuple(one.latent.name for one in own)
    combinations = _combinations(own)
    found: list[OneValue] = []
    for number, chosen in enumerate(combinations):
        setting = dict(zip(names, chosen.tolist(), strict=True))
        for one, value in zip(own, chosen, strict=True):
            prior = _prior(one, _set(one.latent.pieces[0].log_prob, own, setting, number, encoded), axis)
            found.append(OneValue(number, one.latent.name, one.latent.pieces[0], prior, True))
            if one.missing is not None and not encoded:
                counts = _counts(one, float(value), axis)
                found.append(OneValue(number, one.latent.name, one.latent.pieces[0], counts, True))
        for name, said, log_prob in _others(model, (*names, *encoded)):
            found.append(OneValue(number, name, said, _set(log_prob, own, setting, number, encoded), False))
    return ByValue(_read(model, own, axis), tuple(found))


def values_of_rows(model: Model, values: Mapping[str, np.ndarray], axis: Axis) -> Values | None:
    """What `by_value` goes through; None where it gives none."""
    own = _owned(model, values, axis)
    return None if own is None else _read(model, own, axis)


def _owned(model: Model, values: Mapping[str, np.ndarray], axis: Axis) -> list[_Own] | None:
    owned = [_own(model, latent, values[latent.name], axis) for latent in model.discrete]
    own = [one for one in owned if one is not None]
    if not own or len(own) < len(owned) or np.prod([float(len(one.values)) for one in own]) > MOST_VALUES:
        return None
    return own


def _combinations(own: Sequence[_Own]) -> np.ndarray:
    return np.array(list(product(*(one.values for one in own))))


def _read(model: Model, own: Sequence[_Own], axis: Axis) -> Values:
    lengths = [len(one.values) for one in own]
    places = np.array(list(product(*(range(length) for length in lengths))))
    counts = np.ones((axis.length, len(places)), dtype=bool)
    found = []
    for one, place in zip(own, places.T, strict=True):
        if one.missing is None:
            found.append(np.broadcast_to(place, counts.shape))
            continue
        column = model.data.columns[one.latent.name]
        given = column.values + 1.0 if column.levels is not None else np.asarray(column.values, dtype=np.float64)
        known = np.abs(np.where(one.missing, one.values[0], given)[:, None] - one.values).argmin(axis=1)
        found.append(np.where(one.missing[:, None], place, known[:, None]))
        counts &= one.missing[:, None] | (place == 0)
    codes = np.ravel_multi_index([np.asarray(each) for each in found], lengths)
    return Values(tuple(one.latent.name for one in own), _combinations(own), codes, counts)


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


def _set(term: Term, own: Sequence[_Own], setting: Mapping[str, float], number: int, encoded: Collection[str]) -> Term:
    """A term with the discrete latents at these values, which have the number."""
    known = {one.latent.name: one for one in own}

    def change(each: Term, args: tuple[Term, ...]) -> Term | None:
        if each.source in known:
            return terms.constant(np.full(each.shape, setting[each.source]), each.axes, each.span, Kind.INTEGER)
        if each.source in encoded:
            return terms.latent(at_value(str(each.source), number), each.axes, each.span, each.kind)
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
