"""argv -> the command line: the only module that prints and sets the exit code.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 `fmt --check` would change a
file, 2 wrong usage, 3 fitted but the verdict is `do not use` or worse than what `--require` asks for, 4 model, 5 data,
6 files, 130 interrupted.
"""

from __future__ import annotations

import difflib
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

EXIT_WOULD_CHANGE = 1
EXIT_DO_NOT_USE = 3
EXIT_NOT_CALIBRATED = 3
EXIT_INTERRUPTED = 130
_FORMATS = {".mmd": "mermaid", ".mermaid": "mermaid", ".json": "json", ".svg": "svg"}  # of a graph, by a file's ending


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
@click.option(
    "--guide", default="auto", show_default=True,
    help="auto (further rungs until good), or one: meanfield, noncentred, partial, fullrank, lowrank, mixture, point.",
)  # fmt: skip
@click.option("--require", type=click.Choice(["good", "usable"]), help="Exit with 3 where the verdict is worse.")
def fit(
    model: str, data: tuple[str, ...], seed: int, draws: int, output: str | None, as_json: bool, everything: bool,
    guide: str, require: str | None,
) -> int:  # fmt: skip
    """Find the posterior of MODEL given DATA (CSV, TSV, Parquet, JSON or npz; several files are merged).

    COLUMN=FILE is a table with a row for each level of a column.
    """
    if output is not None:
        plain, tables = _split(data)
        _check_output(output, (model, *plain, *tables.values()))
    posterior = _condition(model, data)
    with _status("fitting"):
        found = posterior.fit(seed=seed, draws=draws, keep_all=everything, guide=guide)
    _show(found.record, as_json, everything)
    if output is not None:
        found.save(output)
        click.echo(f"written to {output}", err=True)
    if require is not None:
        found.require(require)
    return EXIT_DO_NOT_USE if found.verdict == "do not use" else 0


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option("--show", type=click.Choice(["names", "syntax", "graph", "joint"]), default="names", show_default=True)
@click.option("--calibrate", is_flag=True, help="Fit simulated data, and see whether the fits are right on average.")
@click.option("--rounds", type=click.IntRange(8, 10_000), default=64, show_default=True, help="Of --calibrate.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of --calibrate.")
@click.option("--json", "as_json", is_flag=True, help="Print what --calibrate found as JSON.")
def check(
    model: str, data: tuple[str, ...], show: str, calibrate: bool, rounds: int, seed: int, as_json: bool
) -> int:  # fmt: skip
    """Check MODEL, with or without its DATA, and say what each name is."""
    import ppl
    from ppl.report import stages

    if calibrate:
        return _calibrate(model, data, rounds, seed, as_json)
    if as_json:
        raise UsageError("--json goes with --calibrate")
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


def _calibrate(model: str, data: tuple[str, ...], rounds: int, seed: int, as_json: bool) -> int:
    """Simulation-based calibration, with its progress on standard error."""
    import ppl
    from ppl.report import ranks

    if not data:
        raise UsageError(f"--calibrate needs the data, for what is not simulated: ppl check --calibrate {model} DATA")

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\rcalibrating: {done} of {rounds}", nl=done == rounds, err=True)
        elif done % 8 == 0 or done == rounds:
            click.echo(f"calibrating: {done} of {rounds}", err=True)

    plain, tables = _split(data)
    found = ppl.load(model).calibrate(*plain, rounds=rounds, seed=seed, progress=progress, **tables)
    click.echo(ranks.as_json(found) if as_json else ranks.as_text(found))
    return EXIT_NOT_CALIBRATED if found.flagged else 0


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option(
    "--format", "form", type=click.Choice(["dot", "mermaid", "json", "svg"]), help="Default: by -o, else dot."
)
@click.option("-o", "--output", type=click.Path(), help="Write the diagram to this file.")
def graph(model: str, data: tuple[str, ...], form: str | None, output: str | None) -> int:
    """Draw the graph of MODEL, with its plates; with DATA also what is observed, and how long axes are."""
    import ppl
    from ppl.report import atomic, diagram, diagram_text, svg

    if output is not None:
        plain, tables = _split(data)
        _check_output(output, (model, *plain, *tables.values()))
    form = form or _FORMATS.get(Path(output or "").suffix.lower(), "dot")
    drawn = diagram.of_model(_condition(model, data).model) if data else diagram.of_names(ppl.load(model).names)
    writers = {"dot": diagram_text.as_dot, "mermaid": diagram_text.as_mermaid, "json": diagram_text.as_json}
    text = writers.get(form, svg.as_svg)(drawn)
    if output is None:
        click.echo(text, nl=False)
    else:
        atomic.write_text(output, text)
        click.echo(f"written to {output}", err=True)
    return 0


@commands.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 and name the files that would change.")
@click.option("--diff", "only_diff", is_flag=True, help="Write nothing; print what would change.")
def fmt(files: tuple[str, ...], only_check: bool, only_diff: bool) -> int:
    """Put model FILES into the house style. `-` reads standard input and writes standard output.

    A file with mistakes is left as it is.
    """
    if "-" in files and len(files) > 1:
        raise UsageError("`-` is given alone")
    changed, code = False, 0
    for name in files:
        try:
            before, after = _formatted(name)
        except PplError as error:
            click.echo(str(error), err=True)
            code = max(code, error.exit_code)
            continue
        changed = changed or before != after
        _settle_format(name, before, after, only_check, only_diff)
    return code or (EXIT_WOULD_CHANGE if changed and only_check else 0)


def _formatted(name: str) -> tuple[str, str]:
    """The text of a model file, or of standard input, and the same in the house style."""
    from ppl.language.files import from_bytes, read_source
    from ppl.language.formatter import formatted

    if name == "-":
        source = from_bytes(sys.stdin.buffer.read(), "<standard input>")
        return source.text, formatted(source)
    source = read_source(name)
    return source.text, formatted(source)


def _settle_format(name: str, before: str, after: str, only_check: bool, only_diff: bool) -> None:
    from ppl.report import atomic

    if only_diff:
        shown = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
        click.echo("".join(f"{line}\n" for line in shown), nl=False)
    if only_check and before != after:
        click.echo(f"{name} would change", err=True)
    if only_check or only_diff:
        return
    if name == "-":
        click.echo(after, nl=False)
    elif before != after:
        atomic.write_text(name, after)
        click.echo(f"{name} changed", err=True)


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


@commands.command()
@click.argument("fit", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--all", "everything", is_flag=True, help="Look at long derived names too.")
def diagnose(fit: str, as_json: bool, everything: bool) -> int:
    """Show what the verdict of a FIT rests on: every rule with its number, and which scalars rest on few draws."""
    from ppl.report import diagnosis, fitfile

    show = diagnosis.as_json if as_json else diagnosis.as_text
    click.echo(show(fitfile.read(fit), fit, everything))
    return 0


def _condition(model: str, data: tuple[str, ...]) -> Posterior:
    """Load and condition, and say on standard error what was taken as observed."""
    import ppl
    from ppl.data import axes as axes_of

    plain, tables = _split(data)
    posterior = ppl.load(model).condition(*plain, **tables)
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


def _split(data: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
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
