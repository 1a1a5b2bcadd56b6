"""a diagram -> where each node and plate stands: layers from top to bottom, a plate a block of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ppl.language.errors import text_width
from ppl.report.diagram import Diagram, Node, Plate
from ppl.values import dataclass

_LETTER = 7.4  # pixels a column of text takes
_NODE_HEIGHT = 40.0
_LAYER = 84.0  # from one layer to the next
_GAP = 22.0  # between neighbours
_PADDING = 16.0  # between a plate's border and what is in it, and one plate's border and the next
_LABEL = 16.0  # the height of a plate's label
LONGEST = 30  # columns of text in a node; the rest is cut off


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; x and y are those of its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    width: float
    height: float
    nodes: Mapping[str, Box]
    plates: tuple[tuple[Plate, Box], ...]  # outer ones before inner ones


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"


def lay_out(diagram: Diagram) -> Layout:
    """Positions in pixels. No two nodes overlap, and a plate holds no node but its own."""
    layer = _layers(diagram)
    linked: dict[str, list[str]] = {node.name: [] for node in diagram.nodes}
    for start, end in diagram.edges:
        linked[end].append(start)
        linked[start].append(end)
    placer = _Placer(layer, linked, {}, [])
    width = placer.block(diagram.whole, 0.0)
    depth = _depth(diagram.whole)
    margin = _PADDING + depth * (_PADDING + _LABEL)
    step = _LAYER + 2 * depth * _PADDING
    boxes = {
        node.name: Box(placer.x[node.name] + _PADDING, margin + layer[node.name] * step, _width(node), _NODE_HEIGHT)
        for node in diagram.nodes
    }
    plates = []
    for plate, left, right, inside in placer.plates:
        rows = [layer[node.name] for node in plate.everything()]
        room = (inside + 1) * _PADDING
        top = margin + min(rows) * step - room
        bottom = margin + max(rows) * step + _NODE_HEIGHT + room + (inside + 1) * _LABEL
        plates.append((plate, Box(left + _PADDING, top, right - left, bottom - top)))
    plates.sort(key=lambda found: -_depth(found[0]))
    height = 2 * margin + max(layer.values(), default=0) * step + _NODE_HEIGHT
    return Layout(width + 2 * _PADDING, height, boxes, tuple(plates))


def _depth(plate: Plate) -> int:
    """How many plates nest inside one."""
    return max((1 + _depth(inner) for inner in plate.plates), default=0)


def _width(node: Node) -> float:
    return max(56.0, max(text_width(shortened(word)) for word in node.words) * _LETTER + 26.0)


def _layers(diagram: Diagram) -> dict[str, int]:
    """The longest way from above; what stands in a plate or in the data and depends on nothing, as low as can be."""
    layer = {node.name: 0 for node in diagram.nodes}
    place = {node.name: i for i, node in enumerate(diagram.nodes)}
    forward = [edge for edge in diagram.edges if place[edge[0]] < place[edge[1]]]
    for start, end in forward:
        layer[end] = max(layer[end], layer[start] + 1)
    fed = {end for _, end in forward}
    for node in diagram.nodes:
        below = [layer[end] for start, end in forward if start == node.name]
        if node.name not in fed and below and (node.axes or node.role == "data"):
            layer[node.name] = min(below) - 1
    used = sorted(set(layer.values()))
    return {name: used.index(found) for name, found in layer.items()}


@dataclass(slots=True)
class _Placer:
    """Gives each node an x; `plates` gathers each plate with its left and right border and what nests in it."""

    layer: Mapping[str, int]
    linked: Mapping[str, Sequence[str]]
    x: dict[str, float]
    plates: list[tuple[Plate, float, float, int]]

    def block(self, plate: Plate, left: float) -> float:
        """Place all of a plate from `left` on; how wide it is.

        Plates inside stand side by side; nodes above or below all of them over their whole width, others beside them.
        """
        rows = [self.layer[node.name] for inner in plate.plates for node in inner.everything()]
        beside = [n for n in plate.nodes if rows and min(rows) <= self.layer[n.name] <= max(rows)]
        free = [n for n in plate.nodes if n not in beside]
        width = self.rows_of(beside, left, 0.0)
        for inner in plate.plates:
            start = left + width + (_GAP if width else 0.0)
            own = self.block(inner, start + _PADDING) + 2 * _PADDING
            own = max(own, text_width(inner.label) * _LETTER + 2 * _PADDING)
            self.plates.append((inner, start, start + own, _depth(inner)))
            width = start + own - left
        return max(width, self.rows_of(free, left, width))

    def rows_of(self, nodes: Sequence[Node], left: float, room: float) -> float:
        """Nodes in their layers, each layer centred, ordered by what they are linked to; how wide the widest is."""
        rows: dict[int, list[Node]] = {}
        for node in nodes:
            rows.setdefault(self.layer[node.name], []).append(node)
        widths = {row: sum(map(_width, found)) + _GAP * (len(found) - 1) for row, found in rows.items()}
        widest = max([room, *widths.values()])
        for row, found in sorted(rows.items()):
            at = left + (widest - widths[row]) / 2
            for node in sorted(found, key=self.pull):
                self.x[node.name] = at
                at += _width(node) + _GAP
        return widest

    def pull(self, node: Node) -> float:
        """Where the nodes it is linked to and that are placed already stand, on average; without any, the left."""
        known = [self.x[other] for other in self.linked[node.name] if other in self.x]
        return sum(known) / len(known) if known else 0.0
