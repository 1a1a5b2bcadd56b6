"""fit, all rows of the file that it read as a stream -> leave-one-out cross-validation, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np

from ppl.compile.likelihood import log_likelihood_of_last
from ppl.data.axes import Axis
from ppl.data.row_groups import RowStream, blocks_of
from ppl.infer.loo import Loo, Sample, joined, loo
from ppl.report.record import Record
from ppl.use.reopened import join
from ppl.values import dataclass

_NUMBERS = 10_000_000  # log likelihoods of a block at all draws
_FEWEST = 1000  # rows of a block


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Elements `counted` (n,), in C order, of what one name observes of a block of rows, the first of which is row
    `start` of the file.
    """

    name: str
    axes: tuple[Axis, ...]
    counted: np.ndarray
    start: int

    def label(self, number: int) -> str:
        shape = tuple(axis.length for axis in self.axes)
        places = np.unravel_index(int(self.counted[number]), shape)
        named = [
            str(int(i) + 1 + self.start) if (axis.identity or "").startswith("rows:") else axis.label(int(i))
            for axis, i in zip(self.axes, places, strict=True)
        ]
        return f"{self.name}[{','.join(named)}]"


class Labels(Sequence[str]):
    """What elements are called, each made where it is asked for."""

    def __init__(self, parts: Sequence[_Part]):
        self._parts = parts
        self._stops = np.cumsum([len(part.counted) for part in parts])

    def __len__(self) -> int:
        return int(self._stops[-1]) if len(self._stops) else 0

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        number = int(np.searchsorted(self._stops, place, side="right"))
        part = self._parts[number]
        return part.label(place - int(self._stops[number]) + len(part.counted))


def loo_of_stream(
    record: Record, rows: RowStream, draws: Mapping[str, np.ndarray], sample: Sample, elements: int
) -> tuple[Labels, Loo]:  # fmt: skip
    """Names one after the other, rows in the order of the file. Memory goes by the block, and by 32 bytes an element.

    Raises `NoLikelihood`, and `DataError` for rows that do not fit.
    """
    count = len(sample.log_weights)
    wide = max(1, elements // rows.groups.rows)
    size = max(_FEWEST, _NUMBERS // (count * wide))
    found: dict[str, list[tuple[_Part, Loo]]] = {}
    start = 0
    for new in blocks_of(rows.groups, size):
        both = join(record, rows.data, new)
        for one in log_likelihood_of_last(both.model, draws, count, both.axis, both.fitted):
            part = _Part(one.name, one.axes, np.flatnonzero(one.counts), start)
            found.setdefault(one.name, []).append((part, loo(one.by_element, sample)))
        start += both.count
    parts = [pair for own in found.values() for pair in own]
    return Labels([part for part, _ in parts]), joined([each for _, each in parts])
