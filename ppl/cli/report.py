"""fit file -> one HTML page: `ppl report`."""

from __future__ import annotations

from pathlib import Path

import click

from ppl.cli.group import commands
from ppl.cli.shared import check_output
from ppl.cli.use import DATA
from ppl.language.errors import UsageError


@commands.command()
@click.argument("fit", type=click.Path())
@DATA
@click.option("-o", "--output", type=click.Path(), help="The file to write.  [default: FIT.html]")
def report(fit: str, data: tuple[str, ...], output: str | None) -> int:
    """Write all about a FIT into one HTML file that opens anywhere, without a network.

    The verdict in plain words, the summary, the model, its data, plots, and how to cite and repeat it.
    """
    from ppl.cli.reopen import reopened
    from ppl.report import atomic
    from ppl.report.page.contents import gathered
    from ppl.report.page.html import as_html

    output = output or f"{Path(fit).stem}.html"
    if Path(output).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{output}: a report is an .html file")
    check_output(output, (fit, *data))
    atomic.write_text(output, as_html(gathered(reopened(fit, data))))
    click.echo(f"written to {output}", err=True)
    return 0
