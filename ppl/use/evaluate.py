"""fit, rows that it has not seen -> their log likelihood, latents of a row integrated out by importance sampling.

Of S draws of what is shared each has its own draw of the latents of a row, from the encoder's guide where there is one,
else from their prior: log mean exp of log p(row, latents | shared) - log q(latents) (Burda et al. 2016).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ppl.compile.by_value import expanded
from ppl.compile.extend import CannotExtend, Known, extended, in_order
from ppl.compile.joint import compile_joint
from ppl.compile.rowwise import AtRows, Rowwise, rowwise
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.language.errors import UsageError
from ppl.model.graph import Model
from ppl.model.terms import inputs
from ppl.numeric.threads import one_blas_thread
from ppl.report.export import Columns
from ppl.report.record import Record
from ppl.rewrite.sum_out import sum_out
from ppl.use.reopened import Reopened, join, reopen

_EVALUATED = 250  # a stream of random numbers
_AT_ONCE = 4_000_000  # elements
_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Log likelihood of each row (N,) in nats, with the Monte Carlo standard error of each; `bounds` (N,) are the ELBO
    of each under its own encoding, never above it on average, empty without an encoder.
    """

    by_row: np.ndarray
    errors: np.ndarray
    draws: int
    bounds: np.ndarray

    @property
    def total(self) -> float:
        return float(self.by_row.sum())

    @property
    def error(self) -> float:
        """Of the total, by the draws."""
        return float(np.sqrt((self.errors**2).sum()))

    @property
    def spread(self) -> float:
        """The standard error of the mean row, over rows."""
        return float(self.by_row.std(ddof=1) / np.sqrt(len(self.by_row))) if len(self.by_row) > 1 else float("nan")

    def columns(self) -> Columns:
        rows = np.arange(1, len(self.by_row) + 1)
        bounds: Columns = [("elbo", self.bounds)] if len(self.bounds) else []
        return [("row", rows), ("log_likelihood", self.by_row), ("mcse", self.errors), *bounds]

    def __str__(self) -> str:
        told = (
            f"log likelihood of {len(self.by_row):,} rows: {self.total:,.2f} nats (mcse {self.error:.2g}),"
            f" {self.by_row.mean():,.3f} a row (standard error {self.spread:.2g}), {self.draws:,} draws"
        )
        if len(self.bounds):
            told += f"\nELBO under their encodings: {self.bounds.sum():,.2f} nats, {self.bounds.mean():,.3f} a row"
        return told

    def as_json(self) -> str:
        found = {"rows": len(self.by_row), "log_likelihood": self.total, "mcse": self.error, "draws": self.draws}
        bound = {"elbo": float(self.bounds.sum()), "mean_elbo": float(self.bounds.mean())} if len(self.bounds) else {}
        return json.dumps({**found, "mean": float(self.by_row.mean()), "se_of_mean": self.spread, **bound})


