"""Parquet file -> its row groups, read one at a time, and a small table that stands for all its rows.

The table has rows drawn at random, behind them the first row of every level of a column and of a missing cell: so
levels, kinds and gaps are those of the whole file. Found in one pass.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ppl.data import axes, faults
from ppl.data.arrays import from_arrow
from ppl.data.csv_table import check_names
from ppl.data.dataset import Dataset
from ppl.data.first_rows import Seen
from ppl.language.errors import UsageError

LARGE = 2_000_000_000  # bytes that the columns take in memory, above which a file is read so unasked
_SAMPLED, _LEAST_SAMPLED, _SHARE_SAMPLED = 10_000, 500, 0.05  # rows drawn at random
_AT_ONCE = 65_536  # rows that are decoded together
_SEED = 20_140_601  # of the sample: what a model is must not depend on the seed of a fit


@dataclass(frozen=True, slots=True)
class Streamed:
    """A Parquet file that is to be read in row groups."""

    path: Path


def stream(path: Any) -> Streamed:
    """Data that `condition` is given: a Parquet file of which never more is in memory than a few row groups."""
    return Streamed(Path(path))


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """`names` are the columns that are read, `sizes` (G,) the rows of each group. Of the columns `indexed` levels are
    looked for, be they ever so many, of those `ended` the least and the greatest number.
    """

    path: Path
    names: tuple[str, ...]
    sizes: np.ndarray
    indexed: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        return str(self.path)

    @property
    def rows(self) -> int:
        return int(self.sizes.sum())

    @property
    def bytes(self) -> int:
        """Of the columns in memory, as numbers of 64 bits."""
        return 8 * self.rows * len(self.names)

    def read(self, group: int) -> Any:
        """The pyarrow table of a group. Raises `DataError`."""
        import pyarrow
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False) as opened:
                return opened.read_row_group(group, columns=list(self.names), use_threads=False)
        except (pyarrow.ArrowException, OSError):
            raise faults.bad_parquet(self.file) from None


@dataclass(frozen=True, slots=True, eq=False)
class RowStream:
    """The groups, and the table that stands for them; its first `drawn` rows are drawn at random, and stand in the
    file at `places` (drawn,), in order.
    """

    groups: Groups
    data: Dataset = field(repr=False)
    places: np.ndarray

    @property
    def drawn(self) -> int:
        return len(self.places)


def stream_of(sources: Sequence[Any], tables: Any, text: str) -> RowStream | None:
    """The stream that data are read as; None where they are read whole. Raises what `groups_in` and reading raise."""
    groups = groups_in(sources, tables, text)
    return None if groups is None else sampled(groups)


def groups_in(sources: Sequence[Any], tables: Any, text: str) -> Groups | None:
    """The groups that data are read in: where that is asked for, or of one Parquet file that is large; else None.

    Raises `UsageError` for other data beside one that is asked for.
    """
    if any(isinstance(source, Streamed) for source in sources):
        return groups_asked(sources, tables, text)
    if not is_parquet(sources, tables):
        return None
    groups = groups_asked(sources, tables, text)
    return groups if groups.bytes > LARGE else None


def is_parquet(sources: Sequence[Any], tables: Any) -> bool:
    """Whether data are one Parquet file alone, which can be read in row groups."""
    return len(sources) == 1 and not tables and _is_path(sources[0]) and _path(sources[0]).suffix.lower() == ".parquet"


def groups_asked(sources: Sequence[Any], tables: Any, text: str) -> Groups:
    """The groups of data that can be read in no other way. Raises `UsageError` for what is no Parquet file alone."""
    if len(sources) != 1 or tables:
        raise UsageError("stream: one Parquet file alone is read as a stream; put what stands beside it into the file")
    if not _is_path(sources[0]):
        raise UsageError("stream: the data of this fit are a Parquet file, which is read as a stream; give its path")
    path = _path(sources[0])
    if not path.exists():
        raise faults.no_such_file(str(path))
    if path.suffix.lower() != ".parquet":
        raise UsageError(f"stream: {path} is no Parquet file; its rows stand in no groups")
    return groups_of(path, text)


def _is_path(source: Any) -> bool:
    return isinstance(source, str | Path | Streamed)


def _path(source: Any) -> Path:
    return source.path if isinstance(source, Streamed) else Path(source)


def groups_of(path: Path, text: str) -> Groups:
    """The groups with the columns that the text of a model may mean. Raises `DataError`."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as opened:
            meta, names = opened.metadata, opened.schema_arrow.names
            sizes = np.array([meta.row_group(i).num_rows for i in range(meta.num_row_groups)], dtype=np.int64)
    except (pyarrow.ArrowException, OSError):
        raise faults.bad_parquet(str(path)) from None
    check_names([str(name).strip() for name in names], str(path))
    if not names:
        raise faults.no_columns(str(path))
    if not sizes.sum():
        raise faults.no_rows(str(path))
    own = tuple(meant(names, text))
    indexed = _words(own, re.findall(r"\[([^\]]*)\]|\bby\s*=\s*(\w+)", text))
    return Groups(path, own, sizes, indexed, _words(own, re.findall(r"\bbspline\s*\(([^\n]*)", text)))


