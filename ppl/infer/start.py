"""model -> points to begin from: the medians of the priors, dispersed ones, draws from the priors, mirror images."""

from __future__ import annotations

import numpy as np

from ppl.compile.blocks import Block
from ppl.compile.joint import LogJoint
from ppl.compile.simulate import canonical_of, draw, quantile_between
from ppl.model import transforms
from ppl.model.distributions.constraint import spread_out
from ppl.model.indexing import picked_places
from ppl.model.terms import ancestors, inputs

_FURTHEST = 5.0  # from 0, of a coordinate of a bounded latent: vague priors have medians far out
_WIDTH = 2.0  # dispersed points lie within this of 0, as Stan's do
_FURTHEST_DRAW = 15.0  # from 0, of a coordinate of a bounded latent drawn from its prior
_REAL = (transforms.IDENTITY, transforms.NONCENTRED, transforms.NONCENTRED_VECTOR)
_SMALL = 0.1  # sd of the elements of a vector that begins at random
_MAGNITUDES = 4  # powers of ten over which a latent without a proper prior is spread


def starting_points(joint: LogJoint, rng: np.random.Generator, dispersed: int) -> np.ndarray:
    """Unconstrained points (N, D), the likeliest first, then `dispersed` opposite pairs."""
    points = [_prior_medians(joint)]
    for _ in range(dispersed):  # opposite points: a mode often has its mirror image
        point = rng.uniform(-_WIDTH, _WIDTH, joint.dimension)
        points += [point, -point]
    return np.array(points)


def first_point(joint: LogJoint, rng: np.random.Generator) -> np.ndarray:
    """Where points (`Param`) begin, and latents at the medians of their priors: one unconstrained point (D,).

    Points without a start of their own: arrays begin at random, a matrix with sd 1/sqrt(rows), as what multiplies it
    from the left keeps its size then, with sd 1 if its rows are picked by an index, of which no sum is taken; single
    numbers at the middle of their bounds, one above or below a single bound.
    """
    z = _prior_medians(joint)
    for block in joint.blocks:
        if block.latent.is_point and block.shape:
            drawn = rng.standard_normal(block.stop - block.start)
            scale = _SMALL if len(block.shape) == 1 else block.shape[-2] ** -0.5
            if len(block.shape) == 2 and _is_looked_up(joint, block.name):
                scale = 1.0
            begins = np.isfinite(_begins(block)).reshape(-1)
            own = slice(block.start, block.stop)
            z[own] = np.where(begins, z[own], scale * drawn)
    return z


def _is_looked_up(joint: LogJoint, name: str) -> bool:
    """Whether a matrix is only used by its rows, `W[kind]`, and these in no product."""
    every = ancestors([part.log_prob for part in joint.parts])
    uses = [term for term in every if any(arg.source == name for arg in term.args)]
    picked = {id(term) for term in uses}
    multiplied = (
        term.op is not None and term.op.core_rank(i) > 0 and id(arg) in picked
        for term in every
        for i, arg in enumerate(term.args)
    )  # fmt: skip
    return bool(uses) and all(picked_places(term) == (0,) for term in uses) and not any(multiplied)


def _begins(block: Block) -> np.ndarray:
    """The starts that a point was given, over its coordinates; no number where it was given none."""
    parameters, _, _ = canonical_of(block.piece, {}, 1)
    given = np.broadcast_to(parameters[0][0], block.piece.shape)
    return given if given.shape == block.shape else np.full(block.shape, given.reshape(-1)[0])


def prior_draws(joint: LogJoint, rng: np.random.Generator, count: int) -> np.ndarray:
    """Unconstrained points (N, D) drawn from the priors, and widely spread where a prior cannot be drawn from."""
    z = rng.uniform(-_WIDTH, _WIDTH, (count, joint.dimension))
    values: dict[str, np.ndarray] = {}
    for block in joint.blocks:
        coordinates = slice(block.start, block.stop)
        drawn = _drawn(block, values, count, rng)
        real = block.transform is transforms.IDENTITY
        if real:
            z[:, coordinates] *= 10.0 ** rng.integers(0, _MAGNITUDES, (count, 1))
        if drawn is not None:
            near = np.isfinite(drawn) if real else np.abs(drawn) <= _FURTHEST_DRAW
            z[:, coordinates] = np.where(near, drawn, z[:, coordinates])
        values = joint.constrain(z)
    return z


def mirror_images(joint: LogJoint, z: np.ndarray) -> np.ndarray:
    """Points (2, D) that are as likely as z (D,) where signs can flip, or elements of vectors change places."""
    flipped, reversed_ = z.copy(), z.copy()
    for block in joint.blocks:
        coordinates = slice(block.start, block.stop)
        if block.transform in _REAL:
            flipped[coordinates] *= -1
        reversed_[coordinates] = (
            z[coordinates].reshape(block.shape)[..., ::-1].reshape(-1) if block.shape else z[coordinates]
        )
    return np.array([flipped, reversed_])


def _prior_medians(joint: LogJoint) -> np.ndarray:
    """Each latent at the median of its distribution, given those before it at theirs; 0 where there is none."""
    z = np.zeros(joint.dimension)
    values: dict[str, np.ndarray] = {}
    for block in joint.blocks:
        own = _median(block, values)
        if own is not None:
            found = _coordinates(block, values, own)[0]
            near = np.isfinite(found) if block.transform is transforms.IDENTITY else np.abs(found) <= _FURTHEST
            z[block.start : block.stop] = np.where(near, found, 0.0)
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


def _drawn(block: Block, values: dict[str, np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Coordinates (N, of the block) of draws of a piece, given N draws of what it depends on."""
    if not values.keys() >= set(inputs([*block.piece.distribution.all_terms])):
        return None
    if not block.piece.distribution.family.renormalised:  # it is no distribution
        return None
    return _coordinates(block, values, draw(block.piece, values, count, rng))


def _coordinates(block: Block, values: dict[str, np.ndarray], theta: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        lower, upper = block.bounds_at(values)
        return np.reshape(block.transform.unconstrain(theta, lower, upper), (len(theta), block.stop - block.start))
