"""a diagram -> Graphviz, Mermaid and JSON text; the same diagram gives the same text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ppl.report.diagram import Diagram, Node, Plate

_DOT_STYLES = {
    "observed": 'shape=ellipse, style=filled, fillcolor="#d0d0d0"',
    "latent": "shape=ellipse",
    "point": "shape=ellipse, peripheries=2",
    "random": "shape=ellipse",
    "simulated": "shape=ellipse, style=dashed",
    "derived": 'shape=box, style="rounded,dashed"',
    "potential": 'shape=box, style=filled, fillcolor="#404040", fontcolor=white',
    "data": 'shape=box, style=filled, fillcolor="#f0f0f0"',
}
_MERMAID_SHAPES = {
    "observed": "([{}])",
    "latent": "([{}])",
    "point": "([{}])",
    "random": "([{}])",
    "simulated": "([{}])",
    "derived": "({})",
    "potential": "[[{}]]",
    "data": "[{}]",
}
_MERMAID_STYLES = {
    "observed": "fill:#d0d0d0,stroke:#333",
    "latent": "fill:#fff,stroke:#333",
    "point": "fill:#fff,stroke:#333,stroke-width:3px",
    "random": "fill:#fff,stroke:#333",
    "simulated": "fill:#fff,stroke:#333,stroke-dasharray:4 3",
    "derived": "fill:#fff,stroke:#888,stroke-dasharray:4 3",
    "potential": "fill:#404040,stroke:#333,color:#fff",
    "data": "fill:#f0f0f0,stroke:#888",
}


def as_dot(diagram: Diagram) -> str:
    """Graphviz: plates are clusters."""
    lines = [f"digraph {_quoted(diagram.title)} {{", '  node [fontname="Helvetica"]', '  graph [fontname="Helvetica"]']
    counter = iter(range(1, len(diagram.nodes) * 8 + 2))
    lines += _dot_plate(diagram.whole, 1, counter)
    lines += [f"  {_quoted(start)} -> {_quoted(end)}" for start, end in diagram.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _dot_plate(plate: Plate, depth: int, counter: Iterator[int]) -> Iterator[str]:
    indent = "  " * depth
    for node in plate.nodes:
        label = "\\n".join(_escaped(word) for word in node.words)
        yield f'{indent}{_quoted(node.name)} [label="{label}", {_DOT_STYLES[node.role]}]'
    for inner in plate.plates:
        yield f"{indent}subgraph cluster_{next(counter)} {{"
        yield f"{indent}  label={_quoted(inner.label)}; labeljust=r; labelloc=b; style=rounded"
        yield from _dot_plate(inner, depth + 1, counter)
        yield f"{indent}}}"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def as_mermaid(diagram: Diagram) -> str:
    """Mermaid: plates are subgraphs."""
    numbers = {node.name: f"n{i}" for i, node in enumerate(diagram.nodes, start=1)}
    counter = iter(range(1, len(diagram.nodes) * 8 + 2))
    lines = ["flowchart TD", *_mermaid_plate(diagram.whole, 1, numbers, counter)]
    lines += [f"  {numbers[start]} --> {numbers[end]}" for start, end in diagram.edges]
    for role, style in _MERMAID_STYLES.items():
        members = [numbers[node.name] for node in diagram.nodes if node.role == role]
        if members:
            lines += [f"  classDef {role} {style}", f"  class {','.join(members)} {role}"]
    return "\n".join(lines) + "\n"


def _mermaid_plate(plate: Plate, depth: int, numbers: dict[str, str], counter: Iterator[int]) -> Iterator[str]:
    indent = "  " * depth
    for node in plate.nodes:
        label = "<br/>".join(_entities(word) for word in node.words)
        yield indent + numbers[node.name] + _MERMAID_SHAPES[node.role].format(f'"{label}"')
    for inner in plate.plates:
        yield f'{indent}subgraph p{next(counter)}["{_entities(inner.label)}"]'
        yield from _mermaid_plate(inner, depth + 1, numbers, counter)
        yield f"{indent}end"


def _entities(text: str) -> str:
    """Every character that could mean something to Mermaid as its number."""
    return re.sub(r"[^\w .,()=/+~\[\]-]", lambda match: f"#{ord(match.group())};", text)


def as_json(diagram: Diagram) -> str:
    nodes = [
        {"name": node.name, "role": node.role, "family": node.family, "axes": list(node.axes)} for node in diagram.nodes
    ]
    edges = [list(edge) for edge in diagram.edges]
    found = {"model": diagram.title, "nodes": nodes, "edges": edges, "plates": _json_plates(diagram.whole)}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _json_plates(plate: Plate) -> list[dict[str, object]]:
    def names(nodes: tuple[Node, ...]) -> list[str]:
        return [node.name for node in nodes]

    return [{"axis": inner.label, "nodes": names(inner.nodes), "plates": _json_plates(inner)} for inner in plate.plates]
