"""record of a fit -> the model and the data it was made of, and its draws, ready for use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.data import dataset
from ppl.data.dataset import Dataset
from ppl.language.errors import DataError, UsageError
from ppl.language.files import from_string
from ppl.language.parser import parse
from ppl.model.graph import Model
from ppl.model.names import Names, find_names
from ppl.model.settle import settle
from ppl.report.given import fingerprints
from ppl.report.record import INFERRED, Record
from ppl.rewrite.guards import without_needless_guards
from ppl.rewrite.relax import drawn

_MOST_LISTED = 5


def data_of(record: Record, sources: Sequence[Any] = (), tables: Mapping[str, Any] | None = None) -> Dataset:
    """The data of a fit: those it holds, or, where they were too long for that, those given again, if unchanged.

    Raises `UsageError` where none are there, `DataError` where they are not those of the fit.
    """
    if not sources and not tables:
        if record.given.data is None:
            told = ", ".join(record.sources)
            raise UsageError(f"the data are too long to stand in the fit: give them again, --data FILE ({told})")
        return record.given.data
    found = dataset.read(sources, tables)
    marks = fingerprints(found)
    changed = record.given.changed(marks)
    if changed:
        missing = [name for name in changed if name not in marks]
        shown = ", ".join(f"`{name}`" for name in (missing or changed)[:_MOST_LISTED])
        what = "lack" if missing else "differ in"
        raise DataError(f"{', '.join(found.sources)}: not the data of this fit: they {what} {shown}; fit again")
    return found


def names_of(record: Record) -> Names:
    return find_names(parse(from_string(record.model_text, record.model)))


def model_of(record: Record, data: Dataset) -> Model:
    """The model of a fit, settled anew: it is the same."""
    model = without_needless_guards(settle(names_of(record), data))
    return model if record.deep is None else drawn(model, record.deep.relax)


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


def check_same_latents(draws: Mapping[str, np.ndarray], model: Model, name: str) -> None:
    """Raises `UsageError` where a fit has not the latents of a model, in its shapes."""
    for latent in (*model.latents, *model.discrete):
        if latent.name not in draws:
            raise UsageError(f"{name} is no fit of this model: it has no latent `{latent.name}`")
        if draws[latent.name].shape[1:] != latent.shape:
            raise UsageError(f"{name} is no fit of these data: its `{latent.name}` has another shape")
