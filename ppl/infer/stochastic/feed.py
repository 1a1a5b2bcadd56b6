"""row groups of a file, step -> the rows of a batch, as a fit in memory would have them; a few groups at a time.

An epoch goes through the groups in a random order. As many as fill a window are read, their rows shuffled and handed on
in blocks. A block is put behind the rows that stand for the whole file and settled with these, as new rows are for
predictions: so levels and means are the same in every block, and steps read all of them by one listing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ppl.compile.joint import compile_joint
from ppl.data import axes
from ppl.data.append import append
from ppl.data.arrays import from_arrow
from ppl.data.dataset import Dataset
from ppl.data.row_groups import RowStream
from ppl.infer.draws import generator
from ppl.infer.stochastic.build import Built, build
from ppl.language.errors import DataError, ModelError, UsageError
from ppl.model.names import Names
from ppl.model.settle import settle
from ppl.rewrite.guards import without_needless_guards
from ppl.rewrite.sum_out import sum_out

_SHUFFLING = 8  # a stream of random numbers
_CELLS = 2_000_000  # of a block
_KEPT = 2  # blocks


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows `start:stop` of those of an epoch: the rows `chosen` of the groups of a window, one after the other."""

    start: int
    stop: int
    groups: tuple[int, ...]
    chosen: np.ndarray


