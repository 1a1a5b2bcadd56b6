"""fit, new rows -> their latents, or their log likelihood: `ppl encode`, `ppl evaluate`."""

from __future__ import annotations

import click

from ppl.cli.group import commands
from ppl.cli.shared import check_output, split
from ppl.cli.use import DATA, OUTPUT, SEED, write_table


@commands.command()
@click.argument("fit", type=click.Path())
@click.argument("newdata", nargs=-1, required=True, type=click.Path())
@SEED
@DATA
@OUTPUT
def encode(fit: str, newdata: tuple[str, ...], seed: int, data: tuple[str, ...], output: str | None) -> int:
    """Encode the rows of NEWDATA: mean and sd of the latents that FIT was amortised for, without fitting again."""
    from ppl.data import dataset
    from ppl.report import export, fitfile
    from ppl.use import again
    from ppl.use.encode import encode as at_rows

    plain, tables = split(newdata)
    if output is not None:
        export.check_ending(output)
        check_output(output, (fit, *plain, *tables.values()))
    record = fitfile.read(fit)
    given = again.data_of(record, *split(data))
    write_table(at_rows(record, given, dataset.read(plain, tables), seed), output)
    return 0


@commands.command()
@click.argument("fit", type=click.Path())
@click.argument("newdata", nargs=-1, required=True, type=click.Path())
@click.option("--draws", "count", type=click.IntRange(2, 1_000_000), default=1000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@SEED
@DATA
@OUTPUT
def evaluate(
    fit: str, newdata: tuple[str, ...], count: int, as_json: bool, seed: int, data: tuple[str, ...], output: str | None
) -> int:  # fmt: skip
    """The log likelihood of the rows of NEWDATA, which FIT has not seen; -o writes that of each row.

    Latents of a row are integrated out by importance sampling, from the encoder's guide or else their prior.
    """
    from ppl.data import dataset
    from ppl.report import export, fitfile
    from ppl.use import again
    from ppl.use.evaluate import evaluate as at_rows

    plain, tables = split(newdata)
    if output is not None:
        export.check_ending(output)
        check_output(output, (fit, *plain, *tables.values()))
    record = fitfile.read(fit)
    given = again.data_of(record, *split(data))
    found = at_rows(record, given, dataset.read(plain, tables), count, seed)
    click.echo(found.as_json() if as_json else str(found))
    if output is not None:
        write_table(found.columns(), output)
    return 0
