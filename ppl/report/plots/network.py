"""a diagram -> the graph with its plates, for files that are no SVG."""

from __future__ import annotations

from typing import Any

from ppl.report.diagram import Diagram
from ppl.report.layers import Box, lay_out, shortened
from ppl.report.plots import canvas

_INCH = 90.0  # pixels of the layout
_FILLS = {"observed": "#d0d0d0", "data": "#f0f0f0", "potential": "#404040"}
_BROKEN = ("derived", "simulated")
_ROUND = ("observed", "latent", "point", "random", "simulated")


def draw(diagram: Diagram) -> Any:
    """As `svg.as_svg` draws it: random names are ellipses, observed ones grey, what is derived or simulated dashed."""
    from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch

    layout = lay_out(diagram)
    texts = [word for node in diagram.nodes for word in node.words] + [plate.label for plate, _ in layout.plates]
    with canvas.style(texts):
        figure = canvas.figure(max(layout.width, 60) / _INCH, max(layout.height, 60) / _INCH)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, layout.width)
        axes.set_ylim(layout.height, 0)
        for plate, box in layout.plates:
            axes.add_patch(_rectangle(FancyBboxPatch, box, facecolor="none", edgecolor="#999999"))
            x, y = box.x + box.width - 8, box.y + box.height - 6
            axes.text(x, y, canvas.written(plate.label, 40), ha="right", fontsize=7.5, color="#666666")
        for start, end in diagram.edges:
            axes.add_patch(_arrow(FancyArrowPatch, layout.nodes[start], layout.nodes[end]))
        for node in diagram.nodes:
            box = layout.nodes[node.name]
            middle = (box.x + box.width / 2, box.y + box.height / 2)
            look: dict[str, Any] = {
                "facecolor": _FILLS.get(node.role, "white"),
                "edgecolor": "#333333",
                "linewidth": 0.9,
                "zorder": 3,
            }
            look |= {"linestyle": (0, (4, 3))} if node.role in _BROKEN else {}
            shape = (
                Ellipse(middle, box.width, box.height, **look)
                if node.role in _ROUND
                else _rectangle(FancyBboxPatch, box, **look)
            )
            axes.add_patch(shape)
            colour = "white" if node.role == "potential" else canvas.DARK
            for word, shift in zip(node.words, (0,) if len(node.words) == 1 else (-7, 8), strict=True):
                text = canvas.written(shortened(word), 40)
                axes.text(
                    middle[0], middle[1] + shift, text, ha="center", va="center", fontsize=8.5, color=colour, zorder=4
                )
    return figure


def _rectangle(kind: Any, box: Box, **look: Any) -> Any:
    style = "round,pad=0,rounding_size=5"
    return kind((box.x, box.y), box.width, box.height, boxstyle=style, mutation_aspect=1, **look)


def _arrow(kind: Any, start: Box, end: Box) -> Any:
    """From the bottom of one node to the top of the next; upwards or level, from side to side."""
    x1, x2 = start.x + start.width / 2, end.x + end.width / 2
    if end.y > start.y:
        y1, y2 = start.y + start.height, end.y
    else:
        y1, y2 = start.y + start.height / 2, end.y + end.height / 2
        side = 1 if x2 >= x1 else -1
        x1, x2 = x1 + side * start.width / 2, x2 - side * end.width / 2
    return kind(
        (x1, y1), (x2, y2), arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0, color="#666666", linewidth=0.9
    )
