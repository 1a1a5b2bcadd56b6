"""optimum and weighted proposals -> what speaks against them: flat directions, moved moments, modes not reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.compile.blocks import Block
from ppl.infer.meanfield import Optimum
from ppl.infer.objective import LogDensity
from ppl.values import dataclass

_FAR = (100.0, 141.0)  # sds along the weakest direction; at one of them the density must have fallen
_FALLEN = 1.0  # nats
_NOISE = 1e-10  # relative curvature that differences of gradients cannot tell from none
_MUCH = 0.1  # of the largest share in a direction: coordinates with more of it are named
_REACHED = 200  # effective proposals in another mode
_SURE = 3.5  # standard errors by which a moment must have moved


def names(blocks: Sequence[Block], share: np.ndarray) -> tuple[str, ...]:
    """The latents whose coordinates have much of a share (D,)."""
    much = share > _MUCH * share.max(initial=0.0)
    if not much.any():
        return ()
    return tuple(dict.fromkeys(block.name for block in blocks if much[block.start : block.stop].any()))


def listed(found: Sequence[str]) -> str:
    """In words: "`a` and `b`"."""
    quoted = [f"`{name}`" for name in dict.fromkeys(found)]
    if len(quoted) > 5:
        quoted = [*quoted[:4], "others"]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


@dataclass(frozen=True, slots=True)
class Weakest:
    """The direction along which a posterior is the least curved: each coordinate's share in it (D,), and whether the
    density does not even fall far out along it, to one side or to both.
    """

    share: np.ndarray
    flat: bool


def weakest_direction(joint: LogDensity, optimum: Optimum) -> Weakest:
    """By the mu-mu block of the Hessian, scaled to unit diagonal, and the log joint far out to both sides."""
    dimension = joint.dimension
    precision = np.nan_to_num(optimum.hessian[:dimension, :dimension])
    unit = np.sqrt(np.abs(np.diag(precision)))
    unit = np.where(unit > 1e-8 * max(1e-8, float(unit.max())), unit, 1.0)
    values, vectors = np.linalg.eigh(0.5 * (precision + precision.T) / unit / unit[:, None])
    weak = vectors[:, np.abs(values) <= max(abs(float(values[0])), _NOISE)]
    share = np.sqrt((weak**2).sum(axis=1))
    along = vectors[:, 0] / unit / np.sqrt(max(abs(float(values[0])), 1e-12))
    far = np.array([0.0, *_FAR, *(-far for far in _FAR)])
    here, *there = joint.value(optimum.guide.mu + far[:, None] * along)
    kept_up = np.array(there).reshape(2, -1) > here - _FALLEN  # to either side; another mode may lie at one distance
    return Weakest(share, bool(kept_up.all(axis=1).any()))


def moved(optimum: Optimum, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the weights moved means, in sds of the linear response, and sds, as |log| of their ratio: each (D,).

    Less what chance may have done, given the effective number of draws.
    """
    assert optimum.covariance is not None
    sds = np.sqrt(np.diag(optimum.covariance))
    mean = weights @ z
    ratio = np.sqrt(weights @ (z - mean) ** 2) / sds
    error = float(np.sqrt((weights**2).sum()))
    means = np.abs(mean - optimum.guide.mu) / sds - _SURE * error
    with np.errstate(divide="ignore"):
        spreads = np.abs(np.log(ratio)) - _SURE * error / np.sqrt(2)
    return np.maximum(means, 0.0), np.maximum(spreads, 0.0)


def uncovered(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How far the weights move each coordinate's mean, in sds of the proposals, and log sd: together (D,)."""
    mean, sd = z.mean(axis=0), z.std(axis=0)
    moved = weights @ z
    with np.errstate(all="ignore"):
        share = np.abs(moved - mean) / sd + np.abs(np.log(np.sqrt(weights @ (z - moved) ** 2) / sd))
    return np.nan_to_num(share, nan=0.0, posinf=1e6)


def is_covered(rival: Optimum, optimum: Optimum, z: np.ndarray, weights: np.ndarray) -> bool:
    """Whether the proposals reach another mode in numbers: then the weights have set it right."""
    from_it, from_best = _distances(rival, z), _distances(optimum, z)
    there = weights[(from_it < from_best) & (from_it < z.shape[1] + 9.0)]
    return float(there.sum() ** 2) > _REACHED * float((there**2).sum())


def _distances(optimum: Optimum, z: np.ndarray) -> np.ndarray:
    """Squared, in sds of the linear response, of points z (P, D)."""
    if optimum.covariance is None:
        return np.zeros(len(z))
    apart = z - optimum.guide.mu
    return np.asarray(np.einsum("pi,pi->p", apart @ np.linalg.inv(optimum.covariance), apart))


def apart_in(rival: Optimum, optimum: Optimum) -> np.ndarray:
    """How far another mode lies from the best, in sds of each coordinate (D,)."""
    assert rival.covariance is not None
    widest = np.sqrt(np.diag(rival.covariance)) + optimum.guide.sigma
    return np.asarray(np.abs(rival.guide.mu - optimum.guide.mu) / widest)
