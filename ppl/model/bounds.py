"""latents -> whose bounds depend on whose, and those that depend on their own."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from ppl.language.errors import Mistake
from ppl.model import mistakes
from ppl.model.graph import Latent, Piece
from ppl.model.terms import Term, inputs


def bound_terms(piece: Piece) -> list[Term]:
    bounds = (piece.distribution.support_lower, piece.distribution.support_upper)
    return [bound for bound in bounds if bound is not None]


def circles(latents: Sequence[Latent]) -> list[Mistake]:
    """A mistake for each latent whose bounds depend on itself, be it on other elements."""
    graph = _graph(latents)
    return [
        mistakes.bounds_in_a_circle(latent.span, latent.name)
        for latent in latents
        if any(name == latent.name or nx.has_path(graph, latent.name, name) for name in graph.predecessors(latent.name))
    ]


def _graph(latents: Sequence[Latent]) -> nx.DiGraph:
    """Latents, with an edge from each to those whose bounds depend on it."""
    graph = nx.DiGraph()
    graph.add_nodes_from(latent.name for latent in latents)
    for latent in latents:
        for piece in latent.pieces:
            uses = set(inputs(bound_terms(piece)))
            graph.add_edges_from((name, latent.name) for name in graph.nodes if name in uses)
    return graph
