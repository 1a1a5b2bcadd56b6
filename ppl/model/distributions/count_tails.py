"""Log tails of families of whole numbers, for any x: log P(X <= x) and log P(X > x)."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric import reduce
from ppl.numeric.special import elementwise, floor
from ppl.values import dataclass


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


@dataclass(frozen=True, slots=True)
class _Tail:
    """log P(X <= x), or P(X > x) if `upper`, as a sum over the counts 0 to n. As a class it can be pickled."""

    density: Any
    upper: bool

    def __call__(self, *arguments: Any) -> Any:
        return reduce.logsumexp.fun(self.table(*arguments)[0], -1)

    def table(self, x: Any, n: Any, *parameters: Any) -> tuple[Any, Any]:
        """The log densities on one side of x over a last axis, and the arguments for it."""
        x, *given = (numpy.asarray(each, dtype=float)[..., None] for each in (x, n, *parameters))
        counts = numpy.arange(numpy.max(n, initial=0.0) + 1)
        chosen = (counts > x) if self.upper else (counts <= x)
        return numpy.where(chosen, self.density(counts, *given), -numpy.inf), (counts, *given)


@dataclass(frozen=True, slots=True)
class _Slope:
    """Its derivative by a parameter: the average of that of the log density."""

    tail: _Tail
    partial: Any

    def __call__(self, *arguments: Any) -> Any:
        log_densities, counts = self.tail.table(*arguments)
        weights = reduce.softmax(log_densities, -1)
        return numpy.sum(weights * numpy.where(weights > 0, self.partial(*counts), 0.0), axis=-1)


def summed_tail(density: Any, partials: Any, upper: bool, name: str) -> Any:
    """log P(X <= x), or P(X > x) if `upper`, as a sum over the counts 0 to n, for what has no closed form.

    `density(x, n, *parameters)` and its `partials` by the parameters are elementwise. Memory is that of n times the
    arguments.
    """
    tail = _Tail(density, upper)
    slopes = (elementwise(_Slope(tail, partial), name=f"slope_of_{name}") for partial in partials)
    return elementwise(tail, None, None, *slopes, name=name)
