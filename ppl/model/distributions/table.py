"""All families by name: the one table that the language knows distributions from."""

from __future__ import annotations

from ppl.model.distributions import counts, interval, matrices, positive, real_line, series, vectors
from ppl.model.distributions.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family
    for module in (real_line, positive, interval, counts, vectors, series, matrices)
    for family in module.FAMILIES
}
