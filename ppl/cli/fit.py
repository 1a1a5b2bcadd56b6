"""model, data -> fit: `ppl fit`."""

from __future__ import annotations

import click

from ppl.cli.group import EXIT_DO_NOT_USE, commands
from ppl.cli.shared import check_output, condition, show, split, status


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Same seed, same bits.")
@click.option("--draws", type=click.IntRange(100, 1_000_000), default=4000, show_default=True, help="Posterior draws.")
@click.option("-o", "--output", type=click.Path(), help="Write the fit to this netCDF file.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--all", "everything", is_flag=True, help="Summarise long derived names too.")
@click.option(
    "--guide",
    default="auto",
    show_default=True,
    help="auto (further rungs until good), meanfield, noncentred, partial, fullrank, lowrank, mixture, chains, point.",
)
@click.option("--require", type=click.Choice(["good", "usable"]), help="Exit with 3 where the verdict is worse.")
def fit(
    model: str, data: tuple[str, ...], seed: int, draws: int, output: str | None, as_json: bool, everything: bool,
    guide: str, require: str | None,
) -> int:  # fmt: skip
    """Find the posterior of MODEL given DATA (CSV, TSV, Parquet, JSON or npz; several files are merged).

    COLUMN=FILE is a table with a row for each level of a column.
    """
    if output is not None:
        plain, tables = split(data)
        check_output(output, (model, *plain, *tables.values()))
    posterior = condition(model, data)
    with status("fitting"):
        found = posterior.fit(seed=seed, draws=draws, keep_all=everything, guide=guide)
    show(found.record, as_json, everything)
    if output is not None:
        found.save(output)
        click.echo(f"written to {output}", err=True)
    if require is not None:
        found.require(require)
    return EXIT_DO_NOT_USE if found.verdict == "do not use" else 0
