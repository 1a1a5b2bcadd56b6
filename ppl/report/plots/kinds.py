"""a kind of plot, and what it is drawn from -> a figure. Another kind is one more row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from ppl.language.errors import UsageError, nearest
from ppl.model.graph import Model
from ppl.report import svg
from ppl.report.diagram import Diagram
from ppl.report.plots import (
    calibration,
    canvas,
    checks,
    curves,
    densities,
    images,
    intervals,
    latent,
    network,
    pairs,
    path,
)
from ppl.report.plots.asked import Asked
from ppl.report.plots.calibration import Reliability
from ppl.report.plots.checks import Check
from ppl.report.plots.curves import Curve
from ppl.report.plots.images import Images
from ppl.report.plots.latent import Cloud
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
    curves: Callable[[Sequence[str], bool], list[Curve]] = field(repr=False)  # with a predictive band?
    cloud: Callable[[Asked], Cloud] = field(repr=False)
    reconstructions: Callable[[Asked], Images] = field(repr=False)
    samples: Callable[[Asked], Images] = field(repr=False)
    reliability: Callable[[Asked], Reliability] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is drawn, which options it takes, and whether it shows rows of the data, or what lies among them."""

    draw: Callable[[Material, Asked], Any]
    takes: tuple[str, ...] = ("of",)
    rows: bool = False

    def drawn(self, material: Material, asked: Asked) -> Any:
        """A figure; of a stream, of which a fit holds a sample, it says so."""
        figure, sampled = self.draw(material, asked), material.record.given.sampled
        if self.rows and sampled and asked.new is None:
            figure.suptitle(f"{sampled} of the stream", fontsize=8, color=canvas.GREY)
        return figure


KINDS: Mapping[str, Kind] = {
    "densities": Kind(lambda material, asked: densities.draw(material.record, asked.names)),
    "intervals": Kind(lambda material, asked: intervals.draw(material.record, asked.names)),
    "pairs": Kind(lambda material, asked: pairs.draw(material.record, asked.names)),
    "checks": Kind(lambda material, asked: checks.draw(material.checks(), asked.names), rows=True),
    "curves": Kind(lambda material, asked: curves.draw(material.curves(asked.names, False)), rows=True),
    "band": Kind(lambda material, asked: curves.draw(material.curves(asked.names, True)), rows=True),
    "calibration": Kind(
        lambda material, asked: calibration.draw(material.reliability(asked)), ("of", "new"), rows=True
    ),
    "latent": Kind(lambda material, asked: latent.draw(material.cloud(asked)), ("of", "color", "new"), rows=True),
    "reconstructions": Kind(
        lambda material, asked: images.draw(material.reconstructions(asked)), ("of", "shape", "new"), rows=True
    ),
    "samples": Kind(lambda material, asked: images.draw(material.samples(asked)), ("of", "shape")),
    "path": Kind(lambda material, asked: path.draw(material.record), ()),
    "graph": Kind(lambda material, asked: network.draw(material.diagram()), ()),
}


def as_bytes(kind: str, material: Material, asked: Asked, form: str) -> bytes:
    """The content of a file: "png", "svg" or "pdf". Raises `UsageError`."""
    asked.check(kind, KINDS[kind].takes)
    if kind == "graph" and form == "svg":
        return svg.as_svg(material.diagram()).encode()
    canvas.require_matplotlib()
    return canvas.as_bytes(KINDS[kind].drawn(material, asked), form, salt=kind)


def as_figure(kind: str, material: Material, asked: Asked) -> Any:
    """A matplotlib figure. Raises `UsageError`."""
    if kind not in KINDS:
        close = nearest(kind, KINDS)
        hint = f"; did you mean {close!r}?" if close else ""
        raise UsageError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}{hint}")
    asked.check(kind, KINDS[kind].takes)
    canvas.require_matplotlib()
    return KINDS[kind].drawn(material, asked)
