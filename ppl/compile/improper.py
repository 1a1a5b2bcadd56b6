"""log joint -> warnings of posteriors that have no finite mass, because nothing bounds latents without a prior."""

from __future__ import annotations

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.symmetry import listed, points
from ppl.model.graph import Latent, Model, Piece
from ppl.model.program import evaluate
from ppl.model.terms import inputs

_MOST_FLAT = 200  # coordinates
_MOST_ELEMENTS = 20_000_000  # of all that is evaluated
_POINTS = 3
_STEP = 1e-3
_WEAK = 1e-5  # of the largest singular value: looked at more closely
_FAR = (1.0, -30.0)  # along a direction, where the density must still be the same


def unbounded_directions(model: Model, joint: LogJoint) -> list[str]:
    """Latents with flat priors along some direction of which no part of the density changes."""
    flat = [latent for latent in model.latents if _is_flat(latent) and not _is_cut(latent)]
    count = sum(int(np.prod(latent.shape)) for latent in flat)
    if not 0 < count <= _MOST_FLAT or 2 * count * _size(joint) > _MOST_ELEMENTS:
        return []
    base = points(joint)
    few = min(_POINTS, len(next(iter(base.values()))))
    if not few:
        return []
    slopes = np.concatenate([_slopes(joint, base, i, flat, count) for i in range(few)])
    scale = np.sqrt((slopes**2).sum(axis=0))
    triangle = np.linalg.qr(slopes / np.where(scale > 0, scale, 1.0), mode="r")  # as many rows as coordinates at most
    _, values, directions = np.linalg.svd(triangle, full_matrices=True)
    values = np.concatenate([values, np.zeros(count - len(values))])
    weak = directions[values <= _WEAK * max(1.0, float(values.max()))] / np.where(scale > 0, scale, 1.0)
    weak = np.array([v / np.abs(v).max() for v in weak if _changes_nothing(joint, base, flat, v / np.abs(v).max())])
    if not len(weak):
        return []
    much = np.abs(weak).max(axis=0) > 1e-3
    names, start = [], 0
    for latent in flat:
        size = int(np.prod(latent.shape))
        if much[start : start + size].any():
            names.append(latent.name)
        start += size
    mend = "give it a prior" if len(names) == 1 else "give all but one of them proper priors, or leave one out"
    return [
        f"the posterior is improper: along some direction in {listed(names)}, without priors, the density never"
        f" changes; {mend}"
    ]


def too_few_observations(model: Model, joint: LogJoint) -> list[str]:
    """Positive latents without a prior that no more numbers depend on than there are latents without a prior.

    The likelihood of n numbers falls as sigma^-n for large scales; p flat means take p of these, and one more is needed
    for a finite integral.
    """
    found = []
    flat = [latent for latent in model.latents if _is_flat(latent)]
    for latent in flat:
        if not _is_cut(latent):
            continue
        using = [part for part in joint.parts if latent.name in inputs([part.log_prob]) and part.name != latent.name]
        if not using or any(part.distribution is None for part in using):
            continue
        together = set(inputs([part.log_prob for part in using]))
        unknown = sum(int(np.prod(other.shape)) for other in flat if other.name in together)
        known = sum(int(np.prod(part.log_prob.shape)) for part in using)
        if known <= unknown:
            numbers = "one number depends" if known == 1 else f"only {known} numbers depend"
            found.append(
                f"`{latent.name}` has no prior, and {numbers} on it, with {unknown} unknown without a prior:"
                f" the posterior is improper; give `{latent.name}` a prior"
            )
    return found


def _is_flat(latent: Latent) -> bool:
    return all(piece.distribution.family.name == "Flat" and not _is_finite(piece) for piece in latent.pieces)


def _is_finite(piece: Piece) -> bool:
    """Whether it is bounded on both sides."""
    distribution = piece.distribution
    return distribution.support_lower is not None and distribution.support_upper is not None


def _is_cut(latent: Latent) -> bool:
    found = [piece.distribution for piece in latent.pieces]
    return any(any(x is not None for x in (d.support_lower, d.support_upper, d.constraint)) for d in found)


def _size(joint: LogJoint) -> int:
    return sum(int(np.prod(part.log_prob.shape)) for part in joint.parts)


def _moved(base: dict[str, np.ndarray], i: int, flat: list[Latent], moves: np.ndarray) -> dict[str, np.ndarray]:
    """Point i with flat latents moved (S, coordinates), and all others as they are."""
    found = {name: np.repeat(value[i : i + 1], len(moves), axis=0) for name, value in base.items()}
    start = 0
    for latent in flat:
        size = int(np.prod(latent.shape))
        found[latent.name] = found[latent.name] + moves[:, start : start + size].reshape(len(moves), *latent.shape)
        start += size
    return found


def _elementwise(joint: LogJoint, values: dict[str, np.ndarray]) -> np.ndarray:
    """All elements of all parts (S, elements)."""
    draws = len(next(iter(values.values())))
    return np.concatenate([part.reshape(draws, -1) for part in evaluate(joint.program, values, draws)], axis=1)


def _slopes(joint: LogJoint, base: dict[str, np.ndarray], i: int, flat: list[Latent], count: int) -> np.ndarray:
    """The slopes (elements, coordinates) of all elements, by differences; elements that are not finite left out."""
    moves = _STEP * np.concatenate([np.eye(count), -np.eye(count)])
    found = _elementwise(joint, _moved(base, i, flat, moves))
    slopes = (found[:count] - found[count:]).T / (2 * _STEP)
    return slopes[np.isfinite(slopes).all(axis=1)]


def _changes_nothing(joint: LogJoint, base: dict[str, np.ndarray], flat: list[Latent], direction: np.ndarray) -> bool:
    moves = np.array([0.0, *_FAR])[:, None] * direction
    found = _elementwise(joint, _moved(base, 0, flat, moves))
    before, after = found[0], found[1:]
    held = np.isfinite(before)
    return bool(held.any() and (np.abs(after - before)[:, held] <= 1e-7 * (1 + np.abs(before[held]))).all())
