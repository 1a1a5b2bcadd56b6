"""fit, new rows -> their latents, or their log likelihood: `ppl encode`, `ppl evaluate`."""

from __future__ import annotations

import click

from ppl.cli.group import commands
from ppl.cli.reopen import before_rows
from ppl.cli.use import DATA, OUTPUT, SEED, write_table


@commands.command()
@click.argument("fit", type=click.Path())
@click.argument("newdata", nargs=-1, required=True, type=click.Path())
@SEED
@DATA
@OUTPUT
def encode(fit: str, newdata: tuple[str, ...], seed: int, data: tuple[str, ...], output: str | None) -> int:
    """Encode the rows of NEWDATA: mean and sd of the latents that FIT was amortised for, without fitting again."""
    from ppl.use.encode import encode_all

    write_table(encode_all(*before_rows(fit, newdata, data, output), seed), output)
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
    from ppl.use.evaluate import evaluate as at_rows

    found = at_rows(*before_rows(fit, newdata, data, output), count, seed)
    click.echo(found.as_json() if as_json else str(found))
    if output is not None:
        write_table(found.columns(), output)
    return 0
