"""A family, its parameters and bounds -> the log of the probability between the bounds."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np

from ppl.model.distributions.family import Family
from ppl.numeric.special import log1mexp, smaller


def log_mass(family: Family, parameters: tuple[Any, ...], lower: Any, upper: Any) -> Any:
    """log P(lower <= X <= upper), each part from the tail in which it is small; one of the bounds may be None."""
    if family.log_between is not None:
        return family.log_between(lower, upper, *parameters)
    log_cdf, log_sf = family.log_cdf, family.log_sf
    assert log_cdf is not None and log_sf is not None
    before = lower if lower is None or not family.discrete else lower - 1.0  # P(X >= 3) is P(X > 2)
    if upper is None:
        return log_sf(before, *parameters)
    if lower is None:
        return log_cdf(upper, *parameters)
    below, above = log_cdf(upper, *parameters), log_sf(before, *parameters)
    from_below = below + log1mexp(smaller(log_cdf(before, *parameters) - below, -1e-300))
    from_above = above + log1mexp(smaller(log_sf(upper, *parameters) - above, -1e-300))
    return np.where(below < above, from_below, from_above)
