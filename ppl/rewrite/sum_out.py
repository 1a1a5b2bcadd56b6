"""model -> the densities that depend on discrete latents, as tables over their values, and the plan to sum them out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ppl.language.errors import Mistake, ModelError
from ppl.language.source import Span
from ppl.model import discrete_mistakes, mistakes, terms
from ppl.model.graph import Latent, Model, Piece
from ppl.model.terms import Term, TooLarge
from ppl.rewrite.eliminate import MOST_TERMS, Plan, TooManyTerms, plan
from ppl.rewrite.enumerate import Table, enumerated
from ppl.rewrite.products import products_by_row
from ppl.rewrite.references import CannotEnumerate, Discrete
from ppl.values import dataclass

_MOST_VALUES = 100_000  # of one discrete latent


@dataclass(frozen=True, slots=True, eq=False)
class Summand:
    """The table that stands for one log density; `scope` (rows, references) says which elements each of its rows is
    over, numbered over all discrete latents, -1 for none.
    """

    table: Table
    scope: np.ndarray

    @property
    def values(self) -> tuple[int, ...]:
        """How many values each of its references has."""
        return tuple(reference.plate.length for reference in self.table.references)


@dataclass(frozen=True, slots=True, eq=False)
class SummedOut:
    """All that is said of discrete latents.

    `first[name]` is the number of a latent's first element; `summands` stand for the log densities whose ids they are
    under, in the order of the plan.
    """

    latents: tuple[Discrete, ...]
    first: Mapping[str, int]
    summands: Mapping[int, Summand]
    plan: Plan

    @property
    def elements(self) -> int:
        return sum(latent.size for latent in self.latents)


def sum_out(model: Model) -> SummedOut | None:
    """The tables of a model; None where nothing discrete is unknown.

    Raises `ModelError` where a sum cannot be written, or would take too many terms.
    """
    if not model.discrete:
        return None
    found: list[Mistake] = []
    latents: dict[str, Discrete] = {}
    for latent in model.discrete:
        values = values_of(latent, found)
        latents[latent.name] = Discrete(latent.name, values, int(np.prod(latent.shape)))
    _check_bounds(model, found)
    _raise(model, found)
    starts = np.cumsum([0, *(latent.size for latent in latents.values())]).tolist()
    first = dict(zip(latents, starts, strict=False))
    summands: dict[int, Summand] = {}
    for log_prob, span in _densities(model):
        if latents.keys().isdisjoint(terms.inputs([log_prob])):
            continue
        try:
            summands[id(log_prob)] = _summand(products_by_row(log_prob, latents), latents, first)
        except CannotEnumerate as error:
            found.append(error.mistake)
        except TooLarge as error:
            found.append(mistakes.too_large(span, error.elements, terms.MOST_ELEMENTS))
    _raise(model, found)
    everything = tuple(latents.values())
    counts = np.concatenate([np.full(latent.size, len(latent.values)) for latent in everything])
    try:
        made = plan([summand.scope for summand in summands.values()], counts)
    except TooManyTerms as error:
        name = max((number, name) for name, number in first.items() if number <= error.element)[1]
        latent = next(latent for latent in model.discrete if latent.name == name)
        found.append(discrete_mistakes.too_many_terms(latent.span, name, error.terms, MOST_TERMS))
        _raise(model, found)
        raise
    return SummedOut(everything, first, summands, made)


def _raise(model: Model, found: list[Mistake]) -> None:
    if found:
        raise ModelError(model.source, found)


def _densities(model: Model) -> list[tuple[Term, Span]]:
    """Every log density of the model, with its statement."""
    pieces = [piece for latent in (*model.latents, *model.discrete) for piece in latent.pieces]
    return [*((piece.log_prob, piece.span) for piece in pieces), *((x.log_prob, x.span) for x in model.factors)]


def _summand(log_prob: Term, latents: Mapping[str, Discrete], first: Mapping[str, int]) -> Summand:
    table = enumerated(log_prob, latents)
    columns = [
        np.where(reference.positions < 0, -1, reference.positions + first[reference.latent.name]).reshape(-1)
        for reference in table.references
    ]
    return Summand(table, np.stack(columns, axis=1))


def _check_bounds(model: Model, found: list[Mistake]) -> None:
    """A continuous latent whose range depends on a discrete one has no coordinates of its own."""
    names = {latent.name for latent in model.discrete}
    for latent in model.latents:
        for piece in latent.pieces:
            ends = (piece.distribution.support_lower, piece.distribution.support_upper)
            for name in terms.inputs(end for end in ends if end is not None):
                if name in names:
                    found.append(discrete_mistakes.range_depends(latent.span, latent.name, name))


def values_of(latent: Latent, found: list[Mistake] | None = None, done: str = "summed out") -> np.ndarray:
    """All values that the elements of a latent can have: 1..K, or a range of whole numbers.

    Where that is not known, or there are too many, a mistake is `found` that says what cannot be `done`.
    """
    found = [] if found is None else found
    lows: list[float] = []
    highs: list[float] = []
    for piece in latent.pieces:
        family = piece.distribution.family
        if family.event_rank:
            found.append(discrete_mistakes.not_countable(piece.span, latent.name, family.name, done))
            return np.zeros(1)
        low, high = _range_of(piece, latent, found, done)
        lows.append(low)
        highs.append(high)
    low, high = min(lows), max(highs)
    if not (np.isfinite(low) and np.isfinite(high)) or high < low:
        return np.zeros(1)
    if high - low >= _MOST_VALUES:
        found.append(discrete_mistakes.too_many_values(latent.span, latent.name, int(high - low + 1), _MOST_VALUES))
        return np.zeros(1)
    return np.arange(low, high + 1)


def _range_of(piece: Piece, latent: Latent, found: list[Mistake], done: str) -> tuple[float, float]:
    distribution = piece.distribution
    if distribution.family.support.kind == "category":
        return 1.0, float(distribution.categories)
    ends: list[float] = []
    for end, choose in ((distribution.support_lower, np.min), (distribution.support_upper, np.max)):
        if end is None:
            found.append(discrete_mistakes.endless(piece.span, latent.name, distribution.family.name, done))
            return np.nan, np.nan
        if not end.known:
            found.append(discrete_mistakes.support_not_known(piece.span, latent.name))
            return np.nan, np.nan
        values = np.asarray(end.value, dtype=np.float64)
        ends.append(float(choose(values)) if values.size else 0.0)
    return float(np.ceil(ends[0])), float(np.floor(ends[1]))
