"""model -> points to begin from: the medians of the priors, and dispersed ones."""

from __future__ import annotations

import numpy as np

from ppl.compile.blocks import Block
from ppl.compile.joint import LogJoint
from ppl.compile.simulate import canonical_of, quantile_between
from ppl.model.distributions.constraint import spread_out
from ppl.model.terms import inputs

_FURTHEST = 5.0  # from 0, of a coordinate of a bounded latent: vague priors have medians far out
_WIDTH = 2.0  # dispersed points lie within this of 0, as Stan's do


def starting_points(joint: LogJoint, rng: np.random.Generator, dispersed: int) -> list[np.ndarray]:
    """Unconstrained points (D,), the likeliest first, then `dispersed` opposite pairs."""
    points = [_prior_medians(joint)]
    for _ in range(dispersed):  # opposite points: a mode often has its mirror image
        point = rng.uniform(-_WIDTH, _WIDTH, joint.dimension)
        points += [point, -point]
    return points


def _prior_medians(joint: LogJoint) -> np.ndarray:
    """Each latent at the median of its distribution, given those before it at theirs; 0 where there is none."""
    z = np.zeros(joint.dimension)
    values: dict[str, np.ndarray] = {}
    for block in joint.blocks:
        own = _median(block, values)
        if own is not None:
            with np.errstate(all="ignore"):
                z[block.start : block.stop] = _coordinates(block, values, own)
        values = joint.constrain(z[None])
    return z


def _median(block: Block, values: dict[str, np.ndarray]) -> np.ndarray | None:
    distribution = block.piece.distribution
    family = distribution.family
    if family.quantile is None and family.mean is None:
        return None
    if not values.keys() >= set(inputs(distribution.parameters)):  # they depend on discrete latents
        return None
    with np.errstate(all="ignore"):
        parameters, lower, upper = canonical_of(block.piece, values, 1)
        if distribution.constraint == "ordered" and family.quantile is not None:
            u = np.broadcast_to(spread_out(block.piece.shape[-1]), (1, *block.piece.shape))
            median = np.sort(quantile_between(distribution, parameters, lower, upper, u), axis=-1)
        elif family.quantile is not None:
            median = family.quantile(0.5, *parameters)
        else:
            assert family.mean is not None
            median = family.mean(*parameters)
    return np.broadcast_to(np.asarray(median, dtype=float), (1, *block.piece.shape))


def _coordinates(block: Block, values: dict[str, np.ndarray], theta: np.ndarray) -> np.ndarray:
    lower, upper = block.bounds_at(values)
    z = np.reshape(block.transform.unconstrain(theta, lower, upper), block.stop - block.start)
    if block.transform.name == "real":
        return np.where(np.isfinite(z), z, 0.0)
    return np.where(np.abs(z) <= _FURTHEST, z, 0.0)
