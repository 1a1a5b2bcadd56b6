"""rows of pixels -> images: what was observed above what the model makes of it, or draws of new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.report.plots import canvas
from ppl.values import dataclass

_GAP = "#e3b5ab"  # a cell that was missing
_SIZE = 0.72  # inches, of an image that is a square


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Lines of images (n, height, width) with what each line is called; NaN where a cell is missing. `titles` stand
    above the images of the first line.
    """

    lines: tuple[tuple[str, np.ndarray], ...]
    titles: tuple[str, ...]
    note: str


def draw(found: Images) -> Any:
    """All in one scale: dark is much."""
    import matplotlib as mpl

    count, height, width = found.lines[0][1].shape
    every = np.concatenate([images.reshape(-1) for _, images in found.lines])
    finite = every[np.isfinite(every)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    colours = mpl.colormaps["Greys"].with_extremes(bad=_GAP)
    stretch = np.clip(np.sqrt(width / height), 0.6, 2.2)
    wide, tall = _SIZE * stretch, _SIZE / stretch
    with canvas.style((*found.titles, *(name for name, _ in found.lines), found.note)):
        figure = canvas.figure(max(wide * count + 0.9, 3.6), len(found.lines) * tall + 0.75)
        panels = figure.subplots(len(found.lines), count, squeeze=False)
        for line, (name, images) in enumerate(found.lines):
            for i, image in enumerate(images):
                axes = panels[line, i]
                axes.imshow(
                    image, cmap=colours, vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest", aspect="auto"
                )
                axes.set_xticks([])
                axes.set_yticks([])
                for spine in axes.spines.values():
                    spine.set_visible(True)
                    spine.set_color("#cccccc")
            panels[line, 0].set_ylabel(canvas.written(name, 16), rotation=0, ha="right", va="center", fontsize=8)
        for axes, title in zip(panels[0], found.titles, strict=False):
            axes.set_title(canvas.written(title, 10), fontsize=8, color="#444444")
        figure.supxlabel(found.note, fontsize=8, color=canvas.GREY)
    return figure
