"""fit, data -> images: rows of pixels as they were observed and as the model restores them, or draws of new rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ppl.compile.extend import CannotExtend, means
from ppl.compile.replicate import piece_of
from ppl.data.axes import Axis, rows
from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.language.errors import UsageError
from ppl.model.graph import Factor, Model
from ppl.report.plots.asked import Asked
from ppl.report.plots.images import Images
from ppl.report.record import Record
from ppl.use.again import draws_of, with_few_draws
from ppl.use.predict import Wish, predict
from ppl.use.reopened import join, reopen

_SHOWN = 10  # rows
_SAMPLES = (5, 10)  # lines of draws, and draws of a line
_DRAWS = 200  # that a restored mean is taken over
_AT_ONCE = 4_000_000
_SEED = 1


def reconstructions_of(model: Model, data: Dataset, record: Record, asked: Asked) -> Images:
    """Some rows, evenly taken, above the posterior mean of what the model expects there. Raises `UsageError`."""
    name, axis, shape = _pixels(model, data, asked)
    if asked.new is not None or (record.deep is not None and record.deep.amortise):
        return _encoded(record, data, asked, name, shape)
    chosen = _evenly(axis.length, shape)
    factor = next(factor for factor in model.observed if factor.name == name)
    observed = _observed(factor)[chosen]
    assert factor.value is not None
    few = with_few_draws(record, max(1, min(_DRAWS, _AT_ONCE // max(1, math.prod(factor.value.shape)))))
    values = draws_of(few)
    try:
        restored = means(piece_of(factor), values, len(few.chosen))[:, chosen].mean(axis=0)
    except CannotExtend as error:
        raise UsageError(f"no reconstructions: {error.why}") from None
    return _side_by_side(observed, restored, chosen, shape, "rows of the fit")


def _observed(factor: Factor) -> np.ndarray:
    assert factor.value is not None
    values = np.asarray(factor.value.value, dtype=np.float64)
    return values if factor.missing is None else np.where(factor.missing, np.nan, values)


def _encoded(record: Record, data: Dataset, asked: Asked, name: str, shape: tuple[int, int]) -> Images:
    """The rows are encoded as new ones, and so restored by what the encoder says of them alone."""
    if record.deep is None or not record.deep.amortise:
        raise UsageError("--new: this fit has no encoder that could give the latents of new rows: fit with --amortise")
    source = data if asked.new is None else asked.new
    if source.rows is None:
        raise UsageError("no reconstructions: these data are no table, so that there are no rows to choose from")
    chosen = _evenly(source.rows.length, shape)
    some = _at(source, chosen)
    joined = join(record, data, some)
    reopen(record, joined, some)  # where the encoder cannot read these rows it says why
    factor = next(factor for factor in joined.model.observed if factor.name == name)
    [found] = predict(with_few_draws(record, _DRAWS), data, some, Wish(of=(name,), kind="mean", seed=_SEED))
    what = "rows that the fit has not seen" if asked.new is not None else "rows of the fit"
    return _side_by_side(_observed(factor)[joined.fitted :], found.draws.mean(axis=0), chosen, shape, what)


def _side_by_side(
    observed: np.ndarray, restored: np.ndarray, chosen: np.ndarray, shape: tuple[int, int], what: str
) -> Images:  # fmt: skip
    pictures = [values.reshape(len(chosen), *shape) for values in (observed, restored)]
    titles = tuple(f"row {i + 1}" for i in chosen)
    gaps = "; red: a cell that was empty" if np.isnan(observed).any() else ""
    return Images(
        (("observed", pictures[0]), ("restored", pictures[1])), titles, f"{what}; restored: posterior mean{gaps}"
    )


def samples_of(model: Model, data: Dataset, record: Record, asked: Asked) -> Images:
    """What is expected of rows whose latents are drawn from their priors. Raises `UsageError`."""
    name, _, shape = _pixels(model, data, asked)
    lines, along = _SAMPLES
    count = lines * along
    few = with_few_draws(record, count)
    nothing = Dataset({}, rows(count), ("samples",))
    try:
        [found] = predict(few, data, nothing, Wish(of=(name,), kind="mean", seed=_SEED))
    except UsageError as error:
        raise UsageError(f"no samples: {error}") from None
    own = found.draws[np.arange(count) % len(found.draws), np.arange(count)]  # a draw of all that is shared for each
    pictures = own.reshape(lines, along, *shape)
    return Images(tuple(("", line) for line in pictures), (), "the mean of each pixel, latents drawn from their priors")


def _pixels(model: Model, data: Dataset, asked: Asked) -> tuple[str, Axis, tuple[int, int]]:
    """The observed matrix with a row of pixels for each row of the data, and the shape of an image."""
    found = {
        factor.name: factor
        for factor in model.observed
        if len(factor.axes) == 2 and (data.rows is None or factor.axes[0] == data.rows)
    }
    if not found and not asked.names:
        raise UsageError(
            "no images: no observed name is a matrix with a row for each row of the data, as `X` of"
            ' `X = columns("px_*")` is'
        )
    refused = "it is no observed matrix with a row for each row of the data"
    name = asked.one_of(found, "images are drawn of", refused, "which are pixels")
    return name, found[name].axes[0], _shape(name, found[name].axes[1].length, asked.shape)


def _shape(name: str, pixels: int, asked: tuple[int, int] | None) -> tuple[int, int]:
    if asked is not None:
        if asked[0] * asked[1] != pixels:
            of = f"{asked[0]}x{asked[1]}: that is {asked[0] * asked[1]} pixels"
            raise UsageError(f"--shape {of}, and `{name}` has {pixels}")
        return asked
    side = math.isqrt(pixels)
    if side * side != pixels:
        least = next(n for n in range(side, 0, -1) if pixels % n == 0)
        raise UsageError(
            f"the {pixels} columns of `{name}` are no square of pixels: give the rows and columns of an image,"
            f" such as --shape {least}x{pixels // least}"
        )
    return side, side


def _evenly(count: int, shape: tuple[int, int]) -> np.ndarray:
    """Positions of some rows; of images that are wide, fewer."""
    shown = _SHOWN if shape[1] < 3 * shape[0] else _SHOWN // 2
    return np.unique(np.linspace(0, count - 1, min(shown, count)).round().astype(np.int64))


def _at(data: Dataset, chosen: np.ndarray) -> Dataset:
    """These rows of a table alone."""
    assert data.rows is not None
    axis = replace(data.rows, length=len(chosen))

    def own(column: Column) -> Column:
        if not column.axes or column.axes[0] != data.rows:
            return column
        missing = None if column.missing is None else column.missing[chosen]
        return replace(column, values=column.values[chosen], axes=(axis, *column.axes[1:]), missing=missing, rows=None)

    return replace(data, columns={name: own(column) for name, column in data.columns.items()}, rows=axis)
