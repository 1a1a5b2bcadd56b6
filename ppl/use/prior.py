"""model, data -> its prior predictive: the latents, and the data they would give beside those observed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np

from ppl.compile.replicate import draw_prior, without_proper_prior
from ppl.compile.simulate import derive, simulate
from ppl.data.dataset import Dataset
from ppl.infer.doubts import listed
from ppl.infer.draws import generator
from ppl.language.errors import UsageError
from ppl.model.graph import Model
from ppl.report.record import Quantity
from ppl.report.summarise import summarise
from ppl.report.tables import aligned, decimals, number
from ppl.use import checks
from ppl.use.checks import Check
from ppl.values import dataclass

PRIOR, REPLICATES = 200, 201  # streams of random numbers, apart from those of a fit
_MOST_OF_ONE = 60
_STATISTICS = ("mean", "sd", "q5", "q50", "q95")


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The prior of each latent and derived name, and `checks` of data replicated from it, or why there are none."""

    quantities: tuple[Quantity, ...]
    checks: tuple[Check, ...]
    why_not: str | None


def check_proper(model: Model, given: Mapping[str, object] | None = None) -> None:
    """Raises `UsageError` with the names of latents that cannot be drawn from their priors and are not given."""
    improper = [name for name in without_proper_prior(model) if name not in (given or {})]
    if not improper:
        return
    names = ", ".join(f"`{name}`" for name in improper)
    if any(not factor.observed for factor in model.factors):
        why = "a `factor`, or a `~` on an expression, weighs them too, so that no draw of them can be had alone"
    else:
        points = {latent.name for latent in model.points}
        instead = "Param()" if set(improper) <= points else "Flat()"
        why = f"give each a proper one, such as `Normal(0, 10)` in place of `{instead}`"
    raise UsageError(f"{names} cannot be drawn from a prior: {why}")


def check_ranked(model: Model) -> None:
    """Raises `UsageError` where there are point estimates, which calibration has nothing to say of."""
    if model.points:
        names = listed([latent.name for latent in model.points])
        raise UsageError(
            f"--calibrate: `Param` has no prior to draw true values from, and one value has no rank: {names};"
            " give a prior in its place"
        )


def predictive(model: Model, data: Dataset, draws: int, seed: int) -> Prior:
    """Raises `UsageError` for latents without a proper prior."""
    check_proper(model)
    latents = draw_prior(model, draws, generator(seed, PRIOR))
    everything = dict(latents)
    everything |= simulate(model, everything, draws, generator(seed, PRIOR, 1))
    everything |= derive(model.derived, everything) if everything else {}
    axes = {latent.name: ("latent", latent.axes) for latent in (*model.latents, *model.discrete)}
    axes |= {name: ("derived", term.axes) for name, term in model.derived.items() if name in everything}
    weights, chosen = np.full(draws, 1.0 / draws), np.arange(draws)
    found = tuple(summarise(name, *about, everything[name], weights, chosen) for name, about in axes.items())
    try:
        return Prior(found, checks.check(model, data, latents, draws, generator(seed, REPLICATES)), None)
    except UsageError as error:
        return Prior(found, (), str(error))


def as_text(found: Prior) -> str:
    rows: list[tuple[str, ...]] = [("prior", "mean", "sd", "5%", "50%", "95%")]
    hidden = [one.name for one in found.quantities if one.row_long]
    for one in found.quantities:
        if one.row_long:
            continue
        for i, label in enumerate(one.labels()[:_MOST_OF_ONE]):
            values = [float(getattr(one, statistic).reshape(-1)[i]) for statistic in _STATISTICS]
            digits = decimals((values[4] - values[2]) / 3.3)  # heavy tails have sds that tell nothing
            rows.append((label, *(number(value, digits) for value in values)))
        if one.size > _MOST_OF_ONE:
            rows.append((f"... {one.size - _MOST_OF_ONE} more", *([""] * len(_STATISTICS))))
    lines = aligned(rows)
    lines += [f"not shown, because long: {', '.join(hidden)}"] if hidden else []
    lines += ["", "data simulated from the prior, and those observed"]
    lines.append(checks.as_text(found.checks) if found.checks else f"  none: {found.why_not}")
    return "\n".join(lines)


def as_json(found: Prior) -> str:
    latents = {
        label: {statistic: _plain(getattr(one, statistic).reshape(-1)[i]) for statistic in _STATISTICS}
        for one in found.quantities
        for i, label in enumerate(one.labels())
    }
    told = {"prior": latents, "observed": checks.told(found.checks), "not_simulated": found.why_not}
    return json.dumps(told, ensure_ascii=False, indent=1)


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
