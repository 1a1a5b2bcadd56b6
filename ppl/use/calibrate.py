"""data, and how a model meets them -> whether its fits are right on average: simulation-based calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ppl.compile.replicate import CannotReplicate, as_column, draw_prior, replicate, without_proper_prior
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.infer.verdict import Verdict
from ppl.language.errors import PplError, UsageError
from ppl.report import ranks
from ppl.use.prior import check_ranked

if TYPE_CHECKING:
    from ppl.api import Posterior

_DRAWS_OF_REFIT = 400
_PRIOR, _REPLICATES, _REFITS, _RANKS = range(100, 104)  # streams of random numbers, apart from those of a fit

Condition = Callable[[Dataset], "Posterior"]


def calibrate(
    given: Dataset, condition: Condition, rounds: int, seed: int, progress: Callable[[int], None] | None
) -> ranks.Calibration:
    """As `Model.calibrate`. Raises `UsageError`."""
    posterior = condition(given)
    check_ranked(posterior.model)
    true, improper = _true_values(posterior, rounds, seed)
    try:
        simulated = replicate(posterior.model, given, true, rounds, generator(seed, _REPLICATES))
    except CannotReplicate as error:
        raise UsageError(f"--calibrate: the data cannot be simulated, because {error.why}") from None
    found: dict[str, list[float]] = {}
    doubted = 0
    for i in range(rounds):
        columns = {name: as_column(given.columns[name], values[i]) for name, values in simulated.items()}
        doubted += _rank(replace(given, columns={**given.columns, **columns}), condition, true, i, seed, found)
        if progress is not None:
            progress(i + 1)
    if not found:
        raise UsageError("--calibrate: none of the simulated data sets could be fitted")
    return ranks.judged({label: np.array(r) for label, r in found.items()}, rounds, doubted, improper)


def _true_values(posterior: Posterior, draws: int, seed: int) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Draws (S, *shape) of all latents from their priors and no names, or from the posterior and the names of those
    without a proper prior.
    """
    improper = tuple(without_proper_prior(posterior.model))
    if not improper:
        return draw_prior(posterior.model, draws, generator(seed, _PRIOR)), ()
    found = posterior.fit(seed=seed, draws=max(draws, 100)).draws
    return {name: value[:draws] for name, value in found.items()}, improper


def _rank(
    data: Dataset,
    condition: Condition,
    true: Mapping[str, np.ndarray],
    i: int,
    seed: int,
    found: dict[str, list[float]],
) -> bool:
    """Fit one simulated data set, and note where the true values lie. Whether the fit called itself unusable."""
    try:
        fit = condition(data).fit(seed=int(generator(seed, _REFITS, i).integers(2**32)), draws=_DRAWS_OF_REFIT)
    except PplError:
        return False
    rng = generator(seed, _RANKS, i)
    for name, quantity in fit.record.quantities.items():
        if quantity.role == "latent" and name not in data.columns:
            shares = ranks.rank(true[name][i], quantity.draws, rng).reshape(-1)
            for label, share in zip(quantity.labels(), shares, strict=True):
                found.setdefault(label, []).append(float(share))
    return fit.verdict == Verdict.DO_NOT_USE
