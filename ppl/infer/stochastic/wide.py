"""trained guide, values of relaxed latents -> draws of all other latents from something wider, with their log density.

An element with an independent Gaussian guide comes at times from one three times as wide and, where its prior is
Normal, at times from that: where a value of a relaxed latent switches it off, its posterior is its prior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ppl.compile.blocks import Block
from ppl.infer.stochastic.gaussians import HALF_LOG_TWO_PI, Factorised
from ppl.infer.stochastic.guide import WithDensity
from ppl.infer.stochastic.plan import Plan, size_of
from ppl.rewrite.simplex_tables import weights_of

WIDER = 2.0  # elements of a draw
_WIDE = 0.4  # of the draws of each element at most
_SDS = 3.0


def can_be_wide(plan: Plan) -> bool:
    """Not where an encoder gives some of the latents, nor where a guide does not know its density."""
    return not plan.local and (not plan.guide.dimension or isinstance(plan.guide, WithDensity))


class Wide:
    """`count` draws; made for one use."""

    def __init__(self, plan: Plan, phi: np.ndarray, rng: np.random.Generator, count: int):
        self._plan, self._rng, self._count = plan, rng, count
        self._closed, self._opened, self._points, *_ = plan.cut(phi)
        self._log_q = np.zeros(count)
        self._from_guide = np.zeros((count, 0))
        free = len(self._closed) // 2
        if isinstance(plan.guide, Factorised):
            free += len(self._opened) // 2
        elif plan.guide.dimension:
            assert isinstance(plan.guide, WithDensity)
            self._from_guide, _ = plan.guide.draw(self._opened, plan.guide.noise(rng, count))
            self._log_q += plan.guide.log_prob(self._opened, self._from_guide)
        self._share = min(_WIDE, WIDER / max(1, free)) / 2

    def around(self, relaxed: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """z (S, D) and log q (S,)."""
        plan, joint = self._plan, self._plan.joint
        values = {weights_of(x.name): (relaxed[x.name][..., None] == x.values) * 1.0 for x in plan.soft}
        z = np.empty((self._count, joint.dimension))
        parts: dict[str, list[np.ndarray]] = {}
        for block in joint.blocks:
            own = self._of_block(block, values)
            z[:, block.start : block.stop] = own
            pieces = parts.setdefault(block.name, [])
            with np.errstate(all="ignore"):  # far out
                lower, upper = block.bounds_at(values)
                pieces.append(block.transform.constrain(own.reshape(self._count, *block.shape), lower, upper))
            if len(pieces) == len(block.latent.pieces):
                assembly = joint.assemblies.get(block.name)
                values[block.name] = pieces[0] if assembly is None else assembly(pieces)
        return z, self._log_q

    def _of_block(self, block: Block, values: Mapping[str, np.ndarray]) -> np.ndarray:
        plan, size = self._plan, size_of(block)
        if block.start in plan.points:
            at = plan.points[block.start]
            return np.broadcast_to(self._points[at : at + size], (self._count, size))
        if block.start in plan.open and not isinstance(plan.guide, Factorised):
            at = plan.open[block.start]
            return self._from_guide[:, at : at + size]
        phi, kind = (self._closed, plan.closed) if block.start in plan.closed else (self._opened, plan.open)
        mu, log_sd = (part[kind[block.start] : kind[block.start] + size] for part in np.split(phi, 2))
        components = [(mu, np.exp(log_sd)), (mu, _SDS * np.exp(log_sd))]
        if block.start in plan.priors:
            prior = plan.priors[block.start].at(values)
            wide = (np.broadcast_to(x, (self._count, *block.shape)).reshape(self._count, size) for x in prior)
            components.append((next(wide), next(wide)))
        shares = np.array([1 - self._share * (len(components) - 1), *([self._share] * (len(components) - 1))])
        return self._mixture(components, shares, size)

    def _mixture(
        self, components: Sequence[tuple[np.ndarray, np.ndarray]], shares: np.ndarray, size: int
    ) -> np.ndarray:
        """Draws (S, size) whose coordinates come each from one of these Normals; log q is added."""
        chosen = self._rng.choice(len(shares), (self._count, size), p=shares)
        noise = self._rng.standard_normal(chosen.shape)
        found = np.empty(chosen.shape)
        for i, (mean, sd) in enumerate(components):
            found = np.where(chosen == i, mean + sd * noise, found)
        logs = [
            np.log(share) - 0.5 * ((found - mean) / sd) ** 2 - np.log(sd) - HALF_LOG_TWO_PI
            for share, (mean, sd) in zip(shares, components, strict=True)
        ]
        self._log_q += np.logaddexp.reduce(logs, axis=0).sum(axis=1)
        return found
