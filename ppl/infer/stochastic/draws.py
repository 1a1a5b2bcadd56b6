"""built plan, phi -> draws of all unconstrained coordinates, those of every row too."""

from __future__ import annotations

import numpy as np

from ppl.infer.stochastic.build import Built
from ppl.infer.stochastic.drawn import shared_noise
from ppl.infer.stochastic.plan import Local, size_of, starts_of
from ppl.infer.stochastic.rows import encode

_AT_ONCE = 4_000_000  # numbers


def draws(built: Built, phi: np.ndarray, rng: np.random.Generator, count: int, with_rows: bool = True) -> np.ndarray:
    """z (S, D) in the coordinates of the joint; without `with_rows` those that the encoder gives are left out."""
    plan = built.plan
    closed, opened, points, *_ = plan.cut(phi)
    half = len(closed) // 2
    eps = shared_noise(plan, rng, count)
    kept = [block for block in plan.joint.blocks if with_rows or block.start not in plan.local]
    starts = starts_of(kept)
    z = np.empty((count, sum(size_of(block) for block in kept)))
    z_closed = closed[:half] + np.exp(closed[half:]) * eps.closed
    z_open = plan.guide.draw(opened, eps.opened)[0] if plan.guide.dimension else np.zeros((count, 0))
    for block in kept:
        own = slice(starts[block.start], starts[block.start] + size_of(block))
        for source, kind in ((z_closed, plan.closed), (z_open, plan.open), (points[None], plan.points)):
            if block.start in kind:
                at = kind[block.start]
                z[:, own] = source[:, at : at + size_of(block)]
    if plan.local and with_rows:
        encoding = encode(plan, phi, built.features)
        chosen = None if encoding.log_q is None else values_of(encoding.log_q, count, rng)
        for local in plan.local.values():
            own = slice(local.start, local.stop)
            mean, sd = encoding.mean[..., own], np.exp(encoding.log_sd[..., own])
            step = max(1, _AT_ONCE // max(1, mean[:, 0].size))
            for i in range(0, count, step):
                size = min(step, count - i)
                numbers = np.zeros((1, 1), dtype=np.int64) if chosen is None else chosen[i : i + size]
                own_at = (np.arange(len(mean)), numbers)
                rows = mean[own_at] + sd[own_at] * rng.standard_normal((size, *mean[:, 0].shape))
                z[i : i + size, local.block.start : local.block.stop] = _flat(local, rows)
    return z


def values_of(log_q: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (S, N) of the numbers of values with these log probabilities (N, values)."""
    ends = np.cumsum(np.exp(log_q - log_q.max(axis=1, keepdims=True)), axis=1)
    found = np.empty((count, len(log_q)), dtype=np.int64)
    step = max(1, _AT_ONCE // max(1, log_q.size))
    for i in range(0, count, step):
        size = min(step, count - i)
        goal = rng.random((size, len(log_q))) * ends[:, -1]
        found[i : i + size] = np.minimum((goal[..., None] >= ends).sum(axis=2), log_q.shape[1] - 1)
    return found


def _flat(local: Local, rows: np.ndarray) -> np.ndarray:
    """(S, N, coordinates of a row) -> (S, coordinates of the block)."""
    shaped = rows.reshape(*rows.shape[:2], *local.rest)
    return np.moveaxis(shaped, 1, 1 + local.place).reshape(len(rows), -1)
