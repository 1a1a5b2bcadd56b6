"""a kind of plot, and what it is drawn from -> a figure. Another kind is one more row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from ppl.language.errors import UsageError, nearest
from ppl.model.graph import Model
from ppl.report import svg
from ppl.report.diagram import Diagram
from ppl.report.plots import canvas, checks, curves, densities, intervals, network, pairs, path
from ppl.report.plots.checks import Check
from ppl.report.plots.curves import Curve
from ppl.report.record import Record
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A fit, and what can be worked out from its model and data where it is asked for; each may raise a `PplError`.

    `statistics` are rows of a table, the headings first.
    """

    record: Record
    model: Callable[[], Model] = field(repr=False)
    diagram: Callable[[], Diagram] = field(repr=False)
    checks: Callable[[], list[Check]] = field(repr=False)
    statistics: Callable[[], list[tuple[str, ...]]] = field(repr=False)
    curves: Callable[[Sequence[str]], list[Curve]] = field(repr=False)


Draw = Callable[[Material, Sequence[str]], Any]


def _without_names(kind: str, draw: Callable[[Material], Any]) -> Draw:
    def drawn(material: Material, names: Sequence[str]) -> Any:
        if names:
            raise UsageError(f"--of does not go with --kind {kind}")
        return draw(material)

    return drawn


KINDS: Mapping[str, Draw] = {
    "densities": lambda material, names: densities.draw(material.record, names),
    "intervals": lambda material, names: intervals.draw(material.record, names),
    "pairs": lambda material, names: pairs.draw(material.record, names),
    "checks": lambda material, names: checks.draw(material.checks(), names),
    "curves": lambda material, names: curves.draw(material.curves(names)),
    "path": _without_names("path", lambda material: path.draw(material.record)),
    "graph": _without_names("graph", lambda material: network.draw(material.diagram())),
}


def as_bytes(kind: str, material: Material, names: Sequence[str], form: str) -> bytes:
    """The content of a file: "png", "svg" or "pdf". Raises `UsageError`."""
    if kind == "graph" and form == "svg" and not names:
        return svg.as_svg(material.diagram()).encode()
    canvas.require_matplotlib()
    return canvas.as_bytes(KINDS[kind](material, names), form, salt=kind)


def as_figure(kind: str, material: Material, names: Sequence[str]) -> Any:
    """A matplotlib figure. Raises `UsageError`."""
    if kind not in KINDS:
        close = nearest(kind, KINDS)
        hint = f"; did you mean {close!r}?" if close else ""
        raise UsageError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}{hint}")
    canvas.require_matplotlib()
    return KINDS[kind](material, names)
