"""record of a fit with an encoder, new rows -> the encoder and what it reads of these rows, ready for use.

The new rows are put behind those of the fit and the model is settled anew, as for predictions: levels keep their names,
and what data themselves decide (means, knots) comes from the fit's rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ppl.compile import row_inputs
from ppl.compile.blocks import Block, lay_out
from ppl.compile.row_inputs import Layout
from ppl.data.append import append, with_rows
from ppl.data.axes import Axis
from ppl.data.dataset import Dataset
from ppl.infer.stochastic.draws import values_of
from ppl.infer.stochastic.encoder import Encoder, encoded
from ppl.infer.stochastic.plan import Local, size_of
from ppl.language.errors import DataError, ModelError, UsageError
from ppl.model import transforms
from ppl.model.gathered import may_have_gaps
from ppl.model.graph import Factor, Model
from ppl.model.settle import settle
from ppl.report.deep import Deep
from ppl.report.record import Record
from ppl.rewrite import sum_out
from ppl.rewrite.by_value import Values, values_of_rows
from ppl.rewrite.guards import without_needless_guards
from ppl.use.again import names_of


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A model settled on the rows of a fit and new ones behind them."""

    model: Model
    data: Dataset
    fitted: int
    count: int  # of new rows

    @property
    def axis(self) -> Axis:
        assert self.data.rows is not None
        return self.data.rows


