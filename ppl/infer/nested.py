"""draws of a guide -> weighted proposals, where a few coordinates tie many that hang together in a narrow band.

Walks, autoregressions, groups beside one another: given the few hubs h (scales, coefficients) the rest r is nearly
Gaussian. The density of h by Laplace's method (as in INLA: Rue, Martino, Chopin 2009) is what proposals of h are
adapted to; r is drawn from its Gaussian at each h, about the mode there, and all is weighed by the joint itself. What
is not Gaussian shows in the weights.
"""

from __future__ import annotations

from dataclasses import field, replace

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import interactions
from ppl.infer import banded, curvature, doubts, importance
from ppl.infer.adapted import PROPOSALS_PER_DRAW, Outweighed, rounds
from ppl.infer.curvature import Directions
from ppl.infer.draws import generator
from ppl.infer.importance import Weights
from ppl.infer.objective import Counted, LogDensity, MeanField
from ppl.infer.pipeline import MOST_SEEN, NESTED, Approximation
from ppl.infer.proposals import HEAVY_TAILED_BELOW, Component, propose
from ppl.infer.propriety import slow_tail
from ppl.infer.verdict import Evidence, could_help
from ppl.values import dataclass

_WIDEST = 8  # diagonals beside the main one
_STEPS = 12  # of Newton's method
_SMALL = 1e-6  # nats that a last step would gain
_LENGTHS = (1.0, 0.3, 0.1, 0.01)
_LOST, _NEAR = 5e-3, 5.0  # share of the hubs' draws, within so many sds, whose rest has no mode
_PER_DRAW = 0.5  # of the hubs for each draw asked for
_NUMBERS = 1 << 21  # of the bands of all precisions that are factored together
_FEWEST_TOGETHER = 64
_MOST_KEPT = 20_000_000  # elements of the proposals
_MOST_BATCHES = 3000  # of as many gradients as are evaluated at once: chains cost as much
_BATCHES_OF_ROUNDS = 5
_SURE = 3.5  # standard errors by which a moment must have moved
_LOG_TWO_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Hubs (H,) and the rest (R,), in the order in which the band is narrow: `width` diagonals below the main one."""

    hubs: np.ndarray
    rest: np.ndarray
    width: int


def split(pattern: np.ndarray) -> Split | None:
    """Of coordinates that interact as in (D, D): the fewest hubs that leave a narrow band, None where none do."""
    degrees = pattern.sum(axis=0)
    for least in sorted(set(degrees.tolist()), reverse=True):
        hubs = np.flatnonzero(degrees >= least)
        if len(hubs) > HEAVY_TAILED_BELOW or len(hubs) == len(degrees):
            return None
        rest = np.flatnonzero(degrees < least)
        inner = sparse.csr_matrix(pattern[np.ix_(rest, rest)])
        order = csgraph.reverse_cuthill_mckee(inner, symmetric_mode=True)
        entries = inner[order][:, order].tocoo()
        width = int(np.abs(entries.row - entries.col).max(initial=0))
        if width <= _WIDEST:
            return Split(hubs, rest[order], width)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """The Gaussians of the rest at S points of the hubs: modes (R, S), factors of the precisions, and Laplace's log
    density of the hubs (S,), minus infinity where the rest has no mode.
    """

    mode: np.ndarray
    lower: np.ndarray
    log_density: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """The log density of the hubs by Laplace's method, the rest begun at `begin` (R,)."""

    joint: LogDensity
    split: Split
    directions: Directions  # of the rest alone
    begin: np.ndarray
    scale: np.ndarray  # (R,)
    lost: list[np.ndarray] = field(default_factory=list)  # hubs, of all asked for, at which the rest has no mode

    @property
    def dimension(self) -> int:
        return len(self.split.hubs)

    @property
    def draws_at_once(self) -> int:
        return self.joint.draws_at_once

    @property
    def pieces(self) -> int:
        """How many points of the hubs are looked at together."""
        return max(_FEWEST_TOGETHER, _NUMBERS // (len(self.split.rest) * (self.split.width + 1)))

    def value(self, h: np.ndarray) -> np.ndarray:
        """h (S, H) -> (S,)."""
        found = []
        for some in (h[i : i + self.pieces] for i in range(0, len(h), self.pieces)):
            given = self.given(some)
            found.append(given.log_density)
            self.lost.append(some[~np.isfinite(given.lower[:, 0]).all(axis=0)])
        return np.concatenate(found)

    def joined(self, h: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Hubs (S, H) and the rest (R, S) -> z (S, D)."""
        z = np.empty((len(h), len(self.split.hubs) + len(self.split.rest)))
        z[:, self.split.hubs], z[:, self.split.rest] = h, r.T
        return z

    def given(self, h: np.ndarray) -> Conditional:
        """By Newton's method at all points together; a shorter step where the whole one leads down."""
        mode = np.repeat(self.begin[:, None], len(h), axis=1)
        value, gradient = self._value_and_gradient(h, mode)
        lower = banded.cholesky(self._precision(h, mode))
        for _ in range(_STEPS):
            step = banded.solve(lower, gradient)
            gain = (gradient * step).sum(axis=0)
            going = gain > _SMALL  # not where it is no number
            if not going.any():
                break
            mode, value, gradient = self._stepped(h, mode, value, gradient, step, going)
            after = (gradient * banded.solve(lower, gradient)).sum(axis=0)
            if not (after[going] > _SMALL).any():  # as good as quadratic: the precision is the same
                break
            lower = banded.cholesky(self._precision(h, mode))
        log_density = value + 0.5 * len(self.begin) * _LOG_TWO_PI - 0.5 * banded.log_determinant(lower)
        return Conditional(mode, lower, np.where(np.isfinite(log_density), log_density, -np.inf))

    def _stepped(
        self, h: np.ndarray, mode: np.ndarray, value: np.ndarray, gradient: np.ndarray, step: np.ndarray,
        going: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        mode, value, gradient, left = mode.copy(), value.copy(), gradient.copy(), np.flatnonzero(going)
        for length in _LENGTHS:
            trial = mode[:, left] + length * step[:, left]
            there, slope = self._value_and_gradient(h[left], trial)
            better = there > value[left]
            now = left[better]
            mode[:, now], value[now], gradient[:, now] = trial[:, better], there[better], slope[:, better]
            left = left[~better]
            if not len(left):
                break
        return mode, value, gradient

    def _value_and_gradient(self, h: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = self.joint.value_and_gradient(self.joined(h, r))
        return value, gradient[:, self.split.rest].T

    def _precision(self, h: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Minus the Hessian by the rest as bands (R, width + 1, S)."""
        slopes = lambda points: self._value_and_gradient(np.tile(h, (len(points) // len(h), 1)), points.T)[1].T  # noqa: E731
        shown = curvature.second_differences(slopes, r.T, self.scale, self.directions, self.joint.draws_at_once)
        bands, seen = np.zeros((len(r), self.split.width + 1, len(h))), np.zeros((len(r), self.split.width + 1))
        for row, column, entries in zip(self.directions.rows, self.directions.columns, shown, strict=True):
            at = np.maximum(row, column), np.abs(row - column)  # whichever side shows them
            bands[at] -= entries.T
            seen[at] += 1
        return bands / np.maximum(seen, 1)[:, :, None]


def nested(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
    """None in few coordinates or very many, where no few hubs leave a narrow band, where other modes are known, and
    where it would cost more than chains.
    """
    outside = not HEAVY_TAILED_BELOW < joint.dimension <= MOST_SEEN  # among more, other modes were hardly looked for
    if outside or joint.elimination is not None or so_far.evidence.rivals or not could_help(so_far.evidence):
        return None
    pattern = interactions(joint)
    divided = split(pattern)
    if divided is None:
        return None
    directions = curvature.plan(pattern[np.ix_(divided.rest, divided.rest)])
    hub_draws = int(_PER_DRAW * draws)
    if (
        _BATCHES_OF_ROUNDS * PROPOSALS_PER_DRAW * hub_draws * 2 * (len(directions) + 1)
        > _MOST_BATCHES * joint.draws_at_once
    ):
        return None
    counted = Counted(joint)
    begin, sd = so_far.z.mean(axis=0), so_far.z.std(axis=0)
    marginal = Marginal(counted, divided, directions, begin[divided.rest], sd[divided.rest])
    with np.errstate(all="ignore"):
        try:
            h, weights, apart = _hubs(marginal, so_far.z[:, divided.hubs], seed, hub_draws)
        except (Outweighed, np.linalg.LinAlgError):
            return None
        if _lost(marginal, h, weights.weights) > _LOST:
            return None
        most = _MOST_KEPT // joint.dimension
        if len(h) > most:
            kept = np.sort(generator(seed, NESTED, 2).choice(len(h), most, replace=False))
            share = weights.weights[kept]
            h, weights = h[kept], replace(weights, weights=share / share.sum())
        z, eps, log_ratios = _with_rest(marginal, h, generator(seed, NESTED, 1))
        found = importance.smooth(np.log(weights.weights) + log_ratios)
        means, spreads = _moved(eps, weights, found)
    found = replace(found, pareto_k=max(found.pareto_k, weights.pareto_k))
    slow, latents = slow_tail(joint, z, found, draws, generator(seed, NESTED, 3))
    evidence = _evidence(joint, divided, z, found, apart, means, spreads)
    evidence = replace(evidence, slow_tail=slow, where={**evidence.where, "slow_tail": latents})
    mean = found.weights @ z
    guide = MeanField(mean, 0.5 * np.log(found.weights @ (z - mean) ** 2))
    return Approximation(guide, z, found, evidence, counted.evaluations, so_far.elbo, mean[None])


def _lost(marginal: Marginal, h: np.ndarray, weights: np.ndarray) -> float:
    """Of the hubs (P, H) that count, those within a few sds, how many for each have no mode of the rest."""
    mean = weights @ h
    far = _NEAR * np.sqrt(weights @ (h - mean) ** 2)
    near, lost = ((np.abs(some - mean) <= far).all(axis=1).sum() for some in (h, np.concatenate(marginal.lost)))
    return float(lost / max(1, near))


def _with_rest(
    marginal: Marginal, h: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hubs (S, H) with draws of the rest: z (S, D), the standard draws behind the rest (R, S), and by how much the log
    joint exceeds Laplace's density and the conditional one together (S,).
    """
    eps = rng.standard_normal((len(marginal.begin), len(h)))
    z, log_ratios = np.empty((len(h), marginal.joint.dimension)), np.empty(len(h))
    for some in (slice(i, i + marginal.pieces) for i in range(0, len(h), marginal.pieces)):
        given, own = marginal.given(h[some]), eps[:, some]
        z[some] = marginal.joined(h[some], given.mode + banded.solve_upper(given.lower, own))
        log_conditional = 0.5 * (banded.log_determinant(given.lower) - (own**2).sum(axis=0) - len(own) * _LOG_TWO_PI)
        excess = marginal.joint.value(z[some]) - log_conditional - given.log_density
        log_ratios[some] = np.where(np.isfinite(given.log_density), excess, -np.inf)
    return z, eps, log_ratios


def _hubs(marginal: Marginal, h: np.ndarray, seed: int, draws: int) -> tuple[np.ndarray, Weights, np.ndarray]:
    """Weighted proposals (P, H) of the hubs by Laplace's density, from draws of a guide, and how far the last round
    moved each (H,).
    """
    first = Component(h.mean(axis=0), np.linalg.cholesky(np.cov(h, rowvar=False).reshape(h.shape[1], -1)))
    begun = propose(marginal, generator(seed, NESTED, 0), [first], PROPOSALS_PER_DRAW * draws)
    return rounds(marginal, *begun, seed, draws)


def _moved(eps: np.ndarray, before: Weights, after: Weights) -> tuple[np.ndarray, np.ndarray]:
    """How far the weights of all move the whitened rest (R, S) from where those of the hubs alone have it: means, in
    sds, and log sds, beyond chance, each (R,).
    """
    noise = _SURE * float(np.hypot(before.effective**-0.5, after.effective**-0.5))
    means = np.abs(eps @ after.weights - eps @ before.weights) - noise
    spreads = 0.5 * np.abs(np.log((eps**2 @ after.weights) / (eps**2 @ before.weights))) - noise
    return np.maximum(means, 0.0), np.maximum(spreads, 0.0)


def _evidence(
    joint: LogJoint, divided: Split, z: np.ndarray, weights: Weights, apart: np.ndarray, means: np.ndarray,
    spreads: np.ndarray,
) -> Evidence:  # fmt: skip
    def names(share: np.ndarray, at: np.ndarray) -> tuple[str, ...]:
        whole = np.zeros(joint.dimension)
        whole[at] = share
        return doubts.names(joint.blocks, whole)

    where = {
        "pareto_k": doubts.names(joint.blocks, doubts.uncovered(z, weights.weights)),
        "wider": names(apart, divided.hubs),
        "moved_mean": names(means, divided.rest),
        "moved_sd": names(spreads, divided.rest),
    }
    return Evidence(
        draws=len(z),
        effective=weights.effective,
        pareto_k=weights.pareto_k,
        wider=float(apart.max()),
        moved_mean=float(means.max()),
        moved_sd=float(spreads.max()),
        where=where,
    )
