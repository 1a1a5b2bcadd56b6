"""a fit of relaxed latents -> draws of their values beside those of all other latents, weighed where that can be done.

A guide without dependence gives too little probability to values that its other latents do not suit, and the other way
round. So in each proposal about two elements of either kind come from something wider than the guide, and the weights,
by the density of the model as it is written, say what the posterior makes of them: they take away what relaxing has
done too, as far as the proposals reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer import importance
from ppl.infer.importance import Weights
from ppl.infer.stochastic import draws, gumbel
from ppl.infer.stochastic.build import Built
from ppl.infer.stochastic.plan import Plan
from ppl.infer.stochastic.wide import WIDER, Wide, can_be_wide
from ppl.rewrite.relax import Relaxed
from ppl.values import dataclass

_EVEN = 0.3  # of the proposals of each element at most
_PROPOSALS = 10  # for each draw
_MOST_TERMS = 200_000_000  # of the log density at all proposals
_MOST_COORDINATES = 100  # beyond, weights say nothing


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Coordinates z (P, D), their weights, and the Pareto k of weights, or None where these were not looked at.

    Where k is too large they are not `weighed`, and the draws are the guide's own.
    """

    z: np.ndarray
    weights: Weights
    pareto_k: float | None
    weighed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Hard:
    """What was `relaxed`, and the `joint` of the model as it is written, with values of these latents as its last
    coordinates.
    """

    relaxed: Relaxed
    joint: LogJoint

    def proposed(
        self, built: Built, phi: np.ndarray, rng: np.random.Generator, count: int, with_rows: bool = True
    ) -> Proposed:  # fmt: skip
        """At least `count`."""
        plan, tried = built.plan, None
        most = _MOST_TERMS // max(1, sum(int(np.prod(part.log_prob.shape)) for part in self.joint.parts))
        if self.joint.dimension <= _MOST_COORDINATES and count <= most:
            tried = self._weighed(plan, phi, rng, min(most, _PROPOSALS * count))
            if tried is not None and tried.weights.pareto_k <= importance.good_k(len(tried.z)):
                return tried
        z = draws.draws(built, phi, rng, count, with_rows)
        values, _ = gumbel.draw(plan, phi, rng, count)
        return Proposed(self._beside(z, values), even(count), None if tried is None else tried.pareto_k)

    def evidence(self, proposed: Proposed, elbo: float) -> dict[str, Any]:
        """What the verdict looks at; `elbo` is that of draws from the guide."""
        names, k = self.relaxed.names, None if proposed.pareto_k is None else float(np.maximum(0.0, proposed.pareto_k))
        found = {"relaxed": self.relaxed.temperature, "relaxed_k": k, "unweighed": 1 if k is None else None}
        found["ruled_out"] = int(not proposed.weighed and not np.isfinite(elbo))
        effective = proposed.weights.effective if proposed.weighed else np.inf
        return {**found, "effective": effective, "where": dict.fromkeys(found, names)}

    def _weighed(self, plan: Plan, phi: np.ndarray, rng: np.random.Generator, count: int) -> Proposed | None:
        if not can_be_wide(plan):
            return None
        elements = sum(int(np.prod(soft.shape)) for soft in plan.soft)
        values, log_q_values = gumbel.draw(plan, phi, rng, count, min(_EVEN, WIDER / elements))
        z, log_q = Wide(plan, phi, rng, count).around(values)
        whole = self._beside(z, values)
        weights = importance.smooth(self.joint.value(whole) - log_q - log_q_values)
        return Proposed(whole, weights, weights.pareto_k, True)

    def _beside(self, z: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
        """Values of the relaxed latents as coordinates behind all others."""
        blocks = [block for block in self.joint.blocks if block.name in values]
        return np.concatenate([z, *(self.joint.unconstrain_block(block, values) for block in blocks)], axis=1)


def even(count: int) -> Weights:
    """Equal ones."""
    return Weights(np.full(count, 1 / count), -np.inf)
