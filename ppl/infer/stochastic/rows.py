"""plan, phi -> what the fit says of each row: ELBO, KL terms, means and sds of its latents, importance weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppl.infer.stochastic import row_terms
from ppl.infer.stochastic.build import Built
from ppl.infer.stochastic.drawn import Drawn, Noise, drawn, noise
from ppl.infer.stochastic.encoder import Encoding, encoded
from ppl.infer.stochastic.objective import data_of, given
from ppl.infer.stochastic.plan import Plan
from ppl.infer.stochastic.row_terms import is_likelihood


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """The ELBO of all data, in nats, and what it is made of.

    `divergence` is the KL term of what rows share; `by_row` (N,) the ELBO of each row; `axes` the KL term of each
    coordinate of the encoded latents with a closed form, summed over rows, by latent; `others` that of the other ones
    of a row together.
    """

    likelihood: float
    divergence: float
    by_row: np.ndarray
    axes: dict[str, np.ndarray]
    others: float

    @property
    def elbo(self) -> float:
        encoded = sum(float(kl.sum()) for kl in self.axes.values()) + self.others
        return self.likelihood - self.divergence - encoded


def batches(built: Built) -> Iterator[tuple[np.ndarray, int]]:
    """The rows of batches that cover once the data, or what was drawn of them at random, and how many of them count:
    the last is filled up.
    """
    batch, last = built.plan.batch, built.plan.drawn or built.plan.rows
    assert batch is not None
    for first in range(0, last, batch.count):
        rows = np.arange(first, first + batch.count)
        yield np.minimum(rows, last - 1), int((rows < last).sum())


def bound(built: Built, phi: np.ndarray, rng: np.random.Generator, draws: int) -> Bound:
    """Over a few draws of all latents, of relaxed ones their values; of data that are streamed estimated from the rows
    that were drawn of them.
    """
    plan = built.plan
    if plan.batch is None:
        made = drawn(plan, phi, noise(plan, rng, draws), np.zeros((0, 0)), hard=True)
        rest = plan.rest(made.values, made.done)
        return _of_shared(plan, made, rest, np.zeros(0), {}, 0.0, 0.0)
    of_rows, likelihood, others = np.zeros(plan.rows), 0.0, 0.0
    axes: dict[str, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for rows, count in batches(built):
            eps = noise(plan, rng, draws)
            arrays = given(built, rows, eps, 1.0)
            made = drawn(plan, phi, eps, arrays[5], hard=True)
            row = slice(0, count)
            found = row_terms.of_rows(plan, made, arrays[4], data_of(arrays, eps))
            for part in found.terms:
                mean = part.by_row().mean(axis=0)[row]
                of_rows[rows[row]] += mean
                if part.likelihood:
                    likelihood += float(mean.sum())
                else:
                    others -= float(mean.sum())
            for start, term in found.kl.items():
                kl = term.mean(axis=0)[row]
                of_rows[rows[row]] -= kl.sum(axis=1)
                name = plan.local[start].block.name
                if start in plan.priors:
                    axes[name] = axes.get(name, 0.0) + kl.sum(axis=0)
                else:
                    others += float(kl.sum())
            for term in found.other:
                of_rows[rows[row]] -= term.mean(axis=0)[row]
                others += float(term.mean(axis=0)[row].sum())
        rest = plan.rest(made.values, made.done)
    if plan.drawn:
        scale = plan.total / plan.drawn
        likelihood, others = scale * likelihood, scale * others
        axes = {name: scale * kl for name, kl in axes.items()}
    return _of_shared(plan, made, rest, of_rows[: plan.drawn or plan.rows], axes, others, likelihood)


def _of_shared(
    plan: Plan, made: Drawn, rest: list[tuple[int, Any]], of_rows: np.ndarray, axes: dict[str, np.ndarray],
    others: float, likelihood: float,
) -> Bound:  # fmt: skip
    divergence = sum(float(np.mean(term)) for term in made.shared)
    for place, term in rest:
        if is_likelihood(plan, place):
            likelihood += float(np.mean(term))
        else:
            divergence -= float(np.mean(term))
    return Bound(likelihood, divergence, of_rows, axes, others)


def encode(plan: Plan, phi: np.ndarray, features: np.ndarray) -> Encoding:
    """Of N rows, unconstrained coordinates."""
    assert plan.encoder is not None
    return encoded(plan.encoder, plan.cut(phi)[4], features)


def log_weights(built: Built, phi: np.ndarray, rows: np.ndarray, eps: Noise) -> np.ndarray:
    """log p(row, its latents | what is shared) - log q of its latents, at S draws of both -> (S, M), in nats; discrete
    latents of the row are summed out.

    Their log mean over draws of the latents estimates the log likelihood of the row (Burda et al. 2016).
    """
    plan = built.plan
    assert plan.batch is not None
    arrays = given(built, rows, eps, 1.0)
    with np.errstate(all="ignore"):
        made = drawn(plan, phi, eps, arrays[5], closed_form=False, hard=True)
        found = row_terms.log_weights(plan, made, arrays[4], data_of(arrays, eps))
    return np.broadcast_to(found, (len(eps.closed), len(rows)))
