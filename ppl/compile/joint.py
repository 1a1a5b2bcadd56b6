"""model -> log joint density of all latents, over S draws at once, and its gradient."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import autograd.numpy as np
import numpy

from ppl.compile.blocks import Assembly, Block, Centring, lay_out
from ppl.compile.conditional import StandIn
from ppl.compile.elimination import Elimination
from ppl.compile.images import Image, image_of
from ppl.compile.row_blocks import ManyRows, RowBlocks
from ppl.compile.staged.stage import Staging
from ppl.data.axes import Axis
from ppl.language.source import Span
from ppl.model import transforms
from ppl.model.distribution import Distribution
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.program import Program, compile_terms, evaluate
from ppl.model.terms import Term, ancestors
from ppl.numeric.gather import pick
from ppl.rewrite.sum_out import Summand, SummedOut
from ppl.values import dataclass

_ELEMENTS_AT_ONCE = 1 << 19  # of the widest array while draws are evaluated together: bounds the memory
_IN_CACHE = 8  # pieces of these, each evaluated at once: arrays that stay in cache
_LEAST_AT_ONCE = 8  # draws: calls for fewer cost the same
_MANY_ROUNDS = 20  # of elimination
_DRAWS_A_ROUND = 32


@dataclass(frozen=True, slots=True)
class Part:
    """One factor of the log joint: a `~` or a `factor`, over its plates.

    With a `summand`, `log_prob` is its table: first the values of the discrete elements it depends on, then its plates.
    """

    name: str
    log_prob: Term
    distribution: Distribution | None  # None for a `factor`
    value: Term | None  # of what is known, or an expression; None for a latent and a `factor`
    span: Span
    observed: bool
    summand: Summand | None = None

    @property
    def plates(self) -> tuple[Axis, ...]:
        return (*self.log_prob.plates, *self.log_prob.axes)

    def is_prior_of(self, latent: Latent) -> bool:
        return any(self.distribution is piece.distribution for piece in latent.pieces)


@dataclass(frozen=True, slots=True)
class LogJoint:
    """The log joint density of D unconstrained coordinates, Jacobians included, in nats.

    `parts` are the factors in order, priors first; `program` computes their elementwise log densities from the
    constrained latents. Those that depend on discrete latents are tables, which `elimination` adds up.

    Points (`Param`) have coordinates like latents, without a Jacobian, or are `held` at values (*shape) and have none.
    """

    blocks: tuple[Block, ...]
    assemblies: Mapping[str, Assembly]
    parts: tuple[Part, ...]
    program: Program
    dimension: int
    draws_at_once: int
    elimination: Elimination | None = None
    held: Mapping[str, numpy.ndarray] = field(default_factory=dict)
    staging: Staging = field(default_factory=Staging, init=False, repr=False, compare=False)
    many_rows: ManyRows = field(default_factory=ManyRows, init=False, repr=False, compare=False)

    @property
    def shared(self) -> int:
        """How many coordinates stand before all conditional ones; 0 where there are none or others behind them."""
        own = [block.conditional is not None for block in self.blocks]
        first = own.index(True) if True in own else 0
        return self.blocks[first].start if all(own[first:]) else 0

    @property
    def points(self) -> numpy.ndarray:
        """Which coordinates (D,) are those of points: optimised, not integrated over."""
        found = numpy.zeros(self.dimension, dtype=bool)
        for block in self.blocks:
            found[block.start : block.stop] = block.latent.is_point
        return found

    def __call__(self, z: Any) -> Any:
        """z (S, D) -> log joint (S,). Differentiable by autograd."""
        values, log_jacobian = self.constrain_with_jacobian(z)
        return log_jacobian + self.sum_of_parts(values)

    @property
    def blocks_of_rows(self) -> RowBlocks | None:
        """What evaluates a joint of many rows; None where it has few, or is evaluated in another way."""
        self.many_rows.of(self)
        return self.many_rows.blocks

    def with_fewest_rows(self) -> LogJoint:
        """The same function of the latents by sums over the data, or distinct rows alone, where that is less work."""
        self.many_rows.of(self)
        return self if self.many_rows.fewer is None else self.many_rows.fewer

    def with_parts(self, parts: tuple[Part, ...]) -> LogJoint:
        """Other parts over the same coordinates; those that depend on discrete latents must be the same."""
        at_once = max(1, _ELEMENTS_AT_ONCE // _widest_of(parts, self.dimension))
        at_once = self.draws_at_once if self.elimination is not None else at_once
        program = compile_terms(part.log_prob for part in parts)
        return replace(self, parts=parts, program=program, draws_at_once=at_once)

    @property
    def in_cache(self) -> int:
        """How many draws are evaluated at once, if they can be, where that need not be many."""
        return min(self.draws_at_once, max(_LEAST_AT_ONCE, self.draws_at_once // _IN_CACHE))

    def sum_of_parts(self, values: Mapping[str, Any]) -> Any:
        """Constrained latents (leading axis of S draws) -> the sum of all parts (S,), or one number without latents."""
        total: Any = 0.0
        tables = []
        for part, found, slot in zip(self.parts, self.program.run(values), self.program.outputs, strict=True):
            if part.summand is not None:
                tables.append(as_table(found, part.summand, slot in self.program.over_draws))
            else:
                total = total + (_sum_over_plates(found) if slot in self.program.over_draws else np.sum(found))
        return total if self.elimination is None else total + self.elimination.log_total(tables)

    def draw_discrete(
        self, values: Mapping[str, numpy.ndarray], draws: int, rng: numpy.random.Generator
    ) -> dict[str, numpy.ndarray]:
        """Draws (S, *shape) of the discrete latents, given S draws of the others."""
        if self.elimination is None:
            return {}
        found: list[dict[str, numpy.ndarray]] = []
        for i in range(0, draws, self.draws_at_once):
            some = {name: value[i : i + self.draws_at_once] for name, value in values.items()}
            found.append(self._draw_discrete(some, min(self.draws_at_once, draws - i), rng))
        return {name: numpy.concatenate([part[name] for part in found]) for name in found[0]}

    def probabilities(self, values: Mapping[str, numpy.ndarray], weights: numpy.ndarray) -> dict[str, numpy.ndarray]:
        """The probability of each value (K, *shape) of every discrete latent, over S draws of the others with weights
        (S,) that sum to 1: exact given the draws.
        """
        if self.elimination is None:
            return {}
        total: dict[str, numpy.ndarray] = {}
        for i in range(0, len(weights), self.draws_at_once):
            some = {name: value[i : i + self.draws_at_once] for name, value in values.items()}
            own = weights[i : i + self.draws_at_once]
            for name, found in self.elimination.probabilities(self.tables(some, len(own)), own).items():
                total[name] = total[name] + found if name in total else found
        shapes = self.elimination.shapes
        return {name: found.reshape(len(found), *shapes[name]) for name, found in total.items()}

    def tables(self, values: Mapping[str, numpy.ndarray], draws: int) -> list[numpy.ndarray]:
        """The log densities that depend on discrete latents (S, *values, rows), in the order of the parts."""
        return [
            as_table(found, part.summand, True)
            for part, found in zip(self.parts, evaluate(self.program, values, draws), strict=True)
            if part.summand is not None
        ]

    def _draw_discrete(
        self, values: Mapping[str, numpy.ndarray], draws: int, rng: numpy.random.Generator
    ) -> dict[str, numpy.ndarray]:
        assert self.elimination is not None
        return self.elimination.draw(self.tables(values, draws), draws, rng)

    def constrain(self, z: numpy.ndarray) -> dict[str, numpy.ndarray]:
        """z (S, D) -> the latents by name, each with a leading axis of draws."""
        with numpy.errstate(all="ignore"):
            return self.constrain_with_jacobian(z)[0]

    def constrain_with_jacobian(self, z: Any) -> tuple[dict[str, Any], Any]:
        """z (S, D) -> the latents by name, and the log Jacobian of all transforms but those of points (S,)."""
        values: dict[str, Any] = {
            name: numpy.broadcast_to(value, (len(z), *value.shape)) for name, value in self.held.items()
        }
        parts: dict[str, list[Any]] = {}
        total = np.zeros(len(z))
        for block in self.blocks:
            part = np.reshape(pick(z, (slice(None), slice(block.start, block.stop))), (len(z), *block.shape))
            lower, upper = block.bounds_at(values)
            theta = block.transform.constrain(part, lower, upper)
            if block.transform is not transforms.IDENTITY and not block.latent.is_point:
                total = total + _sum_over_plates(block.transform.log_jacobian(part, lower, upper))
            found = parts.setdefault(block.name, [])
            found.append(theta)
            if len(found) == len(block.latent.pieces):
                assembly = self.assemblies.get(block.name)
                values[block.name] = theta if assembly is None else assembly(found)
        return values, total

    def unconstrain(self, values: Mapping[str, numpy.ndarray]) -> numpy.ndarray:
        """The latents by name, with a leading axis of S draws -> z (S, D)."""
        columns = [self.unconstrain_block(block, values) for block in self.blocks]
        return numpy.concatenate(columns, axis=1) if columns else numpy.zeros((1, 0))

    def unconstrain_block(self, block: Block, values: Mapping[str, numpy.ndarray]) -> numpy.ndarray:
        """The coordinates of one block (S, coordinates), from the values of all latents."""
        with numpy.errstate(all="ignore"):
            lower, upper = block.bounds_at(values)
            z = block.transform.unconstrain(block.part_of(values[block.name]), lower, upper)
        return numpy.reshape(z, (len(z), block.stop - block.start))

    def log_density(self, values: Mapping[str, numpy.ndarray]) -> numpy.ndarray:
        """The log density of constrained values (leading axis of S draws), without Jacobian -> (S,)."""
        draws = len(next(iter(values.values()))) if values else 1
        total = numpy.zeros(draws)
        with numpy.errstate(all="ignore"):
            for block in self.blocks:
                outside = block.outside(block.part_of(values[block.name]), *block.bounds_at(values))
                total = numpy.where(outside, -numpy.inf, total)
            total = total + self.sum_of_parts(values)
        return numpy.where(numpy.isnan(total), -numpy.inf, total)

    def by_part(self, z: numpy.ndarray) -> list[numpy.ndarray]:
        """The elementwise log densities of every part, each with a leading axis of draws."""
        return evaluate(self.program, self.constrain(z), len(z))

    def value(self, z: numpy.ndarray) -> numpy.ndarray:
        """z (S, D) -> (S,), NaN taken as minus infinity; any number of draws in bounded memory."""
        other, total = self.many_rows.of(self), None
        with numpy.errstate(all="ignore"):
            if other is not None:
                total = other.value(z)
            elif self.elimination is None:
                total = self.staging.value(self, z, self.in_cache)
            if total is None:
                found = [self(z[i : i + self.draws_at_once]) for i in range(0, len(z), self.draws_at_once)]
                total = numpy.concatenate(found)
        return numpy.where(numpy.isnan(total), -numpy.inf, total)

    def value_and_gradient(self, z: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """z (S, D) -> log joint (S,) and its gradient for each draw (S, D)."""
        other = self.many_rows.of(self)
        if other is not None:
            total, gradient = other.value_and_gradient(z)
            return numpy.where(numpy.isnan(total), -numpy.inf, total), gradient
        values, gradients = [], []
        in_cache = self.in_cache if self.elimination is None else 0
        most = in_cache or self.draws_at_once
        size = -(-len(z) // -(-len(z) // most))  # of pieces about equal
        for i in range(0, len(z), size):
            value, gradient = self.staging.value_and_gradient(self, z[i : i + size], in_cache)
            values.append(value)
            gradients.append(gradient)
        total = numpy.concatenate(values)
        return numpy.where(numpy.isnan(total), -numpy.inf, total), numpy.concatenate(gradients)


def compile_joint(
    model: Model,
    summed: SummedOut | None = None,
    noncentred: Collection[str] = (),
    centring: Mapping[str, Centring | StandIn] | None = None,
) -> LogJoint:
    """The log joint of a model's latents: their priors, everything observed, and the potentials.

    The density is the same whichever latents, out of `blocks.candidates`, have non-centred coordinates, wholly or in
    part, and whichever, out of `images`, have conditional ones. Points have no prior, and so no part; where the model
    holds them, no coordinates either.
    """
    random = [latent for latent in (*model.latents, *model.discrete) if not latent.is_point]
    pieces = [(latent, piece) for latent in random for piece in latent.pieces]
    parts = [_part(latent.name, piece, None, False, summed) for latent, piece in pieces]
    parts += [_part(factor.name, factor, factor.value, factor.observed, summed) for factor in model.factors]
    wanted = [name for name, said in (centring or {}).items() if isinstance(said, StandIn)]
    free = [latent for latent in model.latents if latent.name not in model.held]
    blocks, assemblies = lay_out(free, noncentred, centring, images(model, parts, wanted), model.held)
    program = compile_terms(part.log_prob for part in parts)
    dimension = blocks[-1].stop if blocks else 0
    needs = [term for block in blocks if block.conditional is not None for term in block.needs]
    widest = max([_widest_of(parts, dimension), *(_widest(term) for term in needs)])
    elimination = None
    if summed is not None:
        widest = max(widest, *(step.size for step in summed.plan.steps))
        elimination = Elimination(summed, {latent.name: latent.shape for latent in model.discrete})
    at_once = max(1, _ELEMENTS_AT_ONCE // widest)
    if elimination is not None and len(elimination.plan.steps) > _MANY_ROUNDS:  # each costs the same for few draws
        at_once = max(at_once, min(_DRAWS_A_ROUND, 16 * _ELEMENTS_AT_ONCE // widest))
    return LogJoint(blocks, assemblies, tuple(parts), program, dimension, at_once, elimination, model.held)


def images(model: Model, parts: Sequence[Part], names: Collection[str]) -> dict[str, Image]:
    """Of those of the named latents that have one that can be used."""
    found = {}
    for latent in model.latents:
        if latent.name in names:
            image = image_of(latent, [part.log_prob for part in parts if not part.is_prior_of(latent)])
            if image is not None:
                found[latent.name] = image
    return found


def _part(name: str, said: Piece | Factor, value: Term | None, observed: bool, summed: SummedOut | None) -> Part:
    summand = None if summed is None else summed.summands.get(id(said.log_prob))
    log_prob = said.log_prob if summand is None else summand.table.term
    return Part(name, log_prob, said.distribution, value, said.span, observed, summand)


def as_table(found: Any, summand: Summand, over_draws: bool) -> Any:
    """A table as elimination takes it: (S, *values, rows), with one draw where it depends on none."""
    return np.reshape(found, (len(found) if over_draws else 1, *summand.values, len(summand.scope)))


def _widest_of(parts: Sequence[Part], dimension: int) -> int:
    return max([1, dimension, *(_widest(part.log_prob) for part in parts)])


def _widest(term: Term) -> int:
    """The most elements, for one draw, of any array that goes into a term."""
    sizes = [int(numpy.prod(t.shape)) for t in ancestors([term]) if not t.known]
    return max(sizes, default=1)


def _sum_over_plates(found: Any) -> Any:
    """Sum over all axes but the first, that of the draws."""
    rank = np.ndim(found)
    return found if rank == 1 else np.sum(found, axis=tuple(range(1, rank)))
