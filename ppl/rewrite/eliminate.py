"""Tables over discrete elements -> a plan to sum them all out exactly, many elements at a time.

Variable elimination on the factor graph: an element is summed out of all tables it stands in, which leaves one table
over its neighbours. Elements that are no neighbours of each other go in the same round, those of one kind as one array:
the rows of a mixture in one step, a chain of T elements in about log2 T rounds. Who goes first is decided by min-fill
(Koller and Friedman 2009, section 9.4.3): the fewest new pairs of neighbours, then the fewest terms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.numeric.gather import Positions
from ppl.values import dataclass

MOST_TERMS = 50_000_000  # for one draw, in all
_SMALL = 512  # terms: elements that cost no more than this need not wait for cheaper ones


class TooManyTerms(Exception):
    """The sum would take more terms than are allowed; `element` is one that would cost most."""

    def __init__(self, terms: int, element: int):
        super().__init__(f"{terms}")
        self.terms = terms
        self.element = element


@dataclass(frozen=True, slots=True, eq=False)
class Contribution:
    """Entries of one table that go into a step: those of its rows `rows`, their axes reordered by `order` (-1 puts in
    an axis of length 1), added up into the step's elements by `into`.
    """

    table: int
    rows: Positions
    order: tuple[int, ...]
    into: Positions


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Elements of one kind that are summed out together.

    `elements` (n,) and their `neighbours` (n, d), all as numbers of elements; `counts` are how many values each of the
    1 + d has. The step's own table is (S, *counts, n); what is left of it, over the neighbours, is table `leaves`, or
    goes into the total where there are none.
    """

    elements: np.ndarray
    neighbours: np.ndarray
    counts: tuple[int, ...]
    contributions: tuple[Contribution, ...]
    leaves: int | None

    @property
    def size(self) -> int:
        """Elements of its table, for one draw."""
        return int(np.prod(self.counts)) * len(self.elements)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`constants[i]` are the rows of table i in which no discrete element stands (their first entries count);
    `components` number, for every table that is given, each row's connected part of the factor graph.
    """

    steps: tuple[Step, ...]
    constants: tuple[np.ndarray, ...]
    components: tuple[np.ndarray, ...]
    terms: int


@dataclass(slots=True)
class _Rows:
    """The rows of a table: which elements (n, r) they are over, -1 for none."""

    scope: np.ndarray
    free: np.ndarray  # (n,) whether a row still waits to be used


def plan(scopes: Sequence[np.ndarray], counts: np.ndarray) -> Plan:
    """A plan for tables whose rows are over the elements `scopes[i]` (n, r); `counts` (elements,) values each.

    Raises `TooManyTerms`.
    """
    constants = tuple(np.flatnonzero((scope < 0).all(axis=1)) for scope in scopes)
    tables = [_Rows(scope, np.asarray((scope >= 0).any(axis=1))) for scope in scopes]
    neighbours = _graph(scopes, len(counts))
    components = _components(scopes, len(counts))
    waiting = set(np.unique(np.concatenate([scope[scope >= 0] for scope in scopes])).tolist() if scopes else ())
    steps: list[Step] = []
    total = 0
    loose = np.array(sorted(element for element in waiting if not neighbours[element]), dtype=np.int64)
    total += _take_round(loose, neighbours, counts, tables, steps)
    waiting -= set(loose.tolist())
    while waiting:
        chosen = _choose(waiting, neighbours, counts)
        total += _take_round(np.array(chosen, dtype=np.int64), neighbours, counts, tables, steps)
        if total > MOST_TERMS:
            raise TooManyTerms(total, chosen[0])
        waiting -= set(chosen)
        for element in chosen:
            _remove(element, neighbours)
    return Plan(tuple(steps), constants, components, total)


def _graph(scopes: Sequence[np.ndarray], size: int) -> list[set[int]]:
    """For each element those it stands in a row with."""
    neighbours: list[set[int]] = [set() for _ in range(size)]
    for scope in scopes:
        for i in range(scope.shape[1]):
            for j in range(i + 1, scope.shape[1]):
                pairs = scope[(scope[:, i] >= 0) & (scope[:, j] >= 0)][:, [i, j]]
                for a, b in np.unique(pairs, axis=0).tolist():
                    neighbours[a].add(b)
                    neighbours[b].add(a)
    return neighbours


def _components(scopes: Sequence[np.ndarray], size: int) -> tuple[np.ndarray, ...]:
    """The connected part of each row: the smallest element in it; rows without elements are parts of their own."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends: list[np.ndarray] = [
        scope[(scope[:, i] >= 0) & (scope[:, i + 1] >= 0)][:, [i, i + 1]]
        for scope in scopes
        for i in range(scope.shape[1] - 1)
    ]
    pairs = np.concatenate(ends) if ends else np.zeros((0, 2), dtype=np.int64)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    found = []
    after = size
    for scope in scopes:
        own = np.where(scope >= 0, label[np.maximum(scope, 0)], -1).max(axis=1)
        alone = np.flatnonzero(own < 0)
        own[alone] = after + np.arange(len(alone))
        after += len(alone)
        found.append(own)
    return tuple(found)


