"""fit, data -> what a classifier said of each row with which probability, and whether it was so."""

from __future__ import annotations

import numpy as np

from ppl.compile.extend import CannotExtend, probabilities
from ppl.compile.replicate import column_of, piece_of
from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.data.levels import codes_on
from ppl.language.errors import DataError, UsageError
from ppl.model.graph import Factor, Model
from ppl.numeric.threads import one_blas_thread
from ppl.report.plots.asked import Asked
from ppl.report.plots.calibration import Reliability
from ppl.report.record import Record
from ppl.use.again import count_of, draws_of, with_few_draws
from ppl.use.predict import Wish, predict

_DRAWS = 1000  # that probabilities are averaged over
_AT_ONCE = 4_000_000  # numbers


def reliability_of(model: Model, data: Dataset, record: Record, asked: Asked) -> Reliability:
    """At the rows of the fit, or at new ones. Raises `UsageError` and `DataError`."""
    factor = _classified(model, data, asked)
    name = column_of(factor)
    some = with_few_draws(record, _DRAWS)
    try:
        with one_blas_thread():
            by_encoder = record.deep is not None and name in record.deep.labels
            new = data if asked.new is None and by_encoder else asked.new  # labels given the rest of their rows
            said, outcome = _fitted(factor, some) if new is None else _at_new(factor, data, some, new)
    except CannotExtend as error:
        raise UsageError(f"no calibration: {error.why}") from None
    there = outcome >= 0
    if not there.any():
        raise DataError(f"no calibration: of `{name}` nothing is known in these rows")
    said, outcome = said[there], outcome[there].astype(np.int64)
    which = "rows that the fit has not seen" if asked.new is not None else "rows that the fit has seen"
    note = f"{len(said):,} {which}"
    assert factor.distribution is not None
    if factor.distribution.family.name == "Bernoulli":
        return Reliability(name, f"said probability of {name} = 1", said[:, 1], outcome == 1, note)
    right = said.argmax(axis=1) == outcome
    note += f", {100 * right.mean():.1f} % right"
    return Reliability(name, "said probability of the likeliest category", said.max(axis=1), right, note)


def _classified(model: Model, data: Dataset, asked: Asked) -> Factor:
    """The statement that observes a category, or 0 and 1, in each row."""
    found = {
        column_of(factor): factor
        for factor in model.observed
        if factor.distribution is not None
        and (factor.distribution.family.support.kind == "category" or factor.distribution.family.name == "Bernoulli")
        and len(factor.axes) == 1
        and (data.rows is None or factor.axes[0] == data.rows)
    }
    if not found and not asked.names:
        raise UsageError("no calibration: no category, nor 0 or 1, is observed in each row")
    refused = "no category, nor 0 or 1, is observed of it in each row"
    return found[asked.one_of(found, "calibration is that of", refused, "which")]


def _fitted(factor: Factor, record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, K) at the rows of the fit, and what was observed: from 0, -1 where it is missing."""
    assert factor.distribution is not None and factor.value is not None
    piece, values, draws = piece_of(factor), draws_of(record), count_of(record)
    count = factor.distribution.categories if factor.distribution.family.support.kind == "category" else 2
    step, total = max(1, _AT_ONCE // (count * factor.axes[0].length)), 0.0
    for first in range(0, draws, step):
        own = {name: value[first : first + step] for name, value in values.items()}
        total = total + probabilities(piece, own, min(step, draws - first)).sum(axis=0)
    outcome = np.asarray(factor.value.value, dtype=np.float64)
    if factor.missing is not None:
        outcome = np.where(factor.missing, -1, outcome)
    return np.asarray(total) / draws, outcome


def _at_new(factor: Factor, data: Dataset, record: Record, new: Dataset) -> tuple[np.ndarray, np.ndarray]:
    name = column_of(factor)
    column = new.columns.get(name)
    if column is None:
        raise DataError(f"{', '.join(new.sources)}: calibration needs the column `{name}`: what came true")
    [found] = predict(record, data, new, Wish(of=(name,), kind="probabilities"))
    return found.draws.mean(axis=0), _outcome(factor, column, found.levels)


def _outcome(factor: Factor, column: Column, levels: tuple[str, ...] | None) -> np.ndarray:
    """What came true in new rows, from 0, -1 where it is missing. Raises `DataError` for what the fit does not know."""
    if column.unusable is not None:
        raise DataError(column.unusable)
    missing = np.zeros(column.values.shape, dtype=bool) if column.missing is None else column.missing
    found = codes_on(column, levels if levels is not None else ("0", "1"))
    if levels is None and column.values.dtype.kind == "b":
        found = column.values.astype(np.int64)
    unknown = (found < 0) & ~missing
    if unknown.any():
        raise DataError(f"{column.where(column.first(unknown))}: the fit knows no such value of `{column.name}`")
    return found
