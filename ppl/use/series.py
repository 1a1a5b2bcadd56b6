"""model, data -> a series that was observed as a random name, which is drawn forward from its first values.

A name that depends on its own past, directly or through derived names, cannot be drawn all at once, given itself as it
was observed. Its values are taken away, but for those at the beginning that no statement gives a distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import networkx as nx
import numpy as np

from ppl.compile.extend import random_names
from ppl.compile.replicate import CannotReplicate, column_of
from ppl.compile.simulate import draw_latent, positions_of
from ppl.data.column import Column
from ppl.data.dataset import Dataset
from ppl.language.errors import PplError
from ppl.language.parser import parse
from ppl.model.graph import Latent, Model
from ppl.model.names import find_names
from ppl.model.program import compile_terms, evaluate
from ppl.model.settle import settle
from ppl.values import dataclass

_MOST_GIVEN = 12  # values at the beginning
_MOST_ROUNDS = 400_000_000  # numbers: each element is drawn with all others of its statement


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """An observed name that depends on its own past: `seen` (*shape) are those of its values that are `drawn`."""

    column: Column
    drawn: np.ndarray
    latent: Latent

    @property
    def seen(self) -> np.ndarray:
        """(elements,), categories counting from 1."""
        values = np.asarray(self.column.values, dtype=np.float64)[self.drawn]
        return values + 1 if self.column.levels is not None else values

    def most_draws(self, wanted: int) -> int:
        """How many replicates are affordable: at least 50."""
        return int(min(wanted, max(50, _MOST_ROUNDS // max(1, int(self.drawn.sum())) ** 2)))

    def replicates(self, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (S, elements) of what was observed, given S draws of all latents. Raises `CannotReplicate`."""
        others = {name: value for name, value in values.items() if name != self.column.name}
        cells = draw_latent(self.latent, others, draws, rng)
        self._check_forward({name: value[:1] for name, value in others.items()}, cells[:1], rng)
        numbers = np.cumsum(self.drawn_or_missing.reshape(-1)) - 1
        return cells.reshape(draws, -1)[:, numbers[self.drawn.reshape(-1)]]

    def _check_forward(self, values: Mapping[str, np.ndarray], cells: np.ndarray, rng: np.random.Generator) -> None:
        """Raises `CannotReplicate` where values depend on later ones: their density changes as these do."""
        latent, flat = self.latent, cells.reshape(1, -1)
        other = rng.permuted(flat, axis=1)
        for cut in {flat.size // 3, 2 * flat.size // 3, flat.size - 1}:
            changed = np.where(np.arange(flat.size) < cut, flat, other)
            for piece in latent.pieces:
                program = compile_terms([piece.log_prob])
                early = positions_of(latent, piece) < cut
                with np.errstate(all="ignore"):
                    one, two = (
                        evaluate(program, {**values, latent.name: x.reshape(1, *latent.shape)}, 1)[0].reshape(-1)[early]
                        for x in (flat, changed)
                    )
                if not np.allclose(one, two, rtol=1e-9, atol=1e-9, equal_nan=True):
                    raise CannotReplicate(
                        f"`{self.column.name}` depends on its own values, and not on those before alone"
                    )

    def whole(self, cells: np.ndarray) -> np.ndarray:
        """The column (*shape) with these (elements,) in place of those drawn, categories counting from 1."""
        values = np.array(self.column.values, dtype=np.float64)
        values += self.column.levels is not None
        values[self.drawn] = cells
        return values

    @property
    def drawn_or_missing(self) -> np.ndarray:
        """The cells that the latent has: those that were missing in the data are drawn, too, but not looked at."""
        return self.drawn if self.column.missing is None else self.drawn | self.column.missing


def own_past(model: Model) -> list[str]:
    """The observed names that depend on their own values, directly or through derived names."""
    reads = nx.DiGraph()
    for line in find_names(parse(model.source)).lines:
        reads.add_edges_from((used, line.defines) for used in line.uses if line.defines is not None)
    circles = {name for group in nx.strongly_connected_components(reads) if len(group) > 1 for name in group}
    observed = dict.fromkeys(column_of(factor) for factor in model.observed)
    return [name for name in observed if name in circles or reads.has_edge(name, name)]


def series_of(model: Model, given: Dataset, name: str) -> Series:
    """`given` are the data as they were read. Raises `CannotReplicate`."""
    column = given.columns.get(name)
    if column is None or not column.axes or column.unusable is not None:
        raise CannotReplicate(f"`{name}` depends on its own values, and is no column")
    names = find_names(parse(model.source))
    why = ""
    for first in _beginnings(column):
        missing = ~first if column.missing is None else ~first | column.missing
        held = replace(column, values=np.where(missing, _nothing(column), column.values), missing=missing)
        try:
            found = settle(names, replace(given, columns={**given.columns, name: held}, taken_away=True))
        except PplError as error:
            why = why or str(error).splitlines()[0]
            continue
        latent = next((one for one in random_names(found) if one.name == name), None)
        if latent is not None and all(piece.distribution.can_draw for piece in latent.pieces):
            drawn = ~first if column.missing is None else ~first & ~column.missing
            return Series(column, drawn, latent)
    raise CannotReplicate(f"`{name}` depends on its own values, and cannot be drawn forward from its first ones: {why}")


def _beginnings(column: Column) -> Iterator[np.ndarray]:
    """Which values may be given: none, or the first few along one axis, few at first."""
    shape = column.values.shape
    for count in range(_MOST_GIVEN + 1):
        for axis in range(len(shape) if count else 1):
            if count < shape[axis]:
                first = np.zeros(shape, dtype=bool)
                first[(*[slice(None)] * axis, slice(0, count))] = True
                yield first


def _nothing(column: Column) -> float | int:
    return -1 if column.levels is not None else np.nan
