"""log joint and an approximation that is not good -> one from Hamiltonian chains that start where it ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer import doubts, watch
from ppl.infer.chains import RHAT, UNDER_WAY, Chains, sample_chains
from ppl.infer.draws import generator
from ppl.infer.importance import Weights
from ppl.infer.objective import GUIDE_DRAWS
from ppl.infer.pipeline import CHAINS, MOST_SEEN, Approximation
from ppl.infer.propriety import slowest_tail
from ppl.infer.verdict import Evidence

_SUPERCHAINS = 16
_MOST_CHAINS = 8  # of a superchain
_TEMPER = 0.5  # power of the weights by which starts are chosen: wider than the posterior
_MOST_GRADIENTS = 2_500_000  # of a single chain each
_MOST_BATCHES = 3000  # of as many draws as are evaluated at once
_FEWEST_DRAWS = 400
_DRAWS_PER_COORDINATE = 4  # for a full covariance


def approximate(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    """The posterior from chains started at the modes and among the weighted draws of an approximation.

    None where chains cannot help: no coordinates, too many, or a density that does not fall in some direction.
    """
    if not 0 < joint.dimension <= MOST_SEEN or so_far.evidence.flat:
        return None
    rng = generator(seed, CHAINS)
    each = int(np.clip(joint.draws_at_once // _SUPERCHAINS, 2, _MOST_CHAINS))
    points, root = begin(so_far, rng)
    starts = np.repeat(points, each, axis=0)
    most = min(_MOST_GRADIENTS, _MOST_BATCHES * joint.draws_at_once)
    sampled = replace(joint)
    sampled.staging.first = 1  # wherever chains are taken up again, the same function moves them
    with np.errstate(all="ignore"):
        chains = sample_chains(sampled, starts, root, rng, _SUPERCHAINS, most)
    if not watch.is_stopped():
        watch.forget(UNDER_WAY)
    z = _thinned(chains, draws)
    evidence = _gather(joint, so_far.evidence, chains, z)
    weights = Weights(np.full(len(z), 1 / len(z)), 0.0)  # nothing was weighted
    evaluations = chains.gradients // GUIDE_DRAWS
    return replace(so_far, z=z, weights=weights, evidence=evidence, evaluations=evaluations)


def begin(so_far: Approximation, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where superchains start (K, D), and the Cholesky factor that whitens them, (D, D) or its diagonal (D,)."""
    return _starts(so_far, rng), _root(so_far.z)


def _starts(so_far: Approximation, rng: np.random.Generator) -> np.ndarray:
    """One point a superchain (K, D): different proposals, rather likely ones; of several modes, around each in turn."""
    with np.errstate(divide="ignore"):
        likely = _TEMPER * np.log(so_far.weights.weights)
    order = np.argsort(-(likely + rng.gumbel(size=len(likely))), kind="stable")
    points = so_far.z[order[np.arange(_SUPERCHAINS) % len(order)]]
    mode = np.arange(_SUPERCHAINS) % len(so_far.modes)
    return np.asarray(points + np.where(mode[:, None] > 0, so_far.modes[mode] - so_far.modes[0], 0.0))


def _root(z: np.ndarray) -> np.ndarray:
    """The Cholesky factor of the covariance of the proposals: that of the guide. The sds alone where they are few."""
    draws, dimension = z.shape
    sds = np.clip(np.nan_to_num(z.std(axis=0), nan=1.0), 1e-100, 1e100)
    if draws < _DRAWS_PER_COORDINATE * dimension:
        return np.asarray(sds)
    try:
        return np.asarray(sds[:, None] * np.linalg.cholesky(np.cov(z / sds, rowvar=False).reshape(dimension, -1)))
    except np.linalg.LinAlgError:
        return np.asarray(sds)


def _thinned(chains: Chains, draws: int) -> np.ndarray:
    """Draws (P, D) so far apart that each is worth about one, so that Monte Carlo errors are those of weighted draws.

    No fewer than 400, whatever they are worth: the verdict says so.
    """
    z = chains.z
    worth = float(np.clip(chains.ess.min(), min(_FEWEST_DRAWS, draws), z.shape[0] * z.shape[1]))
    kept = int(np.clip(np.ceil(worth / z.shape[1]), 1, len(z)))
    return z[np.unique(np.linspace(len(z) - 1, 0, kept).round().astype(int))].reshape(-1, z.shape[2])


def _gather(joint: LogJoint, before: Evidence, chains: Chains, z: np.ndarray) -> Evidence:
    """What speaks against the chains. Modes known to be far apart are no rivals where all chains visit them."""
    coordinates = np.maximum(chains.rhat[:-1] - 1.0, 0.0)
    mixed = float(chains.rhat.max()) <= RHAT
    where = {
        "rhat": doubts.names(joint.blocks, np.minimum(coordinates, 1e6)),
        "divergent": doubts.names(joint.blocks, chains.divergent_at),
    }
    if "rivals" in before.where:
        where["rivals"] = before.where["rivals"]
    slow, where["slow_tail"] = slowest_tail(joint, z)
    return Evidence(
        draws=len(z),
        effective=float(chains.ess.min()),
        rivals=0 if mixed else before.rivals,
        where=where,
        rhat=float(chains.rhat.max()),
        divergent=chains.divergent,
        slow_tail=slow,
        lacking_energy=1 / max(chains.e_bfmi, 1e-9),
    )
