"""latents -> blocks of unconstrained coordinates, and the way from them to the latents' values and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as np
import networkx as nx
import numpy

from ppl.compile.conditional import CONDITIONAL, Conditional, StandIn, conditional
from ppl.compile.images import Image
from ppl.model import matrix_transforms, transforms
from ppl.model.bounds import bound_terms
from ppl.model.dependence import size_of
from ppl.model.distributions.family import canonical
from ppl.model.events import EVENTS
from ppl.model.graph import Latent, Piece
from ppl.model.program import Program, behind, compile_terms
from ppl.model.terms import Term, inputs
from ppl.model.transforms import Transform
from ppl.numeric import gather
from ppl.numeric.shape import join
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Centring:
    """How centred the coordinates of each element of a latent are, from 0 to 1, and values of its location and scale
    that are typical of the posterior: each of the latent's shape.

    With c the share, m and s location and scale, m0 and s0 the typical ones: theta = m + r (z - c (m - m0)), with
    r = (s / s0)^(1 - c). This is the family of Gorinova, Moore, Hoffman 2020 (VIP), made free of units.
    """

    share: numpy.ndarray
    location: numpy.ndarray
    scale: numpy.ndarray


@dataclass(frozen=True, slots=True)
class Block:
    """The unconstrained coordinates `start:stop` that belong to one piece of a latent, and how they become its value.

    `shape` is that of the coordinates, event axes transformed; `bounds` computes from the `needs` what the transform
    takes, and `bound_shapes` lines it up behind the draws: lower and upper, where there are any, or, where the
    coordinates are `noncentred`, the parameters of the distribution, which give location and scale. Where they are
    `conditional` it is location and scale, and then the latent's image at probes.
    """

    latent: Latent
    piece: Piece
    transform: Transform
    start: int
    stop: int
    shape: tuple[int, ...]
    bounds: Program | None
    bound_shapes: tuple[tuple[int, ...], ...]
    has: tuple[bool, bool]  # a lower, an upper bound
    needs: tuple[Term, ...]
    noncentred: bool = False
    centring: Centring | None = None  # of this piece
    conditional: Conditional | None = None

    @property
    def name(self) -> str:
        return self.latent.name

    def bounds_at(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """What the transform takes: lower and upper bound, each with a leading axis of draws or without, None where
        there is none; or location and scale.
        """
        if self.bounds is None:
            return None, None
        lined_up = [
            np.reshape(found, (len(found), *shape) if slot in self.bounds.over_draws else shape)
            for found, slot, shape in zip(self.bounds.run(values), self.bounds.outputs, self.bound_shapes, strict=True)
        ]
        if self.conditional is not None:
            return tuple(lined_up[:2]), self.conditional.at(lined_up[2:])
        if self.noncentred:
            own = canonical(self.piece.distribution.form, tuple(lined_up))
            location, scale = transforms.LOCATION_SCALE[self.piece.distribution.family.name].places
            return self._partly(own[location], own[scale])
        return (lined_up.pop(0) if self.has[0] else None), (lined_up.pop(0) if self.has[1] else None)

    def _partly(self, location: Any, scale: Any) -> tuple[Any, Any]:
        """Location and scale of the coordinates, which are those of the distribution where nothing is centred."""
        if self.centring is None:
            return location, scale
        share = self.centring.share
        stretch = np.exp((1.0 - share) * np.log(scale / self.centring.scale))
        return location - stretch * share * (location - self.centring.location), stretch

    def part_of(self, value: Any) -> Any:
        """This piece of a latent's value (S, *shape of the latent)."""
        positions = self.latent.positions(self.piece)
        if positions is None:
            return value
        flat = _rows(value, self.latent, self.piece)
        return numpy.reshape(flat[:, positions], (len(value), *self.piece.shape))

    def outside(self, theta: numpy.ndarray, lower: Any, upper: Any) -> numpy.ndarray:
        """Which draws (S,) of this piece lie outside their bounds."""
        if self.noncentred:  # the density knows its own support
            return numpy.zeros(len(theta), dtype=bool)
        wrong = numpy.zeros(theta.shape, dtype=bool)
        if lower is not None:
            wrong |= theta < lower
        if upper is not None:
            wrong |= theta > upper
        event = EVENTS.get(self.piece.distribution.kind)
        if event is not None:
            held = event.holds(theta)
            wrong |= ~held.reshape(*held.shape, *([1] * event.rank))
        return numpy.asarray(wrong.reshape(len(theta), wrong[0].size if len(theta) else 0).any(axis=1))


