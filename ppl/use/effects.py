"""fit, model, data -> fitted curves: the mean of each observed name along each numeric predictor, all others held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np

from ppl.data import dataset
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.language.errors import PplError, UsageError, nearest
from ppl.model.graph import Model
from ppl.report.plots.curves import Curve
from ppl.report.record import Record
from ppl.use.again import with_few_draws
from ppl.use.predict import Wish, predict
from ppl.values import dataclass

_POINTS = 40
_DRAWS = 1000
_REPEATS = 8  # values that each draw gives at each point of a predictive band: its quantiles need more of them


def curves_of(
    model: Model, data: Dataset, record: Record, names: Sequence[str], predictive: bool = False
) -> list[Curve]:  # fmt: skip
    """`names` are predictors or observed names; all, where there are none. `predictive` curves have draws of what would
    be observed too. Raises `UsageError` where none can be drawn.

    Numbers are held at their mean, whole numbers at their median, and levels at the most frequent one, with what is the
    same in all its rows.
    """
    pairs = list(_asked(list(_pairs(model, data, record)), names))
    held = _held(model, data)
    some = with_few_draws(record, _DRAWS)
    curves, reasons = [], []
    for name, predictor in pairs:
        try:
            curve = _curve(model, data, some, held, name, predictor, predictive)
        except PplError as error:
            reasons.append(f"along `{predictor}`: {error}")
            continue
        if predictive and np.isin(curve.values, (0, 1)).all():
            reasons.append(f"`{name}` is 0 or 1, of which a band says nothing: see --kind curves, or calibration")
        elif predictive or np.ptp(curve.means, axis=1).any():
            curves.append(curve)
        else:
            reasons.append(f"the mean of `{name}` is the same all along `{predictor}`")
    if not curves:
        why = reasons[0] if reasons else "no observed number depends on a column of numbers that vary"
        raise UsageError(f"no {'band' if predictive else 'curves'}: {why}")
    return curves


def _pairs(model: Model, data: Dataset, record: Record) -> Iterator[tuple[str, str]]:
    """Each observed name over the rows, and each numeric column that it depends on and that picks no element."""
    indices = {axis.name for latent in (*model.latents, *model.discrete) for axis in latent.axes}
    for name, observed in record.observed.items():
        if data.rows is None or observed.axes != (data.rows,) or observed.values.dtype.kind not in "fiub":
            continue
        behind = nx.ancestors(model.graph, name)
        for column in _columns(model, data):
            known = _known(column)
            numeric = column.kind in (Kind.REAL, Kind.INTEGER) and column.name not in (name, *indices)
            if column.name in behind and numeric and known.size and known.min() < known.max():
                yield name, column.name


def _columns(model: Model, data: Dataset) -> list[Column]:
    """The columns of the table that the model reads."""
    return [
        c for c in data.columns.values() if c.name in model.graph and data.rows is not None and c.axes == (data.rows,)
    ]


def _known(column: Column) -> np.ndarray:
    """The values that are not missing."""
    return column.values if column.missing is None else column.values[~column.missing]


def _asked(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    known = dict.fromkeys(text for pair in pairs for text in pair)
    for name in names:
        if name not in known:
            likely = nearest(name, known)
            meant = f"did you mean `{likely}`?" if likely else f"there are {', '.join(known) or 'none'}"
            raise UsageError(f"--of {name}: there is no curve of it, or along it; {meant}")
    return (pair for pair in pairs if not names or set(pair) & set(names))


@dataclass(frozen=True, slots=True)
class Held:
    """The value at which every column of the table is held, and the same in words."""

    values: dict[str, Any]
    words: dict[str, str]


def _held(model: Model, data: Dataset) -> Held:
    columns = _columns(model, data)
    factors = [column for column in columns if column.levels is not None and column.missing is None]
    row = _typical_row(factors)
    values = {column.name: _typical(column, factors, row) for column in columns if _known(column).size}
    words = {name: value if isinstance(value, str) else f"{value:.4g}" for name, value in values.items()}
    return Held(values, words)


def _typical(column: Column, factors: Sequence[Column], row: int) -> Any:
    known = _known(column)
    if column in factors or (column.missing is None and any(_same_within(column, factor) for factor in factors)):
        value = column.values[row]
    elif column.levels is not None:
        value = np.bincount(known).argmax()
    elif column.kind is Kind.REAL:
        value = known.mean()
    else:
        value = np.quantile(known.astype(np.int64), 0.5, method="inverted_cdf").astype(known.dtype)
    return value.item() if column.levels is None else column.levels[value]


def _typical_row(factors: Sequence[Column]) -> int:
    """The first row whose levels are, together, the most frequent."""
    if not factors:
        return 0
    together = np.stack([factor.values for factor in factors], axis=1)
    _, first, often = np.unique(together, axis=0, return_index=True, return_counts=True)
    return int(first[np.argmax(often)])


def _same_within(column: Column, factor: Column) -> bool:
    """Whether a column has one value on each level, and the levels more than one row."""
    levels, first = np.unique(factor.values, return_index=True)
    if len(levels) in (1, len(factor.values)):
        return False
    return bool(np.all(column.values == column.values[first][np.searchsorted(levels, factor.values)]))


def _curve(
    model: Model, data: Dataset, record: Record, held: Held, name: str, predictor: str, predictive: bool
) -> Curve:  # fmt: skip
    column = data.columns[predictor]
    x = np.linspace(float(_known(column).min()), float(_known(column).max()), _POINTS)
    x = np.unique(np.round(x).astype(np.int64)) if column.kind is Kind.INTEGER else x
    rows: dict[str, Any] = {key: [value] * len(x) for key, value in held.values.items() if key != name}
    rows[predictor] = x
    new = replace(dataset.read([_Frame(rows)]), sources=("the curve",))
    try:
        [found] = predict(record, data, new, Wish(of=(name,), kind="mean", seed=record.seed))
        simulated = False
    except UsageError:  # a family without a mean: the values themselves then
        [found] = predict(record, data, new, Wish(of=(name,), kind="response", seed=record.seed))
        simulated = True
    values = None
    if predictive:
        often = {key: np.repeat(np.asarray(cells), _REPEATS) for key, cells in rows.items()}
        more = replace(dataset.read([_Frame(often)]), sources=("the band",))
        [drawn] = predict(record, data, more, Wish(of=(name,), kind="response", seed=record.seed))
        values = np.moveaxis(drawn.draws.reshape(-1, len(x), _REPEATS), 2, 0).reshape(-1, len(x))
    observed = np.asarray(record.observed[name].values, dtype=np.float64)
    seen = np.asarray(column.values, dtype=np.float64)
    there = np.isfinite(observed) & np.isfinite(seen)
    behind = nx.ancestors(model.graph, name)
    words = ", ".join(f"{key} {word}" for key, word in held.words.items() if key in behind and key != predictor)
    alike = _at_held_levels(data, held, behind)
    shown = None if alike is None else alike[there]
    return Curve(name, predictor, x, found.draws, seen[there], observed[there], words, simulated, shown, values)


def _at_held_levels(data: Dataset, held: Held, behind: set[str]) -> np.ndarray | None:
    """Which rows (N,) have the levels that are held; None where no levels are."""
    found: np.ndarray | None = None
    for name, value in held.values.items():
        column = data.columns[name]
        if name in behind and column.levels is not None:
            here = column.values == column.levels.index(value)
            found = here if found is None else found & here
    return found


@dataclass(frozen=True, slots=True)
class _Frame:
    """Columns of one table, as a data frame gives them."""

    held: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        return list(self.held)

    def __getitem__(self, name: str) -> np.ndarray:
        return np.asarray(self.held[name])
