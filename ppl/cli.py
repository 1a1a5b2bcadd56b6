"""argv -> the command line: the only module that prints and sets the exit code.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 2 wrong usage, 3 fitted but the
verdict is `do not use`, 4 model, 5 data, 6 files, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ppl.language.errors import FileError, PplError, UsageError
from ppl.version import VERSION

if TYPE_CHECKING:
    from ppl.api import Posterior
    from ppl.report.record import Record

EXIT_DO_NOT_USE = 3
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ppl")
def commands() -> None:
    """Fit probabilistic models written in .ppl files."""


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, required=True, type=click.Path())
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Same seed, same bits.")
@click.option("--draws", type=click.IntRange(100, 1_000_000), default=4000, show_default=True, help="Posterior draws.")
@click.option("-o", "--output", type=click.Path(), help="Write the fit to this netCDF file.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--all", "everything", is_flag=True, help="Summarise long derived names too.")
def fit(
    model: str, data: tuple[str, ...], seed: int, draws: int, output: str | None, as_json: bool, everything: bool
) -> int:
    """Find the posterior of MODEL given DATA (CSV, TSV, Parquet, JSON or npz; several files are merged)."""
    if output is not None:
        _check_output(output, (model, *data))
    posterior = _condition(model, data)
    with _status("fitting"):
        found = posterior.fit(seed=seed, draws=draws, keep_all=everything)
    _show(found.record, as_json, everything)
    if output is not None:
        found.save(output)
        click.echo(f"written to {output}", err=True)
    return EXIT_DO_NOT_USE if found.verdict == "do not use" else 0


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option("--show", type=click.Choice(["names", "syntax", "graph", "joint"]), default="names", show_default=True)
def check(model: str, data: tuple[str, ...], show: str) -> int:
    """Check MODEL, with or without its DATA, and say what each name is."""
    import ppl
    from ppl.report import stages

    loaded = ppl.load(model)
    if show == "syntax":
        click.echo(stages.syntax(loaded.program))
    elif not data:
        if show != "names":
            raise UsageError(f"--show {show} needs the data: ppl check {model} DATA --show {show}")
        click.echo(stages.names_without_data(loaded.names))
    else:
        posterior = _condition(model, data)
        show_stage = {"names": stages.names, "graph": stages.graph}.get(show)
        click.echo(stages.joint(posterior.joint) if show_stage is None else show_stage(posterior.model))
    return 0


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
        _show(record, as_json, everything)
    return 0


def _condition(model: str, data: tuple[str, ...]) -> Posterior:
    """Load and condition, and say on standard error what was taken as observed."""
    import ppl
    from ppl.data import axes as axes_of

    posterior = ppl.load(model).condition(*data)
    shown = []
    for factor in posterior.model.observed:
        gaps = 0 if factor.missing is None else int(factor.missing.sum())
        shown.append(f"{factor.name} [{axes_of.show(factor.value.axes)}]" + (f", {gaps} missing" if gaps else ""))
    click.echo(f"observed: {', '.join(shown)}", err=True)
    for note in posterior.model.notes:
        click.echo(f"note: {note}", err=True)
    return posterior


def _show(record: Record, as_json: bool, everything: bool) -> None:
    from ppl.report import tables

    if as_json:
        click.echo(tables.as_json(record, everything))
    elif sys.stdout.isatty():
        from ppl.report import terminal

        terminal.show(record, everything)
    else:
        click.echo("\n".join([tables.as_text(record, everything), "", *tables.verdict_lines(record)]))


def _check_output(output: str, inputs: tuple[str, ...]) -> None:
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


@contextmanager
def _status(words: str) -> Iterator[None]:
    """A spinner on a terminal; elsewhere silence."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(words):
        yield


def main() -> None:
    """Run a command; every error becomes a message and an exit code."""
    try:
        code = commands.main(standalone_mode=False, prog_name="ppl")
    except PplError as error:
        click.echo(str(error), err=True)
        code = error.exit_code
    except click.UsageError as error:
        error.show()
        code = UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
