"""A plan of elimination, run over S draws: the log of the sum over all discrete values, and draws of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from autograd.extend import defvjp_argnums, primitive

from ppl.numeric import gather, reduce
from ppl.rewrite.eliminate import Contribution, Plan, Step
from ppl.rewrite.sum_out import SummedOut
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """The sum over discrete latents of these `shapes`, from tables (S, *values, rows) in the order of the plan."""

    summed: SummedOut
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def plan(self) -> Plan:
        return self.summed.plan

    def values_of(self, name: str) -> numpy.ndarray:
        return next(latent.values for latent in self.summed.latents if latent.name == name)

    def log_total(self, tables: Sequence[Any]) -> Any:
        """(S,): the log of the sum of the product of all tables. Differentiable by autograd."""
        return _log_total(self.plan, *tables)

    def probabilities(self, tables: Sequence[numpy.ndarray], weights: numpy.ndarray) -> dict[str, numpy.ndarray]:
        """For each latent the probability of each of its values (K, elements), summed over draws with weights (S,)."""
        marginals = _gradients(self.plan, tables, weights)
        found = {latent.name: numpy.zeros((len(latent.values), latent.size)) for latent in self.summed.latents}
        for summand, marginal in zip(self.summed.summands.values(), marginals, strict=True):
            for axis, reference in enumerate(summand.table.references):
                others = tuple(i for i in range(marginal.ndim - 1) if i != axis + 1)
                by_row = marginal.sum(axis=others)
                positions = reference.positions.reshape(-1)
                there = positions >= 0
                found[reference.latent.name][:, positions[there]] = by_row[:, there]
        return found

    def draw(
        self, tables: Sequence[numpy.ndarray], draws: int, rng: numpy.random.Generator
    ) -> dict[str, numpy.ndarray]:
        """Joint draws (S, *shape) of all discrete latents, by sampling backwards."""
        joined = [step_joined for step_joined, _ in _rounds(self.plan, tables)]
        found = numpy.zeros((draws, self.summed.elements), dtype=numpy.int64)
        for step, table in zip(reversed(self.plan.steps), reversed(joined), strict=True):
            own = _given_neighbours(step, numpy.broadcast_to(table, (draws, *table.shape[1:])), found)
            with numpy.errstate(all="ignore"):
                noise = -numpy.log(-numpy.log(rng.random(own.shape)))  # the largest after Gumbel noise is a draw
            found[:, step.elements] = numpy.argmax(own + noise, axis=1)
        drawn = {}
        for latent in self.summed.latents:
            first = self.summed.first[latent.name]
            values = latent.values[found[:, first : first + latent.size]]
            drawn[latent.name] = values.reshape(draws, *self.shapes[latent.name])
        return drawn


def _rounds(plan: Plan, given: Sequence[numpy.ndarray]) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    """For each step all that is said of its elements (S, *values of the element and its neighbours, n), and what is
    left when the element is summed out (S, *values of the neighbours, n).
    """
    tables = list(given)
    found = []
    for step in plan.steps:
        joined = _joined(step, tables)
        summed = reduce.logsumexp.fun(joined, -len(step.counts) - 1)
        if step.leaves is not None:
            tables.append(summed)
        found.append((joined, summed))
    return found


@primitive
def _log_total(plan: Plan, *tables: numpy.ndarray) -> numpy.ndarray:
    total = numpy.zeros(max((len(table) for table in tables), default=1))
    for table, rows in zip(tables, plan.constants, strict=True):
        if len(rows):
            total = total + table[_first(table)][:, rows].sum(axis=1)
    for step, (_, summed) in zip(plan.steps, _rounds(plan, tables), strict=True):
        if step.leaves is None:
            total = total + summed.sum(axis=-1)
    return total


def _backward(argnums: Sequence[int], answer: Any, args: Sequence[Any], kwargs: Any) -> Any:
    def vjp(g: Any) -> list[numpy.ndarray]:
        with numpy.errstate(all="ignore"):
            found = _gradients(args[0], args[1:], g)
        return [found[argnum - 1] for argnum in argnums]

    return vjp


defvjp_argnums(_log_total, _backward)


def _gradients(plan: Plan, tables: Sequence[numpy.ndarray], g: numpy.ndarray) -> list[numpy.ndarray]:
    """The gradient of the log of the sum by every table: the probabilities of its entries, times g (S,)."""
    rounds = _rounds(plan, tables)
    adjoints = [numpy.zeros(table.shape) for table in tables]
    adjoints += [numpy.zeros(summed.shape) for step, (_, summed) in zip(plan.steps, rounds, strict=True) if step.leaves]
    for adjoint, rows in zip(adjoints, plan.constants, strict=False):
        if len(rows):
            adjoint[_first(adjoint)][:, rows] += _over(g[:, None], len(adjoint))
    for step, (joined, summed) in zip(reversed(plan.steps), reversed(rounds), strict=True):
        own = g[:, None] if step.leaves is None else adjoints[step.leaves]
        shares = numpy.exp(joined - numpy.where(numpy.isfinite(summed), summed, 0.0)[:, None])
        adjoint = shares * own[:, None]
        for part in step.contributions:
            _hand_back(part, adjoint, adjoints[part.table])
    return adjoints[: len(tables)]


def _first(table: numpy.ndarray) -> tuple[Any, ...]:
    """The key of the first entries of all rows."""
    return (slice(None), *([0] * (table.ndim - 2)))


def _over(array: numpy.ndarray, draws: int) -> numpy.ndarray:
    """Summed over draws, for a table that is the same for all."""
    return array if len(array) == draws else array.sum(axis=0, keepdims=True)


def _joined(step: Step, tables: Sequence[numpy.ndarray]) -> numpy.ndarray:
    """The sum of all that is said of a step's elements: (S, *values of the element and its neighbours, n)."""
    total: Any = 0.0
    for part in step.contributions:
        total = total + _contributed(part, tables[part.table])
    full = (len(total), *step.counts, len(step.elements))
    return numpy.broadcast_to(total, full)


