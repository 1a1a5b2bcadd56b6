"""a model, with or without data -> a diagram: nodes, edges, and the plates that nodes stand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import networkx as nx

from ppl.language import syntax as s
from ppl.model import graph
from ppl.model.names import Line, Names
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A named quantity. `role` is that of the graph, or "random" where no data tell more; `axes` are labels."""

    name: str
    role: str
    family: str | None
    axes: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What is written into the node, line by line."""
        return (self.name,) if self.family is None else (self.name, f"~ {self.family}")


@dataclass(frozen=True, slots=True)
class Plate:
    """Nodes that are repeated over one axis, and over those of the plates around it."""

    label: str
    nodes: tuple[Node, ...]
    plates: tuple[Plate, ...]

    def everything(self) -> list[Node]:
        return [*self.nodes, *(node for plate in self.plates for node in plate.everything())]


@dataclass(frozen=True, slots=True)
class Diagram:
    """Nodes in the order in which they depend on each other, edges from what is used to what uses it."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    whole: Plate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", _plate("", self.nodes, 0))


def _plate(label: str, nodes: Sequence[Node], depth: int) -> Plate:
    """The plate over the first `depth` axes of some nodes, with those inside it."""
    inner = dict.fromkeys(node.axes[depth] for node in nodes if len(node.axes) > depth)
    plates = tuple(
        _plate(axis, [node for node in nodes if len(node.axes) > depth and node.axes[depth] == axis], depth + 1)
        for axis in inner
    )
    return Plate(label, tuple(node for node in nodes if len(node.axes) == depth), plates)


def of_model(model: graph.Model) -> Diagram:
    """The graph of a model that has met its data."""
    order = graph.parents_first(model.graph)
    nodes = []
    for name in order:
        found = model.graph.nodes[name]
        nodes.append(Node(name, found["role"], found["family"], tuple(map(str, found["axes"]))))
    return Diagram(model.source.name, tuple(nodes), _edges(model.graph, order))


def of_names(names: Names) -> Diagram:
    """The graph as far as the text tells: what is random, derived, or read from the data; axes as they are written."""
    found: dict[str, Node] = {name: Node(name, "data", None, ()) for name in names.read_from_data()}
    links = nx.DiGraph()
    links.add_nodes_from(found)
    for line in names.lines:
        name = line.defines or names.program.source.cut(line.statement.span)
        family = line.statement.dist.family.name if isinstance(line.statement, s.Tilde) else None
        role = "random" if line.random else "potential" if line.defines is None else "derived"
        found.setdefault(name, Node(name, role, family, _axes(names, line)))
        links.add_node(name)
        links.add_edges_from((used, name) for used in line.uses if used not in names.functions and used != name)
    order = graph.parents_first(links)
    return Diagram(names.program.source.name, tuple(found[name] for name in order), _edges(links, order))


def _axes(names: Names, line: Line) -> tuple[str, ...]:
    """The axes that a line writes: its loops, else what stands in the bracket of its name."""
    cut = names.program.source.cut
    if line.loops:
        return tuple(f"{b.name.name} in {cut(b.low.span)}..{cut(b.high.span)}" for b in line.loops)
    return tuple(cut(subscript.span).strip("`") for subscript in line.subscripts or ())


def _edges(links: nx.DiGraph, order: Sequence[str]) -> tuple[tuple[str, str], ...]:
    place = {name: i for i, name in enumerate(order)}
    return tuple(sorted(links.edges, key=lambda edge: (place[edge[0]], place[edge[1]])))
