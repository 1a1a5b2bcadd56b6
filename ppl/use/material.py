"""record of a fit, its data and model -> what plots and reports of it are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ppl.data import dataset
from ppl.data.dataset import Dataset
from ppl.model.graph import Model
from ppl.report import diagram
from ppl.report.plots.asked import Asked
from ppl.report.plots.kinds import Material, as_figure
from ppl.report.record import Record
from ppl.use import again, effects, image_rows, latent_space, pictures, reliability


def material(
    record: Record, data: Callable[[], Dataset], model: Callable[[], Model] | None = None, given: bool = False
) -> Material:
    """Data and model are made only where they are needed; the model is settled anew unless it is there.

    `given` says that data are there, though the record does not hold them.
    """
    known = cache(data)
    settled = cache(model or (lambda: again.model_of(record, known())))

    def drawn() -> diagram.Diagram:
        if record.given.data is None and not given:  # without its data a model still has a graph
            return diagram.of_names(again.names_of(record))
        return diagram.of_model(settled())

    return Material(
        record,
        settled,
        drawn,
        lambda: pictures.checks_of(settled(), known(), record),
        lambda: pictures.statistics_of(settled(), known(), record),
        lambda names, band: effects.curves_of(settled(), known(), record, names, band),
        lambda asked: latent_space.cloud_of(record, known(), asked),
        lambda asked: image_rows.reconstructions_of(settled(), known(), record, asked),
        lambda asked: image_rows.samples_of(settled(), known(), record, asked),
        lambda asked: reliability.reliability_of(settled(), known(), record, asked),
    )


def figure(
    record: Record, data: Callable[[], Dataset], model: Callable[[], Model], kind: str, of: str | Sequence[str], *,
    color: str | None = None, shape: tuple[int, int] | None = None, new: Any = None,
) -> Any:  # fmt: skip
    """A matplotlib figure of a fit whose data are at hand; `new` are data as they are given to `condition`. Raises
    `UsageError` and `DataError`.
    """
    names = (of,) if isinstance(of, str) else tuple(of)
    asked = Asked(names, color, shape, None if new is None else dataset.read([new]))
    return as_figure(kind, material(record, data, model, given=True), asked)
