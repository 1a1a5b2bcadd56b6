"""lines and what they settled -> the graph: one node per named quantity, parents before children."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from ppl.data.dataset import Dataset
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model.graph import Factor, Latent
from ppl.model.names import Line, Names
from ppl.model.terms import Term


def draw(
    names: Names,
    data: Dataset,
    columns_read: Mapping[Span, set[str]],
    latents: Mapping[str, Latent],
    needed: set[str],
    factors: tuple[Factor, ...],
    derived: Mapping[str, Term],
) -> nx.DiGraph:
    """Nodes with the attributes `role`, `family`, `axes` and `span`; an edge from each name to what uses it."""
    graph = nx.DiGraph()
    by_span = {factor.span: factor for factor in factors}
    for line in names.lines:
        factor = by_span.get(line.statement.span)
        name = _node_name(names, line, graph, factor)
        columns = sorted(columns_read[line.statement.span] - {line.defines or ""})
        uses = dict(line.uses) | dict.fromkeys(columns, line.name_span)
        for used, span in uses.items():
            if used not in graph and used not in names.functions:
                column = data.columns.get(used)
                named = (data.axes[used],) if used in data.axes else ()
                axes = column.axes if column is not None else named
                graph.add_node(used, role="data", family=None, axes=axes, span=span)
        graph.add_node(name, **_attributes(line, factor, latents, needed, derived), span=line.name_span)
        graph.add_edges_from((used, name) for used in uses if used in graph and used != name)
    return graph


def _node_name(names: Names, line: Line, graph: nx.DiGraph, factor: Factor | None) -> str:
    """The name on the left, or its text; a second `~` on the same known thing gets a number."""
    target = line.statement.target if isinstance(line.statement, s.Tilde) else None
    name = line.defines or names.program.source.cut((target or line.statement).span)
    if factor is None or name not in graph or graph.nodes[name]["role"] in ("data", "derived"):
        return name
    number = 2
    while f"{name} #{number}" in graph:
        number += 1
    return f"{name} #{number}"


def _attributes(
    line: Line, factor: Factor | None, latents: Mapping[str, Latent], needed: set[str], derived: Mapping[str, Term]
) -> dict[str, object]:
    if factor is not None:
        role = "observed" if factor.observed else "potential"
        family = None if factor.distribution is None else factor.distribution.name
        return {"role": role, "family": family, "axes": factor.axes}
    assert line.defines is not None
    if line.defines in latents:
        latent = latents[line.defines]
        role = "simulated" if latent.name not in needed else "point" if latent.is_point else "latent"
        return {"role": role, "family": latent.pieces[0].distribution.name, "axes": latent.axes}
    return {"role": "derived", "family": None, "axes": derived[line.defines].axes}