def _words(names: Sequence[str], parts: Sequence[Any]) -> frozenset[str]:
    """Those of the names that are words of some parts of a text."""
    words = {
        word
        for part in parts
        for text in ([part] if isinstance(part, str) else part)
        for word in re.findall(r"\w+", text)
    }
    return frozenset(name for name in names if name.strip() in words)


def meant(names: Sequence[str], text: str) -> list[str]:
    """The columns that words, patterns and ranges in a text may mean; all where it means none."""
    words = set(re.findall(r"\w+", text))
    patterns = re.findall(r"\"([^\"\n]*)\"|'([^'\n]*)'", text)
    wanted = {name for name in names if name.strip() in words}
    wanted |= {n for n in names for pair in patterns for p in pair if p and fnmatch.fnmatchcase(n.strip(), p)}
    for first, _ in re.findall(r"(\w+)\s*\.\.\s*(\w+)", text):
        stem = first.rstrip("0123456789")
        wanted |= {name for name in names if stem and name.strip().startswith(stem)}
    return [name for name in names if name in wanted] or list(names)


def sampled(groups: Groups) -> RowStream:
    """One pass over all groups. Raises `DataError`."""
    import pyarrow

    rows = groups.rows
    count = min(rows, _SAMPLED, max(_LEAST_SAMPLED, int(_SHARE_SAMPLED * rows)))
    places = np.sort(np.random.default_rng(_SEED).permutation(rows)[:count])
    starts = np.concatenate([[0], np.cumsum(groups.sizes)])
    drawn, others, at = [], [], []
    seen = Seen(groups.indexed, groups.ended)
    for group, table in tables_of(groups):
        first, stop = starts[group], starts[group + 1]
        drawn.append(table.take(places[(places >= first) & (places < stop)] - first))
        fresh = np.setdiff1d(seen.first_rows(table) + first, places)
        others.append(table.take(fresh - first))
        at.append(fresh)
        seen.look_for_ends(table, int(first))
    taken = np.concatenate([places, *at])
    for place, table in seen.ends():
        if place not in taken:
            others.append(table)
            at.append(np.array([place]))
    whole = pyarrow.concat_tables([*drawn, *others])
    where = np.concatenate([places, *at])
    columns = [replace(column, rows=where) for column in from_arrow(whole, groups.file)]
    note = (
        f"{groups.file} is read as a stream: {rows:,} rows in {len(groups.sizes):,} row groups; {len(where):,} of them"
        " stand for all where a model is read, and where it works on all rows at once (means, knots)"
    )
    axis = axes.rows(len(where))
    data = Dataset({column.name: column for column in columns}, axis, (groups.file,), (note,))
    return RowStream(groups, data, places)


def blocks_of(groups: Groups, count: int) -> Iterator[Dataset]:
    """The rows in order, so many at a time whatever the groups are, the last fewer. Raises `DataError`."""
    import pyarrow
    import pyarrow.parquet

    start = 0
    held: list[Any] = []
    try:
        with pyarrow.parquet.ParquetFile(groups.path, pre_buffer=False) as opened:
            read = opened.iter_batches(min(count, _AT_ONCE), columns=list(groups.names), use_threads=False)
            for batch in read:
                held.append(batch)
                while sum(len(one) for one in held) >= count:
                    table = pyarrow.Table.from_batches(held)
                    yield _as_data(table.slice(0, count), groups, start)
                    start, held = start + count, table.slice(count).to_batches()
    except (pyarrow.ArrowException, OSError):
        raise faults.bad_parquet(groups.file) from None
    if held:
        yield _as_data(pyarrow.Table.from_batches(held), groups, start)


def _as_data(table: Any, groups: Groups, start: int) -> Dataset:
    places = np.arange(start, start + table.num_rows)
    columns = {column.name: replace(column, rows=places) for column in from_arrow(table, groups.file)}
    return Dataset(columns, axes.rows(table.num_rows), (groups.file,))


def tables_of(groups: Groups) -> Iterator[tuple[int, Any]]:
    """Each group that has rows, one in memory at a time."""
    for group, size in enumerate(groups.sizes):
        if size:
            yield group, groups.read(group)
