"""model, data -> what each name is: `ppl check`, with calibration."""

from __future__ import annotations

import sys

import click

from ppl.cli.group import EXIT_NOT_CALIBRATED, commands
from ppl.cli.shared import condition, split
from ppl.language.errors import UsageError


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option(
    "--show", type=click.Choice(["names", "syntax", "graph", "joint", "gradient"]), default="names", show_default=True
)
@click.option("--calibrate", is_flag=True, help="Fit simulated data, and see whether the fits are right on average.")
@click.option("--rounds", type=click.IntRange(8, 10_000), default=64, show_default=True, help="Of --calibrate.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of --calibrate.")
@click.option("--json", "as_json", is_flag=True, help="Print what --calibrate found as JSON.")
def check(
    model: str, data: tuple[str, ...], show: str, calibrate: bool, rounds: int, seed: int, as_json: bool
) -> int:  # fmt: skip
    """Check MODEL, with or without its DATA, and say what each name is."""
    import ppl
    from ppl.report import stages

    if calibrate:
        return _calibrate(model, data, rounds, seed, as_json)
    if as_json:
        raise UsageError("--json goes with --calibrate")
    loaded = ppl.load(model)
    if show == "syntax":
        click.echo(stages.syntax(loaded.program))
    elif not data:
        if show != "names":
            raise UsageError(f"--show {show} needs the data: ppl check {model} DATA --show {show}")
        click.echo(stages.names_without_data(loaded.names))
    else:
        posterior = condition(model, data)
        of_model, of_joint = {"names": stages.names, "graph": stages.graph}, {"gradient": stages.gradient}
        if show in of_model:
            click.echo(of_model[show](posterior.model))
        else:
            click.echo(of_joint.get(show, stages.joint)(posterior.joint))
    return 0


def _calibrate(model: str, data: tuple[str, ...], rounds: int, seed: int, as_json: bool) -> int:
    """Simulation-based calibration, with its progress on standard error."""
    import ppl
    from ppl.report import ranks

    if not data:
        raise UsageError(f"--calibrate needs the data, for what is not simulated: ppl check --calibrate {model} DATA")

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\rcalibrating: {done} of {rounds}", nl=done == rounds, err=True)
        elif done % 8 == 0 or done == rounds:
            click.echo(f"calibrating: {done} of {rounds}", err=True)

    plain, tables = split(data)
    found = ppl.load(model).calibrate(*plain, rounds=rounds, seed=seed, progress=progress, **tables)
    click.echo(ranks.as_json(found) if as_json else ranks.as_text(found))
    return EXIT_NOT_CALIBRATED if found.flagged else 0
