"""fit, data -> where each row, or each level of a factor, lies by two coordinates of its latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Column, Kind
from ppl.data.dataset import Dataset
from ppl.data.levels import codes_on
from ppl.infer.draws import generator
from ppl.language.errors import UsageError, nearest
from ppl.report.plots import colours
from ppl.report.plots.asked import Asked
from ppl.report.plots.latent import Cloud
from ppl.report.record import Quantity, Record, label_all
from ppl.use.encode import ENCODED, encode
from ppl.values import dataclass

_SEED = 1  # as that of `ppl encode`
_MOST_CATEGORIES = 10  # different whole numbers that are taken for names, not amounts


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Posterior means and sds (n,) by label, all over one axis; `weights` say which matter most, if known."""

    axis: Axis
    means: Mapping[str, np.ndarray]
    sds: Mapping[str, np.ndarray]
    weights: Mapping[str, float]


def cloud_of(record: Record, data: Dataset, asked: Asked) -> Cloud:
    """The two coordinates asked for, else those with the largest KL terms, else the first two. Raises `UsageError`."""
    found = _coordinates(record, data, asked)
    across, up = _two(found, asked.names)
    about = data if asked.new is None else asked.new
    colour = None if asked.color is None else _colour(about, found.axis, asked.color, asked.new is not None)
    over_rows = (found.axis.identity or "").startswith("rows:")
    named = found.axis.labels if not over_rows and found.axis.labels is not None else None
    what = "a point is a row" if over_rows else f"a point is a level of {found.axis.name}"
    if asked.new is not None:
        what += " that the fit has not seen"
    shown = [_told(label, found.weights) for label in (across, up)]
    sds = np.stack([found.sds[across], found.sds[up]])
    return Cloud(
        shown[0], shown[1], found.means[across], found.means[up], colour, named, f"posterior means; {what}", sds
    )


def _told(label: str, weights: Mapping[str, float]) -> str:
    return f"{label} (KL {weights[label]:.2f} nats a row)" if label in weights else label


def _coordinates(record: Record, data: Dataset, asked: Asked) -> Coordinates:
    amortised = () if record.deep is None else record.deep.amortise
    if asked.new is not None and not amortised:
        raise UsageError("--new: this fit has no encoder that could give the latents of new rows: fit with --amortise")
    stems = list(dict.fromkeys(name.partition("[")[0] for name in asked.names))
    names = stems or list(amortised) or _with_coordinates(record)[:1]
    if not names:
        raise UsageError(
            "no latent space: no latent has one element for each row, or level, and two coordinates: `z[rows, D]`"
        )
    weights = _weights(record)
    if asked.new is not None or any(name in amortised and name not in record.quantities for name in names):
        return _encoded(record, data, asked, names, weights)
    quantities = [_latent(record, name, asked.names) for name in names]
    axes = [_own_axis(quantity) for quantity in quantities]
    for name, axis in zip(names, axes, strict=True):
        if axis is None:
            raise UsageError(f"`{name}` has no element for each row, or level: there is no space that these lie in")
        if axis != axes[0]:
            raise UsageError(f"`{names[0]}` and `{name}` are not over the same rows or levels")
    means: dict[str, np.ndarray] = {}
    sds: dict[str, np.ndarray] = {}
    for quantity in quantities:
        place, axis = _place(quantity), quantity.axes[_place(quantity)]
        rest = tuple(each for i, each in enumerate(quantity.axes) if i != place)
        labels = label_all(quantity.name, rest)
        for into, moment in ((means, quantity.draws.mean(axis=0)), (sds, quantity.draws.std(axis=0))):
            flat = np.moveaxis(moment, place, 0).reshape(axis.length, -1)
            into |= dict(zip(labels, flat.T, strict=True))
    assert axes[0] is not None
    return Coordinates(axes[0], means, sds, weights)


def _weights(record: Record) -> dict[str, float]:
    """KL terms by the label of a coordinate."""
    found: dict[str, float] = {}
    for name, kl in ({} if record.deep is None else record.deep.by_coordinate).items():
        quantity = record.quantities.get(name)
        rest = () if quantity is None else tuple(a for i, a in enumerate(quantity.axes) if i != _place(quantity))
        labels = label_all(name, rest) if rest else [f"{name}[{i + 1}]" for i in range(len(kl))]
        if len(labels) == len(kl):
            found |= dict(zip(labels, map(float, kl), strict=True))
    return found


def _with_coordinates(record: Record) -> list[str]:
    """Latents that have two coordinates or more for each row, or else for each level; those of rows first."""
    latents = [q for q in record.quantities.values() if q.role == "latent" and _own_axis(q) is not None]
    wide = [q for q in latents if q.size >= 2 * q.axes[_place(q)].length]
    return [q.name for q in sorted(wide, key=lambda q: not (q.axes[_place(q)].identity or "").startswith("rows:"))]


