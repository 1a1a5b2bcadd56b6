"""record -> a coloured table, for terminals only; everywhere else the plain text of `tables.py` is printed."""

from __future__ import annotations

import sys

from ppl.report import tables
from ppl.report.record import Record

_COLOURS = {"good": "green", "usable": "yellow", "do not use": "bold red"}


def show(record: Record, everything: bool) -> None:
    """Print summary and verdict to standard output. Rich leaves out colour where NO_COLOR is set."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    headings, rows, note = tables.cells(record, everything)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout)
    console.print(table)
    for found in tables.probabilities(record, everything):
        shares = Table(box=None, header_style="bold", pad_edge=False)
        for i, heading in enumerate(found[0]):
            shares.add_column(heading, justify="left" if i == 0 else "right", no_wrap=True)
        for row in found[1:]:
            shares.add_row(*(Text(cell) for cell in row))
        console.print()
        console.print(shares)
    first, *others = tables.verdict_lines(record)
    for line in [*note, ""]:
        console.print(Text(line))
    console.print(Text(first, style=_COLOURS[record.verdict]))
    for line in others:
        console.print(Text(line), soft_wrap=True)
