"""model, names of discrete latents -> the model with points of simplexes in their place, and the one that draws them.

What is summed over in the first stays as it is. The prior of a latent that goes is weighed by the probabilities that a
guide gives its values: minus the Kullback-Leibler divergence from it, but for the entropy.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import Mistake, ModelError, UsageError, nearest
from ppl.model import mistakes, relax_mistakes, terms
from ppl.model.discrete_mistakes import range_depends
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.terms import TooLarge
from ppl.rewrite.on_simplex import CannotRelax, OnSimplex
from ppl.rewrite.sum_out import sum_out, values_of
from ppl.values import dataclass

_MOST_VALUES = 256  # of one element
_TOO_MUCH = ("too-many-terms", "all-at-once", "too-tangled", "in-a-recurrence")  # mistakes that relaxing may mend


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """A latent with these `values` (K,); `possible` (*shape, K) says which of them its elements can have."""

    name: str
    values: np.ndarray
    axes: tuple[Axis, ...]
    possible: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.length for axis in self.axes)

    @property
    def size(self) -> int:
        """Numbers that stand for it."""
        return self.possible.size


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """The `model` without these latents, at weights of their values, which come at a `temperature`."""

    model: Model
    latents: tuple[Soft, ...]
    temperature: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(latent.name for latent in self.latents)


def relaxed(model: Model, names: Collection[str], temperature: float) -> Relaxed:
    """Raises `UsageError` for what is no discrete latent, `ModelError` for uses of it that cannot be relaxed."""
    asked = {_latent(model, name).name for name in names}
    gone = [latent for latent in model.discrete if latent.name in asked]
    found: list[Mistake] = []
    values = {latent.name: _values(latent, found) for latent in gone}
    _raise(model, found)
    made = OnSimplex(values)
    latents = [_changed(latent, made, values, found) for latent in model.latents]
    others = [latent for latent in model.discrete if latent.name not in values]
    discrete = [_changed(latent, made, values, found) for latent in others]
    factors = [_of_factor(factor, made, found) for factor in model.factors]
    softs: list[Soft] = []
    for latent in gone:
        possible = np.ones((int(np.prod(latent.shape)), len(values[latent.name])), dtype=bool)
        for piece in latent.pieces:
            prior = _prior(latent, piece, made, possible, found)
            factors += [] if prior is None else [prior]
        softs.append(Soft(latent.name, values[latent.name], latent.axes, possible.reshape(*latent.shape, -1)))
    _raise(model, found)
    soft = replace(model, latents=tuple(latents), discrete=tuple(discrete), factors=tuple(factors))
    return Relaxed(soft, tuple(softs), temperature)


def drawn(model: Model, names: Collection[str]) -> Model:
    """The model with these discrete latents among those of which a fit has draws: they are not summed out."""
    own, rest = ([x for x in model.discrete if (x.name in names) == wanted] for wanted in (True, False))
    return replace(model, latents=(*model.latents, *own), discrete=tuple(rest))


def with_way_out(model: Model, error: ModelError) -> ModelError:
    """The refusal to sum out, which names `--relax` where that is possible."""
    found = []
    for mistake in error.mistakes:
        names = [x.name for x in model.discrete if f"`{x.name}`" in mistake.message]
        if mistake.kind in _TOO_MUCH and names and _is_possible(model, names):
            asked = " ".join(f"--relax {name}" for name in names)
            mistake = replace(mistake, mend=f"{mistake.mend},\nor ask for `{asked}`: a fit with a bias")
        found.append(mistake)
    return ModelError(error.source, found)


def _is_possible(model: Model, names: Sequence[str]) -> bool:
    try:
        sum_out(relaxed(model, names, 1.0).model)
    except (ModelError, UsageError):
        return False
    return True


def _raise(model: Model, found: list[Mistake]) -> None:
    if found:
        raise ModelError(model.source, found)


def _latent(model: Model, name: str) -> Latent:
    known = {latent.name: latent for latent in model.discrete}
    if name in known:
        return known[name]
    if name in {latent.name for latent in model.latents}:
        raise UsageError(f"relax: `{name}` is not discrete: its posterior is found without")
    if name in {latent.name for latent in model.simulated}:
        raise UsageError(f"relax: nothing observed depends on `{name}`: it is simulated, and not inferred")
    if name in {factor.name.partition("[")[0] for factor in model.observed}:
        raise UsageError(f"relax: `{name}` is observed")
    close = nearest(name, known)
    hint = f"; did you mean `{close}`?" if close else f"; those are {', '.join(known)}" if known else "; it has none"
    raise UsageError(f"relax: `{name}` is no discrete latent of this model{hint}")


def _values(latent: Latent, found: list[Mistake]) -> np.ndarray:
    values = values_of(latent, found, "relaxed")
    if len(values) > _MOST_VALUES:
        found.append(relax_mistakes.too_many_values(latent.span, latent.name, len(values), _MOST_VALUES))
    return values


def _changed(latent: Latent, made: OnSimplex, gone: Collection[str], found: list[Mistake]) -> Latent:
    """A latent that stays, its distributions at the weights."""
    pieces = []
    for piece in latent.pieces:
        distribution = piece.distribution
        for end in (distribution.support_lower, distribution.support_upper):
            for name in () if end is None else terms.inputs([end]):
                if name in gone:
                    found.append(range_depends(latent.span, latent.name, name))
                    return latent
        try:
            changed = distribution.mapped(lambda term, _: made.term(term))
            pieces.append(replace(piece, distribution=changed, log_prob=made.term(piece.log_prob)))
        except (CannotRelax, TooLarge) as error:
            found.append(_mistake(error, piece))
            return latent
    return replace(latent, pieces=tuple(pieces))


def _of_factor(factor: Factor, made: OnSimplex, found: list[Mistake]) -> Factor:
    try:
        return replace(factor, log_prob=made.term(factor.log_prob))
    except (CannotRelax, TooLarge) as error:
        found.append(_mistake(error, factor))
        return factor


def _prior(
    latent: Latent, piece: Piece, made: OnSimplex, possible: np.ndarray, found: list[Mistake]
) -> Factor | None:  # fmt: skip
    """The expected log prior of a piece; what has no probability is told in `possible` (elements, K)."""
    try:
        expected, of_values = made.expected(piece.log_prob)
    except (CannotRelax, TooLarge) as error:
        found.append(_mistake(error, piece))
        return None
    positions = latent.positions(piece)
    for k, value in enumerate(of_values):
        if value.known:
            own = np.broadcast_to(np.isfinite(np.asarray(value.value, dtype=float)), piece.shape).reshape(-1)
            possible[slice(None) if positions is None else positions, k] = own
    return Factor(latent.name, piece.distribution, None, expected, piece.span)


def _mistake(error: CannotRelax | TooLarge, said: Piece | Factor) -> Mistake:
    if isinstance(error, CannotRelax):
        return error.mistake
    return mistakes.too_large(said.span, error.elements, terms.MOST_ELEMENTS)
