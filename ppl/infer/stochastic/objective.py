"""plan, rows, seed -> the objective of a training: which rows a step takes, what it draws, and its staged gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

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
_DRAWS_OF_ROWS = 128  # a step takes as many draws as there are rows to fill, up to
_MOST_DRAWS = 16
_EXACT_IN_SINGLE = 1 << 24  # whole numbers below: positions of rows


class Source(Protocol):
    """step, dtype -> what steps read of their rows: what the encoder gets (M, width), and the data of the batch."""

    @property
    def batches(self) -> int: ...

    def __call__(self, step: int, dtype: Any) -> list[np.ndarray]: ...
    def rows(self, epoch: int, first: int, last: int, dtype: Any) -> list[np.ndarray]: ...


@dataclass(slots=True, eq=False)
class Objective:
    """phi, step, random numbers -> the negative ELBO in nats and its gradient (P,).

    An epoch is a permutation of all rows that are not held out, cut into batches of M; the rows that are left over,
    fewer than M, are others in each epoch, so that every batch is a fair choice of M out of these rows.
    """

    built: Built
    seed: int
    stream: int
    source: Source | None = None  # of batches, where not all rows are in memory
    draws: int = field(init=False)
    single: bool = field(init=False)  # whether steps calculate in numbers of 32 bits
    rows: np.ndarray = field(init=False)  # that steps see
    _data: Built = field(init=False)  # what steps read, as long as they calculate
    _step: Step = field(init=False)
    _order: tuple[int, np.ndarray] = field(init=False, default=(-1, np.zeros(0, dtype=np.int64)))

    def __post_init__(self) -> None:
        plan = self.built.plan
        self.draws = draws_of(plan)
        self.single = is_network(plan.joint) and plan.rows < _EXACT_IN_SINGLE
        self.rows = np.setdiff1d(np.arange(plan.rows), plan.held_out)
        self._data = _in_single(self.built) if self.single else self.built
        self._step = Step(as_function(plan), sum(plan.sizes()), self._shapes(), self.single)

    @property
    def dtype(self) -> Any:
        return np.float32 if self.single else np.float64

    @property
    def batches(self) -> int:
        """Steps of an epoch."""
        batch = self.built.plan.batch
        if self.source is not None:
            return self.source.batches
        return 1 if batch is None else len(self.rows) // batch.count

    def __call__(self, phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        watch.tick(self.draws)
        eps, anneal = self.noise(rng), self.anneal(step)
        if self.source is None:
            return self.at(phi, self.rows_of(step), eps, anneal)
        features, *arrays = self.source(step, self.dtype)
        return self._step(phi, *inputs(eps, anneal, np.zeros(len(features), self.dtype), features, arrays))

    def noise(self, rng: np.random.Generator) -> Noise:
        """That of a step."""
        return noise(self.built.plan, rng, self.draws, self.dtype)

    def at(self, phi: np.ndarray, rows: np.ndarray, eps: Noise, anneal: float = 1.0) -> tuple[float, np.ndarray]:
        """At given rows and noise, the KL terms times a weight."""
        return self._step(phi, *given(self._data, rows, eps, anneal))

    def value_at(self, phi: np.ndarray, rows: np.ndarray, eps: Noise) -> float:
        """The value alone."""
        return self._step.value(phi, *given(self._data, rows, eps, 1.0))

    def rows_of(self, step: int) -> np.ndarray:
        """The rows (M,) of a step."""
        batch = self.built.plan.batch
        if batch is None:
            return np.zeros(0, dtype=np.int64)
        if self.batches == 1 and batch.count == len(self.rows):
            return self.rows
        epoch, place = divmod(step, self.batches)
        if self._order[0] != epoch:
            rng = generator(self.seed, self.stream, _SHUFFLING, epoch)
            self._order = (epoch, self.rows[rng.permutation(len(self.rows))])
        return self._order[1][place * batch.count : (place + 1) * batch.count]

    def anneal(self, step: int) -> float:
        """The weight of the KL terms at a step."""
        steps = self.built.wish.kl_anneal * self.batches
        return min(1.0, (step + 1) / steps) if steps > 0 else 1.0

    def _shapes(self) -> list[tuple[int, ...]]:
        rows = np.zeros(self.built.plan.batch.count if self.built.plan.batch else 0, dtype=np.int64)
        eps = noise(self.built.plan, np.random.default_rng(0), self.draws)
        return [array.shape for array in given(self.built, rows, eps, 1.0)]


def _in_single(built: Built) -> Built:
    """The data in numbers of 32 bits, so that none is converted in each step; whole numbers as they are."""
    plan = built.plan
    batch = plan.batch
    if batch is not None:
        sources = tuple((slot, _short(whole), place) for slot, whole, place in batch.sources)
        plan = replace(plan, batch=replace(batch, sources=sources))
    return replace(built, plan=plan, features=_short(built.features))


def _short(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32, order="C") if array.dtype == np.float64 else array


def draws_of(plan: Plan) -> int:
    """How many draws a step takes: one where it has rows enough."""
    rows = _DRAWS_OF_ROWS if plan.batch is None else plan.batch.count
    return int(np.clip(_DRAWS_OF_ROWS // max(1, rows), 1, _MOST_DRAWS)) if plan.batch is not None else _MOST_DRAWS


def given(built: Built, rows: np.ndarray, eps: Noise, anneal: float) -> list[np.ndarray]:
    """The inputs of the objective beside phi."""
    batch = built.plan.batch
    arrays = [] if batch is None else batch.arrays(rows)
    features = built.features.take(rows, axis=0) if built.plan.encoder is not None else np.zeros((0, 0))
    return inputs(eps, anneal, rows, features, arrays)


def inputs(
    eps: Noise, anneal: float, rows: np.ndarray, features: np.ndarray, arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:  # fmt: skip
    """In the order in which the objective takes them."""
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
