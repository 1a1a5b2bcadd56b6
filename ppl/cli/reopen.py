"""fit file -> what plots and reports of it are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppl.cli.shared import split

if TYPE_CHECKING:
    from ppl.report.plots.kinds import Material


def reopened(name: str, sources: tuple[str, ...] = ()) -> Material:
    """What is drawn of the fit in a file. `sources` are its data, where the fit does not hold them."""
    from ppl.report import fitfile
    from ppl.use import again
    from ppl.use.material import material

    record = fitfile.read(name)
    return material(record, lambda: again.data_of(record, *split(sources)), given=bool(sources))
