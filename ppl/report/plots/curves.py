"""curves -> fitted curves: what is expected of an observed name along one predictor, all others held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppl.report.plots import canvas
from ppl.values import dataclass

_MOST = 9
_POINTS = 800


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Along values `x` (G,) of a predictor: draws (S, G) of the mean of `name`; beside it the data, `seen` and `values`
    (N,); `held` says in words where the other predictors stand, and `alike` (N,) which data are at the held levels, if
    there are any. With `simulated`, draws of values of `name` in place of its mean, which is not finite. `predicted`
    are draws (S, G) of values of `name`, where its predictive band is drawn.
    """

    name: str
    predictor: str
    x: np.ndarray
    means: np.ndarray
    seen: np.ndarray
    values: np.ndarray
    held: str
    simulated: bool = False
    alike: np.ndarray | None = None
    predicted: np.ndarray | None = None


def draw(curves: Sequence[Curve]) -> Any:
    """A panel a predictor: the median of the mean, and its middle 90 %; or the mean, and the middle 50 and 90 % of what
    would be observed.
    """
    shown = curves[:_MOST]
    with canvas.style(text for curve in shown for text in (curve.name, curve.predictor, curve.held)):
        figure, panels = canvas.grid(len(shown), most_columns=3, width=3.0 if len(shown) > 1 else 4.8, height=2.7)
        for axes, curve in zip(panels, shown, strict=True):
            _panel(axes, curve)
        more = f"   ({len(curves) - len(shown)} more: --of NAME)" if len(curves) > len(shown) else ""
        held = {curve.held for curve in shown if curve.held}
        typical = "others held at their mean, whole numbers at their median, levels at the most frequent"
        below = canvas.written(f"held: {held.pop()}", 76) if len(held) == 1 else typical if held else ""
        simulated = any(curve.simulated for curve in shown)
        band = any(curve.predicted is not None for curve in shown)
        what = "the mean, the middle 50 % and 90 % of what is predicted" if band else "the mean, its middle 90 %"
        what = "simulated values (there is no mean), their middle 90 %" if simulated and not band else what
        marked = ", dark at the held levels" if any(curve.alike is not None for curve in shown) else ""
        join = ";\n" if band and len(shown) == 1 else "; "
        note = f"line and band{'s' if band else ''}: {what}{join}dots: the data{marked}{more}\n{below}".strip()
        figure.supxlabel(note, fontsize=8, color=canvas.GREY)
    return figure


def _panel(axes: Any, curve: Curve) -> None:
    shown = curve.means if curve.predicted is None else curve.predicted
    low, first, middle, third, high = np.nanquantile(
        np.where(np.isfinite(shown), shown, np.nan), [0.05, 0.25, 0.5, 0.75, 0.95], axis=0
    )
    if curve.predicted is not None and not curve.simulated:
        middle = curve.means.mean(axis=0)
    step = max(1, len(curve.seen) // _POINTS)
    seen, values = curve.seen[::step], np.asarray(curve.values[::step], dtype=np.float64)
    alike = np.ones(len(seen), dtype=bool) if curve.alike is None else curve.alike[::step]
    dark = canvas.GREY if curve.alike is None else canvas.DARK
    for some, colour, opacity in (
        (~alike, canvas.GREY, 0.3),
        (alike, dark, 0.6),
    ):
        axes.plot(
            seen[some], values[some], "o", color=colour, markersize=3, alpha=opacity, markeredgewidth=0,
            rasterized=len(seen) > 300,
        )  # fmt: skip
    axes.fill_between(curve.x, low, high, color=canvas.PALE, alpha=0.75, linewidth=0)
    if curve.predicted is not None:
        axes.fill_between(curve.x, first, third, color=canvas.BLUE, alpha=0.3, linewidth=0)
    axes.plot(curve.x, middle, color=canvas.BLUE, linewidth=1.6)
    axes.set_xlim(canvas.limits(curve.x, 0.02))
    axes.set_ylim(canvas.limits(np.concatenate([values, low, high])))
    axes.set_xlabel(canvas.written(curve.predictor))
    axes.set_ylabel(canvas.written(curve.name, 24))
    canvas.few_ticks(axes.xaxis, 5)
    canvas.few_ticks(axes.yaxis, 5)
