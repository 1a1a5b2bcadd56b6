"""weighted proposals -> every named quantity with its draws and its summary, in bounded memory.

Latents, and what follows from them alone, are summarised over all weighted proposals where these are few numbers;
everything else over the S equally weighted draws that are resampled from them. Simulated names are drawn for those S
draws only. A name of more than `_MOST_UNASKED` numbers in all draws is left out unless everything is asked for, and
all that a fit holds must fit into 2 GB.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.simulate import derive, simulate
from ppl.data.axes import Axis
from ppl.infer.draws import generator
from ppl.language.errors import UsageError
from ppl.model.graph import Model
from ppl.model.terms import inputs
from ppl.report.record import Probabilities, Quantity
from ppl.report.summarise import summarise
from ppl.rewrite.sum_out import values_of
from ppl.values import dataclass

_MOST_WEIGHTED = 4_000_000  # numbers of a name over all proposals
_MOST_UNASKED = 20_000_000  # numbers of a name over the draws that are kept without being asked for
_MOST = 250_000_000  # numbers that a fit holds: 2 GB
_AT_ONCE = 4_000_000  # numbers that are simulated or derived together


@dataclass(frozen=True, slots=True)
class Streams:
    """One stream of random numbers each."""

    simulation: int
    discrete: int


def sizes(model: Model) -> dict[str, int]:
    """Numbers in one draw of each name that a fit may hold."""
    random = (*model.latents, *model.discrete, *model.simulated)
    found = {latent.name: int(np.prod(latent.shape)) for latent in random}
    return found | {name: int(np.prod(term.shape)) for name, term in model.derived.items() if not term.known}


def left_out(model: Model, draws: int, keep_all: bool) -> tuple[str, ...]:
    """The simulated and derived names that are too long to keep unasked. Raises `UsageError` where the rest is too."""
    size = sizes(model)
    optional = [*(latent.name for latent in model.simulated), *model.derived]
    out = tuple(name for name in optional if not keep_all and size.get(name, 0) * draws > _MOST_UNASKED)
    kept = {name: n for name, n in size.items() if name not in out}
    if sum(kept.values()) * draws > _MOST:
        longest = max(kept, key=lambda name: kept[name])
        raise UsageError(
            f"{draws:,} draws of all {sum(kept.values()):,} numbers of this model take"
            f" {sum(kept.values()) * draws / 125e6:.1f} GB, and a fit may hold 2; the longest is `{longest}`"
            f" ({kept[longest]:,} numbers): ask for fewer draws, or shorten it"
        )
    return out


def quantities(
    model: Model, joint: LogJoint, z: np.ndarray, weights: np.ndarray, chosen: np.ndarray, seed: int,
    streams: Streams, out: tuple[str, ...],
) -> tuple[dict[str, Quantity], dict[str, float]]:  # fmt: skip
    """All quantities but those left `out`, from proposals z (P, D) and weights (P,) that sum to 1, of which `chosen`
    picks S equally weighted draws.

    With them, for latents, the effective number of draws behind their sds.
    """
    draws = len(chosen)
    size = sizes(model)
    wide = joint.constrain(z)
    narrow = {name: value[chosen] for name, value in wide.items()}
    rng = generator(seed, streams.discrete)
    if sum(size[latent.name] for latent in model.discrete) * len(weights) <= _MOST_WEIGHTED:
        wide |= joint.draw_discrete(wide, len(weights), rng)
        narrow |= {latent.name: wide[latent.name][chosen] for latent in model.discrete}
    else:
        narrow |= joint.draw_discrete(narrow, draws, rng)
    derived = {name: term for name, term in model.derived.items() if name in size and name not in out}
    weighted = {
        name: term
        for name, term in derived.items()
        if wide.keys() >= set(inputs([term])) and size[name] * len(weights) <= _MOST_WEIGHTED
    }
    wide |= derive(weighted, wide)
    narrow |= {name: wide[name][chosen] for name in weighted}
    others = {name: term for name, term in derived.items() if name not in weighted}
    drawn = [latent.name for latent in model.simulated if latent.name not in out]
    random = {latent.name for latent in model.simulated}
    needed = bool(drawn) or any(random & set(inputs([term])) for term in others.values())
    rng = generator(seed, streams.simulation)
    pieces: list[Mapping[str, np.ndarray]] = []
    step = max(1, _AT_ONCE // max(1, *(size[name] for name in (*random, *others)))) if random or others else draws
    for first in range(0, draws, step):
        some = {name: value[first : first + step] for name, value in narrow.items()}
        found = simulate(model, some, min(step, draws - first), rng) if needed else {}
        made = derive(others, {**some, **found})
        pieces.append({name: value for name, value in {**found, **made}.items() if name not in out})
    for name in pieces[0]:
        narrow[name] = np.concatenate([piece[name] for piece in pieces])
    even, everyone = np.full(draws, 1.0 / draws), np.arange(draws)
    continuous = {x.name for x in model.latents if not x.is_point and not x.family.discrete}
    summaries, behind_sds = {}, {}
    for name, (role, axes) in _roles(model).items():
        if name in wide or name in narrow:
            data = (wide[name], weights, chosen) if name in wide else (narrow[name], even, everyone)
            summaries[name] = summarise(name, role, axes, *data)
            if name in continuous:  # what follows from them may well have long tails
                worth = summaries[name].behind_sd
                behind_sds[name] = float(worth[np.isfinite(worth)].min(initial=np.inf))
    return summaries, behind_sds


def probabilities(model: Model, joint: LogJoint, z: np.ndarray, weights: np.ndarray) -> dict[str, Probabilities]:
    """Of each value of every discrete latent: worked out exactly for each proposal, and weighted; of those that are not
    summed out, but drawn, the weighted share of draws.
    """
    z, weights = z[weights > 0], weights[weights > 0]
    drawn = [latent for latent in model.latents if latent.family.discrete]
    values_at = joint.constrain(z) if model.discrete or drawn else {}
    found = joint.probabilities(values_at, weights) if joint.elimination is not None else {}
    known = {latent.name: values_of(latent) for latent in drawn}
    for name, values in known.items():
        found[name] = np.array([np.tensordot(weights, values_at[name] == value, 1) for value in values])
    made = {}
    for latent in (*model.discrete, *drawn):
        values = known[latent.name] if latent.name in known else joint.elimination.values_of(latent.name)  # type: ignore[union-attr]
        column = model.data.columns.get(latent.name)
        names = tuple(str(int(value)) for value in values)
        if column is not None and column.levels is not None and len(column.levels) == len(values):
            names = column.levels
        made[latent.name] = Probabilities(latent.name, latent.axes, names, found[latent.name])
    return made


def _roles(model: Model) -> dict[str, tuple[str, tuple[Axis, ...]]]:
    random = (*model.latents, *model.discrete)
    roles = {latent.name: ("point" if latent.is_point else "latent", latent.axes) for latent in random}
    roles |= {latent.name: ("simulated", latent.axes) for latent in model.simulated}
    return roles | {name: ("derived", term.axes) for name, term in model.derived.items()}
