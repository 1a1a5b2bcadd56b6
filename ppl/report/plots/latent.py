"""cloud -> latent space: where each row, or each level, lies by two coordinates of its latents."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.report.plots import canvas
from ppl.report.plots.colours import Column, scatter
from ppl.values import dataclass

_MOST_NAMED = 30  # points with their names beside them


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Posterior means (n,) of two coordinates, `across` and `up`, of n points, with their sds (2, n) and `names` where
    they have any.
    """

    across: str
    up: str
    x: np.ndarray
    y: np.ndarray
    colour: Column | None
    names: tuple[str, ...] | None
    note: str
    sds: np.ndarray | None = None


def draw(cloud: Cloud) -> Any:
    named = cloud.names if cloud.names is not None and len(cloud.names) <= _MOST_NAMED else None
    words = () if cloud.colour is None else cloud.colour.words()
    with canvas.style((cloud.across, cloud.up, *words, *(named or ()))):
        figure = canvas.figure(5.2 if cloud.colour is None else 5.8, 4.3)
        axes = figure.subplots()
        sds = np.zeros((2, len(cloud.x))) if named is None or cloud.sds is None else cloud.sds
        if sds.any():
            axes.errorbar(cloud.x, cloud.y, sds[1], sds[0], fmt="none", ecolor=canvas.PALE, elinewidth=1.5, zorder=0)
        scatter(figure, axes, cloud.x, cloud.y, cloud.colour)
        for x, y, name in zip(cloud.x, cloud.y, named or (), strict=False):
            axes.annotate(canvas.written(name, 18), (x, y), (5, 4), textcoords="offset points", fontsize=8)
        axes.set_xlabel(canvas.written(cloud.across, 48))
        axes.set_ylabel(canvas.written(cloud.up, 48))
        room = 0.12 if named else 0.05
        axes.set_xlim(canvas.limits([*(cloud.x - sds[0]), *(cloud.x + sds[0])], room))
        axes.set_ylim(canvas.limits([*(cloud.y - sds[1]), *(cloud.y + sds[1])], room))
        canvas.few_ticks(axes.xaxis, 6)
        canvas.few_ticks(axes.yaxis, 6)
        lines = "; lines: one sd" if sds.any() else ""
        figure.supxlabel(cloud.note + lines, fontsize=8, color=canvas.GREY)
    return figure
