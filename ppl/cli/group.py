"""The group of all commands, and the exit codes they share.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 `fmt --check` would change a
file, 2 wrong usage, 3 fitted but the verdict is `do not use` or worse than what `--require` asks for, 4 model, 5 data,
6 files, 130 interrupted.
"""

from __future__ import annotations

import click

from ppl.version import VERSION

EXIT_WOULD_CHANGE = 1
EXIT_DO_NOT_USE = 3
EXIT_NOT_CALIBRATED = 3
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ppl")
def commands() -> None:
    """Fit probabilistic models written in .ppl files."""
