"""a column, points -> the points in colours that the colour-blind tell apart, with a legend or a colour bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.report.plots import canvas
from ppl.values import dataclass

# Paul Tol's "muted" scheme, its sand darker, and black
PALETTE = ("#332288", "#CC6677", "#117733", "#DDAA33", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499", "#111111")
_MARKERS = "osD^vPXp*h"
_MOST = len(PALETTE)
_MOST_POINTS = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values (n,) of a name at each point, NaN where missing; with `levels`, positions among them."""

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None

    def words(self) -> tuple[str, ...]:
        return (self.name, *(self.levels or ()))


def scatter(figure: Any, axes: Any, x: np.ndarray, y: np.ndarray, colour: Column | None) -> None:
    """Points at most so many, evenly taken; levels beyond the tenth, the rarer ones, share the last colour."""
    step = max(1, -(-len(x) // _MOST_POINTS))
    x, y = x[::step], y[::step]
    size = 30.0 if len(x) <= 60 else 14.0 if len(x) <= 600 else 8.0
    look: dict[str, Any] = {"s": size, "linewidth": 0, "alpha": 0.8, "rasterized": len(x) > 600}
    if colour is None:
        axes.scatter(x, y, color=canvas.BLUE, **look)
        return
    values = colour.values[::step]
    if colour.levels is None:
        order = np.argsort(np.isfinite(values), kind="stable")  # what is missing lies below
        known = np.isfinite(values[order])
        axes.scatter(x[order][~known], y[order][~known], color="#cccccc", **look)
        found = axes.scatter(x[order][known], y[order][known], c=values[order][known], cmap="viridis", **look)
        bar = figure.colorbar(found, ax=axes, shrink=0.85, pad=0.02)
        bar.set_label(canvas.written(colour.name))
        bar.outline.set_visible(False)
        return
    _by_level(axes, x, y, values, colour, look)


def _by_level(
    axes: Any, x: np.ndarray, y: np.ndarray, values: np.ndarray, colour: Column, look: dict[str, Any]
) -> None:
    levels = colour.levels or ()
    often = np.array([(values == i).sum() for i in range(len(levels))])
    kept = np.sort(np.argsort(-often, kind="stable")[: _MOST if len(levels) <= _MOST else _MOST - 1])
    named = canvas.all_written([levels[i] for i in kept], 18)
    rest = ~np.isin(values, kept)
    if rest.any():
        label = "others" if len(levels) > _MOST else "missing"
        axes.scatter(x[rest], y[rest], color="#cccccc", label=label, **look)
    for place, (level, name) in enumerate(zip(kept, named, strict=True)):
        here = values == level
        marker = _MARKERS[place] if len(kept) > 3 else "o"
        axes.scatter(x[here], y[here], color=PALETTE[place], marker=marker, label=name, **look)
    legend = axes.legend(
        title=canvas.written(colour.name, 18), fontsize=8, title_fontsize=8, loc="center left",
        bbox_to_anchor=(1.0, 0.5), handletextpad=0.1, labelspacing=0.35,
    )  # fmt: skip
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)
        handle.set_sizes([24.0])
