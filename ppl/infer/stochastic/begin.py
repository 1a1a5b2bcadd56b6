"""plan -> the first phi: medians of the priors, small random matrices, narrow guides, logits near 0, an encoder's."""

from __future__ import annotations

import numpy as np

from ppl.compile.blocks import Block
from ppl.infer.start import first_point
from ppl.infer.stochastic.build import Built
from ppl.infer.stochastic.plan import size_of
from ppl.model import transforms

_SD = 0.1  # of shared coordinates, and of logits


def begin(built: Built, rng: np.random.Generator) -> np.ndarray:
    """phi (P,)."""
    plan = built.plan
    z = first_point(plan.joint, rng)
    rows = None if plan.batch is None else plan.batch.split.axis
    for block in plan.joint.blocks:
        matrix = len(block.shape) >= 2 and block.transform is transforms.IDENTITY
        if matrix and not block.latent.is_point and rows not in block.latent.axes:
            own = slice(block.start, block.stop)
            z[own] += _scale(block) * rng.standard_normal(size_of(block))
    closed, opened, points = (_in_order(plan.joint.blocks, z, kind) for kind in (plan.closed, plan.open, plan.points))
    parts = [closed, np.full(len(closed), np.log(_SD))]
    if plan.guide.dimension:
        parts.append(plan.guide.start(opened, np.full(len(opened), _SD), rng))
    parts.append(points)
    if plan.soft:
        parts.append(_SD * rng.standard_normal(plan.sizes()[3]))
    if plan.encoder is not None:
        parts.append(plan.encoder.start(rng))
    return np.concatenate(parts)


def _scale(block: Block) -> float:
    """What multiplies such a matrix from the left keeps its size."""
    return float(block.shape[-2] ** -0.5)


def _in_order(blocks: tuple[Block, ...], z: np.ndarray, kind: object) -> np.ndarray:
    assert isinstance(kind, dict)
    own = [z[block.start : block.stop] for block in blocks if block.start in kind]
    return np.concatenate(own) if own else np.zeros(0)
