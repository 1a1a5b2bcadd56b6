"""A slow interpreter of the syntax tree: the log joint density of a program, number by number.

It shares no code with the compiler: names, axes, lifting, indices, densities and sums over discrete unknowns are done
again here, one number at a time, in the plainest way. What it says is what the language means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ppl.data.dataset import Dataset
from ppl.language import syntax as s
from tests.interpreter.enumeration import clamped, log_sum, log_sum_by_force, over_guesses, tables
from tests.interpreter.expressions import NOWHERE, read
from tests.interpreter.program import World


class Interpreter:
    """A program with data, at values of its continuous latents.

    `values` may hold simulated names, which then count, and for an observed name with empty cells the values of these
    in order. Discrete latents are summed out.
    """

    def __init__(self, program: s.Program, data: Dataset, values: Mapping[str, Any]):
        with np.errstate(all="ignore"):
            self.world = World(program, data, values)
            self.tables = tables(self.world)

    def log_density(self, by_force: bool = False) -> float:
        with np.errstate(all="ignore"):
            return log_sum_by_force(self.tables) if by_force else log_sum(self.tables)

    def probabilities(self, name: str) -> np.ndarray:
        """P(element = k | data, values) of a discrete latent: its shape, and an axis over k, from its lowest value."""
        shape = self.world.named(name).shape
        with np.errstate(all="ignore"):
            whole = log_sum(self.tables)
            rows = {}
            for place in np.ndindex(shape):
                domain = self.world.domain((name, place))
                rows[place] = [
                    np.exp(log_sum(clamped(self.tables, (name, place), k)) - whole) for k in range(len(domain))
                ]
        found = np.zeros((*shape, max(map(len, rows.values()))))
        for place, row in rows.items():
            found[place][: len(row)] = row
        return found

    def expectation(self, name: str) -> np.ndarray:
        """Of a derived name, over the discrete latents, by brute force for each element."""
        with np.errstate(all="ignore"):
            found = self.world.named(name)
            mean = np.zeros(found.shape)
            for place in np.ndindex(found.shape):
                scope, values = over_guesses(self.world, lambda place=place: float(found.at(place)))
                whole = log_sum(self.tables)
                for guess, number in values.items():
                    parts = self.tables
                    for variable, value in zip(scope, guess, strict=True):
                        parts = clamped(parts, variable, self.world.domain(variable).index(value))
                    mean[place] += number * np.exp(log_sum(parts) - whole)
        return mean

    def value(self, name: str) -> np.ndarray:
        """What a name without discrete latents stands for."""
        with np.errstate(all="ignore"):
            return read(self.world, s.Name(name, self.world.program.statements[0].span), NOWHERE).numpy()
