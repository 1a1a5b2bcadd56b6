"""a name -> a bundled example in a folder of one's own: `ppl new`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ppl.cli.group import commands


@commands.command()
@click.argument("name", required=False)
@click.argument("folder", required=False, type=click.Path(file_okay=False), default=".")
def new(name: str | None, folder: str) -> int:
    """Copy the example NAME, a model and its data, into FOLDER (here, if none is given); list all without a NAME.

    Nothing is overwritten.
    """
    from ppl.report import examples

    if name is None:
        known = examples.examples()
        width = max(map(len, known))
        for found in known.values():
            click.echo(f"{found.name.ljust(width)}  {found.about}")
        click.echo("\nto copy one of them here: ppl new NAME", err=True)
        return 0
    written = examples.copy(examples.example(name), Path(folder))
    for path in written:
        click.echo(str(path))
    click.echo(f"to fit it: {shlex.join(['ppl', 'fit', *map(str, written)])}", err=True)
    return 0
