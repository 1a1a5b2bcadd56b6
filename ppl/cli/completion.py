"""a shell -> the script that completes ppl's commands in it: `ppl completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ppl.cli.group import commands

_INSTALL = {
    "bash": 'add to ~/.bashrc: eval "$(ppl completion bash)"  (Bash 4.4 or later)',
    "zsh": 'add to ~/.zshrc: eval "$(ppl completion zsh)"',
    "fish": "ppl completion fish > ~/.config/fish/completions/ppl.fish",
}


@commands.command()
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> int:
    """Print the script that completes commands, options and files in SHELL; how to install it stands on stderr."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(commands, {}, "ppl", "_PPL_COMPLETE").source())
    click.echo(_INSTALL[shell], err=True)
    return 0
