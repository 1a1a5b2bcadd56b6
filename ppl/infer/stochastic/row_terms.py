"""what was drawn, rows of a batch -> log densities and KL terms that go by rows, discrete latents of rows gone.

Without an encoder these are summed out exactly. With one they have a posterior q(value | row) of their own: everything
is worked out at each value, where the encoded latents are others, and weighed by q.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy

from ppl.infer.stochastic.drawn import Drawn, by_row, each
from ppl.infer.stochastic.encoder import LEAST_LOG_Q
from ppl.infer.stochastic.plan import Plan
from ppl.numeric.reduce import logsumexp
from ppl.numeric.shape import stack


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Log densities of a part at the rows of a batch: an axis of draws, where `over_draws`, then axes of its own, of
    which `at` is that of the rows. `place` is that of the part in the joint, -1 for what depends on discrete latents.
    """

    place: int
    likelihood: bool
    log_probs: Any
    over_draws: bool
    at: int

    def by_row(self) -> Any:
        """(S, M)."""
        return by_row(self.log_probs, self.at, self.over_draws)

    def total(self) -> Any:
        """(S,), or one number."""
        return each(self.log_probs) if self.over_draws else np.sum(self.log_probs)


@dataclass(frozen=True, slots=True, eq=False)
class OfRows:
    """Log densities whose KL term is still open; KL terms of encoded latents, elementwise (S, M, coordinates of a row),
    by block; and what else belongs to KL terms (S, M).
    """

    terms: list[Term]
    kl: Mapping[int, Any]
    other: list[Any]


def is_likelihood(plan: Plan, place: int) -> bool:
    part = plan.joint.parts[place]
    return part.observed or part.distribution is None


def of_rows(plan: Plan, made: Drawn, rows: Any, given: Sequence[Any]) -> OfRows:
    """Of the M rows of the batch."""
    terms, tables = _terms(plan, made, rows, given)
    if made.log_q is None:
        if tables:
            together = stack(-1, *(sum(parts.values()) for parts in tables))
            terms.append(Term(-1, True, logsumexp(together, -1), True, 0))
        return OfRows(terms, {start: found[0] for start, found in made.by_row.items()}, made.other[0])
    share = np.exp(made.log_q)
    for likelihood in (True, False):
        own = [parts[likelihood] for parts in tables if likelihood in parts]
        if own:
            terms.append(Term(-1, likelihood, np.sum(stack(-1, *own) * share, axis=2), True, 0))
    kl = {
        start: np.sum(stack(-1, *found) * np.reshape(share, (1, -1, 1, len(plan.at_values))), axis=3)
        for start, found in made.by_row.items()
    }
    other = [np.reshape(np.sum(share * made.log_q, axis=1), (1, -1))]
    if made.other[0]:
        other.append(np.sum(stack(-1, *(sum(found) for found in made.other)) * share, axis=2))
    return OfRows(terms, kl, other)


def log_weights(plan: Plan, made: Drawn, rows: Any, given: Sequence[Any]) -> Any:
    """log p(row, its latents | what is shared) - log q of the encoded ones (S, M), discrete ones summed out: of latents
    that were drawn with `closed_form` false.
    """
    terms, tables = _terms(plan, made, rows, given)
    total: Any = 0.0
    for term in terms:
        total = total + term.by_row()
    at_values = [sum(parts.values()) for parts in tables] or [0.0]
    for number, other in enumerate(made.other):
        for kl in (*(np.sum(found[number], axis=2) for found in made.by_row.values()), *other):
            at_values = [at - kl if number == k or made.log_q is None else at for k, at in enumerate(at_values)]
    if len(at_values) == 1:
        return total + at_values[0]
    together = stack(-1, *at_values)
    if made.log_q is not None:
        together = numpy.where(made.log_q > LEAST_LOG_Q, together, -numpy.inf)
    return total + logsumexp(together, -1)


def _terms(plan: Plan, made: Drawn, rows: Any, given: Sequence[Any]) -> tuple[list[Term], list[dict[bool, Any]]]:
    """Those that depend on no discrete latent of rows; of the others, at each value, the log densities (S, M) of data
    (True) and of latents.
    """
    if plan.batch is None:
        return [], []
    here = plan.here
    values = {
        name: value if name in here else plan.batch.at_rows(name, value, rows) for name, value in made.values.items()
    }
    found = plan.batch.log_probs({**values, **made.inputs}, given)
    terms: list[Term] = []
    tables: dict[int, dict[bool, Any]] = {}
    for i, (place, term) in enumerate(zip(plan.batch.split.parts, found, strict=True)):
        over_draws = plan.batch.over_draws(i)
        if place in made.done:
            continue
        if place in plan.numbers:
            own = tables.setdefault(plan.numbers[place], {})
            likelihood = is_likelihood(plan, place)
            own[likelihood] = own.get(likelihood, 0.0) + by_row(term, plan.batch.at(i), over_draws)
        else:
            terms.append(Term(place, is_likelihood(plan, place), term, over_draws, plan.batch.at(i)))
    return terms, [tables[number] for number in sorted(tables)]