def _rows(value: Any, latent: Latent, piece: Piece) -> Any:
    """A value with its indexed axes as one, behind the draws."""
    assert piece.place is not None
    inner = latent.shape[len(piece.place.positions) :]
    size = int(numpy.prod(latent.shape[: len(piece.place.positions)]))
    return numpy.reshape(value, (len(value), size, *inner))


@dataclass(frozen=True, slots=True)
class Assembly:
    """How the values of a latent's pieces become its value: one after another, then put in order."""

    order: gather.Positions
    inner: tuple[int, ...]  # lengths of the axes behind the indexed ones

    def __call__(self, parts: Sequence[Any]) -> Any:
        flat = [np.reshape(part, (len(part), -1, *self.inner)) for part in parts]
        rank = len(self.inner) + 1
        return gather.gather(join(-rank, *flat), self.order, -rank)


def lay_out(
    latents: Sequence[Latent],
    noncentred: Collection[str] = (),
    centring: Mapping[str, Centring | StandIn] | None = None,
    images: Mapping[str, Image] | None = None,
    held: Collection[str] = (),
) -> tuple[tuple[Block, ...], dict[str, Assembly]]:
    """Blocks of all latents, each after those that it needs, and how latents of several pieces are made.

    The pieces of the `noncentred`, names out of `candidates`, get coordinates relative to location and scale; those of
    them that have a `centring` only so far. Those with a stand-in, which have `images`, get conditional coordinates,
    and stand after all that can do without them. What is `held` is known without coordinates.
    """
    blocks: list[Block] = []
    start = 0
    partly = centring or {}
    last = {name for name, said in partly.items() if isinstance(said, StandIn)}
    for latent in _by_needs(latents, noncentred, last):
        before = {*held, *(block.name for block in blocks)}
        for piece in latent.pieces:
            said = partly.get(latent.name)
            if isinstance(said, StandIn):
                assert images is not None
                blocks.append(_conditional(images[latent.name], said, before, start))
            elif latent.name in noncentred and _has_random_parents(piece):
                block = _noncentred(latent, piece, start)
                blocks.append(block if said is None else replace(block, centring=_of_piece(block, said)))
            else:
                blocks.append(_block(latent, piece, start))
            start = blocks[-1].stop
    assemblies = {}
    for latent in latents:
        if latent.pieces[0].place is not None:
            indexed = latent.shape[: len(latent.pieces[0].place.positions)]
            order = numpy.concatenate([latent.positions(piece) for piece in latent.pieces])
            positions = gather.Positions(numpy.argsort(order).reshape(indexed), len(order))
            assemblies[latent.name] = Assembly(positions, latent.shape[len(indexed) :])
    return tuple(blocks), assemblies


def _of_piece(block: Block, centring: Centring) -> Centring:
    parts = (block.part_of(value[None])[0] for value in (centring.share, centring.location, centring.scale))
    return Centring(*parts)


def candidates(latents: Sequence[Latent]) -> tuple[str, ...]:
    """The latents whose coordinates can be non-centred: of a family of location and scale, cut nowhere, one of them
    random, and neither depending on the latent itself, on its own past or on anything discrete.
    """
    graph = _needs_graph(latents, [latent.name for latent in latents])
    names = set(graph)
    alone = {next(iter(group)) for group in nx.strongly_connected_components(graph) if len(group) == 1}
    return tuple(
        latent.name
        for latent in latents
        if latent.name in alone
        and not graph.has_edge(latent.name, latent.name)
        and any(_has_random_parents(piece) for piece in latent.pieces)
        and all(names.issuperset(inputs(piece.distribution.parameters)) for piece in latent.pieces)
    )


def _has_random_parents(piece: Piece) -> bool:
    """Whether a piece is of a family of location and scale, cut nowhere, and these depend on latents."""
    distribution = piece.distribution
    plain = distribution.lower is None and distribution.upper is None and distribution.constraint is None
    known = transforms.LOCATION_SCALE.get(distribution.family.name)
    return plain and known is not None and bool(inputs(distribution.parameters))


