"""fit, model, data -> what plots of it need beyond its draws: replicates beside what was observed."""

from __future__ import annotations

import numpy as np

from ppl.data.dataset import Dataset
from ppl.model.graph import Model
from ppl.report.plots.checks import Check
from ppl.report.record import Record, label_all
from ppl.report.tables import decimals, number
from ppl.use import checks

_DRAWS = 400
_MOST = 8_000_000  # numbers that are replicated
_SEED = 1  # that of `ppl ppc`: both say the same


def checks_of(model: Model, data: Dataset, record: Record) -> list[Check]:
    """A check for every observed name. Raises `UsageError` that says why not."""
    size = max((int(np.prod([axis.length for axis in factor.axes])) for factor in model.observed), default=1)
    found = checks.replicates(record, model, data, max(20, min(_DRAWS, _MOST // max(size, 1))), _SEED)
    made = []
    for name, outcome in checks.outcomes(model, data).items():
        assert outcome.factor.value is not None
        labels = np.array(label_all("", outcome.axes), dtype=object).reshape(-1)
        named = any(axis.labels for axis in outcome.axes)
        over = " x ".join(axis.name for axis in outcome.axes)
        shown = tuple(label[1:-1] or "1" for label in labels[outcome.kept.reshape(-1)])
        made.append(Check(name, outcome.values, found[name], shown, "" if named else over, outcome.factor.value.levels))
    return made


def statistics_of(model: Model, data: Dataset, record: Record) -> list[tuple[str, ...]]:
    """The table of `ppl ppc`, the headings first. Raises `UsageError` that says why not."""
    rows: list[tuple[str, ...]] = [("name", "statistic", "observed", "simulated", "5%", "95%", "p")]
    for one in checks.of_fit(record, model, data, _SEED):
        digits = decimals((one.q95 - one.q5) / 3.3)
        told = (number(value, digits) for value in (one.observed, one.mean, one.q5, one.q95))
        rows.append((one.name, one.statistic, *told, f"{one.p:.3f}"))
    return rows
