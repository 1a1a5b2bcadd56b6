"""Families of angles, in radians: densities that repeat every turn, and integrate to one over a turn."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import NONNEGATIVE, Family, Form, Parameter, Support
from ppl.numeric.circle import TURN, log_von_mises, von_mises_share


def log_share_between(lower: Any, upper: Any, mean: Any, concentration: Any) -> Any:
    """log of the integral of the density from `lower` to `upper`: 0 over one turn, wherever it begins."""
    return np.log(von_mises_share(upper - mean, concentration) - von_mises_share(lower - mean, concentration))


def _draw_von_mises(rng: numpy.random.Generator, shape: tuple[int, ...], mean: Any, concentration: Any) -> Any:
    """Within half a turn of 0."""
    angle = mean + rng.vonmises(0.0, concentration, shape)
    return angle - TURN * numpy.round(angle / TURN)


VON_MISES = Family(
    "VonMises",
    (
        Form(
            (Parameter("mean"), Parameter("concentration", NONNEGATIVE)),
            lambda x, mean, concentration: log_von_mises(x - mean, concentration),
        ),
    ),
    Support("circle"),
    draw=_draw_von_mises,
    mean=lambda mean, concentration: mean - TURN * np.floor(mean / TURN + 0.5) + 0.0 * concentration,
    log_between=log_share_between,
)

FAMILIES = (VON_MISES,)
