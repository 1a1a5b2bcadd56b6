"""record, names asked for -> the scalars to draw, each with its label and its draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.language.errors import UsageError, nearest
from ppl.report.record import Quantity, Record
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One number of the posterior: its label, the name it belongs to, and its draws (S,)."""

    label: str
    name: str
    role: str
    draws: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        return self.draws[np.isfinite(self.draws)]

    @property
    def constant(self) -> bool:
        return bool(np.all(self.draws == self.draws[0]))

    @property
    def whole(self) -> bool:
        """Whether all draws are whole numbers, and few different ones."""
        finite = self.finite
        return bool(finite.size and np.all(finite == np.round(finite)) and np.ptp(finite) <= 60)


def chosen(record: Record, names: Sequence[str], most: int) -> tuple[list[Scalar], int]:
    """At most so many scalars, and how many were meant: those of `names` ("theta", "theta[Choate]"), or all of the
    summary. Of names with many elements all get a share. Raises `UsageError` for a name that the fit does not hold.
    """
    if names:
        found = [scalar for name in names for scalar in _named(record, name)]
        return found[:most], len(found)
    shown = record.shown()
    wanted = sum(quantity.size for quantity in shown)
    if wanted <= most:
        return [scalar for quantity in shown for scalar in scalars_of(quantity)], wanted
    left, kept = most, {}
    for i, quantity in enumerate(sorted(shown, key=lambda quantity: quantity.size)):
        kept[quantity.name] = min(quantity.size, max(left // (len(shown) - i), 0))
        left -= kept[quantity.name]
    return [scalar for quantity in shown for scalar in scalars_of(quantity, kept[quantity.name])], wanted


def scalars_of(quantity: Quantity, most: int | None = None) -> list[Scalar]:
    """The first elements of a quantity, in C order."""
    flat = quantity.draws.reshape(len(quantity.draws), -1).astype(np.float64)
    return [Scalar(label, quantity.name, quantity.role, flat[:, i]) for i, label in enumerate(quantity.labels()[:most])]


def _named(record: Record, name: str) -> list[Scalar]:
    if name in record.quantities:
        return scalars_of(record.quantities[name])
    stem = name.partition("[")[0]
    if stem in record.quantities and "[" in name:
        found = scalars_of(record.quantities[stem])
        hits = [scalar for scalar in found if scalar.label == name]
        if hits:
            return hits
        likely = nearest(name, [scalar.label for scalar in found])
        raise UsageError(
            f"--of {name}: `{stem}` has no such element"
            + (f"; did you mean `{likely}`?" if likely else f"; the first is `{found[0].label}`" if found else "")
        )
    likely = nearest(name, record.quantities)
    meant = f"did you mean `{likely}`?" if likely else f"it holds {', '.join(list(record.quantities)[:12])}"
    raise UsageError(f"--of {name}: the fit holds no such name; {meant}")