def _needs_graph(latents: Sequence[Latent], noncentred: Collection[str]) -> nx.DiGraph:
    """Latents, with an edge from each to those whose coordinates mean something only where it is known: through their
    bounds or, of those named, through any parameter.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(latent.name for latent in latents)
    for latent in latents:
        for piece in latent.pieces:
            needs = [*bound_terms(piece), *(piece.distribution.parameters if latent.name in noncentred else ())]
            graph.add_edges_from((name, latent.name) for name in inputs(needs) if name in graph)
    return graph


def _by_needs(latents: Sequence[Latent], noncentred: Collection[str], last: Collection[str] = ()) -> list[Latent]:
    place = {latent.name: i for i, latent in enumerate(latents)}
    order = nx.lexicographical_topological_sort(
        _needs_graph(latents, {*noncentred, *last}), key=lambda name: (name in last, place[name])
    )
    return [latents[place[name]] for name in order]


def _block(latent: Latent, piece: Piece, start: int) -> Block:
    distribution = piece.distribution
    lower, upper = distribution.support_lower, distribution.support_upper
    transform = _transform_for(distribution.kind, lower is not None, upper is not None)
    split = len(piece.axes) - transform.event_rank
    shape = (*piece.shape[:split], *(transform.free(n) for n in piece.shape[split : split + 1]))
    bounds = tuple(bound_terms(piece))
    program = compile_terms(bounds) if bounds else None
    bound_shapes = tuple(behind(bound, piece.plates, len(piece.axes) - len(piece.plates)) for bound in bounds)
    stop = start + int(numpy.prod(shape))
    has = (lower is not None, upper is not None)
    return Block(latent, piece, transform, start, stop, shape, program, bound_shapes, has, bounds)


def _noncentred(latent: Latent, piece: Piece, start: int) -> Block:
    distribution = piece.distribution
    transform = transforms.LOCATION_SCALE[distribution.family.name].transform
    parameters = distribution.parameters
    leading = len(piece.axes) - len(piece.plates) - distribution.family.event_rank
    shapes = tuple(
        behind(term, piece.plates, leading, parameter.event_rank)
        for term, parameter in zip(parameters, distribution.form.parameters, strict=True)
    )
    stop = start + int(numpy.prod(piece.shape))
    program = compile_terms(parameters)
    return Block(
        latent, piece, transform, start, stop, piece.shape, program, shapes, (True, True), parameters, noncentred=True
    )


def _conditional(image: Image, stand_in: StandIn, before: Collection[str], start: int) -> Block:
    """`before` are the names of latents that the coordinates may depend on."""
    piece = image.piece
    location, scale = image.location_and_scale()
    probes = image.probes(location, scale, before, stand_in.typical)
    rank = image.base.event_rank
    leading = len(piece.axes) - rank
    count = image.members.shape[1] + 1
    shapes = (
        behind(location, (), leading, rank),
        behind(scale, (), leading, 2 * rank),
        *((count, size_of(probe.shape) // count) for probe in probes),
    )
    needs = (location, scale, *probes)
    size = size_of(piece.shape)
    found = conditional(image, stand_in)
    return Block(
        image.latent, piece, CONDITIONAL[image.base.name], start, start + size, piece.shape, compile_terms(needs),
        shapes, (True, True), needs, noncentred=True, conditional=found,
    )  # fmt: skip


def _transform_for(kind: str, has_lower: bool, has_upper: bool) -> Transform:
    by_bounds = _OF_EVENTS.get(kind, _OF_NUMBERS)
    return by_bounds if isinstance(by_bounds, Transform) else by_bounds[has_lower, has_upper]


_OF_NUMBERS = {
    (False, False): transforms.IDENTITY,
    (True, False): transforms.ABOVE,
    (False, True): transforms.BELOW,
    (True, True): transforms.BETWEEN,
}
_OF_EVENTS: dict[str, Transform | dict[tuple[bool, bool], Transform]] = {
    "simplex": transforms.SIMPLEX,
    "zero_sum": transforms.ZERO_SUM,
    "ordered": {
        (False, False): transforms.ORDERED,
        (True, False): transforms.ORDERED_ABOVE,
        (False, True): transforms.ORDERED_BELOW,
        (True, True): transforms.ORDERED_BETWEEN,
    },
    "correlation": matrix_transforms.CORRELATION,
    "cholesky_correlation": matrix_transforms.CHOLESKY_CORRELATION,
    "covariance": matrix_transforms.COVARIANCE,
}
