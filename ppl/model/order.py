"""names -> the order in which lines are read: each after those that define what it needs."""

from __future__ import annotations

import networkx as nx

from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.model import mistakes
from ppl.model.distribution import event_rank_of
from ppl.model.names import Line, Names
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that are read together: one, or those whose derived names refer to each other's past."""

    lines: tuple[Line, ...]
    recurs: bool


def in_order(names: Names, observed: set[str]) -> tuple[list[Group], list[Mistake]]:
    """Groups of lines in order, and a mistake for each circle that no loop resolves.

    What an observed name is does not depend on its lines, and of a latent with a bracket only the shape must be known
    before it is used: such names may stand on their own right sides.
    """
    lines = names.lines
    order = nx.DiGraph()
    order.add_nodes_from(range(len(lines)))
    finder = _Needs(names, observed, {id(line): i for i, line in enumerate(lines)})
    for i, line in enumerate(lines):
        order.add_edges_from((before, i) for before in finder.of_line(line))
    condensed = nx.condensation(order)
    groups: list[Group] = []
    found: list[Mistake] = []
    stuck: set[int] = set()
    for component in nx.lexicographical_topological_sort(condensed, key=lambda c: min(condensed.nodes[c]["members"])):
        members = sorted(condensed.nodes[component]["members"])
        recurs = len(members) > 1 or order.has_edge(members[0], members[0])
        if any(before in stuck for before in condensed.predecessors(component)):
            stuck.add(component)
        elif not recurs:
            groups.append(Group((lines[members[0]],), False))
        elif _may_recur([lines[i] for i in members]):
            groups.append(Group(tuple(lines[i] for i in members), True))
        else:
            stuck.add(component)
            found.append(_circle(names, order, members))
    return groups, found


def _may_recur(lines: list[Line]) -> bool:
    """Whether lines can be a recurrence: all derived, each an element of its name, at least one of them in a loop."""
    return all(not line.random and line.subscripts is not None for line in lines) and any(line.loops for line in lines)


def _circle(names: Names, order: nx.DiGraph, members: list[int]) -> Mistake:
    circle = [edge[0] for edge in nx.find_cycle(order.subgraph(members), members[0])]
    path = [names.lines[i].defines or "?" for i in circle]
    # edges lead from what is used to who uses it: read against them, the circle says who depends on whom
    shown = [path[0], *reversed(path[1:]), path[0]]
    return mistakes.depends_on_itself(names.lines[circle[0]].name_span, shown)


@dataclass(slots=True)
class _Needs:
    """Which lines each line needs, by their positions."""

    names: Names
    observed: set[str]
    index: dict[int, int]

    def of_line(self, line: Line) -> set[int]:
        found: set[int] = set()
        for name in line.uses:
            found |= self.of_name(name, frozenset())
        if line.random and line.defines in self.names.derived:
            found |= self.of_name(line.defines, frozenset())
        if line.random and line.subscripts is not None:
            found.discard(self.index[id(line)])  # a latent's own past: its shape shows in its other lines
        return found

    def of_name(self, name: str, seen: frozenset[str]) -> set[int]:
        """What must be read before a name can be used."""
        lines = self.names.lines_of(name)
        if not lines or name in self.observed or name in seen:
            return set()
        if not lines[0].random or not all(map(_shows_its_shape, lines)):
            return {self.index[id(line)] for line in lines}
        uses = {used for line in lines for used in line.shape_uses}
        return {before for used in uses for before in self.of_name(used, seen | {name})}


def _shows_its_shape(line: Line) -> bool:
    """Whether bracket and loops of a random line tell all its axes: in a loop, vectors have one more."""
    assert isinstance(line.statement, s.Tilde)
    if line.subscripts is None:
        return False
    ranged = any(isinstance(x, s.Range | s.Whole) for x in line.subscripts)
    return not line.loops or event_rank_of(line.statement.dist) == 0 or ranged
