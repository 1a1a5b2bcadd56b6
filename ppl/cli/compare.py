"""fits -> what each is worth for new data: `ppl loo` and `ppl compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ppl.cli.group import commands
from ppl.cli.shared import with_all_rows
from ppl.language.errors import UsageError

if TYPE_CHECKING:
    from ppl.use.loo import Held

_DATA = click.option("--data", multiple=True, type=click.Path(), help="The data, where the fit does not hold them.")


@commands.command()
@click.argument("fit", type=click.Path())
@_DATA
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every element.")
def loo(fit: str, data: tuple[str, ...], as_json: bool) -> int:
    """Leave out each observed element of FIT in turn: how well the others predict it (PSIS-LOO)."""
    from ppl.use import loo as held_out

    found = _held(fit, data)
    click.echo(held_out.as_json(held_out.compare([found])) if as_json else held_out.as_text(found))
    return 0


@commands.command()
@click.argument("fits", nargs=-1, required=True, type=click.Path())
@_DATA
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every element.")
def compare(fits: tuple[str, ...], data: tuple[str, ...], as_json: bool) -> int:
    """Compare FITS of the same data by leave-one-out cross-validation, the best first."""
    from ppl.report import fitfile
    from ppl.use import loo as held_out

    if len(fits) < 2:
        raise UsageError("two fits or more are compared; `ppl loo FIT` shows one")
    twice = next((name for name in fits if fits.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice")
    held_out.check_comparable([(name, fitfile.read(name)) for name in fits])
    places = held_out.compare([_held(name, data) for name in fits])
    click.echo(held_out.as_json(places) if as_json else held_out.compared_as_text(places))
    return 0


def _held(fit: str, data: tuple[str, ...]) -> Held:
    from ppl.use import loo as held_out

    record, model, rows = with_all_rows(fit, data)
    return held_out.hold_out(record, model, fit, rows)