def _latent(record: Record, name: str, asked: Sequence[str]) -> Quantity:
    if name not in record.quantities:
        likely = nearest(name, record.quantities)
        meant = f"did you mean `{likely}`?" if likely else f"it holds {', '.join(list(record.quantities)[:12])}"
        said = next(text for text in asked if text.partition("[")[0] == name)
        raise UsageError(f"--of {said}: the fit holds no such name; {meant}")
    return record.quantities[name]


def _place(quantity: Quantity) -> int:
    """Which of its axes tells rows, or levels, apart; -1 for none."""
    known = [axis.identity or "" for axis in quantity.axes]
    for sort in ("rows:", "levels:"):
        found = next((i for i, identity in enumerate(known) if identity.startswith(sort)), None)
        if found is not None:
            return found
    return -1


def _own_axis(quantity: Quantity) -> Axis | None:
    place = _place(quantity)
    return None if place < 0 else quantity.axes[place]


def _encoded(
    record: Record, data: Dataset, asked: Asked, names: Sequence[str], weights: Mapping[str, float]
) -> Coordinates:  # fmt: skip
    rows = data if asked.new is None else asked.new
    table = dict(encode(record, data, rows, generator(_SEED, ENCODED)))
    own = [key.removesuffix("_mean") for key in table if key.endswith("_mean") and key.partition("[")[0] in names]
    means, sds = ({label: table[f"{label}_{what}"] for label in own} for what in ("mean", "sd"))
    assert data.rows is not None
    return Coordinates(data.rows if rows.rows is None else rows.rows, means, sds, weights)


def _two(found: Coordinates, names: Sequence[str]) -> tuple[str, str]:
    single = [name for name in names if name in found.means]
    for name in names:
        if "[" in name and name not in found.means:
            likely = nearest(name, found.means)
            raise UsageError(f"--of {name}: there is no such coordinate; " + (
                f"did you mean `{likely}`?" if likely else f"there are {', '.join(list(found.means)[:12])}"
            ))  # fmt: skip
    known = [label for label in found.means if label not in single]
    ranked = sorted(known, key=lambda label: -found.weights.get(label, 0.0))
    two = [*dict.fromkeys(single), *ranked][:2] if len(single) < 3 else []
    if not two:
        raise UsageError(f"--of names {len(single)} coordinates: a latent space is drawn by two")
    if len(two) < 2:
        raise UsageError(f"a latent space is drawn by two coordinates, and there is one: `{two[0]}`")
    return two[0], two[1]


def _colour(data: Dataset, axis: Axis, name: str, new: bool) -> colours.Column:
    column = data.columns.get(name)
    if column is None:
        likely = nearest(name, data.columns)
        hint = f"; did you mean `{likely}`?" if likely else ""
        where = "the new rows have" if new else "the fit keeps"
        mend = "" if new or likely else "; a column that the model does not read is given by --data, with all others"
        raise UsageError(f"--color {name}: {where} no such column{hint}{mend}")
    if column.unusable is not None or data.rows is None or column.axes != (data.rows,):
        raise UsageError(f"--color {name}: it is no column of the table, with a value for each row")
    if (axis.identity or "").startswith("rows:"):
        return _as_colour(column, column.values, column.missing)
    return _by_level(data, axis, column)


def _by_level(data: Dataset, axis: Axis, column: Column) -> colours.Column:
    """The value on each level of a factor, on which it must be constant."""
    factor = data.columns.get(axis.name)
    if factor is None or axis.labels is None or factor.axes != column.axes:
        raise UsageError(f"--color {column.name}: it cannot be told which of its rows belong to which {axis.name}")
    codes, values = codes_on(factor, axis.labels), np.full(axis.length, np.nan)
    there = np.ones(codes.shape, dtype=bool) if column.missing is None else ~column.missing
    for i, label in enumerate(axis.labels):
        own = column.values[(codes == i) & there]
        if len(own) and not np.all(own == own[0]):
            raise UsageError(f"--color {column.name}: it has several values where {axis.name} is {label}")
        values[i] = own[0] if len(own) else np.nan
    return _as_colour(column, values, np.isnan(values))


def _as_colour(column: Column, values: np.ndarray, missing: np.ndarray | None) -> colours.Column:
    numbers = np.where(False if missing is None else missing, np.nan, values.astype(np.float64))
    if column.levels is not None:
        return colours.Column(column.name, numbers, column.levels)
    known = np.unique(numbers[np.isfinite(numbers)])
    if column.kind is not Kind.REAL and len(known) <= _MOST_CATEGORIES:
        codes = np.where(np.isfinite(numbers), np.searchsorted(known, numbers), np.nan)
        told = [str(bool(v)).lower() if column.kind is Kind.BOOLEAN else str(int(v)) for v in known]
        return colours.Column(column.name, codes, tuple(told))
    return colours.Column(column.name, numbers, None)
