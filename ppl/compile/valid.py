"""a family and its parameters -> draws of it, NaN where the parameters are none the family can have."""

from __future__ import annotations

import numpy as np

from ppl.model.distribution import Distribution


def draw_where_valid(
    distribution: Distribution,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    given: list[np.ndarray],
    parameters: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Draws of that shape, draws first and event last, from the `given` parameters and the canonical ones they make.

    NumPy refuses a whole array for one wrong element: those are drawn from the parameters of another, and thrown away.
    """
    family = distribution.family
    plates = shape[: len(shape) - family.event_rank]
    valid = np.ones(plates, dtype=bool)
    for value, parameter in zip(given, distribution.form.parameters, strict=True):
        number = ~np.isnan(value).any(axis=tuple(range(-parameter.event_rank, 0)))
        valid &= number & parameter.requirement.holds_quickly(value, parameter.event_rank)
    if valid.all():
        return np.asarray(family.draw(rng, shape, *parameters), dtype=np.float64)
    if not valid.any():
        return np.full(shape, np.nan)
    first = tuple(np.argwhere(valid)[0])
    filled = []
    for value in parameters:
        inner = value.shape[len(plates) :]
        whole = np.broadcast_to(value, (*plates, *inner))
        filled.append(np.where(valid[(..., *[None] * len(inner))], whole, whole[first]))
    found = np.asarray(family.draw(rng, shape, *filled), dtype=np.float64)
    return np.where(valid[(..., *[None] * family.event_rank)], found, np.nan)
