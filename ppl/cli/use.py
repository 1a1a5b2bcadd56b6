"""fit, or model and data -> draws, checks, data sets: `ppl draws`, `ppl ppc`, `ppl prior`, `ppl simulate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ppl.cli.group import commands
from ppl.cli.shared import check_output, condition, read_fit, split
from ppl.language.errors import UsageError

if TYPE_CHECKING:
    from ppl.api import Posterior
    from ppl.report.export import Columns

SEED = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Same seed, same bits."
)
DATA = click.option("--data", multiple=True, type=click.Path(), help="The data, where the fit does not hold them.")
OUTPUT = click.option("-o", "--output", type=click.Path(), help="Write to this .csv, .parquet or .json file.")


@commands.command()
@click.argument("fit", type=click.Path())
@OUTPUT
@click.option("--all", "everything", is_flag=True, help="Those of long derived names too.")
def draws(fit: str, output: str | None, everything: bool) -> int:
    """Write the draws of FIT, a column for each scalar, as CSV unless -o says otherwise."""
    from ppl.report import export, fitfile

    if output is not None:
        export.check_ending(output)
        check_output(output, (fit,))
    columns = []
    for quantity in fitfile.read(fit).shown(everything):
        flat = quantity.draws.reshape(len(quantity.draws), -1)
        columns += [(label, flat[:, i]) for i, label in enumerate(quantity.labels())]
    write_table(columns, output)
    return 0


@commands.command()
@click.argument("fit", type=click.Path())
@DATA
@SEED
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ppc(fit: str, data: tuple[str, ...], seed: int, as_json: bool) -> int:
    """Check FIT against its data: statistics of the observed names beside those of data replicated from it."""
    from ppl.use import again, checks

    record, model = read_fit(fit, data)
    given = again.data_of(record, *split(data))
    found = checks.of_fit(record, model, given, seed)
    click.echo(checks.as_json(found) if as_json else checks.as_text(found))
    return 0


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@SEED
@click.option("--draws", "count", type=click.IntRange(100, 1_000_000), default=4000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prior(model: str, data: tuple[str, ...], seed: int, count: int, as_json: bool) -> int:
    """Show what MODEL says before it has seen DATA: its latents, and the data they would give."""
    from ppl.use import prior as priors

    posterior = condition(model, data)
    _check_whole(posterior, "prior")
    found = priors.predictive(posterior.model, posterior.data, count, seed)
    click.echo(priors.as_json(found) if as_json else priors.as_text(found))
    return 0


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="The value of a latent; may be repeated.")
@click.option("--from", "source", type=click.Path(), help="Other latents from this fit, and not from their priors.")
@SEED
@OUTPUT
def simulate(
    model: str, data: tuple[str, ...], given: tuple[str, ...], source: str | None, seed: int, output: str | None
) -> int:  # fmt: skip
    """Make a data set from MODEL: DATA with its observed names drawn anew."""
    from ppl.report import atomic, export, fitfile
    from ppl.use import again, data_set

    if output is not None:
        export.check_ending(output)
        plain, tables = split(data)
        check_output(output, (model, *plain, *tables.values(), *([source] if source else [])))
    posterior = condition(model, data)
    _check_whole(posterior, "simulate")
    values = data_set.parse_given(given, posterior.model)
    known = None
    if source is not None:
        record = fitfile.read(source)
        known = again.draws_of(record)
        again.check_same_latents(known, posterior.model, source)
    made = data_set.make(posterior.model, posterior.joint, posterior.data, values, seed, known)
    for line in data_set.shown(made, (*posterior.model.latents, *posterior.model.discrete)):
        click.echo(line, err=True)
    if output is not None and Path(output).suffix.lower() == ".json":
        atomic.write_text(output, data_set.as_json(made.data))
        click.echo(f"written to {output}", err=True)
    else:
        write_table(data_set.as_columns(made.data), output)
    return 0


def _check_whole(posterior: Posterior, command: str) -> None:
    """Raises `UsageError` where only some rows of the data are in memory."""
    if posterior.behind is not None:
        file = posterior.behind.rows.groups.file
        raise UsageError(f"{command}: {file} is too large to be read whole: give a file with some of its rows")


def write_table(columns: Columns, output: str | None) -> None:
    """To a file, or as CSV to standard output."""
    from ppl.report import export

    if not columns:
        raise UsageError("there is nothing to write: no name has draws")
    if output is None:
        sys.stdout.write(export.as_csv(columns))
    else:
        export.write(columns, output)
        click.echo(f"written to {output}", err=True)
