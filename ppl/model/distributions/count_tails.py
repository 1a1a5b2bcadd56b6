"""Log tails of families of whole numbers, for any x: log P(X <= x) and log P(X > x)."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric import reduce
from ppl.numeric.special import elementwise, floor


def _between_ends(inside: Any, below: float, above: float) -> Any:
    """A log tail for any x, from what holds for whole numbers from 0 to n - 1.

    `inside(x, n, *parameters)` gives arrays of the full shape: the gradient of `where` knows no broadcasting.
    """

    def whole(x: Any, n: Any, *parameters: Any) -> Any:
        x = floor(x)
        within = (x >= 0) & (x < n)
        found = inside(np.where(within, x, 0.0), np.where(within, n, 1.0), *parameters)
        return np.where(within, found, np.where(x < 0, below, above))

    return whole


def cdf_up_to_n(inside: Any) -> Any:
    """`log_cdf(x, n, *parameters)` of a family on 0, ..., n."""
    return _between_ends(inside, -numpy.inf, 0.0)


def sf_up_to_n(inside: Any) -> Any:
    """`log_sf(x, n, *parameters)` of a family on 0, ..., n."""
    return _between_ends(inside, 0.0, -numpy.inf)


def cdf_of_counts(inside: Any, n: float = numpy.inf) -> Any:
    """`log_cdf(x, *parameters)` of a family on 0, 1, 2, ..., or up to a given n."""
    whole = cdf_up_to_n(lambda x, n, *parameters: inside(x, *parameters))
    return lambda x, *parameters: whole(x, n, *parameters)


def sf_of_counts(inside: Any, n: float = numpy.inf) -> Any:
    whole = sf_up_to_n(lambda x, n, *parameters: inside(x, *parameters))
    return lambda x, *parameters: whole(x, n, *parameters)


def summed_tail(density: Any, partials: Any, upper: bool, name: str) -> Any:
    """log P(X <= x), or P(X > x) if `upper`, as a sum over the counts 0 to n, for what has no closed form.

    `density(x, n, *parameters)` and its `partials` by the parameters are elementwise. Memory is that of n times the
    arguments.
    """

    def table(x: Any, n: Any, *parameters: Any) -> tuple[Any, Any]:
        """The log densities on one side of x over a last axis, and the arguments for it."""
        x, *given = (numpy.asarray(each, dtype=float)[..., None] for each in (x, n, *parameters))
        counts = numpy.arange(numpy.max(n, initial=0.0) + 1)
        chosen = (counts > x) if upper else (counts <= x)
        return numpy.where(chosen, density(counts, *given), -numpy.inf), (counts, *given)

    def value(*arguments: Any) -> Any:
        return reduce.logsumexp.fun(table(*arguments)[0], -1)

    def averaged(partial: Any) -> Any:
        def slope(*arguments: Any) -> Any:
            log_densities, counts = table(*arguments)
            weights = reduce.softmax(log_densities, -1)
            return numpy.sum(weights * numpy.where(weights > 0, partial(*counts), 0.0), axis=-1)

        return elementwise(slope, name=f"slope_of_{name}")

    return elementwise(value, None, None, *map(averaged, partials), name=name)
