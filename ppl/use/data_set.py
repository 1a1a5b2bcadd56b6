"""model, data, values of some latents -> a data set like those given, its observed names drawn from the model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.replicate import CannotReplicate, as_column, check_replicable, draw_prior, replicate
from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.language.errors import UsageError, nearest
from ppl.model.graph import Latent, Model
from ppl.report.export import Columns
from ppl.report.record import label_all
from ppl.use.prior import check_proper
from ppl.use.series import own_past, series_of
from ppl.values import dataclass

_LATENTS, _DATA = 210, 211  # streams of random numbers


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """The data, and the values of all latents (*shape) behind them; of those `given`, NaN where they were drawn."""

    data: Dataset
    latents: Mapping[str, np.ndarray]
    given: Mapping[str, np.ndarray]


def parse_given(texts: Iterable[str], model: Model) -> dict[str, np.ndarray]:
    """`mu=3`, `theta=[1, 2, 3]`, `theta[Choate]=3` -> values; elements that are not given are NaN.

    Raises `UsageError` for what is no latent, or no value of its shape.
    """
    known = {latent.name: latent for latent in (*model.latents, *model.discrete)}
    elements = {
        label: (name, i)
        for name, latent in known.items()
        if latent.axes
        for i, label in enumerate(label_all(name, latent.axes))
    }
    found: dict[str, np.ndarray] = {}
    for text in texts:
        name, sign, written = (part.strip() for part in text.rpartition("="))
        if not sign or not name:
            raise UsageError(f"--set {text}: write NAME=VALUE")
        if name in elements:
            whole, place = elements[name]
            array = found.setdefault(whole, np.full(known[whole].shape, np.nan))
            array.reshape(-1)[place] = _value(text, written, ())
        elif name in known:
            found[name] = np.array(_value(text, written, known[name].shape))
        else:
            close = nearest(name, [*known, *elements])
            hint = f"; did you mean `{close}`?" if close else f"; the latents are {', '.join(known)}"
            raise UsageError(f"--set {text}: `{name}` is no latent of this model{hint}")
    return found


def _value(text: str, written: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(json.loads(written), dtype=np.float64)
    except (ValueError, TypeError):
        raise UsageError(f"--set {text}: {written} is neither a number nor a list of numbers") from None
    if not np.isfinite(array).all():
        raise UsageError(f"--set {text}: {written} is not finite")
    if array.shape not in (shape, ()):
        size = " x ".join(map(str, shape)) or "a single number"
        raise UsageError(f"--set {text}: the value must be of shape {size}, or one number for all elements")
    return np.broadcast_to(array, shape)


def make(
    model: Model, joint: LogJoint, data: Dataset, given: Mapping[str, np.ndarray], seed: int,
    posterior: Mapping[str, np.ndarray] | None = None,
) -> Made:  # fmt: skip
    """One data set. Latents that are not given are drawn from their priors, or are one draw of a `posterior`.

    Raises `UsageError` where that cannot be done.
    """
    try:
        series = {name: series_of(model, data, name) for name in own_past(model)}
        check_replicable(model, data, leave=series)
    except CannotReplicate as error:
        raise UsageError(f"the data cannot be simulated, because {error.why}") from None
    whole = {name: value[None] for name, value in given.items() if not np.isnan(value).any()}
    rng = generator(seed, _LATENTS)
    if posterior is not None:
        chosen = int(rng.integers(len(next(iter(posterior.values()))))) if posterior else 0
        found = {name: value[chosen : chosen + 1] for name, value in posterior.items()} | whole
    else:
        check_proper(model, whole)
        found = draw_prior(model, 1, rng, whole)
    for name in [name for name in found if name in given and name not in whole]:  # elements of it alone
        found[name] = np.where(np.isnan(given[name]), found[name], given[name])
        if posterior is None:  # what depends on it is drawn again
            before = list(found)[: list(found).index(name) + 1]
            found = draw_prior(model, 1, rng, {key: found[key] for key in {**dict.fromkeys(before), **whole}})
    _check_inside(model, joint, found, given)
    rng = generator(seed, _DATA)
    drawn = {name: values[0] for name, values in replicate(model, data, found, 1, rng, leave=series).items()}
    try:
        drawn |= {name: one.whole(one.replicates(found, 1, rng)[0]) for name, one in series.items()}
    except CannotReplicate as error:
        raise UsageError(f"the data cannot be simulated, because {error.why}") from None
    columns = {name: as_column(data.columns[name], values) for name, values in drawn.items()}
    made = replace(data, columns={**data.columns, **columns})
    return Made(made, {name: value[0] for name, value in found.items()}, given)


def _check_inside(
    model: Model, joint: LogJoint, found: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]
) -> None:
    for block in joint.blocks:
        if block.name in given:
            outside = block.outside(block.part_of(found[block.name]), *block.bounds_at(found))
            if np.any(outside):
                raise UsageError(f"--set {block.name}: the value lies outside the support of `{block.name}`")


def as_columns(data: Dataset) -> Columns:
    """The table of a data set, missing cells as NaN or empty text. Raises `UsageError` where it is no table."""
    columns = [column for column in data.columns.values() if column.unusable is None]
    odd = [column.name for column in columns if data.rows is None or column.axes != (data.rows,)]
    if odd:
        raise UsageError(f"the data are no single table, because of `{odd[0]}`: write them to a .json file")
    return [(column.name, _plain(column)) for column in columns]


def as_json(data: Dataset) -> str:
    """One object, names with numbers or nested lists."""
    told = {name: _nested(column) for name, column in data.columns.items() if column.unusable is None}
    return json.dumps(told, ensure_ascii=False) + "\n"


def _plain(column: Column) -> np.ndarray:
    if column.levels is not None:
        return np.asarray(np.array([*column.levels, ""])[column.values])
    return column.values


def _nested(column: Column) -> object:
    values = _plain(column)
    if column.missing is None:
        return values.tolist()
    cells = values.astype(object)
    cells[column.missing] = None
    return cells.tolist()


def shown(made: Made, latents: Iterable[Latent]) -> list[str]:
    """The values behind the data, a line each; those of long names in part."""
    lines = []
    for latent in latents:
        labels = label_all(latent.name, latent.axes)
        values = made.latents[latent.name].reshape(-1)
        drawn = np.isnan(made.given.get(latent.name, np.full(latent.shape, np.nan))).reshape(-1)
        marks = ["" if one else " (given)" for one in drawn]
        told = list(zip(labels, values, marks, strict=True))[:20]
        lines += [f"{label} = {value:.6g}{mark}" for label, value, mark in told]
        if len(labels) > 20:
            lines.append(f"... {len(labels) - 20} more of {latent.name}")
    return lines
