"""record -> the small HTML table that a notebook shows."""

from __future__ import annotations

from html import escape

from ppl.report import tables
from ppl.report.letters import showable
from ppl.report.record import Record

_COLOURS = {"good": "#2e7d4f", "usable": "#a06a00", "do not use": "#b5402a"}
_RIGHT = 'style="text-align:right;padding:.1em .6em"'


def summary_html(record: Record, everything: bool = False) -> str:
    """The summary, as `ppl summary` shows it; every name is escaped."""
    headings, rows, notes = tables.cells(record, everything)
    found = [_table(headings, rows)]
    found += [_table(table[0], table[1:]) for table in tables.probabilities(record, everything)]
    return "".join([*found, *(f"<p>{_text(note)}</p>" for note in notes)])


def fit_html(record: Record) -> str:
    """The verdict with its reasons, then the summary."""
    first, *others = tables.verdict_lines(record)
    lines = "<br>".join(_text(line.strip()) for line in others)
    head = f'<p><b style="color:{_COLOURS[record.verdict]}">{_text(first)}</b><br>{lines}</p>'
    return head + summary_html(record)


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th {_RIGHT}>{_text(heading)}</th>" for heading in headings)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{_text(row[0])}</th>'
        + "".join(f"<td {_RIGHT}>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return escape(showable(text))