def _choose(waiting: set[int], neighbours: list[set[int]], counts: np.ndarray) -> list[int]:
    """Elements for one round, no two of them neighbours: by fill, then by terms."""
    ranked = []
    for element in waiting:
        terms = _terms(element, neighbours, counts)
        ranked.append((_fill(element, neighbours), terms, element))
    ranked.sort()
    limit = max(_SMALL, min(terms for _, terms, _ in ranked))
    if limit > MOST_TERMS:
        raise TooManyTerms(limit, ranked[0][2])
    chosen: list[int] = []
    blocked: set[int] = set()
    for _, terms, element in ranked:
        if terms <= limit and element not in blocked:
            chosen.append(element)
            blocked |= neighbours[element]
    return sorted(chosen)


def _terms(element: int, neighbours: list[set[int]], counts: np.ndarray) -> int:
    terms = int(counts[element])
    for other in neighbours[element]:
        terms *= int(counts[other])
        if terms > MOST_TERMS:
            break
    return terms


def _fill(element: int, neighbours: list[set[int]]) -> int:
    """How many pairs of its neighbours are none yet."""
    own = neighbours[element]
    if len(own) > 30:
        return len(own) ** 2
    return sum(other not in neighbours[one] for one in own for other in own if one < other)


def _remove(element: int, neighbours: list[set[int]]) -> None:
    own = neighbours[element]
    for one in own:
        neighbours[one] |= own
        neighbours[one] -= {one, element}
    neighbours[element] = set()


def _take_round(
    chosen: np.ndarray, neighbours: list[set[int]], counts: np.ndarray, tables: list[_Rows], steps: list[Step]
) -> int:
    """Add the steps of one round, one for each kind of element; how many terms they take."""
    kinds: dict[tuple[int, ...], list[int]] = {}
    around = {int(element): sorted(neighbours[element], key=lambda n: (int(counts[n]), n)) for element in chosen}
    for element in chosen.tolist():
        kind = (int(counts[element]), *(int(counts[other]) for other in around[element]))
        kinds.setdefault(kind, []).append(element)
    before = len(tables)
    terms = 0
    for kind, members in sorted(kinds.items()):
        elements = np.array(members, dtype=np.int64)
        others = np.array([around[element] for element in members], dtype=np.int64).reshape(len(members), -1)
        contributions = _contributions(elements, others, tables[:before], len(counts))
        leaves = None
        if others.shape[1]:
            leaves = len(tables)
            tables.append(_Rows(others, np.ones(len(members), dtype=bool)))
        steps.append(Step(elements, others, kind, contributions, leaves))
        terms += len(members) * int(np.prod([float(n) for n in kind]))
    return terms


def _contributions(
    elements: np.ndarray, others: np.ndarray, tables: list[_Rows], size: int
) -> tuple[Contribution, ...]:
    """All rows in which the elements stand, sorted by where they and their neighbours stand in them."""
    place = np.full(size, -1, dtype=np.int64)
    place[elements] = np.arange(len(elements))
    found = []
    for number, table in enumerate(tables):
        own = np.where(table.scope >= 0, place[np.maximum(table.scope, 0)], -1)
        rows = np.flatnonzero(table.free & (own >= 0).any(axis=1))
        if not len(rows):
            continue
        table.free[rows] = False
        step_of = own[rows].max(axis=1)
        roles = _roles(table.scope[rows], elements[step_of], others[step_of])
        for role in np.unique(roles, axis=0):
            same = (roles == role).all(axis=1)
            order = tuple(_find(role, wanted) for wanted in range(others.shape[1] + 1))
            picked = Positions(rows[same], len(table.scope))
            found.append(Contribution(number, picked, order, Positions(step_of[same], len(elements))))
    return tuple(found)


def _roles(scope: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each column of the rows 0 where the element itself stands, 1 + k where its k-th neighbour does, else -1."""
    roles = np.where(scope == own[:, None], 0, -1)
    for k in range(others.shape[1]):
        roles = np.where((scope == others[:, [k]]) & (scope >= 0), k + 1, roles)
    return roles


def _find(role: np.ndarray, wanted: int) -> int:
    """Which axis of a table stands for what is wanted; -1 where none does."""
    places = np.flatnonzero(role == wanted)
    return int(places[0]) if len(places) else -1