class Feed:
    """Batches of a stream; what a step gets depends on the seed and its number alone.

    Raises `UsageError` where blocks of the data need another program than the rows that stand for all.
    """

    def __init__(self, names: Names, source: RowStream, built: Built, seed: int, stream: int):
        plan = built.plan
        assert plan.batch is not None
        _check(built, source)
        if any("rows" in line.uses and "rows" not in line.shape_uses for line in names.lines):
            raise UsageError("stream: the model reckons with `rows`, and only some of these are in memory at a time")
        self._names, self._source, self._built = names, source, built
        self._seed, self._stream, self._count = seed, stream, plan.batch.count
        starts = np.concatenate([[0], np.cumsum(source.groups.sizes)])
        held_out = source.places[plan.held_out]
        self._held_out = [held_out[(held_out >= a) & (held_out < b)] - a for a, b in pairwise(starts)]
        self._block_rows = max(self._count, _CELLS // max(1, len(source.groups.names)))
        self._epoch: tuple[int, tuple[Block, ...]] = (-1, ())
        self._window: tuple[tuple[int, ...], Any] = ((), None)
        self._blocks: dict[tuple[int, int], list[np.ndarray]] = {}

    @property
    def batches(self) -> int:
        return self._built.plan.seen // self._count

    def __call__(self, step: int, dtype: Any) -> list[np.ndarray]:
        epoch, place = divmod(step, self.batches)
        return self.rows(epoch, place * self._count, (place + 1) * self._count, dtype)

    def rows(self, epoch: int, first: int, last: int, dtype: Any) -> list[np.ndarray]:
        """The rows from `first` to `last` of those of an epoch, in its order."""
        parts = []
        for i, block in enumerate(self._plan_of(epoch)):
            if block.start < last and first < block.stop:
                own = slice(max(first, block.start) - block.start, min(last, block.stop) - block.start)
                parts.append([array[own] for array in self._arrays(epoch, i, block, dtype)])
        found = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]
        return [found[0], *self._as_read(found[1:])]

    def _as_read(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Arrays with the rows back where the program has them."""
        assert self._built.plan.batch is not None
        places = [place for _, _, place in self._built.plan.batch.sources]
        return [np.moveaxis(array, 0, place) for array, place in zip(arrays, places, strict=True)]

    def _plan_of(self, epoch: int) -> tuple[Block, ...]:
        if self._epoch[0] != epoch:
            self._epoch = (epoch, tuple(self._planned(epoch)))
        return self._epoch[1]

    def _planned(self, epoch: int) -> list[Block]:
        rng = generator(self._seed, self._stream, _SHUFFLING, epoch)
        sizes = self._source.groups.sizes
        found: list[Block] = []
        window: list[int] = []
        order = [int(group) for group in rng.permutation(len(sizes)) if sizes[group]]
        for i, group in enumerate(order):
            window.append(group)
            if i == len(order) - 1 or sum(int(sizes[g]) for g in window) >= self._block_rows:
                start = found[-1].stop if found else 0
                found += self._cut(start, tuple(window), rng)
                window = []
        return found

    def _cut(self, start: int, window: tuple[int, ...], rng: np.random.Generator) -> list[Block]:
        """The rows of a window that are not held out, shuffled, in blocks of about the same length."""
        rows, before = [], 0
        for group in window:
            size = int(self._source.groups.sizes[group])
            rows.append(before + np.setdiff1d(np.arange(size), self._held_out[group]))
            before += size
        shuffled = rng.permutation(np.concatenate(rows)).astype(np.uint32)
        pieces = np.array_split(shuffled, -(-len(shuffled) // self._block_rows)) if len(shuffled) else []
        stops = start + np.cumsum([len(piece) for piece in pieces])
        return [Block(int(b) - len(piece), int(b), window, piece) for b, piece in zip(stops, pieces, strict=True)]

    def _arrays(self, epoch: int, number: int, block: Block, dtype: Any) -> list[np.ndarray]:
        key = (epoch, number)
        if key not in self._blocks:
            while len(self._blocks) >= _KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[key] = self._prepared(block, dtype)
        return self._blocks[key]

    def _prepared(self, block: Block, dtype: Any) -> list[np.ndarray]:
        """What steps read of a block, rows first."""
        import pyarrow

        if self._window[0] != block.groups:
            self._window = ((), None)  # before the next is read
            tables = [self._source.groups.read(group) for group in block.groups]
            self._window = (block.groups, pyarrow.concat_tables(tables))
        table = self._window[1].take(block.chosen)
        file = self._source.groups.file
        base = self._source.data
        new = Dataset({c.name: c for c in from_arrow(table, file)}, axes.rows(len(block.chosen)), (file,))
        random = set(self._names.random) & base.columns.keys()
        try:
            model = without_needless_guards(settle(self._names, append(base, new, set(), random, set())))
        except ModelError as error:
            told = f"{file}: rows of the groups {_shown(block.groups)} do not fit the model"
            raise DataError(f"{told}\n{error}") from None
        wish = replace(self._built.wish, validation=None if not self._built.wish.amortise else 0.0)
        whole = build(model, compile_joint(model, sum_out(model)), wish, layout=self._built.layout)
        return self._own_rows(whole, len(block.chosen), dtype)

    def _own_rows(self, whole: Built, count: int, dtype: Any) -> list[np.ndarray]:
        """Those of the block alone; those that stand for all must be what they were."""
        expected, found = self._built.plan.batch, whole.plan.batch
        assert expected is not None
        if found is None or len(found.sources) != len(expected.sources):
            raise _differs(self._source)
        arrays = [whole.features if whole.plan.encoder is not None else np.zeros((whole.plan.rows, 0))]
        known = [self._built.features if whole.plan.encoder is not None else np.zeros((self._built.plan.rows, 0))]
        for (_, array, place), (_, own, own_place) in zip(found.sources, expected.sources, strict=True):
            if place != own_place or array.dtype != own.dtype:
                raise _differs(self._source)
            arrays.append(np.moveaxis(array, place, 0))
            known.append(np.moveaxis(own, place, 0))
        result = []
        for array, own in zip(arrays, known, strict=True):
            if array.shape[1:] != own.shape[1:] or not np.array_equal(array[: len(own)], own, equal_nan=True):
                raise _differs(self._source)
            kind = dtype if array.dtype.kind == "f" else array.dtype
            result.append(np.array(array[len(array) - count :], dtype=kind, order="C"))
        return result


def _shown(groups: Collection[int]) -> str:
    shown = ", ".join(str(group + 1) for group in sorted(groups)[:5])
    return shown + (", ..." if len(groups) > 5 else "")


def _differs(source: RowStream) -> UsageError:
    return UsageError(
        f"stream: {source.groups.file}: a model whose terms depend on many rows at once, or on which cells are missing,"
        " cannot read its data as a stream"
    )


def _check(built: Built, source: RowStream) -> None:
    """Raises `UsageError` for what does not go by rows."""
    plan = built.plan
    batch, joint = plan.batch, plan.joint
    file, rows = source.groups.file, source.data.rows
    if batch is None or rows is None or batch.split.axis.identity != rows.identity:
        raise UsageError(f"stream: nothing observed in this model goes by the rows of {file}")
    mixed = [joint.parts[i].name for i in batch.split.others if joint.parts[i].observed]
    if mixed:
        raise UsageError(
            f"stream: `{mixed[0]}` depends on many rows at once, or on cells that are missing, and of {file} only some"
            " rows are in memory at a time"
        )
    encoded = {local.block.name for local in plan.local.values()}
    own = sorted({block.name for block in joint.blocks if block.name in batch.split.local} - encoded)
    if own:
        raise UsageError(
            f"stream: `{own[0]}` has a value for each row of {file}, which are too many to be kept: give it an encoder"
            f" by amortise"
        )
