"""Constraints on whole vectors, `Ordered` and `ZeroSum`: the constants of their densities, quantiles, and draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.real_line import HALF_LOG_TWO_PI

CONSTRAINTS = {"Ordered": "ordered", "ZeroSum": "zero_sum"}  # wrappers, and the events they give

_SWEEPS = 100  # of the Gibbs sampler that draws ordered vectors of unlike elements


def log_density_of_sum(mean: Any, sd: Any) -> Any:
    """log density, at 0, of sum(x)/sqrt(n) for independent normal x (..., n): what it takes to know that they sum to 0.

    Dividing it out leaves the density of x on the plane of zero sums, by its area; for equal sds that is
    ((2 pi)^(1/2) sd)^-(n - 1) exp(-sum(x^2) / (2 sd^2)).
    """
    n = np.shape(mean)[-1]
    variance = np.sum(sd**2, axis=-1) / n
    return -0.5 * np.sum(mean, axis=-1) ** 2 / (n * variance) - 0.5 * np.log(variance) - HALF_LOG_TWO_PI


def sum_over_event(x: Any) -> Any:
    return np.sum(x, axis=-1)


def known_to_sum_to_zero(x: Any, sd: Any) -> numpy.ndarray:
    """Draws of independent normal x (..., n), moved to what they are where it is known that they sum to 0."""
    variance = sd**2 + numpy.zeros(x.shape)
    return numpy.asarray(x - variance * (x.sum(axis=-1) / variance.sum(axis=-1))[..., None])


Quantile = Callable[[Any, Any, Any], numpy.ndarray]  # (probabilities, lower, upper) -> values between the two


def draw_ordered(rng: numpy.random.Generator, shape: tuple[int, ...], quantile: Quantile, alike: bool) -> numpy.ndarray:
    """Increasing vectors of that shape: sorted, where the elements are alike, else by Gibbs sampling."""
    x = numpy.sort(quantile(rng.random(shape), None, None), axis=-1)
    n = shape[-1]
    for _ in range(0 if alike else _SWEEPS):
        for i in range(n):
            lower = None if i == 0 else x[..., i - 1 : i]
            upper = None if i == n - 1 else x[..., i + 1 : i + 2]
            x[..., i] = quantile(rng.random(shape), lower, upper)[..., i]
    return x


def spread_out(n: int) -> numpy.ndarray:
    """Probabilities at which n ordered elements may begin."""
    return (numpy.arange(n) + 0.5) / n
