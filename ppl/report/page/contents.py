"""record, model and data -> what stands in a report: texts, tables and pictures."""

from __future__ import annotations

import base64
import platform
import shlex
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from ppl.data.column import Column, Kind
from ppl.language.errors import PplError
from ppl.model.graph import Model
from ppl.report import svg, tables
from ppl.report.layers import shortened
from ppl.report.plots import kinds
from ppl.report.plots.asked import Asked
from ppl.report.plots.kinds import Material
from ppl.report.record import Record
from ppl.values import dataclass
from ppl.version import VERSION

_MOST_OF_ONE = 1000  # elements of one name in the summary
_MOST_COLUMNS = 200  # of the data
_MOST_LEVELS = 6  # that are listed
PLAIN_WORDS = {
    "good": "Every check that the fit makes of itself is passed: the numbers below can be used as those of a long MCMC"
    " run.",
    "usable": "The means and intervals below are near the truth, but not every check is passed. What speaks against"
    " them stands here, with what would mend it.",
    "do not use": "The numbers below are not to be believed: the fit has seen itself that it may be far from the"
    " posterior. Why, and what to do, stands here.",
}
_PICTURES = {
    "intervals": ("What was found", "Median, middle 50 % and middle 90 % of every scalar."),
    "checks": ("Predictive checks", "What was observed, among data simulated from the fitted model."),
    "curves": ("Fitted curves", "What is expected along each numeric predictor, all others held at a typical value."),
    "pairs": ("Pairs", "Draws of a few latents against each other, and their rank correlations."),
    "path": ("The path of the ELBO", "How the guide came to its place; the bound ends level where it has arrived."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a `data:` address, or the reason why there is none."""

    title: str
    about: str
    address: str | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the page shows; every text is as the user gave it, not yet escaped."""

    record: Record
    words: str
    graph: Picture
    data: Table | str  # or why there is none
    statistics: Table | str
    summary: Table
    probabilities: tuple[Table, ...]
    notes: tuple[str, ...]
    rules: Table
    pictures: tuple[Picture, ...]
    command: str
    versions: tuple[tuple[str, str], ...]


def gathered(material: Material) -> Contents:
    """What the fit does not hold, or what cannot be drawn, is said in its place."""
    record = material.record
    headings, rows, notes = tables.cells(record, most=_MOST_OF_ONE)
    return Contents(
        record=record,
        words=PLAIN_WORDS[record.verdict],
        graph=Picture("Graph", "", _address(svg.as_svg(material.diagram()).encode())),
        data=_data(material),
        statistics=_statistics(material),
        summary=Table(headings, tuple(rows)),
        probabilities=tuple(Table(table[0], tuple(table[1:])) for table in tables.probabilities(record, False)),
        notes=tuple(note.replace(" (--all shows them)", "") for note in notes),
        rules=_rules(record),
        pictures=tuple(_picture(kind, material) for kind in _PICTURES),
        command=_command(record),
        versions=_versions(record),
    )  # fmt: skip


def _address(drawn: bytes) -> str:
    """An SVG as an address: what stands in it can reach nothing of the page around it."""
    return "data:image/svg+xml;base64," + base64.b64encode(drawn).decode()


def _picture(kind: str, material: Material) -> Picture:
    title, about = _PICTURES[kind]
    try:
        return Picture(title, about, _address(kinds.as_bytes(kind, material, Asked(), "svg")))
    except PplError as error:
        return Picture(title, about, None, str(error))


def _rules(record: Record) -> Table:
    rows = []
    for rule in record.rules:
        number = "" if rule.number is None else f"{rule.number:.3g}"
        limits = (f"{limit:.3g}" if np.isfinite(limit) else "any" for limit in (rule.good, rule.usable))
        rows.append((rule.name, number, *limits, "not looked at" if rule.number is None else rule.verdict, rule.names))
    return Table(("rule", "number", "good to", "usable to", "says", "names"), tuple(rows))


def _statistics(material: Material) -> Table | str:
    try:
        headings, *rows = material.statistics()
    except PplError as error:
        return str(error)
    return Table(headings, tuple(rows))


def _data(material: Material) -> Table | str:
    try:
        met = material.model()
    except PplError as error:
        return str(error)
    named = [column for name, column in met.data.columns.items() if name in met.graph]
    rows = [_row(column, _role(material.record, met, column.name)) for column in named[:_MOST_COLUMNS]]
    return Table(("name", "role", "shape", "missing", "least", "mean", "greatest", "levels"), tuple(rows))


def _role(record: Record, model: Model, name: str) -> str:
    return "observed" if name in record.observed else str(model.graph.nodes[name]["role"])


def _row(column: Column, role: str) -> tuple[str, ...]:
    shape = " x ".join(str(axis) for axis in column.axes) or "one number"
    gaps = 0 if column.missing is None else int(column.missing.sum())
    if column.kind is Kind.TEXT and column.levels is not None:
        some = ", ".join(shortened(level) for level in column.levels[:_MOST_LEVELS])
        more = f" ... {len(column.levels)} in all" if len(column.levels) > _MOST_LEVELS else ""
        return (column.name, role, shape, str(gaps), "", "", "", some + more)
    values = np.asarray(column.values, dtype=np.float64)
    known = values if column.missing is None else values[~column.missing]
    if not known.size:
        return (column.name, role, shape, str(gaps), "", "", "", "")
    numbers = (f"{value:.5g}" for value in (known.min(), known.mean(), known.max()))
    return (column.name, role, shape, str(gaps), *numbers, "")


def _command(record: Record) -> str:
    options = ["--seed", str(record.seed), "--draws", str(len(record.chosen))]
    return shlex.join(["ppl", "fit", record.model, *record.sources, *options])


def _versions(record: Record) -> tuple[tuple[str, str], ...]:
    """The ppl that fitted, and what wrote this report."""
    found = [
        ("ppl that fitted", record.version),
        ("ppl that wrote this", VERSION),
        ("Python", platform.python_version()),
    ]
    for package in ("numpy", "scipy", "autograd", "matplotlib"):
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "not installed"))
    return tuple(found)
