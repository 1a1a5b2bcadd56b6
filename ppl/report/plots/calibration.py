"""probabilities, what came true -> a reliability diagram: how often what was said with a probability was so."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ppl.infer.draws import generator
from ppl.report.plots import canvas
from ppl.values import dataclass

_BINS = 10
_REPEATS = 1000  # of what a classifier with exact probabilities would show
_STREAM = 245  # of random numbers


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Of each of n rows the `said` probability of an event, and whether it `came` true; `event` says in words which.

    `note` says which rows these are.
    """

    name: str
    event: str
    said: np.ndarray
    came: np.ndarray
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Equally wide bins that hold any row: how many, their mean probability, and the share that came true."""

    place: np.ndarray
    count: np.ndarray
    said: np.ndarray
    came: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over rows of how far share and probability of a bin are apart."""
        return float((self.count * np.abs(self.said - self.came)).sum() / self.count.sum())


def bins_of(said: np.ndarray, came: np.ndarray) -> Bins:
    place = np.minimum((said * _BINS).astype(np.int64), _BINS - 1)
    count = np.bincount(place, minlength=_BINS)
    full = np.flatnonzero(count)
    sums = [np.bincount(place, values, minlength=_BINS)[full] / count[full] for values in (said, came)]
    return Bins(full, count[full], sums[0], sums[1])


def by_chance(said: np.ndarray, seed: int = 1) -> tuple[float, float]:
    """The calibration error that exact probabilities would show over so many rows: its mean, and its 95 % quantile."""
    rng = generator(seed, _STREAM)
    errors = [bins_of(said, rng.random(len(said)) < said).error for _ in range(_REPEATS)]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def draw(found: Reliability) -> Any:
    """The diagram, and below it how many rows stand in each bin."""
    bins = bins_of(found.said, found.came)
    usual, most = by_chance(found.said)
    with canvas.style((found.name, found.event)):
        figure = canvas.figure(4.6, 4.9)
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        axes.plot([0, 1], [0, 1], color=canvas.GREY, linewidth=1, linestyle=(0, (4, 3)))
        right = bins.came * bins.count
        low, high = (special.betaincinv(right + 0.5, bins.count - right + 0.5, q) for q in (0.05, 0.95))
        axes.vlines(bins.said, low, high, color=canvas.PALE, linewidth=4)
        area = 12 + 60 * bins.count / bins.count.max()  # bins of few rows say little
        axes.scatter(bins.said, bins.came, s=area, color=canvas.BLUE, linewidth=0, zorder=3)
        axes.set_ylabel("how often it was so")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_title(
            f"{canvas.written(found.name)}: calibration error {100 * bins.error:.1f} %\n"
            f"exact probabilities would show {100 * usual:.1f} %, seldom over {100 * most:.1f} %"
        )
        _counts(below, bins)
        below.set_xlabel(canvas.written(found.event, 60))
        figure.supxlabel(f"{found.note}; bars: 90 % intervals of a share", fontsize=8, color=canvas.GREY)
    return figure


def _counts(axes: Any, bins: Bins) -> None:
    places = (bins.place + 0.5) / _BINS
    axes.bar(places, bins.count, width=0.9 / _BINS, color="#d9d9d9", edgecolor=canvas.DARK, linewidth=0.7)
    for x, count in zip(places, bins.count, strict=True):
        axes.text(x, count, f"{count:,}", ha="center", va="bottom", fontsize=7, color="#444444")
    axes.set_ylim(0, 1.25 * bins.count.max())
    axes.set_ylabel("rows")
    canvas.few_ticks(axes.yaxis, 3)
