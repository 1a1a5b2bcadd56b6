"""model, data -> fit: `ppl fit`."""

from __future__ import annotations

import click

from ppl.cli.group import EXIT_DO_NOT_USE, EXIT_INTERRUPTED, commands
from ppl.cli.live import watching
from ppl.cli.shared import check_output, condition, show, split
from ppl.language.errors import UsageError


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
    help="auto (further rungs until good), meanfield, noncentred, partial, nested, adapted, fullrank, "
    "lowrank, realnvp (or flow), iaf, planar, mixture, chains, point.",
)
@click.option("--stochastic", is_flag=True, help="Fit by stochastic gradients: chosen anyway where nothing else fits.")
@click.option("--amortise", metavar="NAME[,NAME]", help="Latents of the rows that an encoder gives.")
@click.option("--encoder", metavar="SIZES", help="Sizes of its hidden layers.  [default: 128,64]")
@click.option("--batch-size", type=int, help="Rows of a step.  [default: 128, or all of up to 256]")
@click.option("--epochs", type=int, help="How often the data are gone through.  [default: until the ELBO is flat]")
@click.option("--kl-anneal", type=float, default=0.0, help="Epochs over which the KL terms come in.  [default: 0]")
@click.option("--learning-rate", type=float, help="Of Adam.  [default: the best of a few, tried on the first steps]")
@click.option("--validation", type=float, metavar="SHARE", help="Rows held out to decide when to stop.")
@click.option("--stream", is_flag=True, help="Read a Parquet file in row groups: done anyway above 2 GB.")
@click.option("--label-weight", type=float, help="Of what the encoder says of known labels.  [default: numbers a row]")
@click.option("--standard-errors", is_flag=True, help="Standard errors of point estimates, as their sds.")
@click.option("--em", is_flag=True, help="Point estimates and guide in turn; otherwise together, to the same end.")
@click.option("--checkpoint", type=click.Path(), help="Keep what is found on the way in this file.")
@click.option("--resume", type=click.Path(), help="Go on from this checkpoint, to the same bits, and keep it up.")
@click.option("--require", type=click.Choice(["good", "usable"]), help="Exit with 3 where the verdict is worse.")
def fit(
    model: str, data: tuple[str, ...], seed: int, draws: int, output: str | None, as_json: bool, everything: bool,
    guide: str, require: str | None, checkpoint: str | None, resume: str | None, standard_errors: bool, em: bool,
    stochastic: bool, amortise: str | None, encoder: str | None, batch_size: int | None, epochs: int | None,
    kl_anneal: float, learning_rate: float | None, validation: float | None, stream: bool, label_weight: float | None,
) -> int:  # fmt: skip
    """Find the posterior of MODEL given DATA (CSV, TSV, Parquet, JSON or npz; several files are merged).

    COLUMN=FILE is a table with a row for each level of a column. Ctrl-C ends a fit with what it has found so far.
    """
    plain, tables = split(data)
    inputs = (model, *plain, *tables.values())
    for target in (output, checkpoint, resume):
        if target is not None:
            check_output(target, inputs)
    if output is not None and output in (checkpoint, resume):
        raise UsageError(f"{output} is the checkpoint of this fit; choose another name for -o")
    names = [name.strip() for name in (amortise or "").split(",") if name.strip()]
    hidden = None if encoder is None else _sizes(encoder)
    posterior = condition(model, data, stream)
    with watching() as watch:
        try:
            found = posterior.fit(
                seed=seed, draws=draws, keep_all=everything, guide=guide, checkpoint=checkpoint, resume=resume,
                watch=watch, standard_errors=standard_errors, em=em, stochastic=stochastic, amortise=names,
                encoder=hidden, batch_size=batch_size, epochs=epochs, kl_anneal=kl_anneal, learning_rate=learning_rate,
                validation=validation, label_weight=label_weight,
            )  # fmt: skip
        except KeyboardInterrupt:
            if not watch.stopped:
                raise
            found = None
    if found is None:
        click.echo("interrupted before anything was found: there is nothing to show or to write", err=True)
        return EXIT_INTERRUPTED
    if watch.stopped:
        click.echo("interrupted: this is what there is", err=True)
    show(found.record, as_json, everything)
    if output is not None:
        found.save(output)
        click.echo(f"written to {output}", err=True)
    if watch.stopped:
        return EXIT_INTERRUPTED
    if require is not None:
        found.require(require)
    return EXIT_DO_NOT_USE if found.verdict == "do not use" else 0


def _sizes(text: str) -> tuple[int, ...]:
    from ppl.infer.stochastic.wish import hidden_of

    return hidden_of(text)
