"""The model as data: latents, factors, derived names, and the directed graph between all named quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import networkx as nx
import numpy as np

from ppl.data.axes import Axis
from ppl.data.dataset import Dataset
from ppl.language.source import Source, Span
from ppl.model.brackets import Place
from ppl.model.distribution import Distribution
from ppl.model.distributions.family import Family
from ppl.model.terms import Term
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What one statement says of a latent: its distribution over the elements at `place`, or over all of them.

    `axes` are those of the piece's own array: of all of the latent, or the plates and ranges of the place and then the
    event. `log_prob` runs over them, the event left out.
    """

    distribution: Distribution
    log_prob: Term
    place: Place | None
    axes: tuple[Axis, ...]
    span: Span

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.length for axis in self.axes)

    @property
    def plates(self) -> tuple[Axis, ...]:
        """Those of its axes that are loops."""
        return () if self.place is None else self.place.plates


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """A random name that is not in the data; its event axes are the last of `axes`. Its pieces cover it once."""

    name: str
    axes: tuple[Axis, ...]
    pieces: tuple[Piece, ...]
    span: Span

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.length for axis in self.axes)

    @property
    def family(self) -> Family:
        """That of the first piece."""
        return self.pieces[0].distribution.family

    @property
    def is_point(self) -> bool:
        """Whether it is estimated as a point, a `Param`, and not integrated over."""
        return self.family.name == "Param"

    def positions(self, piece: Piece) -> np.ndarray | None:
        """Where the elements of a piece stand among those of the flattened latent, events whole; None for all."""
        if piece.place is None:
            return None
        return piece.place.flat(self.shape[: len(piece.place.positions)])


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A term of the log joint over its plates: one `~` on something observed or on an expression of latents, which
    has a distribution and a value, or one `factor`, which has neither.

    Of an observed value some cells may be `missing`; `value` holds other values there, and `log_prob` is 0.
    """

    name: str
    distribution: Distribution | None
    value: Term | None
    log_prob: Term
    span: Span
    missing: np.ndarray | None = None

    @property
    def observed(self) -> bool:
        return self.value is not None and self.value.known

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Those of the value, the event included; of a `factor` those of its expression; loops first."""
        term = self.log_prob if self.value is None else self.value
        return (*term.plates, *term.axes)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A program that has met its data.

    `latents` are inferred, and so are those of whole numbers and categories, `discrete`, which are summed out; each
    comes after those its distribution depends on. `simulated` have no observed descendant and are drawn after the fit.
    `derived` are the names defined by `=`, with their terms. `graph` has one node per named quantity, with the
    attributes `role` ("data", "observed", "latent", "point", "derived", "simulated", "potential"), `family`, `axes`,
    `span`.

    The latents that are points, those of `Param`, may be `held` at values (*shape): their log joint has no coordinates.
    """

    source: Source
    data: Dataset
    latents: tuple[Latent, ...]
    discrete: tuple[Latent, ...]
    simulated: tuple[Latent, ...]
    factors: tuple[Factor, ...]
    derived: Mapping[str, Term]
    graph: nx.DiGraph
    notes: tuple[str, ...]
    held: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def points(self) -> tuple[Latent, ...]:
        return tuple(latent for latent in self.latents if latent.is_point)

    @property
    def observed(self) -> tuple[Factor, ...]:
        return tuple(factor for factor in self.factors if factor.observed)


def parents_first(links: nx.DiGraph) -> list[str]:
    """The names of a graph, parents before children; those that refer to each other's past stand together."""
    groups = nx.condensation(links)
    members = {group: sorted(groups.nodes[group]["members"]) for group in groups}
    order = nx.lexicographical_topological_sort(groups, key=lambda group: members[group][0])
    return [name for group in order for name in members[group]]


def edges_between(model: Model, names: Sequence[str]) -> list[tuple[str, str]]:
    """Which of the names depends on which, directly or through derived names alone: pairs of parent and child."""
    found = []
    for parent in names:
        reached: set[str] = set()
        ahead = [parent] if parent in model.graph else []
        while ahead:
            for child in model.graph.successors(ahead.pop()):
                if child not in reached:
                    reached.add(child)
                    if child in model.derived:
                        ahead.append(child)
        found += [(parent, child) for child in names if child in reached and child != parent]
    return found
