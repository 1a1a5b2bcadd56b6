"""fit, new rows -> predictions: `ppl predict`."""

from __future__ import annotations

import click

from ppl.cli.group import commands
from ppl.cli.reopen import with_rows
from ppl.cli.use import DATA, OUTPUT, SEED, write_table


@commands.command()
@click.argument("fit", type=click.Path())
@click.argument("newdata", nargs=-1, required=True, type=click.Path())
@click.option("--of", multiple=True, metavar="NAME", help="Only this observed name; may be repeated.")
@click.option("--kind", type=click.Choice(["response", "mean", "probabilities"]), default="response", show_default=True)
@click.option(
    "--new-levels",
    type=click.Choice(["error", "sample"]),
    default="error",
    show_default=True,
    help="What to do about levels of a factor that the fit has not seen: draw them from their prior?",
)
@click.option("--draws", "all_draws", is_flag=True, help="All draws, a row each, instead of their summary.")
@SEED
@DATA
@OUTPUT
def predict(
    fit: str, newdata: tuple[str, ...], of: tuple[str, ...], kind: str, new_levels: str, all_draws: bool, seed: int,
    data: tuple[str, ...], output: str | None,
) -> int:  # fmt: skip
    """Predict what FIT would observe in the rows of NEWDATA.

    Its columns are those that the prediction needs; the observed names are not read.
    """
    from ppl.use import predicted
    from ppl.use.predict import Wish
    from ppl.use.predict import predict as at_new_rows

    record, given, rows = with_rows(fit, newdata, data, output)
    wish = Wish(of or None, kind, new_levels == "sample", seed)
    found = at_new_rows(record, given, rows, wish)
    write_table(predicted.draws(found) if all_draws else predicted.summary(found), output)
    return 0
