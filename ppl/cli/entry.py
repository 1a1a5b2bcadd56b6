"""argv -> a command run: the only module that sets the exit code."""

from __future__ import annotations

import os
import sys

import click

from ppl.cli import (  # noqa: F401  (each adds its commands to the group)
    check,
    compare,
    completion,
    doctor,
    encode,
    fit,
    fmt,
    graph,
    new,
    plot,
    predict,
    report,
    summary,
    use,
)
from ppl.cli.group import EXIT_INTERRUPTED, commands
from ppl.language.errors import PplError, UsageError


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
