"""draws of the latents -> draws of everything that follows from them: simulated names, then derived ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ppl.compile.program import compile_terms, evaluate
from ppl.model.distribution import Distribution
from ppl.model.distributions.family import canonical
from ppl.model.graph import Latent, Model
from ppl.model.terms import Term

_ELEMENTS_AT_ONCE = 1 << 22


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
    """Draws (S, *shape) of one random name from its distribution, given those it depends on."""
    return draw(latent.distribution, latent.shape, values, draws, rng)


def draw(
    distribution: Distribution,
    shape: tuple[int, ...],
    values: Mapping[str, np.ndarray],
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws (S, *shape) from a distribution, cut at its bounds by the inverse of its distribution function."""
    bounds = [bound for bound in (distribution.lower, distribution.upper) if bound is not None]
    found = evaluate(compile_terms([*distribution.parameters, *bounds]), values, draws)
    event_rank = distribution.family.event_rank
    plates = len(shape) - event_rank
    ranks = [*(p.event_rank for p in distribution.form.parameters), *(0 for _ in bounds)]
    lined_up = [_line_up(value, plates, rank) for value, rank in zip(found, ranks, strict=True)]
    count = len(distribution.parameters)
    with np.errstate(all="ignore"):
        parameters = tuple(np.asarray(p) for p in canonical(distribution.form, tuple(lined_up[:count])))
        full = (draws, *shape)
        if not bounds:
            return np.asarray(distribution.family.draw(rng, full, *parameters), dtype=np.float64)
        return _draw_between(distribution, full, parameters, lined_up[count:], rng)


def _line_up(value: np.ndarray, plates: int, event_rank: int) -> np.ndarray:
    """Singleton axes behind the draws where a parameter has fewer plates than the name."""
    core = min(event_rank, value.ndim - 1)
    lacking = plates - (value.ndim - 1 - core)
    shape = value.shape
    value = value.reshape(shape[0], *([1] * lacking), *shape[1:])
    return value[..., None] if core < event_rank else value


def _draw_between(
    distribution: Distribution,
    shape: tuple[int, ...],
    parameters: tuple[np.ndarray, ...],
    bounds: list[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    family = distribution.family
    assert family.log_cdf is not None and family.quantile is not None
    lower = bounds.pop(0) if distribution.lower is not None else None
    upper = bounds.pop(0) if distribution.upper is not None else None
    below = 0.0 if lower is None else np.exp(np.asarray(family.log_cdf(lower, *parameters)))
    above = 1.0 if upper is None else np.exp(np.asarray(family.log_cdf(upper, *parameters)))
    x = np.asarray(family.quantile(below + (above - below) * rng.random(shape), *parameters))
    return np.clip(x, -np.inf if lower is None else lower, np.inf if upper is None else upper)


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
