"""a fit of relaxed latents -> draws of their values beside those of all other latents."""

from __future__ import annotations

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer.stochastic import gumbel
from ppl.infer.stochastic.plan import Plan
from ppl.rewrite.relax import Relaxed
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Hard:
    """What was `relaxed`, and the `joint` of the model as it is written, with values of these latents as its last
    coordinates.
    """

    relaxed: Relaxed
    joint: LogJoint

    def beside(self, z: np.ndarray, plan: Plan, phi: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws (S, D) of all other coordinates, and behind them draws of the values from the guide."""
        values = gumbel.draw(plan, plan.cut(phi)[3], rng, len(z))
        blocks = [block for block in self.joint.blocks if block.name in values]
        return np.concatenate([z, *(self.joint.unconstrain_block(block, values) for block in blocks)], axis=1)
