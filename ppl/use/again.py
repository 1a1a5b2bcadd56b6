"""record of a fit -> the model and the data it was made of, and its draws, ready for use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.data import dataset
from ppl.data.dataset import Dataset
from ppl.data.row_groups import RowStream, groups_asked, sampled
from ppl.language.errors import DataError, UsageError
from ppl.language.files import from_string
from ppl.language.parser import parse
from ppl.model.graph import Model
from ppl.model.names import Names, find_names
from ppl.model.settle import settle
from ppl.model.terms import inputs
from ppl.report.given import fingerprints
from ppl.report.record import INFERRED, Record
from ppl.rewrite.guards import without_needless_guards

_MOST_LISTED = 5


def data_of(record: Record, sources: Sequence[Any] = (), tables: Mapping[str, Any] | None = None) -> Dataset:
    """The data of a fit: those it holds, or, where they were too long for that, those given again, if unchanged.

    Of a file that was read as a stream they are its sample. Raises `UsageError` where none are there, `DataError` where
    they are not those of the fit.
    """
    if not sources and not tables:
        if record.given.data is None:
            told = ", ".join(record.sources)
            raise UsageError(f"the data are too long to stand in the fit: give them again, --data FILE ({told})")
        return record.given.data
    if record.given.of_rows:
        return rows_of(record, sources, tables).data
    found = dataset.read(sources, tables)
    _check_unchanged(record, found)
    return found


def all_of(
    record: Record, sources: Sequence[Any], tables: Mapping[str, Any] | None = None
) -> tuple[Dataset, RowStream | None]:  # fmt: skip
    """The data, and, where a fit read them as a stream and they are given again, all rows. Raises as `data_of`."""
    if not record.given.of_rows or (not sources and not tables):
        return data_of(record, sources, tables), None
    rows = rows_of(record, sources, tables)
    return rows.data, rows


def rows_of(record: Record, sources: Sequence[Any], tables: Mapping[str, Any] | None = None) -> RowStream:
    """All rows of the file that a fit read as a stream, given again. Raises what `data_of` raises."""
    found = sampled(groups_asked(sources, tables, record.model_text))
    if found.groups.rows != record.given.of_rows:
        rows = f"{found.groups.rows:,} rows, not {record.given.of_rows:,}"
        raise DataError(f"{found.groups.file}: not the data of this fit: {rows}; fit again")
    _check_unchanged(record, found.data)
    return found


def _check_unchanged(record: Record, found: Dataset) -> None:
    marks = fingerprints(found)
    changed = record.given.changed(marks)
    if changed:
        missing = [name for name in changed if name not in marks]
        shown = ", ".join(f"`{name}`" for name in (missing or changed)[:_MOST_LISTED])
        what = "lack" if missing else "differ in"
        raise DataError(f"{', '.join(found.sources)}: not the data of this fit: they {what} {shown}; fit again")


def names_of(record: Record) -> Names:
    return find_names(parse(from_string(record.model_text, record.model)))


def model_of(record: Record, data: Dataset) -> Model:
    """The model of a fit, settled anew: it is the same."""
    return without_needless_guards(settle(names_of(record), data))


def draws_of(record: Record) -> dict[str, np.ndarray]:
    """The draws (S, *shape) of every latent, discrete ones and points too."""
    return {name: q.draws for name, q in record.quantities.items() if q.role in INFERRED}


def count_of(record: Record) -> int:
    """S, the number of draws."""
    return len(record.chosen)


def with_few_draws(record: Record, most: int) -> Record:
    """The same fit with its first draws alone."""
    few = {name: replace(quantity, draws=quantity.draws[:most]) for name, quantity in record.quantities.items()}
    return replace(record, quantities=few, chosen=record.chosen[:most])


def check_draws(record: Record, model: Model, name: str) -> None:
    """Raises `UsageError` where what is observed depends on latents of which the fit holds no draws."""
    lacking = sorted(
        {str(x) for x in inputs([factor.log_prob for factor in model.observed])} - record.quantities.keys()
    )
    lacking = [x for x in lacking if record.deep is not None and x in record.deep.amortise]
    if lacking:
        raise UsageError(
            f"{name} holds no draws of `{lacking[0]}`, which has too many rows: `ppl evaluate` gives the log likelihood"
            " of rows, and `ppl encode` their latents"
        )


def check_same_latents(draws: Mapping[str, np.ndarray], model: Model, name: str) -> None:
    """Raises `UsageError` where a fit has not the latents of a model, in its shapes."""
    for latent in (*model.latents, *model.discrete):
        if latent.name not in draws:
            raise UsageError(f"{name} is no fit of this model: it has no latent `{latent.name}`")
        if draws[latent.name].shape[1:] != latent.shape:
            raise UsageError(f"{name} is no fit of these data: its `{latent.name}` has another shape")
