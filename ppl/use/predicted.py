"""predictions -> a table: a row for each new row, or a row for each draw."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from ppl.report import export
from ppl.report.export import Columns
from ppl.report.record import label_all
from ppl.use.predict import Prediction
from ppl.values import dataclass

_QUANTILES = (("q5", 0.05), ("q50", 0.5), ("q95", 0.95))
_AT_ONCE = 4_000_000  # numbers that are sorted together


def summary(found: Sequence[Prediction]) -> Columns:
    """The number of each new row, and for each name its mean, sd, 5 %, 50 % and 95 % quantile; of categories their
    probabilities.
    """
    rows = found[0].draws.shape[1]
    columns: list[tuple[str, np.ndarray]] = [("row", np.arange(1, rows + 1))]
    for one in found:
        if one.shares:
            columns += _of_shares(one)
            continue
        flat = one.draws.reshape(len(one.draws), rows, -1)
        for i, label in enumerate(label_all(one.name, one.axes)):
            values = flat[:, :, i]
            if one.levels is not None:
                columns += [
                    (f"{label}_p_{level}", (values == k).mean(axis=0)) for k, level in enumerate(one.levels, start=1)
                ]
                continue
            with np.errstate(all="ignore"):
                columns += [(f"{label}_mean", values.mean(axis=0)), (f"{label}_sd", values.std(axis=0, ddof=1))]
            columns += [(f"{label}_{name}", q) for (name, _), q in zip(_QUANTILES, _quantiles(values), strict=True)]
    return columns


def _of_shares(one: Prediction) -> Columns:
    """The mean over draws of each probability: the probability in the posterior predictive."""
    assert one.levels is not None
    means = one.draws.mean(axis=0).reshape(one.draws.shape[1], -1, len(one.levels))
    return [
        (f"{label}_p_{level}", means[:, i, k])
        for i, label in enumerate(label_all(one.name, one.axes))
        for k, level in enumerate(one.levels)
    ]


def _quantiles(values: np.ndarray) -> np.ndarray:
    """(S, rows) -> (3, rows)."""
    levels = [level for _, level in _QUANTILES]
    step = max(1, _AT_ONCE // len(values))
    parts = [
        np.quantile(values[:, i : i + step], levels, axis=0, method="inverted_cdf")
        for i in range(0, values.shape[1], step)
    ]
    return np.concatenate(parts, axis=1)


def draws(found: Sequence[Prediction]) -> Columns:
    """A column for each new row and name, `y[1]`, `y[2]`, ...; categories as their levels. Of probabilities one for
    each level too, `grade[1]_p_low`.
    """
    columns: list[tuple[str, np.ndarray]] = []
    for one in found:
        rows, levels = one.draws.shape[1], one.levels or ()
        inner = [label.removeprefix(one.name).strip("[]") for label in label_all(one.name, one.axes)]
        flat = one.draws.reshape(len(one.draws), rows, len(inner), -1)
        for row in range(rows):
            for i, label in enumerate(inner):
                called, values = f"{one.name}[{row + 1}{',' if label else ''}{label}]", flat[:, row, i]
                if one.shares:
                    columns += [(f"{called}_p_{level}", values[:, k]) for k, level in enumerate(levels)]
                elif levels:
                    columns.append((called, np.array(levels)[values[:, 0].astype(np.int64) - 1]))
                else:
                    columns.append((called, values[:, 0]))
    return columns


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a fit predicts at new rows: `predictions["y"]` are draws (S, rows, ...), categories counting from 1."""

    found: tuple[Prediction, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.draws[name]

    @property
    def draws(self) -> dict[str, np.ndarray]:
        return {one.name: one.draws for one in self.found}

    def summary(self) -> dict[str, np.ndarray]:
        """Columns of a table with a row for each new row, which `pandas.DataFrame` takes as it is."""
        return dict(summary(self.found))

    def save(self, path: str | PathLike[str], all_draws: bool = False) -> None:
        """Write the summary, or all draws, as .csv, .parquet or .json. Raises `UsageError` and `FileError`."""
        export.write(draws(self.found) if all_draws else summary(self.found), path)
