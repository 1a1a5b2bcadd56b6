"""record -> the path of the ELBO: how the guide of each rung came to its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.language.errors import UsageError
from ppl.report.plots import canvas
from ppl.report.record import Record, Tried

_STEEP = 50.0  # nats below the end from which on a path is cut off, so that its end can be seen


def draw(record: Record) -> Any:
    """A line a rung that was tried. Raises `UsageError` where the file holds no paths."""
    found = [tried for tried in record.tried if len(tried.path)]
    if not found:
        raise UsageError("this fit holds no path of the ELBO: nothing was optimised, or an older ppl wrote it")
    with canvas.style(tried.rung for tried in found):
        figure = canvas.figure(5.6, 3.1)
        axes = figure.subplots()
        for tried in found:
            _line(axes, tried)
        ends = np.array([value for tried in found for value in tried.path if np.isfinite(value)])
        if ends.size:
            top = ends.max()
            low, high = canvas.limits([min(max(ends.min(), top - _STEEP), top - 1.0), top], 0.08)
            axes.set_ylim(low, high)
        axes.set_xlim(-0.3, max(max(len(tried.path) for tried in found) - 0.7, 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("step")
        axes.set_ylabel("ELBO (nats)")
        axes.legend(fontsize=8, loc="lower right")
    return figure


def _line(axes: Any, tried: Tried) -> None:
    colour = canvas.BLUE if tried.taken else canvas.GREY
    label = f"{canvas.written(tried.rung, 44)}: {_nats(tried.path[-1])}" + (" (taken)" if tried.taken else "")
    axes.plot(np.arange(len(tried.path)), tried.path, "o-", color=colour, markersize=3.5, linewidth=1.3, label=label)


def _nats(elbo: float) -> str:
    return f"{elbo:.2f}" if abs(elbo) < 1e7 else f"{elbo:.3g}"
