"""model, data -> diagram: `ppl graph`."""

from __future__ import annotations

from pathlib import Path

import click

from ppl.cli.group import commands
from ppl.cli.shared import check_output, condition, split

_FORMATS = {".mmd": "mermaid", ".mermaid": "mermaid", ".json": "json", ".svg": "svg"}  # by the file's ending


@commands.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, type=click.Path())
@click.option(
    "--format", "form", type=click.Choice(["dot", "mermaid", "json", "svg"]), help="Default: by -o, else dot."
)
@click.option("-o", "--output", type=click.Path(), help="Write the diagram to this file.")
def graph(model: str, data: tuple[str, ...], form: str | None, output: str | None) -> int:
    """Draw the graph of MODEL, with its plates; with DATA also what is observed, and how long axes are."""
    import ppl
    from ppl.report import atomic, diagram, diagram_text, svg

    if output is not None:
        plain, tables = split(data)
        check_output(output, (model, *plain, *tables.values()))
    form = form or _FORMATS.get(Path(output or "").suffix.lower(), "dot")
    drawn = diagram.of_model(condition(model, data).model) if data else diagram.of_names(ppl.load(model).names)
    writers = {"dot": diagram_text.as_dot, "mermaid": diagram_text.as_mermaid, "json": diagram_text.as_json}
    text = writers.get(form, svg.as_svg)(drawn)
    if output is None:
        click.echo(text, nl=False)
    else:
        atomic.write_text(output, text)
        click.echo(f"written to {output}", err=True)
    return 0