def _contributed(part: Contribution, table: numpy.ndarray) -> numpy.ndarray:
    key, order, shape = _layout(part, table)
    picked = table[key][..., _rows(part)].transpose(order)
    return numpy.asarray(gather.add_up.fun(picked.reshape((len(table), *shape, picked.shape[-1])), part.into, -1))


def _hand_back(part: Contribution, adjoint: numpy.ndarray, into: numpy.ndarray) -> None:
    """Add the adjoint of a step's joined table to that of a table that went into it."""
    key, order, _ = _layout(part, into)
    by_row = gather.gather.fun(adjoint, part.into, -1)
    absent = tuple(1 + i for i, axis in enumerate(part.order) if axis < 0)
    present = _over(by_row.sum(axis=absent) if absent else by_row, len(into))
    into[key][..., _rows(part)] += present.transpose(numpy.argsort(order))


def _rows(part: Contribution) -> Any:
    rows = part.rows
    return rows.index if rows.run is None else slice(rows.run, rows.run + rows.index.size)


def _layout(part: Contribution, table: numpy.ndarray) -> tuple[tuple[Any, ...], list[int], tuple[int, ...]]:
    """How the entries of a table are arranged for a step: the key that leaves out columns in which no element of these
    rows stands (their first entry counts), the order of the axes left, and the step's shape, of draws and rows none.
    """
    present = [axis for axis in part.order if axis >= 0]
    key = (slice(None), *(slice(None) if axis in present else 0 for axis in range(table.ndim - 2)))
    left = sorted(present)
    order = [0, *(1 + left.index(axis) for axis in present), len(left) + 1]
    return key, order, tuple(table.shape[1 + axis] if axis >= 0 else 1 for axis in part.order)


def _given_neighbours(step: Step, table: numpy.ndarray, found: numpy.ndarray) -> numpy.ndarray:
    """A step's table at the drawn values of the neighbours: (S, values of the element, n)."""
    draws, n = len(table), len(step.elements)
    own = numpy.moveaxis(table, 1, -1)  # (S, *neighbours' values, n, values)
    where: list[Any] = [numpy.arange(draws)[:, None]]
    where += [found[:, step.neighbours[:, k]] for k in range(step.neighbours.shape[1])]
    where.append(numpy.broadcast_to(numpy.arange(n), (draws, n)))
    return numpy.moveaxis(own[tuple(where)], -1, 1)
