"""plan, rows, seed -> the objective of a training: which rows a step takes, what it draws, and its staged gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ppl.compile.staged.step import Step
from ppl.infer import watch
from ppl.infer.draws import generator
from ppl.infer.stochastic.build import Built
from ppl.infer.stochastic.choose import is_network
from ppl.infer.stochastic.drawn import Noise, noise
from ppl.infer.stochastic.elbo import negative_elbo
from ppl.infer.stochastic.plan import Plan

_SHUFFLING = 7  # a stream of random numbers beside those of a training
_DRAWS_OF_ROWS = 256  # a step takes as many draws as there are rows to fill, up to
_MOST_DRAWS = 16
_EXACT_IN_SINGLE = 1 << 24  # whole numbers below: positions of rows


@dataclass(slots=True, eq=False)
class Objective:
    """phi, step, random numbers -> the negative ELBO in nats and its gradient (P,).

    An epoch is a permutation of all rows, cut into batches of M; the rows that are left over, fewer than M, are others
    in each epoch, so that every batch is a fair choice of M out of N rows.
    """

    built: Built
    seed: int
    stream: int
    draws: int = field(init=False)
    _step: Step = field(init=False)
    _order: tuple[int, np.ndarray] = field(init=False, default=(-1, np.zeros(0, dtype=np.int64)))

    def __post_init__(self) -> None:
        plan = self.built.plan
        self.draws = draws_of(plan)
        single = is_network(plan.joint) and plan.rows < _EXACT_IN_SINGLE
        self._step = Step(as_function(plan), sum(plan.sizes()), self._shapes(), single)

    @property
    def batches(self) -> int:
        """Steps of an epoch."""
        batch = self.built.plan.batch
        return 1 if batch is None else self.built.plan.rows // batch.count

    def __call__(self, phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        watch.tick(self.draws)
        return self.at(phi, self.rows_of(step), noise(self.built.plan, rng, self.draws), self.anneal(step))

    def at(self, phi: np.ndarray, rows: np.ndarray, eps: Noise, anneal: float = 1.0) -> tuple[float, np.ndarray]:
        """At given rows and noise, the KL terms times a weight."""
        return self._step(phi, *given(self.built, rows, eps, anneal))

    def rows_of(self, step: int) -> np.ndarray:
        """The rows (M,) of a step."""
        batch = self.built.plan.batch
        if batch is None:
            return np.zeros(0, dtype=np.int64)
        if self.batches == 1 and batch.count == self.built.plan.rows:
            return np.arange(batch.count)
        epoch, place = divmod(step, self.batches)
        if self._order[0] != epoch:
            rng = generator(self.seed, self.stream, _SHUFFLING, epoch)
            self._order = (epoch, rng.permutation(self.built.plan.rows))
        return self._order[1][place * batch.count : (place + 1) * batch.count]

    def anneal(self, step: int) -> float:
        """The weight of the KL terms at a step."""
        steps = self.built.wish.kl_anneal * self.batches
        return min(1.0, (step + 1) / steps) if steps > 0 else 1.0

    def _shapes(self) -> list[tuple[int, ...]]:
        rows = np.zeros(self.built.plan.batch.count if self.built.plan.batch else 0, dtype=np.int64)
        eps = noise(self.built.plan, np.random.default_rng(0), self.draws)
        return [array.shape for array in given(self.built, rows, eps, 1.0)]


def draws_of(plan: Plan) -> int:
    """How many draws a step takes: one where it has rows enough."""
    rows = _DRAWS_OF_ROWS if plan.batch is None else plan.batch.count
    return int(np.clip(_DRAWS_OF_ROWS // max(1, rows), 1, _MOST_DRAWS)) if plan.batch is not None else _MOST_DRAWS


def given(built: Built, rows: np.ndarray, eps: Noise, anneal: float) -> list[np.ndarray]:
    """The inputs of the objective beside phi."""
    batch = built.plan.batch
    arrays = [] if batch is None else batch.arrays(rows)
    features = built.features[rows] if built.plan.encoder is not None else np.zeros((0, 0))
    fixed = [eps.closed, eps.opened, eps.rows, np.array([anneal]), rows.astype(np.float64), features]
    return [*fixed, *eps.products, *arrays]


def as_function(plan: Plan) -> Callable[..., Any]:
    """phi and these inputs -> the negative ELBO (1,), differentiable by autograd."""

    count = 0 if plan.batch is None else len(plan.batch.products)

    def objective(phi: Any, *inputs: Any) -> Any:
        closed, opened, of_rows, anneal, rows, features, *others = inputs
        products, arrays = tuple(others[:count]), others[count:]
        return negative_elbo(plan, phi, Noise(closed, opened, of_rows, products), anneal, rows, features, arrays)

    return objective
