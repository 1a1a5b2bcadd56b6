"""Angles -> shares of the von Mises law, as autograd primitives."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric.quadrature import shares_and_weights
from ppl.numeric.special import elementwise
from ppl.numeric.ufuncs import special

TURN = 2 * numpy.pi
_FURTHEST = 40.0  # nats below its peak a density is left out


mean_cosine: Any = elementwise(
    lambda concentration: special.i1e(concentration) / special.i0e(concentration),
    lambda concentration: 1 - mean_cosine(concentration) / concentration - mean_cosine(concentration) ** 2,
    name="mean_cosine",
)


log_von_mises = elementwise(
    lambda angle, concentration: (
        -2 * concentration * numpy.sin(0.5 * angle) ** 2 - numpy.log(TURN * special.i0e(concentration))
    ),
    lambda angle, concentration: -concentration * np.sin(angle),
    lambda angle, concentration: np.cos(angle) - mean_cosine(concentration),
    name="log_von_mises",
)  # the log density over one turn, at an angle from the mean


def _integral(angle: Any, concentration: Any, weight: Any) -> Any:
    """Of density times `weight(t)` from 0 to an angle within half a turn, by 64 points where there is any density."""
    angle, concentration = numpy.broadcast_arrays(numpy.asarray(angle, float), numpy.asarray(concentration, float))
    reach = 2 * numpy.arcsin(numpy.sqrt(numpy.minimum(0.5 * _FURTHEST / numpy.maximum(concentration, 1e-300), 1.0)))
    end = numpy.clip(angle, -reach, reach)[..., None]
    shares, weights = shares_and_weights(64)
    t = end * shares
    spread = concentration[..., None]
    density = numpy.exp(-2 * spread * numpy.sin(0.5 * t) ** 2) / (TURN * special.i0e(spread))
    return numpy.sum(0.5 * end * weights * density * weight(t, spread), axis=-1)


def _share(angle: Any, concentration: Any) -> Any:
    turns = numpy.round(angle / TURN)
    return turns + _integral(angle - turns * TURN, concentration, lambda t, spread: 1.0)


def _share_by_concentration(angle: Any, concentration: Any) -> Any:
    rest = angle - numpy.round(angle / TURN) * TURN
    return _integral(rest, concentration, lambda t, spread: numpy.cos(t) - special.i1e(spread) / special.i0e(spread))


von_mises_share = elementwise(
    _share,
    lambda angle, concentration: np.exp(log_von_mises(angle, concentration)),
    elementwise(_share_by_concentration, name="share_by_concentration"),
    name="von_mises_share",
)
