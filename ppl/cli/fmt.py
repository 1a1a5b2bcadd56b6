"""model files -> the same in the house style: `ppl fmt`."""

from __future__ import annotations

import difflib
import sys

import click

from ppl.cli.group import EXIT_WOULD_CHANGE, commands
from ppl.language.errors import PplError, UsageError


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
