"""A plan of elimination, run over S draws: the log of the sum over all discrete values, and draws of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric import gather, reduce
from ppl.rewrite.eliminate import Contribution, Plan, Step
from ppl.rewrite.sum_out import SummedOut


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """The sum over discrete latents of these `shapes`, from tables (S, *values, rows) in the order of the plan."""

    summed: SummedOut
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def plan(self) -> Plan:
        return self.summed.plan

    def log_total(self, tables: Sequence[Any]) -> Any:
        """(S,): the log of the sum of the product of all tables. Differentiable by autograd."""
        total: Any = 0.0
        for table, rows in zip(tables, self.plan.constants, strict=True):
            if len(rows):
                first = table[(slice(None), *([0] * (np.ndim(table) - 2)))]
                total = total + np.sum(first[:, rows], axis=1)
        for summed, step in self._summed(tables):
            if step.leaves is None:
                total = total + np.sum(summed, axis=-1)
        return total

    def _summed(self, given: Sequence[Any]) -> Any:
        tables = list(given)
        for step in self.plan.steps:
            summed = reduce.logsumexp(_joined(step, tables), -len(step.counts) - 1)
            if step.leaves is not None:
                tables.append(summed)
            yield summed, step

    def draw(
        self, tables: Sequence[numpy.ndarray], draws: int, rng: numpy.random.Generator
    ) -> dict[str, numpy.ndarray]:
        """Joint draws (S, *shape) of all discrete latents, by sampling backwards."""
        given = list(tables)
        joined = []
        for step in self.plan.steps:
            joined.append(numpy.asarray(_joined(step, given)))
            if step.leaves is not None:
                given.append(reduce.logsumexp(joined[-1], -len(step.counts) - 1))
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


def _joined(step: Step, tables: Sequence[Any]) -> Any:
    """The sum of all that is said of a step's elements: (S, *values of the element and its neighbours, n)."""
    total: Any = 0.0
    for part in step.contributions:
        total = total + _contributed(part, tables[part.table], len(step.counts))
    shape = np.shape(total)
    full = (shape[0], *step.counts, len(step.elements))
    return total if shape == full else total + numpy.zeros(full)


def _contributed(part: Contribution, table: Any, axes: int) -> Any:
    picked = gather.gather(table, part.rows, -1)
    present = [axis for axis in part.order if axis >= 0]
    unused = [axis for axis in range(np.ndim(table) - 2) if axis not in present]
    if unused:  # columns in which no element of these rows stands: their first entry counts
        picked = picked[(slice(None), *(0 if axis in unused else slice(None) for axis in range(np.ndim(table) - 2)))]
    left = sorted(present)
    turned = np.transpose(picked, (0, *(1 + left.index(axis) for axis in present), np.ndim(picked) - 1))
    lengths = iter(np.shape(turned)[1:-1])
    shape = [next(lengths) if axis >= 0 else 1 for axis in part.order]
    assert len(shape) == axes
    wide = np.reshape(turned, (len(turned), *shape, np.shape(turned)[-1]))
    return gather.add_up(wide, part.into, -1)


def _given_neighbours(step: Step, table: numpy.ndarray, found: numpy.ndarray) -> numpy.ndarray:
    """A step's table at the drawn values of the neighbours: (S, values of the element, n)."""
    draws, n = len(table), len(step.elements)
    own = numpy.moveaxis(table, 1, -1)  # (S, *neighbours' values, n, values)
    where: list[Any] = [numpy.arange(draws)[:, None]]
    where += [found[:, step.neighbours[:, k]] for k in range(step.neighbours.shape[1])]
    where.append(numpy.broadcast_to(numpy.arange(n), (draws, n)))
    return numpy.moveaxis(own[tuple(where)], -1, 1)
