"""fit file -> what is in it: `ppl summary` and `ppl diagnose`."""

from __future__ import annotations

import click

from ppl.cli.group import commands
from ppl.cli.shared import show
from ppl.language.errors import UsageError


@commands.command()
@click.argument("fit", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--all", "everything", is_flag=True, help="Show long derived names too.")
def summary(fit: str, as_json: bool, as_csv: bool, everything: bool) -> int:
    """Show the summary of a FIT that `ppl fit -o FIT` has written."""
    from ppl.report import fitfile, tables

    if as_json and as_csv:
        raise UsageError("give --json or --csv, not both")
    record = fitfile.read(fit)
    if as_csv:
        click.echo(tables.as_csv(record, everything), nl=False)
    else:
        show(record, as_json, everything)
    return 0


@commands.command()
@click.argument("fit", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--all", "everything", is_flag=True, help="Look at long derived names too.")
def diagnose(fit: str, as_json: bool, everything: bool) -> int:
    """Show what the verdict of a FIT rests on: every rule with its number, and which scalars rest on few draws."""
    from ppl.report import diagnosis, fitfile

    told = diagnosis.as_json if as_json else diagnosis.as_text
    click.echo(told(fitfile.read(fit), fit, everything))
    return 0
