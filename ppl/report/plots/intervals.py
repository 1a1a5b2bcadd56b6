"""record -> intervals, the forest plot: a line a scalar, those of one order of magnitude on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppl.report.plots import canvas
from ppl.report.plots.scalars import Scalar, chosen
from ppl.report.record import Record

_MOST = 240
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_WIDEST = 12.0  # an axis spans at most so many median intervals of each of its names
_ROW, _LOW_ROW = 0.19, 0.125  # inches
_MANY = 60  # scalars, whose rows are lower


def draw(record: Record, names: Sequence[str] = ()) -> Any:
    """Median, middle 50 % and middle 90 % of at most 240 scalars."""
    found, wanted = chosen(record, names, _MOST)
    groups = _panels(found)
    with canvas.style(scalar.label for scalar in found):
        row = _ROW if len(found) <= _MANY else _LOW_ROW
        figure = canvas.figure(6.4, sum(row * len(group) + 0.42 for group in groups) + 0.35)
        ratios = [row * len(group) + 0.1 for group in groups]
        panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=ratios)[:, 0]
        for axes, group in zip(panels, groups, strict=True):
            _panel(axes, group, row / _ROW)
        more = f"   ({wanted - len(found):,} more scalars: --of NAME)" if wanted > len(found) else ""
        figure.supxlabel(f"dot: the median; lines: the middle 50 % and 90 %{more}", fontsize=8, color=canvas.GREY)
    return figure


def _quantiles(scalar: Scalar) -> np.ndarray:
    finite = scalar.finite
    return np.quantile(finite, _LEVELS) if finite.size else np.full(len(_LEVELS), np.nan)


def _panels(found: Sequence[Scalar]) -> list[list[Scalar]]:
    """Names in order; a name whose intervals would be too short or too long beside those above begins a new axis."""
    by_name: dict[str, list[Scalar]] = {}
    for scalar in found:
        by_name.setdefault(scalar.name, []).append(scalar)
    groups: list[list[Scalar]] = []
    shortest, low, high = np.inf, np.inf, -np.inf
    for own in by_name.values():
        quantiles = np.array([_quantiles(scalar) for scalar in own])
        finite = quantiles[np.isfinite(quantiles).all(axis=1)]
        widths = finite[:, -1] - finite[:, 0]
        width = float(np.median(widths[widths > 0])) if (widths > 0).any() else np.inf
        first, last = (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)
        span = max(high, last) - min(low, first)
        if not groups or (np.isfinite(span) and span > _WIDEST * min(shortest, width)):
            groups.append([])
            shortest, low, high = np.inf, np.inf, -np.inf
        groups[-1] += own
        shortest, low, high = min(shortest, width), min(low, first), max(high, last)
    return groups


def _panel(axes: Any, group: Sequence[Scalar], scale: float) -> None:
    quantiles = np.array([_quantiles(scalar) for scalar in group])
    rows = np.arange(len(group))
    low, high = canvas.limits(quantiles)
    axes.set_xlim(low, high)
    if low < 0 < high:
        axes.axvline(0, color=canvas.GREY, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.hlines(rows, quantiles[:, 0], quantiles[:, 4], color=canvas.BLUE, linewidth=1.0)
    axes.hlines(rows, quantiles[:, 1], quantiles[:, 3], color=canvas.BLUE, linewidth=3.2 * scale)
    axes.plot(quantiles[:, 2], rows, "o", color="white", markeredgecolor=canvas.BLUE, markersize=4.2 * scale)
    for row, scalar in enumerate(group):
        finite = scalar.finite.size
        if finite < scalar.draws.size:
            share = f"{100 * (1 - finite / scalar.draws.size):.2g} % not finite"
            axes.text(
                high,
                row,
                share,
                ha="right",
                va="center",
                color=canvas.RED,
                fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    axes.set_yticks(rows, canvas.all_written([scalar.label for scalar in group]), fontsize=9 * scale)
    axes.set_ylim(len(group) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    names = [scalar.name for scalar in group]
    for row in range(1, len(group)):
        if names[row] != names[row - 1]:
            axes.axhline(row - 0.5, color="#dddddd", linewidth=0.8)
    canvas.few_ticks(axes.xaxis, 7)
