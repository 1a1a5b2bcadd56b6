"""fit, new rows -> what its encoder gives: means and sds of latents, probabilities of labels, a line a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppl.data.blocks import blocks
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.model import transforms
from ppl.report.export import Columns
from ppl.report.record import Record, label_all
from ppl.use.reopened import join, reopen

ENCODED = 240  # a stream of random numbers
_DRAWS = 1000  # of latents that are no plain numbers, for their means and sds
_AT_ONCE = 4_000_000
_CELLS, _FEWEST = 2_000_000, 1000  # of a block, and rows at least


def encode_all(record: Record, data: Dataset, sources: Sequence[Any], tables: Mapping[str, Any], seed: int) -> Columns:
    """Of new rows as they are given, a block at a time. Raises what `encode` and reading raise."""
    together = max(_FEWEST, _CELLS // max(1, len(record.given.fingerprints)))
    known = 0 if data.rows is None else data.rows.length
    parts: list[Columns] = []
    for rows in blocks(sources, tables, max(together, known), record.model_text):
        parts.append(encode(record, data, rows.data, generator(seed, ENCODED, len(parts)), rows.start))
    names = [name for name, _ in parts[0]][1:]
    joined = [np.concatenate([part[i][1] for part in parts]) for i in range(1, len(names) + 1)]
    return [("row", np.arange(1, len(joined[0]) + 1)), *zip(names, joined, strict=True)]


def encode(record: Record, data: Dataset, new: Dataset, rng: np.random.Generator, start: int = 0) -> Columns:
    """The number of each new row, mean and sd of each number of its encoded latents, on their own scale, and by the
    encoder the probabilities of the values of its discrete latents.

    Raises `UsageError` for a fit without an encoder, `DataError` for rows that it cannot read.
    """
    joined = join(record, data, new, start)
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
