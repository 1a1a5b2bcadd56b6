"""a notebook's cell -> a model, or a fit: `%load_ext ppl.magic`, then `%%ppl DATA`.

    %%ppl homes --seed 2
    mu ~ Normal(0, 5)
    y ~ Normal(mu, 1)

DATA are files, or names of data frames and mappings in the notebook. The fit is shown, and kept as `fit`, or under the
name that `-o NAME` gives; a cell without DATA is checked, its names are shown, and its model kept as `model`.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from ppl.api import from_text
from ppl.language.errors import PplError
from ppl.report import stages


@click.command(name="%%ppl", add_help_option=False)
@click.argument("data", nargs=-1)
@click.option("-o", "output", metavar="NAME", help="The variable that the fit, or the model, is kept as.")
@click.option("--seed", type=int, default=1)
@click.option("--draws", type=int, default=4000)
def _line(**given: Any) -> dict[str, Any]:
    return given


def run(shell: Any, line: str, cell: str) -> Any:
    """Run one cell; mistakes are printed as `ppl` prints them, without a traceback."""
    try:
        given: dict[str, Any] = _line.main(shlex.split(line), standalone_mode=False)
        return _run(shell.user_ns, cell, **given)
    except (PplError, ValueError) as error:  # ValueError: a quote that is left open
        print(error, file=sys.stderr)
    except click.ClickException as error:
        print(f"%%ppl: {error.format_message()}", file=sys.stderr)
    return None


def _run(names: dict[str, Any], cell: str, data: tuple[str, ...], output: str | None, seed: int, draws: int) -> Any:
    model = from_text(cell, "<cell>")
    if not data:
        names[output or "model"] = model
        print(stages.names_without_data(model.names))
        return None
    posterior = model.condition(*(names.get(source, source) for source in data))
    for note in (*posterior.model.notes, *posterior.warnings):
        print(f"note: {note}", file=sys.stderr)
    names[output or "fit"] = fit = posterior.fit(seed=seed, draws=draws)
    return fit


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext ppl.magic` calls."""
    shell.register_magic_function(lambda line, cell: run(shell, line, cell), magic_kind="cell", magic_name="ppl")
