"""fit file -> a picture: `ppl plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ppl.cli.group import commands
from ppl.cli.shared import check_output, split
from ppl.cli.use import DATA

if TYPE_CHECKING:
    from ppl.data.dataset import Dataset

_KINDS = (
    "densities", "intervals", "pairs", "checks", "curves", "band", "calibration", "latent", "reconstructions",
    "samples", "path", "graph",
)  # fmt: skip


@commands.command()
@click.argument("fit", type=click.Path())
@click.option("--kind", type=click.Choice(_KINDS), default="intervals", show_default=True, help="What is drawn.")
@click.option(
    "--of", "names", multiple=True, metavar="NAME", help="Only this name, or element, `theta[Choate]`; again for more."
)
@click.option("--color", metavar="COLUMN", help="latent: what points are coloured by.")
@click.option("--shape", metavar="8x8", help="reconstructions, samples: rows and columns of an image.")
@click.option(
    "--new", multiple=True, metavar="FILE", type=click.Path(),
    help="calibration, latent, reconstructions: rows that the fit has not seen, in place of its own.",
)  # fmt: skip
@DATA
@click.option("-o", "--output", type=click.Path(), help="A .png, .svg or .pdf file.  [default: FIT-KIND.png]")
def plot(
    fit: str, kind: str, names: tuple[str, ...], color: str | None, shape: str | None, new: tuple[str, ...],
    data: tuple[str, ...], output: str | None,
) -> int:  # fmt: skip
    """Draw a FIT that `ppl fit -o FIT` has written.

    densities and intervals of every scalar; pairs of those that hang together; checks, the observed data among
    simulated ones; curves, the mean along each numeric predictor, all others held; band, what is predicted there;
    calibration of a classifier; latent, where rows lie by two coordinates of their latents; reconstructions and
    samples of images; the path of the ELBO; the graph of the model.
    """
    from ppl.cli.reopen import reopened
    from ppl.report.plots import canvas, kinds
    from ppl.report.plots.asked import Asked, shape_of

    output = output or f"{Path(fit).stem}-{kind}.png"
    form = canvas.form_of(output)
    check_output(output, (fit, *data, *new))
    rows = _rows_of(new) if new else None
    asked = Asked(names, color, None if shape is None else shape_of(shape), rows)
    canvas.write_bytes(output, kinds.as_bytes(kind, reopened(fit, data), asked, form))
    click.echo(f"written to {output}", err=True)
    return 0


def _rows_of(sources: tuple[str, ...]) -> Dataset:
    from ppl.data import dataset

    return dataset.read(*split(sources))
