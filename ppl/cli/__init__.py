"""The command line: one module a command or two, `entry` runs them."""

from ppl.cli.entry import main

__all__ = ["main"]
