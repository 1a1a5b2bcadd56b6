"""All families by name: the one table that the language knows distributions from."""

from __future__ import annotations

from ppl.model.distributions import (
    categories,
    circular,
    count_vectors,
    counts,
    interval,
    matrices,
    points,
    positive,
    real_line,
    series,
    skewed,
    vectors,
)
from ppl.model.distributions.family import Family

_MODULES = (
    real_line, skewed, positive, interval, circular, counts, categories, vectors, count_vectors, series, matrices,
    points,
)  # fmt: skip
FAMILIES: dict[str, Family] = {family.name: family for module in _MODULES for family in module.FAMILIES}
