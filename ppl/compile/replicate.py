"""model -> draws of its latents from their priors, and of its observed names given latents: data like those given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from ppl.compile.simulate import draw, draw_latent
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.model.brackets import Place
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.terms import Term, inputs


class CannotReplicate(Exception):
    """Why observed names cannot be drawn, in words."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


def without_proper_prior(model: Model) -> list[str]:
    """The latents that cannot be drawn from their own distributions; all of them, where a `factor` weighs them too."""
    if any(not factor.observed for factor in model.factors):
        return [latent.name for latent in model.latents]
    return [latent.name for latent in model.latents if not all(p.distribution.can_draw for p in latent.pieces)]


def draw_prior(
    model: Model, draws: int, rng: np.random.Generator, known: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Draws (S, *shape) of all latents, discrete ones too, each after those its distribution depends on; `known` are
    those of latents that are given.
    """
    found = dict(known or {})
    waiting = [latent for latent in (*model.latents, *model.discrete) if latent.name not in found]
    while waiting:
        ready = next(latent for latent in waiting if _needed(latent) <= found.keys())
        found[ready.name] = draw_latent(ready, found, draws, rng)
        waiting.remove(ready)
    return found


def _needed(latent: Latent) -> set[str]:
    terms = [term for piece in latent.pieces for term in piece.distribution.all_terms]
    return set(inputs(terms)) - {latent.name}


def column_of(factor: Factor) -> str:
    """The column that is observed: `y` of `y[i]` in a loop."""
    return factor.name.partition("[")[0]


def piece_of(factor: Factor) -> Piece:
    """What is observed as if it were drawn."""
    assert factor.distribution is not None and factor.value is not None
    place = Place((), factor.value.plates, ()) if factor.value.plates else None
    return Piece(factor.distribution, factor.log_prob, place, factor.axes, factor.span)


def _is_whole(value: Term, column: Column) -> bool:
    """Whether what is observed is all of a column, in its order."""
    known = np.asarray(value.value)
    if known.shape != column.values.shape:
        return False
    return bool(((known == column.values) | (False if column.missing is None else column.missing)).all())


def check_replicable(model: Model, given: Dataset, beside_observed: bool = False, leave: Collection[str] = ()) -> None:
    """`given` are the data as they were read. Raises `CannotReplicate` where observed names, but those to `leave`, are
    more than draws from one statement each; with `beside_observed` each is drawn given the others as observed.
    """
    seen: set[str] = set(leave)
    for factor in model.observed:
        name = column_of(factor)
        if name in leave:
            continue
        column = model.data.columns.get(name)
        if column is not None and given.columns.get(name) is not column and not _same(given, column):
            how = "is recoded by a `data` line" if name in given.columns else "is put together from columns"
            raise CannotReplicate(f"`{name}` {how}")
        assert factor.value is not None
        if column is None or not _is_whole(factor.value, column) or name in seen:
            raise CannotReplicate(f"`{name}` is not observed as a whole, by one statement")
        if factor.log_prob.plates != factor.value.plates:
            raise CannotReplicate(f"`{name}` has a density for each round of a loop that it does not vary over")
        if not beside_observed and name in model.graph and any(other != name for other in model.graph.successors(name)):
            others = ", ".join(f"`{other}`" for other in model.graph.successors(name))
            raise CannotReplicate(f"{others} depends on the observed `{name}`")
        if model.graph.has_edge(name, name):
            raise CannotReplicate(f"`{name}` depends on its own values")
        seen.add(name)
    if not seen:
        raise CannotReplicate("no name is observed")


def replicate(
    model: Model, given: Dataset, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator,
    beside_observed: bool = False, leave: Collection[str] = (),
) -> dict[str, np.ndarray]:  # fmt: skip
    """Draws (S, *shape) of every observed name given S draws of all latents, as `draw` gives them: categories from 1.

    Raises `CannotReplicate`, as `check_replicable` does.
    """
    check_replicable(model, given, beside_observed, leave)
    found = {}
    for factor in model.observed:
        if column_of(factor) in leave:
            continue
        found[column_of(factor)] = draw(piece_of(factor), values, draws, rng)
    return found


def _same(given: Dataset, column: Column) -> bool:
    """Whether a column is as it was read."""
    other = given.columns.get(column.name)
    missing = None if other is None else (other.missing is None) == (column.missing is None)
    return (
        other is not None
        and bool(missing)
        and np.array_equal(other.values, column.values, equal_nan=column.levels is None)
    )


def as_column(column: Column, drawn: np.ndarray) -> Column:
    """A column with drawn values (*shape) in place of those that are not missing."""
    values = drawn - 1 if column.levels is not None else drawn
    if column.missing is not None:
        values = np.where(column.missing, column.values, values)
    known = values[np.isfinite(values)]
    if column.kind is not Kind.REAL and (known != np.floor(known)).any():  # whole numbers were given by chance
        return replace(column, values=values, kind=Kind.REAL)
    whole = column.kind is not Kind.REAL and known.size == values.size
    return replace(column, values=values.astype(column.values.dtype) if whole else values)
