"""log joint split by rows -> its densities at M rows, the numbers of which are inputs: one program for every batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ppl.compile.local_products import changed, local_products
from ppl.compile.row_templates import Templates
from ppl.compile.rowwise import Rowwise
from ppl.model.program import Program
from ppl.numeric.chosen import positions, rows_at


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The parts of a split at `count` rows, in its order.

    `sources` are the arrays of data that other rows change, with the place of the axis; `given` in the calls below are
    these at the rows of the batch, as `arrays` has them: real numbers.
    """

    split: Rowwise
    count: int
    program: Program
    sources: tuple[tuple[int, np.ndarray, int], ...]  # slot, the whole, where the axis is
    products: Mapping[str, tuple[int, ...]]  # results of products that are drawn: their shapes, by the matrix

    def arrays(self, rows: np.ndarray) -> list[np.ndarray]:
        """What the program reads of the data at these rows (from 0)."""
        return [np.take(whole, rows, axis=place) for _, whole, place in self.sources]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [(*w.shape[:place], self.count, *w.shape[place + 1 :]) for _, w, place in self.sources]

    def log_probs(self, values: Mapping[str, Any], given: Sequence[Any]) -> list[Any]:
        """Log densities of each part, with a leading axis of draws or, of data alone, without; nats.

        `values` are constrained latents: those on the axis at the rows alone, the others whole.
        """
        taken: dict[int, Any] = {}
        for (slot, whole, _), array in zip(self.sources, given, strict=True):
            taken[slot] = positions(array) if whole.dtype.kind in "iu" else array
        return replace(self.program, constants={**self.program.constants, **taken}).run(values)

    def over_draws(self, part: int) -> bool:
        """Whether what `log_probs` gives for a part has an axis of draws."""
        return self.program.outputs[part] in self.program.over_draws

    def at(self, part: int) -> int:
        """Where the rows are among the axes of what `log_probs` gives for a part, that of draws left out."""
        templates = self.split.templates
        return templates.places[id(templates.wanted[part])]

    def at_rows(self, name: str, value: Any, rows: Any) -> Any:
        """A latent (S, *shape), where it lives on the axis at rows (M,), given as real numbers."""
        place = self.split.local.get(name)
        return value if place is None else rows_at(value, positions(rows), 1 + place)


def batch_of(split: Rowwise, count: int, drawn: Collection[str] = ()) -> Batch:
    """For so many rows; of products by the latents of these names (of a Normal guide) results are drawn by row, where
    that is possible.
    """
    products = local_products(split, drawn)
    whole = split.templates
    template = Templates(whole.wanted, whole.axis, whole.places, change=changed(products)).of(count)
    shapes = {name: (count, *term.shape[1:]) for name, term in products.items()}
    sources = tuple((slot, whole, place) for slot, (whole, place) in template.sources.items())
    return Batch(split, count, template.program, sources, shapes)
