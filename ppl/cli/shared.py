"""What several commands do alike: read the data given as arguments, look at -o before any work, show a summary."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ppl.language.errors import FileError, ModelError, UsageError

if TYPE_CHECKING:
    from ppl.api import Posterior
    from ppl.data.row_groups import RowStream
    from ppl.model.graph import Model
    from ppl.report.record import Record


@contextmanager
def uncollected() -> Iterator[None]:
    """A block in which packages are imported: what they make stays: no collector need look there."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def condition(model: str, data: tuple[str, ...], stream: bool = False) -> Posterior:
    """Load and condition, and say on standard error what was taken as observed."""
    with uncollected():
        import ppl.api
        from ppl.data import axes as axes_of

    plain, tables = split(data)
    loaded = ppl.load(model)
    try:
        posterior = loaded.condition(*([ppl.stream(path) for path in plain] if stream else plain), **tables)
    except ModelError:
        if not data:
            click.echo(f"no data are given; they stand behind the model: {model} DATA", err=True)
        raise
    shown = []
    for factor in posterior.model.observed:
        gaps = 0 if factor.missing is None else int(factor.missing.sum())
        shown.append(f"{factor.name} [{axes_of.show(factor.axes)}]" + (f", {gaps} missing" if gaps else ""))
    click.echo(f"observed: {', '.join(shown) or 'no name; `factor` alone tells of the data'}", err=True)
    for note in posterior.model.notes:
        click.echo(f"note: {note}", err=True)
    for warning in posterior.warnings:
        click.echo(f"warning: {warning}", err=True)
    return posterior


def split(data: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The files whose columns are merged, and those given as COLUMN=FILE; a file may have `=` in its own name."""
    plain: list[str] = []
    tables: dict[str, str] = {}
    for argument in data:
        over, sign, file = argument.partition("=")
        if not sign or not over or not file or Path(argument).exists():
            plain.append(argument)
        elif over in tables:
            raise UsageError(f"two tables are given for `{over}`: {tables[over]} and {file}")
        else:
            tables[over] = file
    return plain, tables


def show(record: Record, as_json: bool, everything: bool) -> None:
    from ppl.report import tables

    if as_json:
        click.echo(tables.as_json(record, everything))
    elif sys.stdout.isatty():
        from ppl.report import terminal

        terminal.show(record, everything)
    else:
        click.echo("\n".join([tables.as_text(record, everything), "", *tables.verdict_lines(record)]))


def check_output(output: str, inputs: tuple[str, ...]) -> None:
    """Refuse what could not be written, before any work is done, and what would overwrite the input."""
    target = Path(output)
    folder = target.parent
    if not folder.is_dir():
        raise FileError(f"{output}: the folder {folder} does not exist")
    if target.is_dir():
        raise FileError(f"{output} is a folder; name the file in it")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{output}: the folder {folder} cannot be written to")
    for name in inputs:
        if target.exists() and Path(name).exists() and target.samefile(name):
            raise UsageError(f"{output} is an input of this fit; choose another name for -o")


def read_fit(fit: str, data: tuple[str, ...] = ()) -> tuple[Record, Model]:
    """A fit from its file, and its model; `data` are given where the file does not hold them."""
    record, model, _ = with_all_rows(fit, data)
    return record, model


def with_all_rows(fit: str, data: tuple[str, ...] = ()) -> tuple[Record, Model, RowStream | None]:
    """The same, and the rows of a file that was read as a stream, where it is given again."""
    from ppl.report import fitfile
    from ppl.use import again

    record = fitfile.read(fit)
    held, rows = again.all_of(record, *split(data))
    return record, again.model_of(record, held), rows
