"""components, mostly Gaussian -> weighted proposals: drawn from all in strata, weighed by the density of the whole.

With one component this is plain importance sampling; with several the deterministic mixture of Owen and Zhou (2000),
whose weights are bounded wherever those of any one component are (Hesterberg 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from ppl.infer import importance
from ppl.infer.draws import antithetic, student
from ppl.infer.importance import Weights
from ppl.infer.objective import Weighable
from ppl.numeric.reduce import logsumexp
from ppl.values import dataclass

HEAVY_TAILED_BELOW = 12  # coordinates: proposals from a t with 7 degrees of freedom
_T_DF = 7.0
_BATCHES_OF_PROPOSALS = 30
_MOST_BATCHES_OF_PROPOSALS = 120
_PROPOSALS_PER_DRAW = (5, 25)
_ENOUGH_BEHIND_SDS = 400
_BLOCK = 8192  # proposals evaluated at once: what is worked out for them stays in the cache
_TOO_FEW_BEHIND_SDS = 200  # the verdict asks for half as many
_UNEVEN = 0.3  # Pareto k above which more proposals are made
_MOST_KEPT = 4_000_000  # elements of the proposals
_DOUBTED = 0.5  # Pareto k above which the weights have no variance
_STRETCH = 3.0  # of the sd along an axis
_WIDER = _STRETCH**2 - 1  # w
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
    stretched: Stretch | None = None

    @property
    def heavy(self) -> int:
        return heavy_tailed(len(self.mean), self.shared)

    def place(self, eps: np.ndarray) -> np.ndarray:
        return self.mean + eps @ self.root.T

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(log_densities([self], z)[0])

    def wider(self) -> list[Component]:
        return _stretched(self)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A component is wider than one with the root (D, D) `of`, along a direction of coordinates with heavy tails, in
    what that root whitens: its covariance there is I + w d d', and its density takes one product more, and no root.
    """

    of: np.ndarray
    along: np.ndarray


def heavy_tailed(dimension: int, shared: int) -> int:
    """How many leading coordinates are proposed from a t: a few, where all others are Gaussian given these, or all."""
    few = dimension if dimension <= HEAVY_TAILED_BELOW else shared
    return few if few <= HEAVY_TAILED_BELOW else 0


def correct(
    joint: Weighable, rng: np.random.Generator, components: Sequence[Proposal], draws: int, hasty: bool = False
) -> tuple[np.ndarray, Weights]:
    """Proposals (P, D) with smoothed weights: more where these are uneven, still more where an sd would rest on few.

    `hasty`: no more once they are so uneven that these have no variance.
    """
    few, many = _counts(joint, draws, _BATCHES_OF_PROPOSALS)
    _, most = _counts(joint, draws, _MOST_BATCHES_OF_PROPOSALS)
    z, log_ratios = proposed(joint, rng, components, few)
    weights = importance.smooth(log_ratios)
    looks = (min(2 * few, many), _ENOUGH_BEHIND_SDS), (many, _ENOUGH_BEHIND_SDS), (most, _TOO_FEW_BEHIND_SDS)
    for count, enough in looks:
        if hasty and is_uneven(weights):
            break
        uneven = count <= many and weights.pareto_k > _UNEVEN
        lacking = count - len(z)
        if lacking >= draws and (uneven or importance.draws_behind_sd(z, weights.weights) < enough):
            more, others = proposed(joint, rng, components, lacking - lacking % 2)
            z, log_ratios = np.concatenate([z, more]), np.concatenate([log_ratios, others])
            weights = importance.smooth(log_ratios)
    return z, weights


