"""draws of the latents -> draws of everything that follows from them: simulated names, then derived ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ppl.compile.truncated import draw_between
from ppl.model.distributions.family import canonical
from ppl.model.graph import Latent, Model, Piece
from ppl.model.program import behind, compile_terms, evaluate
from ppl.model.terms import Term, inputs

_ELEMENTS_AT_ONCE = 1 << 22


def simulate(
    model: Model, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draws (S, *shape) of every simulated name, from S draws (S, *shape) of the latents."""
    known = dict(values)
    found: dict[str, np.ndarray] = {}
    for latent in model.simulated:
        found[latent.name] = known[latent.name] = _draw_latent(latent, known, draws, rng)
    return found


def _draw_latent(latent: Latent, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (S, *shape) of one random name, given those it depends on; what depends on its own past, in order."""
    if latent.pieces[0].place is None:
        return draw(latent.pieces[0], values, draws, rng)
    first = latent.pieces[0]
    assert first.place is not None
    indexed = len(first.place.positions)
    found = np.zeros((draws, int(np.prod(latent.shape[:indexed])), *latent.shape[indexed:]))
    for piece in latent.pieces:
        positions = latent.positions(piece)
        assert positions is not None
        for chosen in _rounds(latent, piece, positions):
            so_far = {**values, latent.name: found.reshape(draws, *latent.shape)}
            drawn = draw(piece, so_far, draws, rng).reshape(draws, len(positions), *latent.shape[indexed:])
            found[:, positions[chosen]] = drawn[:, chosen]
    return found.reshape(draws, *latent.shape)


def _rounds(latent: Latent, piece: Piece, positions: np.ndarray) -> list[np.ndarray]:
    """Which elements of a piece are drawn together: all, or one after another where they need those before."""
    everything = np.arange(len(positions))
    if latent.name not in inputs([*piece.distribution.all_terms]):
        return [everything]
    return [everything[i : i + 1] for i in np.argsort(positions, kind="stable")]


def draw(piece: Piece, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (S, *shape of the piece), within its bounds; categories count from 1."""
    distribution = piece.distribution
    family = distribution.family
    found = parameters_of(piece, values, draws)
    with np.errstate(all="ignore"):
        parameters = tuple(np.asarray(p) for p in canonical(distribution.form, tuple(found)))
        full = (draws, *piece.shape)
        if distribution.lower is None and distribution.upper is None:
            drawn = np.asarray(family.draw(rng, full, *parameters), dtype=np.float64)
            return drawn + 1.0 if family.support.kind == "category" else drawn
        bounds = (distribution.support_lower, distribution.support_upper)
        given = [bound for bound in bounds if bound is not None]
        at = lined_up(given, [0] * len(given), piece, values, draws)
        lower, upper = (at.pop(0) if bound is not None else None for bound in bounds)
        return draw_between(family, full, parameters, lower, upper, rng)


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


def derive(terms: Mapping[str, Term], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Draws (S, *shape) of derived names, from draws of the latents and the simulated names."""
    wanted = {name: term for name, term in terms.items() if not term.known}
    if not wanted:
        return {}
    program = compile_terms(wanted.values())
    draws = len(next(iter(values.values())))
    widest = max(int(np.prod(term.shape)) for term in wanted.values())
    step = max(1, _ELEMENTS_AT_ONCE // max(1, widest))
    pieces = []
    for start in range(0, draws, step):
        part = {name: value[start : start + step] for name, value in values.items()}
        pieces.append(evaluate(program, part, min(step, draws - start)))
    return {name: np.concatenate(found) for name, *found in zip(wanted, *pieces, strict=True)}
