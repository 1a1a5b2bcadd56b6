"""log joint of many rows -> its value and gradient, block by block of rows that stay in cache, spread over threads.

What is elementwise over rows (`rowwise.py`) is one staged listing over a block of M rows and a tile of draws, whose
constants of the data are overwritten block by block; the rest is evaluated once. Blocks, and the order in which they
are added up, depend on the numbers of rows and draws alone: the same bits, whatever the number of threads. Beyond the
data memory is that of a few blocks a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from ppl.compile.fewer_rows import fewer_rows
from ppl.compile.rowwise import Rowwise, longest_axis, rowwise
from ppl.compile.staged import stage
from ppl.compile.staged.held import Cell, held, keys_of, with_cells
from ppl.compile.staged.listing import Listing
from ppl.compile.staged.run import Runner
from ppl.compile.staged.trace import NotStaged
from ppl.numeric.threads import one_blas_thread

if TYPE_CHECKING:
    from ppl.compile.joint import LogJoint

Found = tuple[np.ndarray, np.ndarray]

FEWEST_ROWS = 1 << 14
_ELEMENTS = 1 << 15  # rows times draws of a block: a few such arrays stay in a cache of 2 MB
_MOST_ROWS = 1 << 13
_ROWS_A_COORDINATE = 100  # at least: each block gives a gradient by all coordinates
_TILES = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # draws of a tile; others are filled up
_LANES = 8  # runs of blocks, each added up in order
_KEPT = 6  # runners of a thread; the last used are kept


@dataclass(slots=True, eq=False)
class RowBlocks:
    """The evaluation of a split joint without local latents. Raises `NotStaged` where its rows cannot be staged."""

    split: Rowwise
    workers: SimpleQueue[_Worker] = field(default_factory=SimpleQueue)
    listings: dict[tuple[int, int, bool], Listing] = field(default_factory=dict)

    def value(self, z: np.ndarray) -> np.ndarray:
        """z (S, D) -> log joint (S,)."""
        return self._sum(z, False)[0] + self.split.rest.value(z)

    def value_and_gradient(self, z: np.ndarray) -> Found:
        """z (S, D) -> log joint (S,), and its gradient for each draw (S, D)."""
        value, gradient = self._sum(z, True)
        rest_value, rest_gradient = self.split.rest.value_and_gradient(z)
        return value + rest_value, gradient + rest_gradient

    def _sum(self, z: np.ndarray, gradient: bool) -> Found:
        """Over all rows, of what is elementwise over them; the gradient of zeros where it was not asked for."""
        size, tiles = self._size(z), tuple(_tiles(len(z)))
        blocks = self.split.axis.length // size
        for tile in {tile for _, tile in tiles}:
            self._listing(tile, size, gradient)
        edges = np.linspace(0, blocks, _LANES + 1).round().astype(int)
        lanes = [range(a, b) for a, b in pairwise(edges) if a < b]

        def lane(mine: range) -> Found:
            worker = self._worker()
            try:
                return worker.sum(self, mine, size, z, tiles, gradient)
            finally:
                self.workers.put(worker)

        found = list(_pool().map(lane, lanes)) if len(lanes) > 1 and threads() > 1 else [lane(one) for one in lanes]
        found.append(self._left_over(z, blocks * size, gradient))
        total, slope = found[0]
        for value, other in found[1:]:
            total, slope = total + value, slope + other
        return total, slope

    def _size(self, z: np.ndarray) -> int:
        """Rows of a block: fewer with many draws, more with many coordinates, a gradient by which each block gives.

        Where there are few blocks, hardly a row is left over.
        """
        dimension, rows = self.split.joint.dimension, self.split.axis.length
        own = min(_ELEMENTS // min(max(len(z), 1), _TILES[-1]), _MOST_ROWS)
        return rows // -(-rows // max(own, 4 * dimension))

    def _left_over(self, z: np.ndarray, start: int, gradient: bool) -> Found:
        """Of the rows after the last whole block, fewer than a block."""
        zero = np.zeros(len(z)), np.zeros(z.shape)
        if start == self.split.axis.length or not len(z):
            return zero
        density = self._density(slice(start, self.split.axis.length))
        if gradient:
            return stage.plain(density, z)
        with np.errstate(all="ignore"):
            return np.asarray(density(z)), zero[1]

    def _density(self, rows: slice, cells: Mapping[int, Cell] | None = None) -> Callable[[Any], Any]:
        at = self.split.at(rows)

        def density(z: Any) -> Any:
            own = at
            if cells is not None:
                constants = {slot: held(z, cells[slot]) for slot in at.constants}
                own = replace(at, program=replace(at.program, constants={**at.program.constants, **constants}))
            return own.total(self.split.joint.constrain_with_jacobian(z)[0])

        return density

    def _listing(self, tile: int, size: int, gradient: bool) -> Listing:
        key = tile, size, gradient
        if key not in self.listings:
            at = self.split.at(slice(0, size))
            cells = {slot: Cell(slot, np.array(array)) for slot, array in at.constants.items()}
            density, shape = self._density(slice(0, size), cells), (tile, self.split.joint.dimension)
            made = stage.staged if gradient else stage.staged_value
            self.listings[key] = made(density, shape).listing  # compared with autograd
        return self.listings[key]

    def _worker(self) -> _Worker:
        return _Worker({}, {}) if self.workers.empty() else self.workers.get()


@dataclass(slots=True, eq=False)
class _Worker:
    """What one thread writes into: memory for the constants of a block, by its rows, and runners over that."""

    cells: dict[int, dict[int, Cell]]
    runners: dict[tuple[int, int, bool], tuple[Runner, tuple[int, ...]]]

    def sum(
        self, blocks: RowBlocks, mine: range, size: int, z: np.ndarray, tiles: Sequence[tuple[slice, int]],
        gradient: bool,
    ) -> Found:  # fmt: skip
        """Over some blocks, in order."""
        total, slope = np.zeros(len(z)), np.zeros(z.shape)
        sources = blocks.split.template(size).sources
        runners = {tile: self._runner(blocks, tile, size, gradient) for _, tile in tiles}
        read = sorted({key for _, keys in runners.values() for key in keys})
        filled = [(some, runners[tile][0], _filled(z[some], tile)) for some, tile in tiles]
        for block in mine:
            rows = slice(block * size, (block + 1) * size)
            for key in read:
                whole, place = sources[key]
                np.copyto(self.cells[size][key].array, whole[(*([slice(None)] * place), rows)])
            for some, runner, points in filled:
                value, *by_z = runner(points)
                count = some.stop - some.start
                total[some] += value[:count]
                if gradient:
                    slope[some] += by_z[0][:count]
        return total, slope

    def _runner(self, blocks: RowBlocks, tile: int, size: int, gradient: bool) -> tuple[Runner, tuple[int, ...]]:
        key = tile, size, gradient
        known = self.runners.pop(key, None)
        if known is None:
            listing = blocks.listings[key]
            own = self.cells.setdefault(size, {})
            for slot, (whole, place) in blocks.split.template(size).sources.items():
                if slot not in own:
                    own[slot] = Cell(slot, np.array(whole[(*([slice(None)] * place), slice(0, size))]))
            known = Runner(with_cells(listing, own)), keys_of(listing)
            while len(self.runners) >= _KEPT:
                del self.runners[next(iter(self.runners))]
        self.runners[key] = known
        return known


def _tiles(draws: int) -> Iterator[tuple[slice, int]]:
    """Slices of the draws, each with the number of draws it is filled up to."""
    for start in range(0, draws, _TILES[-1]):
        stop = min(draws, start + _TILES[-1])
        yield slice(start, stop), next(tile for tile in _TILES if tile >= stop - start)


def _filled(z: np.ndarray, draws: int) -> np.ndarray:
    return z if len(z) == draws else np.concatenate([z, np.repeat(z[-1:], draws - len(z), axis=0)])


def threads() -> int:
    """As many as there are processors for this process."""
    return min(_LANES, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="ppl-rows")


def row_blocks(split: Rowwise) -> RowBlocks | None:
    """None where the rows cannot be worked on in blocks: latents of their own, or code that cannot be staged."""
    if split.local or _ROWS_A_COORDINATE * split.joint.dimension > split.axis.length:
        return None
    found = RowBlocks(split)
    try:
        found._listing(_TILES[0], found._size(np.zeros((1, split.joint.dimension))), True)
    except NotStaged:
        return None
    return found


@dataclass(slots=True, eq=False)
class ManyRows:
    """How one log joint of many rows is evaluated, found when it is first asked for: as another joint of `fewer`, where
    that is the same function, else in `blocks`; both None where it has few rows, or there is no better way.
    """

    blocks: RowBlocks | None = None
    fewer: LogJoint | None = None
    asked: bool = False

    def of(self, joint: LogJoint) -> RowBlocks | LogJoint | None:
        """What evaluates the joint, if not the joint itself."""
        if not self.asked:
            self.asked = True
            axis = longest_axis(joint.parts)
            split = rowwise(joint, axis) if axis is not None and axis.length >= FEWEST_ROWS else None
            with one_blas_thread():  # sums over the data have the same bits whoever asks first
                self.fewer = None if split is None else fewer_rows(split)
            self.blocks = None if split is None or self.fewer is not None else row_blocks(split)
        return self.blocks if self.fewer is None else self.fewer
