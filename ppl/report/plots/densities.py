"""record -> densities: a panel a scalar, with its median and the middle 90 %."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppl.report.plots import canvas
from ppl.report.plots.density import smooth
from ppl.report.plots.scalars import Scalar, chosen
from ppl.report.record import Record

_MOST = 24


def draw(record: Record, names: Sequence[str] = ()) -> Any:
    """At most 24 panels; a figure says how many were left out."""
    found, wanted = chosen(record, names, _MOST)
    with canvas.style(scalar.label for scalar in found):
        figure, panels = canvas.grid(len(found))
        titles = canvas.all_written([scalar.label for scalar in found])
        for axes, scalar, title in zip(panels, found, titles, strict=True):
            panel(axes, scalar)
            axes.set_title(title)
        note = "shaded: the middle 90 %; line: the median"
        more = f"   ({wanted - len(found):,} more scalars: --of NAME)" if wanted > len(found) else ""
        figure.supxlabel(note + more, fontsize=8, color=canvas.GREY)
    return figure


def panel(axes: Any, scalar: Scalar) -> None:
    """A density, or bars for whole numbers; what cannot be drawn is said."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    finite = scalar.finite
    if not finite.size:
        return canvas.nothing(axes, "no finite draws")
    low, middle, high = np.quantile(finite, [0.05, 0.5, 0.95])
    if finite.min() == finite.max():
        axes.axvline(finite[0], color=canvas.BLUE, linewidth=2)
        axes.set_xlim(canvas.limits(finite))
        axes.text(0.54, 0.85, "constant", color=canvas.GREY, transform=axes.transAxes, fontsize=8)
    elif scalar.whole:
        values, counts = np.unique(finite, return_counts=True)
        inside = (values >= low) & (values <= high)
        colours = np.where(inside, canvas.BLUE, canvas.PALE)
        axes.bar(values, counts / len(finite), width=0.8, color=colours)
        axes.set_xlim(values[0] - 0.7, values[-1] + 0.7)
    else:
        x, y = smooth(finite)
        inside = (x >= low) & (x <= high)
        axes.fill_between(x[inside], y[inside], color=canvas.PALE, linewidth=0)
        axes.plot(x, y, color=canvas.BLUE, linewidth=1.3)
        axes.vlines(middle, 0, np.interp(middle, x, y), color=canvas.BLUE, linewidth=1.3)
        axes.set_xlim(canvas.limits(x))
        axes.set_ylim(0, 1.06 * y.max())
    canvas.few_ticks(axes.xaxis)
    lost = scalar.draws.size - finite.size
    if lost:
        share = f"{100 * lost / scalar.draws.size:.2g} % not finite"
        axes.text(0.98, 0.9, share, ha="right", color=canvas.RED, transform=axes.transAxes, fontsize=8)
    return None
