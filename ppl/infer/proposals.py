"""components, mostly Gaussian -> weighted proposals: drawn from all in strata, weighed by the density of the whole.

With one component this is plain importance sampling; with several the deterministic mixture of Owen and Zhou (2000),
whose weights are bounded wherever those of any one component are (Hesterberg 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.linalg import solve_triangular

from ppl.infer import importance
from ppl.infer.draws import antithetic, student
from ppl.infer.importance import Weights
from ppl.infer.objective import LogDensity

HEAVY_TAILED_BELOW = 12  # coordinates: proposals from a t with 7 degrees of freedom
_T_DF = 7.0
_BATCHES_OF_PROPOSALS = 30
_MOST_BATCHES_OF_PROPOSALS = 120
_PROPOSALS_PER_DRAW = (5, 25)
_ENOUGH_BEHIND_SDS = 400
_TOO_FEW_BEHIND_SDS = 200  # the verdict asks for half as many
_UNEVEN = 0.3  # Pareto k above which more proposals are made
_MOST_KEPT = 4_000_000  # elements of the proposals
_DOUBTED = 0.5  # Pareto k above which the weights have no variance
_STRETCH = 3.0  # of the sd along an axis
_SURE = 3.5  # standard errors by which a moment must have moved


class Proposal(Protocol):
    """What the share of the proposals is drawn from: standard draws (P, D), of which the first `heavy` coordinates are
    from a t, are put in `place`, and points have a log density, that of all up to the same constant. `wider` ones have
    its share together; none where it cannot be.
    """

    @property
    def share(self) -> float: ...
    @property
    def heavy(self) -> int: ...
    def place(self, eps: np.ndarray) -> np.ndarray: ...
    def log_density(self, z: np.ndarray) -> np.ndarray: ...
    def wider(self) -> list[Component]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A mean (D,), the Cholesky factor (D, D) of a covariance, and the share of the proposals that come from it.

    `shared` are leading coordinates given which the others, conditional ones, are nearly Gaussian; 0 where none are.
    """

    mean: np.ndarray
    root: np.ndarray
    share: float = 1.0
    shared: int = 0

    @property
    def heavy(self) -> int:
        return heavy_tailed(len(self.mean), self.shared)

    def place(self, eps: np.ndarray) -> np.ndarray:
        return self.mean + eps @ self.root.T

    def log_density(self, z: np.ndarray) -> np.ndarray:
        eps = solve_triangular(self.root, (z - self.mean).T, lower=True, check_finite=False).T
        return log_kernel(eps, self.heavy) - float(np.log(np.diag(self.root)).sum())

    def wider(self) -> list[Component]:
        return _stretched(self)


def heavy_tailed(dimension: int, shared: int) -> int:
    """How many leading coordinates are proposed from a t: a few, where all others are Gaussian given these, or all."""
    few = dimension if dimension <= HEAVY_TAILED_BELOW else shared
    return few if few <= HEAVY_TAILED_BELOW else 0


def correct(
    joint: LogDensity, rng: np.random.Generator, components: Sequence[Proposal], draws: int
) -> tuple[np.ndarray, Weights]:
    """Proposals (P, D), the components' one after another, with smoothed weights: more where these are uneven, and
    still more where an sd would rest on few.
    """
    few, many = _counts(joint, draws, _BATCHES_OF_PROPOSALS)
    _, most = _counts(joint, draws, _MOST_BATCHES_OF_PROPOSALS)
    state = rng.bit_generator.state
    z, weights = propose(joint, rng, components, few)
    behind = importance.draws_behind_sd(z, weights.weights)
    for enough, count in ((_ENOUGH_BEHIND_SDS, many), (_TOO_FEW_BEHIND_SDS, most)):
        uneven = behind < enough or (count == many and weights.pareto_k > _UNEVEN)
        if uneven and count > len(z):
            rng.bit_generator.state = state
            z, weights = propose(joint, rng, components, count)
            behind = importance.draws_behind_sd(z, weights.weights)
    return z, weights


