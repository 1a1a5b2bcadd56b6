"""fit file -> what plots and reports of it, and commands about new rows, are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppl.cli.shared import check_output, split

if TYPE_CHECKING:
    from ppl.data.dataset import Dataset
    from ppl.report.plots.kinds import Material
    from ppl.report.record import Record


def reopened(name: str, sources: tuple[str, ...] = ()) -> Material:
    """What is drawn of the fit in a file. `sources` are its data, where the fit does not hold them."""
    from ppl.report import fitfile
    from ppl.use import again
    from ppl.use.material import material

    record = fitfile.read(name)
    return material(record, lambda: again.data_of(record, *split(sources)), given=bool(sources))


def with_rows(
    fit: str, newdata: tuple[str, ...], data: tuple[str, ...], output: str | None
) -> tuple[Record, Dataset, Dataset]:
    """The fit in a file, its data and the new ones; before anything is read, `output` is seen to be writable."""
    from ppl.data import dataset

    record, given, plain, tables = before_rows(fit, newdata, data, output)
    return record, given, dataset.read(plain, tables)


def before_rows(
    fit: str, newdata: tuple[str, ...], data: tuple[str, ...], output: str | None
) -> tuple[Record, Dataset, list[str], dict[str, str]]:
    """The same with the new files, and those of tables, not read yet."""
    from ppl.report import export, fitfile
    from ppl.use import again

    plain, tables = split(newdata)
    if output is not None:
        export.check_ending(output)
        check_output(output, (fit, *plain, *tables.values()))
    record = fitfile.read(fit)
    return record, again.data_of(record, *split(data)), plain, tables
