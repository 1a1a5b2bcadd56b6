"""fit file -> what plots and reports of it are made from."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ppl.cli.shared import split

if TYPE_CHECKING:
    from ppl.report.plots.kinds import Material


def reopened(name: str, sources: tuple[str, ...] = ()) -> Material:
    """What is drawn of the fit in a file; its model is settled anew only where it is needed.

    `sources` are its data, where the fit does not hold them.
    """
    from ppl.report import diagram, fitfile
    from ppl.report.plots.kinds import Material
    from ppl.use import again, effects, pictures

    record = fitfile.read(name)
    data = cache(lambda: again.data_of(record, *split(sources)))
    model = cache(lambda: again.model_of(record, data()))

    def drawn() -> diagram.Diagram:
        if record.given.data is None and not sources:  # without its data a model still has a graph
            return diagram.of_names(again.names_of(record))
        return diagram.of_model(model())

    return Material(
        record,
        model,
        drawn,
        lambda: pictures.checks_of(model(), data(), record),
        lambda: pictures.statistics_of(model(), data(), record),
        lambda names: effects.curves_of(model(), data(), record, names),
    )
