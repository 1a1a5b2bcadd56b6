"""draws of the latents -> draws of everything that follows from them: simulated names, then derived ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ppl.compile.valid import draw_where_valid
from ppl.model.distribution import Distribution
from ppl.model.distributions.constraint import draw_ordered, known_to_sum_to_zero
from ppl.model.distributions.family import canonical
from ppl.model.distributions.truncated import between, draw_between
from ppl.model.graph import Latent, Model, Piece
from ppl.model.program import behind, compile_terms, evaluate
from ppl.model.terms import Term, inputs

_IN_CACHE = 1 << 17  # elements that are derived together


def simulate(
    model: Model, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draws (S, *shape) of every simulated name, from S draws (S, *shape) of the latents."""
    known = dict(values)
    found: dict[str, np.ndarray] = {}
    for latent in model.simulated:
        found[latent.name] = known[latent.name] = draw_latent(latent, known, draws, rng)
    return found


def draw_latent(latent: Latent, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (S, *shape) of one random name, given those it depends on; what depends on its own past, in order."""
    if is_at_once(latent):
        return draw(latent.pieces[0], values, draws, rng)
    indexed = indexed_axes(latent)
    found = np.zeros((draws, int(np.prod(latent.shape[:indexed])), *latent.shape[indexed:]))
    for piece in latent.pieces:
        positions = positions_of(latent, piece)
        for chosen in rounds_of(latent, piece, positions):
            so_far = {**values, latent.name: found.reshape(draws, *latent.shape)}
            drawn = draw(piece, so_far, draws, rng).reshape(draws, len(positions), *latent.shape[indexed:])
            found[:, positions[chosen]] = drawn[:, chosen]
    return found.reshape(draws, *latent.shape)


def is_at_once(latent: Latent) -> bool:
    """Whether one statement says all of a name, and no element of it depends on others."""
    first = latent.pieces[0]
    return first.place is None and latent.name not in inputs([*first.distribution.all_terms])


def indexed_axes(latent: Latent) -> int:
    """How many of its first axes tell elements apart that have distributions of their own."""
    first = latent.pieces[0]
    return len(latent.shape) - first.distribution.event_rank if first.place is None else len(first.place.positions)


def positions_of(latent: Latent, piece: Piece) -> np.ndarray:
    """Where the elements of a piece stand among those of the flattened name, events whole."""
    positions = latent.positions(piece)
    return np.arange(int(np.prod(latent.shape[: indexed_axes(latent)]))) if positions is None else positions


def rounds_of(latent: Latent, piece: Piece, positions: np.ndarray) -> list[np.ndarray]:
    """Which elements of a piece are drawn together: all, or one after another where they need those before."""
    everything = np.arange(len(positions))
    if latent.name not in inputs([*piece.distribution.all_terms]):
        return [everything]
    return [everything[i : i + 1] for i in np.argsort(positions, kind="stable")]


def draw(piece: Piece, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (S, *shape of the piece), within its bounds; categories count from 1."""
    distribution = piece.distribution
    family = distribution.family
    with np.errstate(all="ignore"):
        parameters, lower, upper = canonical_of(piece, values, draws)
        full = (draws, *piece.shape)
        if distribution.constraint == "ordered":
            quantile = partial(quantile_between, distribution, parameters, lower, upper)
            alike = not any(term.axes for term in distribution.parameters)
            return draw_ordered(rng, full, quantile, alike)
        if lower is not None or upper is not None:
            return draw_between(family, full, parameters, lower, upper, rng)
        drawn = draw_where_valid(distribution, rng, full, parameters_of(piece, values, draws), parameters)
        if family.support.kind == "category":
            return drawn + 1.0
        return drawn if distribution.constraint is None else known_to_sum_to_zero(drawn, parameters[1])


def canonical_of(
    piece: Piece, values: Mapping[str, np.ndarray], draws: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray | None, np.ndarray | None]:
    """The canonical parameters of a piece, and its bounds where any were written, over its array (S, *shape)."""
    distribution = piece.distribution
    found = tuple(parameters_of(piece, values, draws))
    cut = distribution.lower is not None or distribution.upper is not None
    bounds = [
        None if bound is None or not cut else lined_up([bound], [0], piece, values, draws)[0]
        for bound in (distribution.support_lower, distribution.support_upper)
    ]
    return tuple(np.asarray(p) for p in canonical(distribution.form, found)), bounds[0], bounds[1]


def parameters_of(piece: Piece, values: Mapping[str, np.ndarray], draws: int) -> list[np.ndarray]:
    """The parameters of a piece over S draws, each lined up with the piece's own array (S, *shape)."""
    distribution = piece.distribution
    ranks = [parameter.event_rank for parameter in distribution.form.parameters]
    return lined_up(list(distribution.parameters), ranks, piece, values, draws)


def lined_up(
    terms: list[Term], event_ranks: list[int], piece: Piece, values: Mapping[str, np.ndarray], draws: int
) -> list[np.ndarray]:
    leading = len(piece.axes) - len(piece.plates) - piece.distribution.family.event_rank
    found = evaluate(compile_terms(terms), values, draws)
    return [
        value.reshape(draws, *behind(term, piece.plates, leading, rank))
        for value, term, rank in zip(found, terms, event_ranks, strict=True)
    ]


def quantile_between(
    distribution: Distribution,
    parameters: tuple[np.ndarray, ...],
    lower: np.ndarray | None,
    upper: np.ndarray | None,
    u: np.ndarray,
    above_this: np.ndarray | None = None,
    below_this: np.ndarray | None = None,
) -> np.ndarray:
    """Values at probabilities u of a distribution cut at its bounds and, where they are given, at two further ones."""
    lower = above_this if lower is None else lower if above_this is None else np.maximum(lower, above_this)
    upper = below_this if upper is None else upper if below_this is None else np.minimum(upper, below_this)
    return between(distribution.family, u, parameters, lower, upper)


def derive(terms: Mapping[str, Term], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Draws (S, *shape) of derived names, from draws of the latents and the simulated names."""
    wanted = {name: term for name, term in terms.items() if not term.known}
    if not wanted:
        return {}
    program = compile_terms(wanted.values())
    draws = len(next(iter(values.values())))
    widest = max(int(np.prod(term.shape)) for term in wanted.values())
    step = max(1, _IN_CACHE // max(1, widest))
    found: dict[str, np.ndarray] = {}
    for start in range(0, draws, step):
        part = {name: value[start : start + step] for name, value in values.items()}
        for name, made in zip(wanted, evaluate(program, part, min(step, draws - start)), strict=True):
            whole = found[name] if start else np.empty((draws, *made.shape[1:]), made.dtype)
            whole[start : start + step] = made
            found[name] = whole
    return found
