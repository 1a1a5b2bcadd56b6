"""weighted draws of one name -> its summary."""

from __future__ import annotations

import numpy as np

from ppl.data.axes import Axis
from ppl.report.record import Quantity


def summarise(
    name: str, role: str, axes: tuple[Axis, ...], values: np.ndarray, weights: np.ndarray, chosen: np.ndarray
) -> Quantity:
    """The summary of draws (P, *shape) with weights (P,) that sum to 1; `chosen` picks S equally weighted ones.

    The Monte Carlo error is that of self-normalised importance sampling, sqrt(sum w^2 (x - mean)^2).
    """
    flat = values.reshape(len(values), -1)
    mean = weights @ flat
    deviation2 = (flat - mean) ** 2
    sd = np.sqrt(weights @ deviation2)
    mcse = np.sqrt(weights**2 @ deviation2)
    draws = flat[chosen]
    quantiles = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
    shape = values.shape[1:]
    q5, q50, q95 = (quantile.reshape(shape) for quantile in quantiles)
    return Quantity(
        name, role, axes, draws.reshape(len(chosen), *shape), mean.reshape(shape), sd.reshape(shape), q5, q50, q95,
        mcse.reshape(shape),
    )  # fmt: skip
