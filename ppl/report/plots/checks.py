"""observed data, replicates -> predictive checks: what was observed among data that the fitted model makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppl.language.errors import UsageError, nearest
from ppl.report.plots import canvas
from ppl.report.plots.density import smooth
from ppl.values import dataclass

_MOST = 6  # names
_FEW = 30  # values that are shown one by one
_MOST_BARS = 25  # different whole numbers
_CURVES = 40


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """An observed name with its values (n,), the missing left out, and replicates (S, n).

    `labels` say what each value is called, `over` which axis they are places on, where they are no more than that.
    Categories count from 1, and have `levels` where they have names.
    """

    name: str
    values: np.ndarray
    replicates: np.ndarray
    labels: tuple[str, ...]
    over: str
    levels: tuple[str, ...] | None = None


def draw(checks: Sequence[Check], names: Sequence[str] = ()) -> Any:
    """A panel for each observed name, or for those asked for. Raises `UsageError` for a name that was not observed."""
    found = _asked({check.name: check for check in checks}, names) if names else list(checks)
    shown = found[:_MOST]
    labels = [text for check in shown for text in (check.name, check.over, *(check.levels or ()), *check.labels[:_FEW])]
    with canvas.style(labels):
        figure, panels = canvas.grid(len(shown), most_columns=2, width=4.4 if len(shown) > 1 else 5.6, height=2.9)
        for axes, check in zip(panels, shown, strict=True):
            _panel(axes, check)
        more = f"   ({len(found) - len(shown)} more observed names: --of NAME)" if len(found) > len(shown) else ""
        note = f"dark: observed; blue: simulated from the fitted model{more}"
        figure.supxlabel(note, fontsize=8, color=canvas.GREY)
    return figure


def _asked(known: Mapping[str, Check], names: Sequence[str]) -> list[Check]:
    for name in names:
        if name not in known:
            likely = nearest(name, known)
            meant = f"did you mean `{likely}`?" if likely else f"observed are {', '.join(known)}"
            raise UsageError(f"--of {name}: no such name was observed; {meant}")
    return [known[name] for name in dict.fromkeys(names)]


def _panel(axes: Any, check: Check) -> None:
    values, replicates = check.values, check.replicates
    axes.set_title(canvas.written(check.name))
    if not values.size:
        return canvas.nothing(axes, "nothing observed")
    distinct = np.unique(values)
    if len(distinct) == 1 and len(values) > 1 and np.all(replicates == distinct[0]):
        return canvas.nothing(axes, "always the same")
    finite = replicates[np.isfinite(replicates)]
    whole = all(bool(np.all(some == np.round(some))) for some in (distinct, finite))
    low, high = _ends(values, finite)
    if check.levels is not None or (whole and (high - low < 2 or (len(values) > _FEW and high - low < _MOST_BARS))):
        _bars(axes, check, low, high)
    elif len(values) <= _FEW:
        _one_by_one(axes, check)
    else:
        _curves(axes, values, replicates, low, high)
    return None


def _ends(values: np.ndarray, replicates: np.ndarray) -> tuple[float, float]:
    """Between which all values and nearly all finite replicates lie."""
    outer = np.quantile(replicates, [0.005, 0.995]) if replicates.size else values[:1]
    return float(min(values.min(), outer[0])), float(max(values.max(), outer[-1]))


def _bars(axes: Any, check: Check, low: float, high: float) -> None:
    """How often each value was observed, and how often it is simulated: the median and the middle 90 %."""
    values, replicates, levels = check.values, check.replicates, check.levels
    steps = np.arange(int(low), int(high) + 1) if levels is None else np.arange(1, len(levels) + 1)
    observed = np.array([(values == step).sum() for step in steps])
    simulated = np.stack([(replicates == step).sum(axis=1) for step in steps], axis=1)
    q5, q50, q95 = np.quantile(simulated, [0.05, 0.5, 0.95], axis=0)
    axes.bar(steps, observed, width=0.75, color="#d9d9d9", edgecolor=canvas.DARK, linewidth=0.8)
    axes.vlines(steps, q5, q95, color=canvas.BLUE, linewidth=2)
    axes.plot(steps, q50, "o", color="white", markeredgecolor=canvas.BLUE, markersize=5)
    axes.set_ylabel("how often")
    if levels is None:
        canvas.few_ticks(axes.xaxis, 8)
        if len(steps) <= 8:
            axes.set_xticks(steps)
        return
    crowded = sum(len(level) for level in levels) > 40
    shown = range(0, len(levels), -(-len(levels) // 30))
    axes.set_xticks([steps[i] for i in shown], [canvas.written(levels[i], 16) for i in shown])
    axes.tick_params(axis="x", rotation=60 if crowded else 0)


def _one_by_one(axes: Any, check: Check) -> None:
    """Each value with the middle 50 % and 90 % of what is simulated in its place."""
    finite = np.where(np.isfinite(check.replicates), check.replicates, np.nan)
    places = np.arange(len(check.values))
    q5, q25, q75, q95 = np.nanquantile(finite, [0.05, 0.25, 0.75, 0.95], axis=0)
    axes.vlines(places, q5, q95, color=canvas.PALE, linewidth=3)
    axes.vlines(places, q25, q75, color=canvas.BLUE, linewidth=3)
    axes.plot(places, check.values, "o", color=canvas.DARK, markersize=4.5, zorder=3)
    every = -(-len(places) // 15)
    axes.set_xticks(places[::every], [canvas.written(label, 16) for label in check.labels[::every]])
    axes.tick_params(axis="x", rotation=0 if check.over else 60)
    if check.over:
        axes.set_xlabel(canvas.written(check.over))


def _curves(axes: Any, values: np.ndarray, replicates: np.ndarray, low: float, high: float) -> None:
    """Densities of a few replicates, and of what was observed."""
    low, high = canvas.limits([low, high], 0.08)
    for one in replicates[:: max(1, len(replicates) // _CURVES)][:_CURVES]:
        some = one[np.isfinite(one)]
        if some.size and some.min() < some.max():
            axes.plot(*smooth(some, low, high, mirror=False), color=canvas.BLUE, alpha=0.22, linewidth=0.8)
    if values.min() < values.max():
        axes.plot(*smooth(values, low, high, mirror=False), color=canvas.DARK, linewidth=1.8)
    else:
        axes.axvline(values[0], color=canvas.DARK, linewidth=1.8)
    axes.set_xlim(low, high)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    canvas.few_ticks(axes.xaxis, 7)
