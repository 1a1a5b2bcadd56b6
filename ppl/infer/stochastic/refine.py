"""trained phi, all rows -> phi where the ELBO over all rows is highest, and how far from there it still is.

Steps see few of the rows: their gradients, and what is averaged of them, are off by sqrt(N / M) posterior sds a step,
so that long data leave means and sds where chance did. Over all rows, with draws that stay the same, the ELBO is a
plain function, and a few quasi-Newton steps from the trained phi end at its maximum. Draws come in pairs, eps and -eps:
what is odd in them is gone, and with it most of the noise. The distance is measured with other draws. This is for
Gaussian guides of what rows share; networks and encoders have no use for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ppl.compile.batch import batch_of
from ppl.compile.staged.step import Step
from ppl.infer import watch
from ppl.infer.draws import generator
from ppl.infer.optimise import lbfgs
from ppl.infer.stochastic.build import Built
from ppl.infer.stochastic.choose import is_network
from ppl.infer.stochastic.drawn import Noise, noise
from ppl.infer.stochastic.objective import Objective, as_function, given, inputs
from ppl.infer.stochastic.plan import Plan
from ppl.infer.stochastic.wish import Wish

_PASSES, _MOST_PASSES = 15, 100  # over all rows, at most, where nobody says how many epochs: more of few rows
_WORK = 20_000_000  # rows times draws of all passes, up to which there are more
_SHARE_OF_EPOCHS = 5  # one pass for so many epochs that were asked for
_MOST_PARAMETERS = 100_000
_PAIRS = 1024  # of draws, in all batches together, unless a batch would get too long by them
_ELEMENTS = 4_000_000  # of a batch at all draws
_NATS = 1e-3  # that a full step promises, below which nothing is gained
_BATCHES = 16  # at least, of the rows that there are: their gradients tell the information about points
_DRAWS = (60, 61)  # streams of random numbers


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """`short` is the longest step that is left, in posterior sds; None where it was not looked at or is not finite."""

    phi: np.ndarray
    short: float | None = None


def refine(objective: Objective, phi: np.ndarray) -> Refined:
    """phi (P,) as it is where there is nothing to refine, and where an interruption comes before the end."""
    if not _applies(objective.built.plan, objective.built.wish, len(phi)):
        return Refined(phi)
    epochs = objective.built.wish.epochs
    over_all = _OverAll(objective)
    passes = over_all.passes if epochs is None else int(np.clip(epochs // _SHARE_OF_EPOCHS, 1, over_all.passes))
    try:
        watch.step("all rows")
        value, gradient = over_all.at(1)(phi)
        if passes > 1:
            square = over_all.scale(phi) ** 2
            found = lbfgs(over_all.at(0), phi, lambda gradient: square * gradient, _NATS, passes - 1).x
            other, its_gradient = over_all.at(1)(found)
            if other < value:
                phi, value, gradient = found, other, its_gradient
        if not np.isfinite(value):
            return Refined(phi)
        return Refined(phi, over_all.longest(over_all.scale(phi) * gradient))
    except KeyboardInterrupt:
        if not watch.is_stopped():
            raise
        return Refined(phi)


def _applies(plan: Plan, wish: Wish, parameters: int) -> bool:
    """To a mean field of few numbers that rows share: no encoder, no network, no latents of single rows or relaxed."""
    if plan.encoder is not None or plan.soft or wish.guide != "meanfield" or not 0 < parameters <= _MOST_PARAMETERS:
        return False
    local = set() if plan.batch is None else set(plan.batch.split.local)
    return not local & {block.name for block in plan.joint.blocks} and not is_network(plan.joint)


class _OverAll:
    """The negative ELBO over all rows that steps see, with draws that depend on the seed alone."""

    def __init__(self, objective: Objective):
        self._objective = objective
        plan = objective.built.plan
        self._seen = 0 if plan.batch is None else plan.seen
        self._count = 0 if plan.batch is None else min(plan.batch.count, max(1, plan.seen // _BATCHES))
        starts = range(0, self._seen, self._count) if self._count else (0,)
        self._cuts = [(start, min(start + self._count, self._seen)) for start in starts]
        widest = max([1, *(int(np.prod(part.log_prob.shape)) for part in plan.joint.parts)])
        at_once = widest * max(1, self._count) // plan.rows
        self._pairs = int(np.clip(-(-_PAIRS // len(self._cuts)), 1, max(8, _ELEMENTS // at_once)))
        work = 2 * self._pairs * max(1, self._seen)
        self.passes = int(np.clip(_WORK // work, _PASSES, _MOST_PASSES))
        self._order = objective.rows
        if self._count and objective.source is None:
            self._order = objective.rows[generator(objective.seed, _DRAWS[0]).permutation(len(objective.rows))]
        self._made: dict[int, tuple[Built, Step]] = {}
        self._information: np.ndarray | None = None

    def at(self, purpose: int) -> _Function:
        return _Function(self, generator_of=(self._objective.seed, _DRAWS[purpose]))

    def scale(self, phi: np.ndarray) -> np.ndarray:
        """What a step of one posterior sd is (P,): of means their sds, of log sds that of a Gaussian's, of points by
        the information that gradients of batches show.
        """
        closed, opened, points, *_ = self._objective.built.plan.sizes()
        found = np.ones(len(phi))
        for start, size in ((0, closed), (closed, opened)):
            half = start + size // 2
            found[start:half], found[half : start + size] = np.exp(phi[half : start + size]), 0.5**0.5
        if points:
            found[closed + opened :] = self._informed(phi)[closed + opened :] ** -0.5
        return found

    def longest(self, steps: np.ndarray) -> float:
        """The longest of those of means and points, or the root mean square of those of log sds."""
        closed, opened, *_ = self._objective.built.plan.sizes()
        sds = np.zeros(len(steps), dtype=bool)
        for start, size in ((0, closed), (closed, opened)):
            sds[start + size // 2 : start + size] = True
        of_sds = float(np.sqrt((steps[sds] ** 2).mean())) if sds.any() else 0.0
        return max(of_sds, float(np.abs(steps[~sds]).max(initial=0.0)))

    def _informed(self, phi: np.ndarray) -> np.ndarray:
        """(P,): N times the variance of a row's score, as gradients of whole batches have it. Infinite, so that a point
        stays where it is, where these do not differ.
        """
        if self._information is None:
            parts = self.batches(phi, (self._objective.seed, _DRAWS[0]))
            whole = np.array(
                [gradient for (a, b), (_, gradient) in zip(self._cuts, parts, strict=True) if b - a == self._count]
            )
            spread = whole.var(axis=0, ddof=min(1, len(whole) - 1)) * self._count / max(1, self._seen)
            self._information = np.where(spread > 0, spread, np.inf)
        return self._information

    def batches(self, phi: np.ndarray, seeds: tuple[int, int]) -> list[tuple[float, np.ndarray]]:
        found = []
        for number, (start, stop) in enumerate(self._cuts):
            built, step = self._of(stop - start)
            watch.tick(2 * self._pairs)
            eps = _mirrored(noise(built.plan, generator(*seeds, number), self._pairs))
            source = self._objective.source
            if source is None:
                arrays = given(built, self._order[start:stop], eps, 1.0)
            else:
                features, *data = source.rows(0, start, stop, np.float64)
                arrays = inputs(eps, 1.0, np.zeros(stop - start), features, data)
            found.append(step(phi, *arrays))
        return found

    def value_and_gradient(self, phi: np.ndarray, seeds: tuple[int, int]) -> tuple[float, np.ndarray]:
        value, gradient = 0.0, np.zeros(len(phi))
        for (start, stop), (own, by_phi) in zip(self._cuts, self.batches(phi, seeds), strict=True):
            share = (stop - start) / self._seen if self._seen else 1.0
            value, gradient = value + share * own, gradient + share * by_phi
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return np.inf, np.zeros(len(phi))
        return value, gradient

    def _of(self, count: int) -> tuple[Built, Step]:
        """For batches of so many rows."""
        if count not in self._made:
            built = self._objective.built
            plan = built.plan
            if plan.batch is not None and count != plan.batch.count:
                local = plan.batch.split.local
                drawn = {b.name for b in plan.joint.blocks if b.start in plan.closed and b.name not in local}
                plan = replace(plan, batch=batch_of(plan.batch.split, count, drawn))
                built = replace(built, plan=plan)
            eps = noise(plan, np.random.default_rng(0), 2 * self._pairs)
            shapes = [array.shape for array in given(built, np.zeros(count, dtype=np.int64), eps, 1.0)]
            self._made[count] = built, Step(as_function(plan), sum(plan.sizes()), shapes)
        return self._made[count]


def _mirrored(half: Noise) -> Noise:
    """Each draw, and behind them all the same with the other sign."""
    closed, opened, rows = (np.concatenate([eps, -eps]) for eps in (half.closed, half.opened, half.rows))
    return Noise(closed, opened, rows, tuple(np.concatenate([eps, -eps]) for eps in half.products))


@dataclass(frozen=True, slots=True)
class _Function:
    over_all: _OverAll
    generator_of: tuple[int, int]

    def __call__(self, phi: np.ndarray) -> tuple[float, np.ndarray]:
        return self.over_all.value_and_gradient(phi, self.generator_of)
