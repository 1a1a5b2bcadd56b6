"""log joint with very many coordinates -> its mean-field guide, in memory of the order of D.

Where each coordinate interacts with few, the Hessian is sparse and Newton's steps lead to the optimum. Elsewhere there
is no linear response and no proof of an optimum: the verdict says so.
"""

from __future__ import annotations

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer import sparse
from ppl.infer.curvature import Directions
from ppl.infer.draws import antithetic, generator
from ppl.infer.objective import LogDensity, MeanField, negative_elbo
from ppl.infer.optimise import lbfgs
from ppl.infer.search import NoStart
from ppl.infer.sparse import SparseOptimum
from ppl.infer.start import mirror_images, prior_draws, starting_points

_DRAWS = 32
_DRAWS_BEFORE = 8  # Newton's steps begin with
_SAME = 1.0  # sds of the guide: ends so close are one mode
_RIVALLING = 10.0  # nats of ELBO
_MOST_STEPS = 60
_WIDEST, _NARROWEST = 0.0, -10.0  # log sigma to begin with
_FROM_PRIOR = 8
_PROBES = 8
_STEP = 1e-3
_ROUNDS = 3  # of preconditioner and descent
_EVALUATIONS = 200  # of each
_TOLERANCE = 1e-4  # nats


def mean_field(
    joint: LogDensity, model: LogJoint, seed: int, streams: tuple[int, int]
) -> tuple[MeanField, float, float]:
    """The guide, its ELBO in nats, and the largest step left, in its own sds. `streams`: starts, guide.

    Raises `NoStart`.
    """
    rng = generator(seed, streams[0])
    mu = _start(joint, model, rng)
    eps = antithetic(generator(seed, streams[1]), _DRAWS, joint.dimension)
    log_sigma = np.full(joint.dimension, -3.0)
    left = np.inf
    for _ in range(_ROUNDS):
        curvature = _diagonal(joint, mu, np.exp(log_sigma), rng)
        log_sigma = np.minimum(log_sigma, -0.5 * np.log(curvature)) if np.isinf(left) else log_sigma

        def precondition(gradient: np.ndarray, curvature: np.ndarray = curvature) -> np.ndarray:
            by_mu, by_log_sigma = np.split(gradient, 2)
            return np.concatenate([by_mu / curvature, 0.5 * by_log_sigma])

        found = lbfgs(
            lambda packed: negative_elbo(joint, MeanField.unpack(packed), eps),
            MeanField(mu, log_sigma).packed(),
            precondition,
            _TOLERANCE,
            _EVALUATIONS,
        )
        mu, log_sigma = np.split(found.x, 2)
        left = float(np.abs(found.gradient[: joint.dimension] * np.exp(log_sigma)).max())
    return MeanField(mu, log_sigma), -found.value, left


def newton(
    joint: LogDensity, model: LogJoint, seed: int, streams: tuple[int, int], directions: Directions, draws: int
) -> SparseOptimum:
    """The guide's optimum over `draws` draws, reached over fewer. `streams`: starts, guide. Raises `NoStart`."""
    mu = _start(joint, model, generator(seed, streams[0]))
    return _way_up(joint, mu, seed, streams[1], directions, (_DRAWS_BEFORE, draws))


def elsewhere(
    joint: LogDensity, model: LogJoint, seed: int, streams: tuple[int, int], directions: Directions, best: SparseOptimum
) -> SparseOptimum | None:
    """Another mode, no farther than 10 nats of ELBO below the best, in which a way up ends from a draw of the prior, or
    from the optimum with its signs flipped, where that is likely too. Over a few draws, on which the optimum is found
    anew.
    """
    drawn = prior_draws(model, generator(seed, streams[0], 1), _FROM_PRIOR)
    flipped = mirror_images(model, best.guide.mu)[:1]
    here, mirrored, *values = joint.value(np.concatenate([best.guide.mu[None], flipped, drawn]))
    starts = [flipped[0]] if mirrored > here - 0.5 * joint.dimension else []
    if np.isfinite(values).any():
        starts.append(drawn[int(np.argmax(np.nan_to_num(values, nan=-np.inf)))])
    eps = antithetic(generator(seed, streams[1], _DRAWS_BEFORE), _DRAWS_BEFORE, joint.dimension)
    again = sparse.maximise(joint, best.guide, eps, directions, _MOST_STEPS)
    for start in starts:
        there = _way_up(joint, start, seed, streams[1], directions, (_DRAWS_BEFORE,))
        apart = np.abs(there.guide.mu - again.guide.mu) / np.maximum(there.guide.sigma, again.guide.sigma)
        if there.elbo > again.elbo - _RIVALLING and apart.max() > _SAME:
            return there
    return None


def _way_up(
    joint: LogDensity, mu: np.ndarray, seed: int, stream: int, directions: Directions, counts: tuple[int, ...]
) -> SparseOptimum:
    """The guide's optimum over the last number of draws, reached over fewer."""
    point = MeanField(mu, np.full(joint.dimension, np.log(_STEP)))
    eps = antithetic(generator(seed, stream), 2, joint.dimension)
    curved = sparse.hessian(joint, point, eps, np.ones(joint.dimension), directions).diagonal()[: joint.dimension]
    curved = np.nan_to_num(np.abs(curved), nan=1.0)
    guide = MeanField(mu, np.clip(-0.5 * np.log(np.maximum(curved, 1e-300)), _NARROWEST, _WIDEST))
    optimum = None
    for count in dict.fromkeys(counts):
        eps = antithetic(generator(seed, stream, count), count, joint.dimension)
        optimum = sparse.maximise(joint, guide, eps, directions, _MOST_STEPS)
        guide = optimum.guide
    assert optimum is not None
    return optimum


def _start(joint: LogDensity, model: LogJoint, rng: np.random.Generator) -> np.ndarray:
    """The likeliest of the prior's medians, dispersed points and a few draws from it."""
    points = np.concatenate([starting_points(model, rng, 1), prior_draws(model, rng, _FROM_PRIOR)])
    values, gradients = joint.value_and_gradient(points)
    values = np.where(np.isfinite(gradients).all(axis=1), values, -np.inf)
    if not np.isfinite(values).any():
        raise NoStart(points[0])
    return np.asarray(points[int(np.argmax(values))])


def _diagonal(joint: LogDensity, z: np.ndarray, scale: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """About the diagonal of minus the Hessian at z (D,), from differences along random signs (Bekas et al. 2007)."""
    signs = rng.choice([-1.0, 1.0], (_PROBES, len(z)))
    moves = _STEP * scale * signs
    _, gradients = joint.value_and_gradient(np.concatenate([z + moves, z - moves]))
    above, below = np.split(gradients, 2)
    found = np.abs(((below - above) * signs).mean(axis=0)) / (2 * _STEP * scale)
    return np.asarray(np.clip(np.nan_to_num(found, nan=1.0), 1e-6, 1e12))
