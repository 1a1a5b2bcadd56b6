"""model -> log joint density of all latents, over S draws at once, and its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy
from autograd.core import make_vjp

from ppl.compile.program import Program, compile_terms, evaluate
from ppl.data.axes import Axis
from ppl.language.source import Span
from ppl.model import transforms
from ppl.model.graph import Latent, Model
from ppl.model.terms import Term, ancestors
from ppl.model.transforms import Transform
from ppl.numeric.gather import pick

_ELEMENTS_AT_ONCE = 1 << 19  # of the widest array while draws are evaluated together: bounds the memory


@dataclass(frozen=True, slots=True)
class Block:
    """The unconstrained coordinates `start:stop` that belong to one latent, and how they become its value.

    `shape` is that of the coordinates, event axes transformed; `bounds` computes lower and upper, where there are any.
    """

    latent: Latent
    transform: Transform
    start: int
    stop: int
    shape: tuple[int, ...]
    bounds: Program | None
    has: tuple[bool, bool]  # a lower, an upper bound

    @property
    def name(self) -> str:
        return self.latent.name


@dataclass(frozen=True, slots=True)
class Part:
    """One factor of the log joint: a `~`, over its plates."""

    name: str
    log_prob: Term
    span: Span
    observed: bool

    @property
    def plates(self) -> tuple[Axis, ...]:
        return self.log_prob.axes


@dataclass(frozen=True, slots=True)
class LogJoint:
    """The log joint density of D unconstrained coordinates, Jacobians included, in nats.

    `parts` are the factors in order, priors first; `program` computes their elementwise log densities from the
    constrained latents.
    """

    blocks: tuple[Block, ...]
    parts: tuple[Part, ...]
    program: Program
    dimension: int
    draws_at_once: int

    def __call__(self, z: Any) -> Any:
        """z (S, D) -> log joint (S,). Differentiable by autograd."""
        values, log_jacobian = self.constrain_with_jacobian(z)
        return log_jacobian + self.sum_of_parts(values)

    def sum_of_parts(self, values: Mapping[str, Any]) -> Any:
        """Constrained latents (leading axis of S draws) -> the sum of all parts (S,), or one number without latents."""
        total = 0.0
        for found, slot in zip(self.program.run(values), self.program.outputs, strict=True):
            total = total + (_sum_over_plates(found) if slot in self.program.over_draws else np.sum(found))
        return total

    def constrain(self, z: numpy.ndarray) -> dict[str, numpy.ndarray]:
        """z (S, D) -> the latents by name, each with a leading axis of draws."""
        with numpy.errstate(all="ignore"):
            return self.constrain_with_jacobian(z)[0]

    def constrain_with_jacobian(self, z: Any) -> tuple[dict[str, Any], Any]:
        values: dict[str, Any] = {}
        total = np.zeros(len(z))
        for block in self.blocks:
            part = np.reshape(pick(z, (slice(None), slice(block.start, block.stop))), (len(z), *block.shape))
            lower, upper = _bounds(block, values)
            values[block.name] = block.transform.constrain(part, lower, upper)
            if block.transform is not transforms.IDENTITY:
                total = total + _sum_over_plates(block.transform.log_jacobian(part, lower, upper))
        return values, total

    def unconstrain(self, values: Mapping[str, numpy.ndarray]) -> numpy.ndarray:
        """The latents by name, with a leading axis of S draws -> z (S, D)."""
        columns = [self.unconstrain_block(block, values) for block in self.blocks]
        return numpy.concatenate(columns, axis=1) if columns else numpy.zeros((1, 0))

    def unconstrain_block(self, block: Block, values: Mapping[str, numpy.ndarray]) -> numpy.ndarray:
        """The coordinates of one latent (S, coordinates), from its values and those its bounds depend on."""
        with numpy.errstate(all="ignore"):
            lower, upper = _bounds(block, values)
            z = block.transform.unconstrain(values[block.name], lower, upper)
        return numpy.reshape(z, (len(values[block.name]), -1))

    def log_density(self, values: Mapping[str, numpy.ndarray]) -> numpy.ndarray:
        """The log density of constrained values (leading axis of S draws), without Jacobian -> (S,)."""
        draws = len(next(iter(values.values()))) if values else 1
        total = numpy.zeros(draws)
        with numpy.errstate(all="ignore"):
            for block in self.blocks:
                lower, upper = _bounds(block, values)
                total = total + _support_penalty(block, values[block.name], lower, upper)
            total = total + self.sum_of_parts(values)
        return numpy.where(numpy.isnan(total), -numpy.inf, total)

    def by_part(self, z: numpy.ndarray) -> list[numpy.ndarray]:
        """The elementwise log densities of every part, each with a leading axis of draws."""
        return evaluate(self.program, self.constrain(z), len(z))

    def value(self, z: numpy.ndarray) -> numpy.ndarray:
        """z (S, D) -> (S,), NaN taken as minus infinity; any number of draws in bounded memory."""
        with numpy.errstate(all="ignore"):
            found = [self(z[i : i + self.draws_at_once]) for i in range(0, len(z), self.draws_at_once)]
        total = numpy.concatenate(found)
        return numpy.where(numpy.isnan(total), -numpy.inf, total)

    def value_and_gradient(self, z: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """z (S, D) -> log joint (S,) and its gradient for each draw (S, D)."""
        values, gradients = [], []
        with numpy.errstate(all="ignore"):
            for i in range(0, len(z), self.draws_at_once):
                backward, value = make_vjp(self, z[i : i + self.draws_at_once])
                values.append(value)
                gradients.append(backward(numpy.ones(len(value))))
        total = numpy.concatenate(values)
        return numpy.where(numpy.isnan(total), -numpy.inf, total), numpy.concatenate(gradients)

    def coordinate_names(self) -> list[str]:
        """What each unconstrained coordinate is called, for messages."""
        names = []
        for block in self.blocks:
            for index in numpy.ndindex(*block.shape):
                axes = block.latent.axes
                labels = [axes[i].label(j) for i, j in enumerate(index)]
                names.append(f"{block.name}[{','.join(labels)}]" if labels else block.name)
        return names


def compile_joint(model: Model) -> LogJoint:
    """The log joint of a model's latents: their priors, everything observed, and the potentials."""
    blocks = []
    start = 0
    for latent in model.latents:
        block = _block(latent, start)
        blocks.append(block)
        start = block.stop
    parts = [Part(latent.name, latent.log_prob, latent.span, False) for latent in model.latents]
    parts += [Part(factor.name, factor.log_prob, factor.span, factor.observed) for factor in model.factors]
    program = compile_terms(part.log_prob for part in parts)
    widest = max([1, start, *(step_size(part.log_prob) for part in parts)])
    return LogJoint(tuple(blocks), tuple(parts), program, start, max(1, _ELEMENTS_AT_ONCE // widest))


def step_size(term: Term) -> int:
    """The most elements, for one draw, of any array that goes into a term."""
    sizes = [int(numpy.prod(t.shape)) for t in ancestors([term]) if not t.known]
    return max(sizes, default=1)


def _block(latent: Latent, start: int) -> Block:
    distribution = latent.distribution
    lower, upper = distribution.support_lower, distribution.support_upper
    transform = _transform_for(distribution.family.support.kind, lower is not None, upper is not None)
    split = len(latent.axes) - transform.event_rank
    shape = (*latent.shape[:split], *(transform.free(n) for n in latent.shape[split:]))
    bounds = [bound for bound in (lower, upper) if bound is not None]
    program = compile_terms(bounds) if bounds and transform.event_rank == 0 else None
    stop = start + int(numpy.prod(shape))
    return Block(latent, transform, start, stop, shape, program, (lower is not None, upper is not None))


def _transform_for(kind: str, has_lower: bool, has_upper: bool) -> Transform:
    if kind == "simplex":
        return transforms.SIMPLEX
    return {
        (False, False): transforms.IDENTITY,
        (True, False): transforms.ABOVE,
        (False, True): transforms.BELOW,
        (True, True): transforms.BETWEEN,
    }[has_lower, has_upper]


def _bounds(block: Block, values: Mapping[str, Any]) -> tuple[Any, Any]:
    """Lower and upper bound of a block, with singleton axes so that they line up behind the draws."""
    if block.bounds is None:
        return None, None
    found = block.bounds.run(values)
    rank = len(block.shape)
    lined_up = [
        _behind_draws(bound, rank) if slot in block.bounds.over_draws else bound
        for bound, slot in zip(found, block.bounds.outputs, strict=True)
    ]
    return (lined_up.pop(0) if block.has[0] else None), (lined_up.pop(0) if block.has[1] else None)


def _behind_draws(value: Any, rank: int) -> Any:
    shape = np.shape(value)
    lacking = rank - (len(shape) - 1)
    return np.reshape(value, (shape[0], *([1] * lacking), *shape[1:])) if lacking else value


def _support_penalty(block: Block, theta: numpy.ndarray, lower: Any, upper: Any) -> numpy.ndarray:
    """Minus infinity for draws outside their bounds."""
    outside = numpy.zeros(theta.shape, dtype=bool)
    if lower is not None:
        outside |= theta < lower
    if upper is not None:
        outside |= theta > upper
    if block.transform is transforms.SIMPLEX:
        outside |= (theta < 0) | (numpy.abs(theta.sum(axis=-1, keepdims=True) - 1) > 1e-6)
    return numpy.where(outside.reshape(len(theta), -1).any(axis=1), -numpy.inf, 0.0)


def _sum_over_plates(found: Any) -> Any:
    """Sum over all axes but the first, that of the draws."""
    rank = np.ndim(found)
    return found if rank == 1 else np.sum(found, axis=tuple(range(1, rank)))
