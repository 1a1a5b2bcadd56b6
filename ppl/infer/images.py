"""a mode -> its images: points as likely where signs flip or elements change places, by trying the log joint there.

Components of a mixture can change places in K! ways, and dispersed starts find few of them: a mode that is known shows
where the others are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer.start import mirror_images

_LONGEST = 8  # axes of which pairs of elements are tried
_SAME = 1e-6  # nats, relative to the log density
_MOST_TRIED = 200  # images of one mode


def images(joint: LogJoint, z: np.ndarray) -> np.ndarray:
    """Points (N, D): z with signs flipped and vectors reversed, and those with two elements of some latents changed
    that are exactly as likely.
    """
    values = joint.constrain(z[None])
    here = float(joint.log_density(values)[0])
    swapped = []
    for count, changed in enumerate(_swaps(joint, values)):
        if count >= _MOST_TRIED:
            break
        moved = {**values, **changed}
        if abs(float(joint.log_density(moved)[0]) - here) <= _SAME * max(1.0, abs(here)):
            swapped.append(joint.unconstrain(moved)[0])
    found = np.concatenate([mirror_images(joint, z), np.array(swapped).reshape(-1, joint.dimension)])
    return found[np.isfinite(found).all(axis=1)]


def _swaps(joint: LogJoint, values: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Two positions of an axis changed, in all latents that have one so long, and in each alone."""
    shapes = {block.name: block.latent.shape for block in joint.blocks}
    for length in sorted({n for shape in shapes.values() for n in shape if 2 <= n <= _LONGEST}):
        having = [name for name, shape in shapes.items() if length in shape]
        sets = [having, *([name] for name in having if len(having) > 1)]
        for first, second in combinations(range(length), 2):
            order = np.arange(length)
            order[[first, second]] = second, first
            for names in sets:
                yield {name: _taken(values[name], shapes[name], length, order) for name in names}


def _taken(value: np.ndarray, shape: tuple[int, ...], length: int, order: np.ndarray) -> np.ndarray:
    for axis, n in enumerate(shape):
        if n == length:
            value = np.take(value, order, axis=axis + 1)
    return value
