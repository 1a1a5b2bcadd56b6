"""plan, phi, noise, rows of the data -> the negative ELBO of all data, estimated without bias from these rows.

The parts of the log joint that are elementwise over the rows, and the KL terms of latents that the encoder gives, are
weighed by N/M (Kingma and Welling 2014); the rest counts once. KL terms between Normals are in closed form; elsewhere
log q is taken through the draws alone (Roeder, Wu, Duvenaud 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autograd.numpy as np
import numpy

from ppl.infer.stochastic.drawn import Drawn, Noise, drawn, each
from ppl.infer.stochastic.plan import Plan
from ppl.infer.stochastic.row_terms import is_likelihood, of_rows


def negative_elbo(plan: Plan, phi: Any, eps: Noise, anneal: Any, rows: Any, features: Any, given: Sequence[Any]) -> Any:
    """(1,), in nats; `anneal` (1,) is the weight of the KL terms, `rows` (M,) positions as real numbers.

    Where the rows have discrete latents it is less the log probability that the encoder gives what is known of these,
    times the weight of labels.
    """
    made = drawn(plan, phi, eps, features)
    weight = 1.0 if plan.batch is None else plan.seen / plan.batch.count
    rest, prior_of_rest = _rest(plan, made)
    divergence = sum(made.shared, prior_of_rest)
    total = -rest
    own = of_rows(plan, made, rows, given)
    for term in own.terms:
        if term.likelihood:
            total = total - weight * term.total()
        else:
            divergence = divergence - weight * term.total()
    for kl in (*own.kl.values(), *own.other):
        divergence = divergence + weight * each(kl)
    total = total + anneal * divergence
    if made.log_known is not None:
        total = total - plan.label_weight * weight * np.sum(made.log_known)
    draws = len(eps.closed)
    return np.reshape(np.sum(total + numpy.zeros(draws)) / draws, (1,))


def _rest(plan: Plan, made: Drawn) -> tuple[Any, Any]:
    """What does not go by rows: the log density of data (S,), and minus that of latents whose KL term is still open."""
    likelihood: Any = 0.0
    prior: Any = 0.0
    for part, term in plan.rest(made.values, made.done):
        if is_likelihood(plan, part):
            likelihood = likelihood + term
        else:
            prior = prior - term
    return likelihood, prior
