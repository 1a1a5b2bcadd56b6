"""model, log joint, what is asked for -> a stochastic fit: trained phi, its ELBO in parts, and draws of all latents."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer import importance, watch
from ppl.infer.draws import generator
from ppl.infer.importance import Weights
from ppl.infer.ladder import Nowhere
from ppl.infer.objective import MeanField
from ppl.infer.pipeline import FRESH, GUIDE, PROPOSALS, STARTS, Approximation
from ppl.infer.stochastic import draws as all_draws
from ppl.infer.stochastic import rows
from ppl.infer.stochastic.begin import begin
from ppl.infer.stochastic.build import Built, Sample, build
from ppl.infer.stochastic.drawn import Noise, noise
from ppl.infer.stochastic.feed import Feed
from ppl.infer.stochastic.objective import Objective
from ppl.infer.stochastic.plan import Plan
from ppl.infer.stochastic.refine import Refined, refine
from ppl.infer.stochastic.rows import Bound
from ppl.infer.stochastic.train import INTERRUPTED, REASONS, Options, Trained, Validate, train
from ppl.infer.stochastic.wish import Wish
from ppl.infer.verdict import Evidence
from ppl.model.behind import Behind
from ppl.model.graph import Model

_STREAM = 50  # of the random numbers of steps
_KEY = "stochastic"
_RATES = (0.03, 0.01, 0.003, 0.001)
_LEAST_WINDOW, _MOST_STEPS, _SEARCH = 100, 20_000, 60
_NATS_A_ROW = 2e-4  # a gain in the ELBO below which it is flat
_VALIDATED = 1024  # rows
_FINAL_ESTIMATES = 50_000  # rows times draws of the ELBO that is reported
_FEWEST_FINAL, _MOST_FINAL = 4, 256
_ELEMENTS_AT_ONCE = 4_000_000
_CHECKED_ROWS, _DRAWS_OF_CHECK = 64, 200
_GOOD_K = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """`approximation` has draws of all coordinates of the joint; `rows_k` (sampled rows,) are Pareto k of the encoded
    latents of single rows; `rate` is in rows a second.
    """

    built: Built
    trained: Trained
    bound: Bound
    approximation: Approximation
    rows_k: np.ndarray
    epochs: float
    rate: float


def fit(
    model: Model, joint: LogJoint, wish: Wish, seed: int, draws: int, with_rows: bool = True,
    behind: Behind | None = None,
) -> Fitted:  # fmt: skip
    """Without `with_rows` the draws are of what rows share alone. Steps take the rows `behind` the model, if there are.

    Raises `UsageError` for what cannot be fitted so, `Nowhere` where the density is not finite at the start.
    """
    watch.enter("stochastic")
    sample = None if behind is None else Sample(behind.rows.groups.rows, behind.rows.drawn)
    built = build(model, joint, wish, seed, sample)
    source = None if behind is None else Feed(behind.names, behind.rows, built, seed, _STREAM)
    objective = Objective(built, seed, _STREAM, source)
    clock = _Clock(objective)
    options = options_of(objective, wish, seed)
    phi = begin(built, generator(seed, STARTS))
    if not np.isfinite(objective(phi, 0, generator(seed, FRESH))[0]):
        raise Nowhere(joint, all_draws.draws(built, phi, generator(seed, FRESH), 1)[0])
    trained = train(objective, phi.astype(objective.dtype), options, validation(objective), _KEY, clock.say)
    trained = replace(trained, phi=trained.phi.astype(np.float64))
    refined = Refined(trained.phi)
    if not trained.diverged and trained.reason != INTERRUPTED:
        refined = refine(objective, trained.phi)
    now = watch.current()
    if now is not None:
        now.inferring = False  # what is left is short, and is done
    trained = replace(trained, phi=refined.phi)
    return _finished(objective, trained, refined.short, seed, draws, clock.rate, with_rows)


@dataclass(slots=True, eq=False)
class _Clock:
    """How fast steps go; time is told, never looked at."""

    objective: Objective
    began: float = field(default_factory=time.perf_counter)
    first: int = -1
    rate: float = 0.0

    def say(self, step: int) -> str:
        """`epoch 12, 45,000 rows/s, 12 s left at most`."""
        now = time.perf_counter()
        if self.first < 0:
            self.first, self.began = step, now
        plan = self.objective.built.plan
        rows = 1 if plan.batch is None else plan.batch.count
        self.rate = (step - self.first) * rows / max(now - self.began, 1e-9)
        wish = self.objective.built.wish
        told = f"epoch {step / self.objective.batches:,.0f}"
        if plan.batch is not None and self.rate:
            told += f", {self.rate:,.0f} rows/s"
        most = wish.epochs * self.objective.batches if wish.epochs else _MOST_STEPS
        if self.rate:
            told += f", {(most - step) * rows / self.rate:,.0f} s left at most"
        return told


def options_of(objective: Objective, wish: Wish, seed: int) -> Options:
    batches = objective.batches
    most = wish.epochs * batches if wish.epochs else _MOST_STEPS
    rates = _RATES if wish.learning_rate is None else (wish.learning_rate,)
    return Options(
        seed=seed,
        stream=_STREAM,
        rates=rates,
        search=max(1, min(_SEARCH, most // (2 * len(rates)))),
        window=max(1, min(max(_LEAST_WINDOW, batches), most // 4)),
        tolerance=max(0.005, _NATS_A_ROW * objective.built.plan.total),
        least=min(most, int(wish.kl_anneal * batches)),
        most=most,
        by_chance=_by_chance(objective.built.plan),
    )


def _by_chance(plan: Plan) -> float:
    """Two models whose log densities differ by d nats a row on average differ by sqrt(2 d) or so from row to row: on n
    rows what is below two standard errors, 8 / n, says nothing. In nats over all data; infinite where there are none.
    """
    return 8 / len(plan.held_out) * plan.seen if len(plan.held_out) else np.inf


def validation(objective: Objective) -> Validate | None:
    """The ELBO over the same rows and draws each time: of those held out, or where a step sees a part of the rows."""
    plan = objective.built.plan
    if plan.batch is None or (objective.batches == 1 and not len(plan.held_out)):
        return None
    batch = plan.batch
    held_out = np.resize(plan.held_out, (-(-len(plan.held_out) // batch.count), batch.count))

    def validate(phi: np.ndarray, rng: np.random.Generator) -> float:
        rows = plan.drawn or plan.rows
        count = int(np.clip(_VALIDATED // batch.count, 1, rows // batch.count))
        chosen = held_out
        if not len(held_out):
            chosen = rng.permutation(rows)[: count * batch.count].reshape(count, batch.count)
        found = [objective.value_at(phi, own, objective.noise(rng)) for own in chosen]
        return -float(np.mean(found))

    return validate


def _finished(
    objective: Objective, trained: Trained, short: float | None, seed: int, draws: int, rate: float, with_rows: bool
) -> Fitted:  # fmt: skip
    built = objective.built
    phi = trained.phi
    bound = rows.bound(built, phi, generator(seed, GUIDE), _final_draws(built))
    z = all_draws.draws(built, phi, generator(seed, PROPOSALS), draws, with_rows)
    rows_k = _rows_k(built, phi, generator(seed, FRESH))
    weights = Weights(np.full(len(z), 1 / len(z)), -np.inf)
    evidence = Evidence(
        newton_step=0.0, not_definite=0.0, flat=0.0, draw_error=0.0, pareto_k=weights.pareto_k, draws=len(z),
        effective=np.inf, rivals=0, moved_mean=0.0, moved_sd=0.0, where={},
        interrupted=int(trained.reason == INTERRUPTED), stochastic=1, diverged=int(trained.diverged), short=short,
        trained=REASONS[trained.reason], row_k=float((rows_k > _GOOD_K).mean()) if len(rows_k) else None,
    )  # fmt: skip
    guide = MeanField(z.mean(axis=0), np.log(np.maximum(z.std(axis=0), 1e-300)))
    found = Approximation(
        guide, z, weights, evidence, trained.steps * objective.draws, bound.elbo, z.mean(axis=0)[None],
        tuple(float(elbo) for elbo in trained.history),
    )  # fmt: skip
    epochs = trained.steps / objective.batches
    return Fitted(built, trained, bound, found, rows_k, epochs, rate)


def _final_draws(built: Built) -> int:
    plan = built.plan
    widest = max([1, *(int(np.prod(part.log_prob.shape)) for part in plan.joint.parts)])
    at_once = widest if plan.batch is None else widest * plan.batch.count // plan.rows
    most = max(_FEWEST_FINAL, min(_MOST_FINAL, _ELEMENTS_AT_ONCE // max(1, at_once)))
    return int(np.clip(_FINAL_ESTIMATES // plan.rows, _FEWEST_FINAL, most))


def _rows_k(built: Built, phi: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pareto k of the weights of the encoded latents, row by row, of some rows."""
    plan = built.plan
    if plan.encoder is None or plan.batch is None:
        return np.zeros(0)
    chosen = rng.permutation(plan.rows)[: plan.batch.count]
    parts, left = [], _DRAWS_OF_CHECK
    eps = noise(plan, rng, 1)
    while left > 0:
        size = min(left, 50)
        own = noise(plan, rng, size)
        closed, opened, *products = (np.repeat(x, size, 0) for x in (eps.closed, eps.opened, *eps.products))
        shared = Noise(closed, opened, own.rows, tuple(products))
        parts.append(rows.log_weights(built, phi, chosen, shared)[:, :_CHECKED_ROWS])
        left -= size
    logs = np.concatenate(parts)
    return np.array([importance.smooth(column).pareto_k for column in logs.T])