def _counts(joint: LogDensity, draws: int, batches: int) -> tuple[int, ...]:
    """Few and many proposals, within so many batches of as many draws as are evaluated at once."""
    affordable = min(batches * joint.draws_at_once, _MOST_KEPT // max(1, joint.dimension))
    return tuple(int(np.clip(affordable, draws, times * draws)) for times in _PROPOSALS_PER_DRAW)


def correct_twice(
    joint: LogDensity, rng: np.random.Generator, components: Sequence[Proposal], draws: int
) -> tuple[np.ndarray, Weights, np.ndarray]:
    """As `correct`; where few coordinates have heavy tails and Pareto k is above 0.5, once more with wider proposals
    beside the others.

    Proposals that end before a tail, as in the mouth of a funnel, do not know what they miss. Stretched along one axis
    of the covariance of these few at a time they stay efficient in up to a dozen dimensions. The third is how far that
    moved the mean of each coordinate, in sds, or its log sd (D,), beyond chance; zeros where one look was enough.
    """
    z, weights = correct(joint, rng, components, draws)
    none = np.zeros(joint.dimension)
    if not components[0].heavy or not weights.pareto_k > _DOUBTED:
        return z, weights, none
    wider = [one for component in components for one in component.wider()]
    if not wider:
        return z, weights, none
    z2, weights2 = correct(joint, rng, [*components, *wider], draws)
    with np.errstate(all="ignore"):
        (mean, sd, error), (mean2, sd2, error2) = _moments(z, weights), _moments(z2, weights2)
        noise = _SURE * np.hypot(error, error2)
        moved = np.maximum(np.abs(mean2 - mean) / sd2, np.abs(np.log(sd2 / sd))) - noise
    return z2, weights2, np.nan_to_num(np.maximum(moved, 0.0), nan=0.0, posinf=1e6)


def _moments(z: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray, float]:
    """Means and sds (D,), and the standard error of the means in sds."""
    mean = weights.weights @ z
    return mean, np.sqrt(weights.weights @ (z - mean) ** 2), weights.effective**-0.5


def _stretched(component: Component) -> list[Component]:
    """As many as there are heavy tails, in all with the share of the component: each wider along one axis of theirs,
    what the others are given these left as it was.
    """
    heavy = component.heavy
    own = component.root[:heavy, :heavy]
    covariance = own @ own.T
    try:
        variances, axes = np.linalg.eigh(covariance)
        wider = [
            covariance + (_STRETCH**2 - 1) * v * np.outer(axis, axis) for v, axis in zip(variances, axes.T, strict=True)
        ]
        roots = np.linalg.cholesky(np.array(wider))
        given = np.linalg.solve(own.T, component.root[heavy:, :heavy].T).T
    except np.linalg.LinAlgError:
        return []
    found = []
    for root in roots:
        whole = component.root.copy()
        whole[:heavy, :heavy], whole[heavy:, :heavy] = root, given @ root
        found.append(replace(component, root=whole, share=component.share / len(roots)))
    return found


def propose(
    joint: LogDensity, rng: np.random.Generator, components: Sequence[Proposal], count: int
) -> tuple[np.ndarray, Weights]:
    """An even number of proposals from each component: Gaussian, or a t of its shape in few dimensions."""
    with np.errstate(all="ignore"):
        counted = zip(counts(components, count), components, strict=True)
        drawn = [_standard(rng, n, joint.dimension, one.heavy) for n, one in counted]
        parts = [one.place(eps) for one, eps in zip(components, drawn, strict=True)]
        z = np.concatenate(parts)
        if len(components) == 1:
            log_q = log_kernel(drawn[0], components[0].heavy)
        else:
            log_q = _log_mixture(components, z, [len(part) for part in parts])
        return z, importance.smooth(joint.value(z) - log_q)


def counts(components: Sequence[Proposal], count: int) -> list[int]:
    """How many proposals each component makes: even numbers, about in the shares."""
    if len(components) == 1:
        return [count]
    total = sum(one.share for one in components)
    return [2 * max(1, round(0.5 * count * one.share / total)) for one in components]


def log_densities(components: Sequence[Proposal], z: np.ndarray) -> np.ndarray:
    """The log density of each component at points z (P, D), up to one constant: (N, P)."""
    return np.array([one.log_density(z) for one in components])


def _log_mixture(components: Sequence[Proposal], z: np.ndarray, counted: Sequence[int]) -> np.ndarray:
    shares = np.array(counted) / sum(counted)
    return np.asarray(np.logaddexp.reduce(log_densities(components, z) + np.log(shares)[:, None], axis=0))


def _standard(rng: np.random.Generator, count: int, dimension: int, heavy: int) -> np.ndarray:
    if heavy == 0:
        return antithetic(rng, count, dimension)
    leading = student(rng, count, heavy, _T_DF)
    if heavy == dimension:
        return leading
    return np.concatenate([leading, antithetic(rng, count, dimension - heavy)], axis=1)


def log_kernel(eps: np.ndarray, heavy: int) -> np.ndarray:
    """The log density of standard draws (P, D), up to a constant."""
    squared, rest = (eps[:, :heavy] ** 2).sum(axis=1), (eps[:, heavy:] ** 2).sum(axis=1)
    return np.asarray(-0.5 * (_T_DF + heavy) * np.log1p(squared / _T_DF) - 0.5 * rest)
