"""fit file -> a picture: `ppl plot`."""

from __future__ import annotations

from pathlib import Path

import click

from ppl.cli.group import commands
from ppl.cli.shared import check_output
from ppl.cli.use import DATA

_KINDS = ("densities", "intervals", "pairs", "checks", "curves", "path", "graph")


@commands.command()
@click.argument("fit", type=click.Path())
@click.option("--kind", type=click.Choice(_KINDS), default="intervals", show_default=True, help="What is drawn.")
@click.option(
    "--of", "names", multiple=True, metavar="NAME", help="Only this name, or element, `theta[Choate]`; again for more."
)
@DATA
@click.option("-o", "--output", type=click.Path(), help="A .png, .svg or .pdf file.  [default: FIT-KIND.png]")
def plot(fit: str, kind: str, names: tuple[str, ...], data: tuple[str, ...], output: str | None) -> int:
    """Draw a FIT that `ppl fit -o FIT` has written.

    densities and intervals of every scalar; pairs of those that hang together; checks, the observed data among
    simulated ones; curves, the mean along each numeric predictor, all others held; the path of the ELBO; the graph of
    the model.
    """
    from ppl.cli.reopen import reopened
    from ppl.report.plots import canvas, kinds

    output = output or f"{Path(fit).stem}-{kind}.png"
    form = canvas.form_of(output)
    check_output(output, (fit, *data))
    canvas.write_bytes(output, kinds.as_bytes(kind, reopened(fit, data), names, form))
    click.echo(f"written to {output}", err=True)
    return 0
