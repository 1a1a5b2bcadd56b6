"""a diagram -> an SVG picture, laid out without any other program."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from ppl.report.diagram import Diagram, Node, Plate
from ppl.report.layers import Box, lay_out, shortened

_STYLE = """
  text { font: 12px Helvetica, Arial, sans-serif; text-anchor: middle; fill: #222 }
  .family { font-size: 11px; fill: #555 }
  .label { font-size: 11px; fill: #666; text-anchor: end }
  .plate { fill: none; stroke: #999; stroke-width: 1 }
  .edge { fill: none; stroke: #666; stroke-width: 1.1 }
  .node { fill: #fff; stroke: #333; stroke-width: 1.2 }
  .observed { fill: #d0d0d0 }
  .data { fill: #f0f0f0; stroke: #888 }
  .derived { stroke: #888; stroke-dasharray: 4 3 }
  .simulated { stroke-dasharray: 4 3 }
  .potential { fill: #404040 }
  .on-dark { fill: #fff }
"""
_ROUND = ("observed", "latent", "point", "random", "simulated")  # random quantities are ellipses, all else boxes


def as_svg(diagram: Diagram) -> str:
    """The picture as text: plates behind, then edges, then nodes; every name in full as a tooltip."""
    layout = lay_out(diagram)
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    view = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>',
        f"<title>{_text(diagram.title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0,0.5 L8,4 L0,7.5 z" fill="#666"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    lines += [_plate(plate, box) for plate, box in layout.plates]
    lines += [_edge(layout.nodes[start], layout.nodes[end]) for start, end in diagram.edges]
    lines += [_node(node, layout.nodes[node.name]) for node in diagram.nodes]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _text(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _plate(plate: Plate, box: Box) -> str:
    x, y = box.x + box.width - 8, box.y + box.height - 6
    size = f'width="{box.width:.1f}" height="{box.height:.1f}" rx="6"'
    return (
        f"<g data-plate={quoteattr(_printable(plate.label))}>"
        f'<rect class="plate" x="{box.x:.1f}" y="{box.y:.1f}" {size}/>'
        f'<text class="label" x="{x:.1f}" y="{y:.1f}">{_text(plate.label)}</text></g>'
    )


def _edge(start: Box, end: Box) -> str:
    """From the bottom of one node to the top of the next; upwards or level, from side to side."""
    x1, x2 = start.x + start.width / 2, end.x + end.width / 2
    if end.y > start.y:
        y1, y2 = start.y + start.height, end.y
        bend = (y2 - y1) / 2
        path = f"M{x1:.1f},{y1:.1f} C{x1:.1f},{y1 + bend:.1f} {x2:.1f},{y2 - bend:.1f} {x2:.1f},{y2:.1f}"
    else:
        y1, y2 = start.y + start.height / 2, end.y + end.height / 2
        side = 1 if x2 >= x1 else -1
        x1, x2 = x1 + side * start.width / 2, x2 - side * end.width / 2
        path = f"M{x1:.1f},{y1:.1f} L{x2:.1f},{y2:.1f}"
    return f'<path class="edge" d="{path}" marker-end="url(#arrow)"/>'


def _node(node: Node, box: Box) -> str:
    x, y = box.x + box.width / 2, box.y + box.height / 2
    if node.role in _ROUND:
        size = f'rx="{box.width / 2:.1f}" ry="{box.height / 2:.1f}"'
        shape = f'<ellipse class="node {node.role}" cx="{x:.1f}" cy="{y:.1f}" {size}/>'
    else:
        size = f'width="{box.width:.1f}" height="{box.height:.1f}" rx="4"'
        shape = f'<rect class="node {node.role}" x="{box.x:.1f}" y="{box.y:.1f}" {size}/>'
    dark = " on-dark" if node.role == "potential" else ""
    first = y + 4 if len(node.words) == 1 else y - 3
    words = [f'<text class="name{dark}" x="{x:.1f}" y="{first:.1f}">{_text(shortened(node.words[0]))}</text>']
    words += [f'<text class="family{dark}" x="{x:.1f}" y="{y + 12:.1f}">{_text(w)}</text>' for w in node.words[1:]]
    tip = f"<title>{_text(' '.join(node.words))}: {node.role}</title>"
    return f"<g>{tip}{shape}{''.join(words)}</g>"
