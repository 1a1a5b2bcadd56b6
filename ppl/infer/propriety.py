"""draws, evidence of all rungs -> whether the tails fall so slowly that the posterior may have no integral."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ppl.compile.conditional import CONDITIONAL
from ppl.compile.joint import LogJoint
from ppl.infer import importance
from ppl.infer.importance import Weights
from ppl.infer.verdict import Evidence
from ppl.model import transforms

SLOW = 1.8  # beyond that of a funnel: 1.4, and 1.6 where chains miss its mouth
_ENOUGH = 100.0  # effective draws
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_UNBOUNDED = (transforms.IDENTITY, transforms.NONCENTRED, transforms.NONCENTRED_VECTOR, *CONDITIONAL.values())


def slowest_tail(joint: LogJoint, z: np.ndarray) -> tuple[float, tuple[str, ...]]:
    """How slowly the tails of latents without bounds fall, over draws z (P, D): the largest and its latent.

    The logarithm of (95 % quantile - median) / (75 % quantile - median) over that of 5, of either side: 0.55 for a
    normal, 1.14 for a Cauchy. Where the density falls like 1/x, without an integral, it is how far draws reach.
    """
    worst, name = 0.0, ""
    values = joint.constrain(z)
    for block in joint.blocks:
        if block.transform in _UNBOUNDED:
            low, lower, middle, upper, high = np.quantile(values[block.name], _QUANTILES, axis=0)
            with np.errstate(all="ignore"):
                ratio = np.stack([(high - middle) / (upper - middle), (middle - low) / (middle - lower)])
            found = float(np.log(np.nan_to_num(ratio, nan=1.0).max(initial=1.0)) / np.log(5.0))
            if found > worst:
                worst, name = found, block.name
    return worst, (name,) if name else ()


def slow_tail(
    joint: LogJoint, z: np.ndarray, weights: Weights, draws: int, rng: np.random.Generator
) -> tuple[float | None, tuple[str, ...]]:
    """As `slowest_tail`, of weighted proposals z (P, D), where it is beyond doubt; None where not, or where a few of
    them have all the weight.
    """
    if weights.effective < _ENOUGH:
        return None, ()
    found, names = slowest_tail(joint, z[importance.resample(weights.weights, draws, rng)])
    return (found, names) if found > SLOW else (None, ())


def of_all(evidence: Evidence, others: Iterable[Evidence]) -> Evidence:
    """Evidence with what rungs that looked further found, where it is beyond doubt: a posterior without an integral has
    none for any of them.
    """
    looked = [other for other in others if (other.slow_tail or 0.0) > SLOW]
    if evidence.slow_tail is not None or not looked:
        return evidence
    worst = max(looked, key=lambda other: other.slow_tail or 0.0)
    where = {**evidence.where, "slow_tail": worst.where.get("slow_tail", ())}
    return replace(evidence, slow_tail=worst.slow_tail, where=where)
