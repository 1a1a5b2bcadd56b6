"""the best mean field that an interrupted fit had seen -> an approximation, never to be used."""

from __future__ import annotations

import numpy as np

from ppl.infer.draws import antithetic, generator
from ppl.infer.importance import Weights
from ppl.infer.objective import MeanField, evaluations
from ppl.infer.pipeline import PROPOSALS, Approximation
from ppl.infer.verdict import Evidence
from ppl.infer.watch import Seen

_MOST_NUMBERS = 4_000_000  # of the draws: an interruption is answered at once
_FEWEST = 100


def approximation(seen: Seen, seed: int, draws: int, gradients: int) -> Approximation:
    """Plain draws from the guide; the ELBO is NaN where all that was known is a point with a density."""
    dimension = len(seen.mu)
    count = int(np.clip(_MOST_NUMBERS // (2 * dimension) * 2, _FEWEST, draws + draws % 2))
    eps = antithetic(generator(seed, PROPOSALS), count, dimension)
    guide = MeanField(seen.mu, seen.log_sigma)
    evidence = Evidence(
        newton_step=np.inf,
        draw_error=np.inf,
        pareto_k=np.inf,
        draws=count,
        effective=float(count),
        interrupted=2,
    )
    weights = Weights(np.full(count, 1 / count), np.inf)
    return Approximation(guide, guide.draws(eps), weights, evidence, evaluations(gradients), seen.elbo, seen.mu[None])
