"""fit, new rows -> what its encoder gives: means and sds of latents, probabilities of labels, a line a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppl.data import axes, dataset
from ppl.data.arrays import from_arrow
from ppl.data.dataset import Dataset
from ppl.data.row_groups import groups_in, tables_of
from ppl.infer.draws import generator
from ppl.model import transforms
from ppl.report.export import Columns
from ppl.report.record import Record, label_all
from ppl.use.reopened import join, reopen

ENCODED = 240  # a stream of random numbers
_DRAWS = 1000  # of latents that are no plain numbers, for their means and sds
_AT_ONCE = 4_000_000


def encode_all(record: Record, data: Dataset, sources: Sequence[Any], tables: Mapping[str, Any], seed: int) -> Columns:
    """Of new rows as they are given: of a stream a row group at a time. Raises what `encode` and reading raise."""
    groups = groups_in(sources, tables, record.model_text)
    if groups is None:
        return encode(record, data, dataset.read(sources, tables), generator(seed, ENCODED))
    parts = []
    for group, table in tables_of(groups):
        columns = {column.name: column for column in from_arrow(table, groups.file)}
        new = Dataset(columns, axes.rows(table.num_rows), (groups.file,))
        parts.append(encode(record, data, new, generator(seed, ENCODED, group)))
    names = [name for name, _ in parts[0]][1:]
    joined = [np.concatenate([part[i][1] for part in parts]) for i in range(1, len(names) + 1)]
    return [("row", np.arange(1, groups.rows + 1)), *zip(names, joined, strict=True)]


def encode(record: Record, data: Dataset, new: Dataset, rng: np.random.Generator) -> Columns:
    """The number of each new row, mean and sd of each number of its encoded latents, on their own scale, and by the
    encoder the probabilities of the values of its discrete latents.

    Raises `UsageError` for a fit without an encoder, `DataError` for rows that it cannot read.
    """
    joined = join(record, data, new)
    again = reopen(record, joined, new)
    mean, sd = again.moments()
    columns: list[tuple[str, np.ndarray]] = [("row", np.arange(1, joined.count + 1))]
    for name, local in again.local.items():
        others = tuple(axis for i, axis in enumerate(local.block.latent.axes) if i != local.place)
        own = mean[:, local.start : local.stop], sd[:, local.start : local.stop]
        if local.block.transform is not transforms.IDENTITY:
            parts = []
            step = max(1, _AT_ONCE // (_DRAWS * max(1, mean.shape[1])))
            for i in range(0, joined.count, step):
                some = again.at(slice(i, i + step))
                drawn = some.constrained(local, some.coordinates(some.numbers(_DRAWS, rng), rng))
                parts.append((drawn.mean(axis=0), drawn.std(axis=0)))
            both = [np.concatenate([part[k] for part in parts]).reshape(joined.count, -1) for k in (0, 1)]
            own = both[0], both[1]
        for i, label in enumerate(label_all(name, others)):
            columns += [(f"{label}_mean", own[0][:, i]), (f"{label}_sd", own[1][:, i])]
    for name, names, found in again.probabilities(np.exp(again.log_q)):
        columns += [(f"{name}_p_{value}", own) for value, own in zip(names, found.T, strict=True)]
    return columns