def _counts(joint: Weighable, draws: int, batches: int) -> tuple[int, ...]:
    """Few and many proposals, within so many batches of as many draws as are evaluated at once."""
    affordable = min(batches * joint.draws_at_once, _MOST_KEPT // max(1, joint.dimension))
    return tuple(int(np.clip(affordable, draws, times * draws)) for times in _PROPOSALS_PER_DRAW)


def correct_twice(
    joint: Weighable, rng: np.random.Generator, components: Sequence[Proposal], draws: int, hasty: bool = False
) -> tuple[np.ndarray, Weights, np.ndarray]:
    """As `correct`; where few coordinates have heavy tails and Pareto k is above 0.5, once more with wider proposals
    beside the others.

    Proposals that end before a tail, as in the mouth of a funnel, do not know what they miss. Stretched along one axis
    of the covariance of these few at a time they stay efficient in up to a dozen dimensions. The third is how far that
    moved the mean of each coordinate, in sds, or its log sd (D,), beyond chance; zeros where one look was enough.
    """
    z, weights = correct(joint, rng, components, draws, hasty)
    none = np.zeros(joint.dimension)
    if not components[0].heavy or not is_uneven(weights):
        return z, weights, none
    wider = [one for component in components for one in component.wider()]
    if not wider:
        return z, weights, none
    z2, weights2 = correct(joint, rng, [*components, *wider], draws, hasty)
    return z2, weights2, moved(z, weights, z2, weights2)


def are_enough(z: np.ndarray, weights: Weights) -> bool:
    """Whether `correct` would make no more proposals than z (P, D)."""
    return not weights.pareto_k > _UNEVEN and importance.draws_behind_sd(z, weights.weights) >= _ENOUGH_BEHIND_SDS


def is_uneven(weights: Weights) -> bool:
    """Whether their Pareto k says that they have no variance."""
    return not weights.pareto_k <= _DOUBTED


def moved(z: np.ndarray, weights: Weights, z2: np.ndarray, weights2: Weights, by_draws: bool = False) -> np.ndarray:
    """How far other weighted proposals have the mean of each coordinate, in sds, or its log sd, beyond chance (D,).

    Chance is that of as many Gaussian draws, or, `by_draws`, of these with their tails: where both have seen the tails
    a log sd that rests on few far draws does not tell them apart.
    """
    with np.errstate(all="ignore"):
        (mean, sd, *errors), (mean2, sd2, *errors2) = (
            _moments(*one, by_draws) for one in ((z, weights), (z2, weights2))
        )
        of_mean, of_sd = (_SURE * np.hypot(one, other) for one, other in zip(errors, errors2, strict=True))
        apart = np.maximum(np.abs(mean2 - mean) / sd2 - of_mean, np.abs(np.log(sd2 / sd)) - of_sd)
    return np.nan_to_num(np.maximum(apart, 0.0), nan=0.0, posinf=1e6)


def _moments(z: np.ndarray, weights: Weights, by_draws: bool) -> tuple[np.ndarray, ...]:
    """Means and sds, and the standard errors of means, in sds, and of log sds, each (D,)."""
    w = weights.weights
    mean = w @ z
    deviation2 = (z - mean) ** 2
    variance = w @ deviation2
    least = np.full(len(mean), weights.effective**-0.5)
    if not by_draws:
        return mean, np.sqrt(variance), least, least
    of_mean = np.sqrt(w**2 @ deviation2 / variance)
    of_log_sd = 0.5 * np.sqrt(w**2 @ (deviation2 / variance - 1) ** 2)
    return mean, np.sqrt(variance), np.maximum(of_mean, least), np.maximum(of_log_sd, least)


def _stretched(component: Component) -> list[Component]:
    """As many as there are heavy tails, in all with the share of the component: each wider along one axis of theirs,
    what the others are given these left as it was.
    """
    heavy = component.heavy
    own = component.root[:heavy, :heavy]
    covariance = own @ own.T
    try:
        variances, axes = np.linalg.eigh(covariance)
        wider = [covariance + _WIDER * v * np.outer(axis, axis) for v, axis in zip(variances, axes.T, strict=True)]
        roots = np.linalg.cholesky(np.array(wider))
        given = np.linalg.solve(own.T, component.root[heavy:, :heavy].T).T
    except np.linalg.LinAlgError:
        return []
    along = np.linalg.solve(own, axes * np.sqrt(variances)).T
    found = []
    for root, direction in zip(roots, along, strict=True):
        whole = component.root.copy()
        whole[:heavy, :heavy], whole[heavy:, :heavy] = root, given @ root
        stretched = Stretch(component.root, direction)
        found.append(replace(component, root=whole, share=component.share / len(roots), stretched=stretched))
    return found


def propose(
    joint: Weighable, rng: np.random.Generator, components: Sequence[Proposal], count: int
) -> tuple[np.ndarray, Weights]:
    """So many proposals (P, D), the components' one after another, and their smoothed weights."""
    z, log_ratios = proposed(joint, rng, components, count)
    return z, importance.smooth(log_ratios)


def proposed(
    joint: Weighable, rng: np.random.Generator, components: Sequence[Proposal], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """An even number of proposals (P, D) from each component, Gaussian, or a t of its shape in few dimensions; and log
    ratios (P,).
    """
    with np.errstate(all="ignore"):
        counted = zip(counts(components, count), components, strict=True)
        drawn = [_standard(rng, n, joint.dimension, one.heavy) for n, one in counted]
        parts = [one.place(eps) for one, eps in zip(components, drawn, strict=True)]
        z = np.concatenate(parts) if len(parts) > 1 else parts[0]
        log_ratios = np.empty(len(z))
        for block in (slice(i, i + _BLOCK) for i in range(0, len(z), _BLOCK)):
            if len(components) == 1:
                log_q = _log_kernel(*_squared_lengths(drawn[0][block], components[0].heavy), components[0].heavy)
            else:
                log_q = _log_mixture(components, z[block], [len(part) for part in parts])
            log_ratios[block] = joint.value(z[block]) - log_q
        return z, log_ratios


def counts(components: Sequence[Proposal], count: int) -> list[int]:
    """How many proposals each component makes: even numbers, about in the shares."""
    if len(components) == 1:
        return [count]
    total = sum(one.share for one in components)
    return [2 * max(1, round(0.5 * count * one.share / total)) for one in components]


def log_densities(components: Sequence[Proposal], z: np.ndarray) -> np.ndarray:
    """The log density of each component at points z (P, D), up to one constant: (N, P)."""
    found = np.empty((len(components), len(z)))
    whitened: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, np.ndarray, float]] = {}  # stretched ones share that
    for i, one in enumerate(components):
        if not isinstance(one, Component):
            found[i] = one.log_density(z)
            continue
        root = one.root if one.stretched is None else one.stretched.of
        place = id(one.mean), id(root)
        if place not in whitened:
            eps = (z - one.mean) @ np.linalg.inv(root).T
            whitened[place] = eps, *_squared_lengths(eps, one.heavy), float(np.log(np.diag(root)).sum())
        eps, squared, rest, log_det = whitened[place]
        if one.stretched is not None:
            factor = 1 + _WIDER * float(one.stretched.along @ one.stretched.along)  # the determinant
            along = eps[:, : one.heavy] @ one.stretched.along
            squared = squared - _WIDER / factor * along**2  # Sherman and Morrison 1950
            log_det += 0.5 * float(np.log(factor))
        found[i] = _log_kernel(squared, rest, one.heavy) - log_det
    return found


def _log_mixture(components: Sequence[Proposal], z: np.ndarray, counted: Sequence[int]) -> np.ndarray:
    shares = np.array(counted) / sum(counted)
    return np.asarray(logsumexp.fun(log_densities(components, z) + np.log(shares)[:, None], 0))


def _standard(rng: np.random.Generator, count: int, dimension: int, heavy: int) -> np.ndarray:
    if heavy == 0:
        return antithetic(rng, count, dimension)
    leading = student(rng, count, heavy, _T_DF)
    if heavy == dimension:
        return leading
    return np.concatenate([leading, antithetic(rng, count, dimension - heavy)], axis=1)


def _squared_lengths(eps: np.ndarray, heavy: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the coordinates with heavy tails, which lead, and of the rest: each (P,)."""
    leading, rest = eps[:, :heavy], eps[:, heavy:]
    return np.einsum("pd,pd->p", leading, leading), np.einsum("pd,pd->p", rest, rest)


def _log_kernel(squared: np.ndarray, rest: np.ndarray, heavy: int) -> np.ndarray:
    """The log density of standard draws, up to a constant, by their squared lengths (P,)."""
    return np.asarray(-0.5 * (_T_DF + heavy) * np.log1p(squared / _T_DF) - 0.5 * rest)