def evaluate(record: Record, data: Dataset, new: Dataset, draws: int, seed: int) -> Evaluation:
    """Raises `UsageError` where rows have no likelihood of their own, `DataError` for rows that lack something."""
    joined = join(record, data, new)
    model = joined.model
    joint = compile_joint(model, sum_out(model))
    more = expanded(model, joint, joined.axis)
    split = rowwise(joint if more is None else more.joint, joined.axis)
    _check(split)
    numbers = {} if more is None else more.numbers
    assert split is not None
    again = reopen(record, joined, new) if record.deep is not None and record.deep.amortise else None
    rng = generator(seed, _EVALUATED)
    rows = np.arange(joined.fitted, joined.fitted + joined.count)
    wide = max([1, *(int(np.prod(split.joint.parts[i].log_prob.shape)) for i in split.parts)])
    per_row = max(1, wide // joined.axis.length)
    step = max(1, _AT_ONCE // max(per_row * joined.count, *(int(np.prod(x.shape)) for x in model.latents), 1))
    encoded = set() if again is None else set(again.local)
    held = {name: q for name, q in record.quantities.items() if q.role != "derived"}
    chosen = np.arange(draws) % len(record.chosen)
    found = []
    with one_blas_thread(), np.errstate(all="ignore"):
        at = split.at(slice(joined.fitted, joined.fitted + joined.count))
        for first in range(0, draws, step):
            some = chosen[first : first + step]
            known = {name: Known(q.axes, q.draws[some]) for name, q in held.items()}
            values = _shared(model, again, known, len(some), rng)
            for name in values.keys() & split.local.keys():
                values[name] = np.take(values[name], rows, axis=1 + split.local[name])
            log_q = np.zeros((len(some), joined.count))
            if again is not None:
                log_q = _encoded(again, values, len(some), rng)
            found.append(_log_weights(split, at, values, encoded, numbers) - log_q)
    return _summed(np.concatenate(found), again is not None)


def _check(split: Rowwise | None) -> None:
    if split is None:
        raise UsageError("nothing that is observed in this model goes by rows: there is nothing to evaluate by row")
    mixed = [split.joint.parts[i] for i in split.others if split.joint.parts[i].observed]
    if mixed:
        raise UsageError(f"`{mixed[0].name}` depends on several rows at once: no row stands alone")


def _shared(
    model: Model, again: Reopened | None, known: Mapping[str, Known], draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:  # fmt: skip
    """Draws of all latents but the encoded ones; elements that the fit has not seen come from their priors."""
    encoded = set() if again is None else set(again.local)
    wanted = set(inputs([factor.log_prob for factor in model.observed]))
    values: dict[str, np.ndarray] = {}
    try:
        summed = {latent.name for latent in model.discrete}
        for latent in in_order(model, wanted):
            if latent.name not in encoded and latent.name not in summed:
                own = known.get(latent.name)
                values[latent.name] = extended(latent, own, values, draws, rng)
    except CannotExtend as error:
        raise UsageError(f"new rows cannot be evaluated: {error.why}") from None
    return values


def _encoded(again: Reopened, values: dict[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Puts draws of the encoded latents at the new rows into `values`; log q - log Jacobian of each row (S, count)."""
    mean, sd = again.moments()
    eps = rng.standard_normal((draws, *mean.shape))
    rows = mean + sd * eps
    log_q = (-0.5 * eps**2 - np.log(sd) - _HALF_LOG_TWO_PI).sum(axis=2)
    for name, local in again.local.items():
        values[name] = np.moveaxis(again.constrained(local, rows), 1, 1 + local.place)
        log_q -= again.log_jacobian(local, rows)
    return log_q


def _log_weights(
    split: Rowwise, at: AtRows, values: Mapping[str, np.ndarray], encoded: Collection[str], numbers: Mapping[int, int]
) -> np.ndarray:
    """Log densities of what is observed of each row and of its encoded latents (S, count)."""
    total: Any = 0.0
    by_value: dict[int, Any] = {}  # of discrete latents of a row
    for number, (term, slot) in enumerate(zip(at.log_probs(values), at.program.outputs, strict=True)):
        part = split.joint.parts[split.parts[number]]
        place_of_value = numbers.get(split.parts[number])
        if place_of_value is None and not part.observed and part.name not in encoded:
            continue
        over_draws = slot in at.program.over_draws
        place = split.templates.places[id(split.templates.wanted[number])] + int(over_draws)
        axes = tuple(k for k in range(int(over_draws), np.ndim(term)) if k != place)
        own = np.sum(term, axis=axes)
        if place_of_value is None:
            total = total + own
        else:
            by_value[place_of_value] = by_value.get(place_of_value, 0.0) + (own if over_draws else own[None])
    if by_value:
        total = total + logsumexp(np.stack(np.broadcast_arrays(*by_value.values())), axis=0)
    return np.asarray(total)


def _summed(logs: np.ndarray, encoded: bool) -> Evaluation:
    """Log weights (S, N) -> the log mean of each row's, the error by the delta method; their mean is the ELBO."""
    draws = len(logs)
    logs = np.where(np.isnan(logs), -np.inf, logs)
    by_row = logsumexp(logs, axis=0) - np.log(draws)
    with np.errstate(all="ignore"):
        relative = np.exp(logs - by_row)
        errors = relative.std(axis=0, ddof=1) / np.sqrt(draws) if draws > 1 else np.full(logs.shape[1], np.nan)
    return Evaluation(by_row, errors, draws, logs.mean(axis=0) if encoded else np.zeros(0))
