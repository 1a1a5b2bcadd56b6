"""fit, rows that it has not seen -> their log likelihood, latents of a row integrated out by importance sampling.

Of S draws of what is shared each has its own draw of the latents of a row, from the encoder's guide where there is one,
else from their prior: log mean exp of log p(row, latents | shared) - log q(latents) (Burda et al. 2016).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ppl.data.blocks import blocks
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.numeric.threads import one_blas_thread
from ppl.report.export import Columns
from ppl.report.record import Record
from ppl.use.reopened import join, reopen
from ppl.use.row_weights import row_weights

_EVALUATED = 250  # a stream of random numbers
_NUMBERS, _CELLS, _FEWEST = 8_000_000, 2_000_000, 1000  # of a block: log weights, cells, and rows at least


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


def evaluate(
    record: Record, data: Dataset, sources: Sequence[Any], tables: Mapping[str, Any], draws: int, seed: int
) -> Evaluation:  # fmt: skip
    """Of new rows as they are given, a block at a time: how long these are does not depend on what holds the rows, so
    the bits are those of any other file with the same rows.

    Raises `UsageError` where rows have no likelihood of their own, `DataError` for rows that lack something.
    """
    together = max(_FEWEST, min(_CELLS // max(1, len(record.given.fingerprints)), _NUMBERS // draws))
    known = 0 if data.rows is None else data.rows.length
    parts: list[Evaluation] = []
    for rows in blocks(sources, tables, together * max(1, known // together), record.model_text):
        joined = join(record, data, rows.data, rows.start)
        again = reopen(record, joined, rows.data) if record.deep is not None and record.deep.amortise else None
        weights = row_weights(record, joined, again)
        for start in range(0, joined.count, together):
            some = slice(start, min(start + together, joined.count))
            rng = generator(seed, _EVALUATED, len(parts))
            with one_blas_thread(), np.errstate(all="ignore"):
                logs = [logsumexp(part, axis=2) for part in weights.parts(draws, rng, some)]
                parts.append(_summed(np.concatenate(logs), again is not None))
    by_row, errors, bounds = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("by_row", "errors", "bounds")
    )
    return Evaluation(by_row, errors, draws, bounds)


def _summed(logs: np.ndarray, encoded: bool) -> Evaluation:
    """Log weights (S, N) -> the log mean of each row's, the error by the delta method; their mean is the ELBO."""
    draws = len(logs)
    by_row = logsumexp(logs, axis=0) - np.log(draws)
    with np.errstate(all="ignore"):
        relative = np.exp(logs - by_row)
        errors = relative.std(axis=0, ddof=1) / np.sqrt(draws) if draws > 1 else np.full(logs.shape[1], np.nan)
    return Evaluation(by_row, errors, draws, logs.mean(axis=0) if encoded else np.zeros(0))