@dataclass(frozen=True, slots=True, eq=False)
class Reopened:
    """The encoder of a fit at new rows: `local` by latent, `mean` and `sd` (count, values, coordinates of a row) of
    unconstrained coordinates at each of the `values` of discrete latents, with log probabilities `log_q` (count,
    values): one value where there are no such latents.
    """

    joined: Joined
    local: Mapping[str, Local]
    mean: np.ndarray
    sd: np.ndarray
    log_q: np.ndarray
    codes: np.ndarray  # (count, values): which value a row has at each number
    counts: np.ndarray  # (count, values): which numbers count
    values: Values | None

    def at(self, rows: slice) -> Reopened:
        """At some of the new rows."""
        names = ("mean", "sd", "log_q", "codes", "counts")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def numbers(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (S, count) of the numbers of values, by the encoder."""
        if self.values is None:
            return np.zeros((draws, len(self.mean)), dtype=np.int64)
        return values_of(self.log_q, draws, rng)

    def value_at(self, name: str, numbers: np.ndarray) -> np.ndarray:
        """Of a discrete latent (S, count), at values with these numbers (S, count)."""
        assert self.values is not None
        own = self.values.values[:, self.values.latents.index(name)]
        return np.asarray(own[self.codes[np.arange(len(self.codes)), numbers]])

    def coordinates(self, numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws (S, count, coordinates of a row) at values with these numbers (S, count)."""
        at = (np.arange(len(self.mean)), numbers)
        return np.asarray(self.mean[at] + self.sd[at] * rng.standard_normal(self.mean[at].shape))

    def probabilities(self, shares: np.ndarray) -> list[tuple[str, tuple[str, ...], np.ndarray]]:
        """Of each discrete latent its name, what its values are called, and their probabilities (count, values of it),
        from those of all combinations (count, values).
        """
        if self.values is None:
            return []
        found = []
        for name, own in zip(self.values.latents, self.values.values.T, strict=True):
            values = np.unique(own)
            known = own[self.codes][..., None] == values  # (count, combinations, values)
            column = self.joined.data.columns.get(name)
            names = tuple(str(int(value)) for value in values)
            if column is not None and column.levels is not None and len(column.levels) == len(values):
                names = column.levels
            found.append((name, names, (shares[..., None] * known).sum(axis=1)))
        return found

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and sds (count, coordinates of a row), over all values."""
        if self.values is None:
            return self.mean[:, 0], self.sd[:, 0]
        share = np.exp(self.log_q)[..., None]
        mean = (share * self.mean).sum(axis=1)
        variance = (share * (self.sd**2 + (self.mean - mean[:, None]) ** 2)).sum(axis=1)
        return mean, np.sqrt(variance)

    def constrained(self, local: Local, rows: np.ndarray) -> np.ndarray:
        """(S, count, coordinates of a row) -> values (S, count, *rest of the latent)."""
        block = local.block
        shaped = rows[:, :, local.start : local.stop].reshape(*rows.shape[:2], *local.rest)
        lower, upper = block.bounds_at({})
        moved = np.moveaxis(shaped, 1, 1 + local.place)
        return np.moveaxis(np.asarray(block.transform.constrain(moved, lower, upper)), 1 + local.place, 1)

    def put_in(self, name: str, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Values (S, *shape) of a latent at all rows, those of the new rows from coordinates (S, count, ...)."""
        local = self.local[name]
        old = np.take(values, np.arange(self.joined.fitted), axis=1 + local.place)
        new = np.moveaxis(self.constrained(local, rows), 1, 1 + local.place)
        return np.concatenate([old, new], axis=1 + local.place)

    def log_jacobian(self, local: Local, rows: np.ndarray) -> np.ndarray:
        """Of each row's coordinates of a latent (S, count)."""
        block = local.block
        shaped = rows[:, :, local.start : local.stop].reshape(*rows.shape[:2], *local.rest)
        lower, upper = block.bounds_at({})
        if block.transform is transforms.IDENTITY:
            return np.zeros(rows.shape[:2])
        found = np.asarray(block.transform.log_jacobian(np.moveaxis(shaped, 1, 1 + local.place), lower, upper))
        return np.moveaxis(found, 1 + local.place, 1).reshape(*rows.shape[:2], -1).sum(axis=2)


def join(record: Record, data: Dataset, new: Dataset, start: int = 0) -> Joined:
    """New rows, the first of which is row `start` of their file. Raises `DataError` for rows that do not fit."""
    random = set(names_of(record).random) & data.columns.keys()
    base = with_rows(data, [name for name in random if name in record.observed])
    assert base.rows is not None
    lacking = {name for name in random if name not in new.columns and _over_rows(base, name)}
    joined = append(base, new, lacking, random | may_have_gaps(names_of(record), data), set())
    try:
        model = without_needless_guards(settle(names_of(record), joined))
    except ModelError as error:
        which = f"the rows from {start + 1:,} on" if start else "these rows"
        told = f"{', '.join(new.sources)}: {which}, counted on from {base.rows.length + 1:,}, do not fit the model"
        raise DataError(f"{told}\n{error}") from None
    assert joined.rows is not None
    return Joined(model, joined, base.rows.length, joined.rows.length - base.rows.length)


def _over_rows(data: Dataset, name: str) -> bool:
    axes = data.columns[name].axes
    return bool(axes) and data.rows is not None and axes[0].identity == data.rows.identity


def check_read(joined: Joined, factors: Sequence[Factor], new: Dataset) -> None:
    """Raises `DataError` where the new data lack a column that the encoder reads."""
    waiting = [factor.name for factor in factors]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in joined.model.graph and name not in seen:
            seen.add(name)
            waiting += [
                parent
                for parent in joined.model.graph.predecessors(name)
                if joined.model.graph.nodes[parent]["role"] in ("data", "derived", "observed")
            ]
    lacking = sorted(seen & joined.data.absent)
    if lacking:
        shown = ", ".join(f"`{name}`" for name in lacking[:5]) + (" and others" if len(lacking) > 5 else "")
        what = "column" if len(lacking) == 1 else "columns"
        raise DataError(f"{', '.join(new.sources)}: the encoder reads the {what} {shown}")


def reopen(record: Record, joined: Joined, new: Dataset) -> Reopened:
    """Raises `UsageError` for a fit without an encoder, `DataError` for rows that it cannot read."""
    deep = record.deep
    if deep is None or not deep.amortise:
        raise UsageError("this fit has no encoder: fit with `--amortise` and the name of a latent of the rows")
    factors = row_inputs.observed_of(joined.model, deep.amortise, joined.axis, deep.labels)
    check_read(joined, factors, new)
    how = Layout(tuple(bool(gap) for gap in deep.gaps), deep.kept, deep.mean, deep.scale)
    features = row_inputs.rows_of(factors, joined.axis, how)
    values, nothing = None, np.zeros((joined.axis.length, 1), dtype=np.int64)
    if deep.labels:
        every = {latent.name: sum_out.values_of(latent) for latent in joined.model.discrete}
        values = values_of_rows(joined.model, every, joined.axis)
        assert values is not None and len(values.values) == deep.values
        features = np.concatenate([features, values.codes, values.counts], axis=1)
    blocks = [block for block in lay_out(joined.model.latents)[0] if block.name in deep.amortise]
    local = _locals(blocks, joined.axis)
    encoder = encoder_of(deep, sum(one.stop - one.start for one in local.values()))
    found = encoded(encoder, deep.phi[len(deep.phi) - encoder.size :], features[joined.fitted :])
    log_q = np.zeros((joined.count, 1)) if found.log_q is None else found.log_q
    codes, counts = (nothing, nothing == 0) if values is None else (values.codes, values.counts)
    own = slice(joined.fitted, None)
    return Reopened(joined, local, found.mean, np.exp(found.log_sd), log_q, codes[own], counts[own], values)


def encoder_of(deep: Deep, outputs: int) -> Encoder:
    return Encoder(len(deep.kept), deep.hidden, outputs, deep.activation, deep.values)


def _locals(blocks: Sequence[Block], axis: Axis) -> dict[str, Local]:
    found, at = {}, 0
    for block in blocks:
        place = next(i for i, own in enumerate(block.latent.axes) if own.identity == axis.identity)
        rest = tuple(n for i, n in enumerate(block.shape) if i != place)
        size = size_of(block) // axis.length
        found[block.name] = Local(block, at, at + size, place, rest)
        at += size
    return found
