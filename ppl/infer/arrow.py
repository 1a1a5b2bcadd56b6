"""optimum of a hierarchy -> its weighted draws: the border's posterior with every group integrated out by quadrature.

Given the few coordinates of the border (hyperparameters, coefficients) the groups are independent: the density of the
border is that of its own factors times one integral of few dimensions a group (as in INLA: Rue, Martino, Chopin 2009,
but with the integrals by Gauss-Hermite quadrature about the guide, Naylor and Smith 1982).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import owners
from ppl.infer import importance
from ppl.infer.draws import antithetic
from ppl.infer.importance import Weights
from ppl.infer.sparse import SparseOptimum
from ppl.model import transforms
from ppl.values import dataclass

_NODES = {1: 7, 2: 5, 3: 4}  # a dimension, by the dimensions of the largest group
_MOST_BORDER = 20
_CUBIC_UP_TO = 6  # coordinates of the border
_POINTS_PER_FEATURE = 3
_LEAST_POINTS = 48


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The groups of one size m: their coordinates (n, m), and their conditional Gaussians in the guide's curvature.

    `numbers` (n,) count the groups of all sizes from 1. A group's mean moves by `slope` (n, m, k) with the border, and
    `root` (n, m, m) is the Cholesky factor of its covariance.
    """

    members: np.ndarray
    numbers: np.ndarray
    slope: np.ndarray
    root: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Weighted draws z (S, D). `surface` is how far, in nats, the border's log density is from the polynomial fitted to
    it; `misfit` (D,) how far quadrature moved the conditional mean, in sds, or log sd of each coordinate of a group.
    """

    z: np.ndarray
    weights: Weights
    surface: float
    misfit: np.ndarray


def correct(
    joint: LogJoint, pattern: sparse.csr_matrix, hubs: np.ndarray, optimum: SparseOptimum, rng: np.random.Generator,
    draws: int,
) -> Corrected | None:  # fmt: skip
    """For a log joint that `splits`; None where the optimum has no positive definite curvature."""
    try:
        return _correct(joint, pattern, hubs, optimum, rng, draws)
    except np.linalg.LinAlgError:
        return None


def _correct(
    joint: LogJoint, pattern: sparse.csr_matrix, hubs: np.ndarray, optimum: SparseOptimum, rng: np.random.Generator,
    draws: int,
) -> Corrected:  # fmt: skip
    assert optimum.factor is not None
    groups = _split(pattern, hubs, optimum)
    sums = _sums(joint, groups)
    mu = optimum.guide.mu
    root = np.linalg.cholesky(_symmetric(optimum.factor.columns(hubs)[hubs]))
    points = max(_LEAST_POINTS, _POINTS_PER_FEATURE * _features(np.zeros((1, len(hubs)))).shape[1])
    u = antithetic(rng, points + points % 2, len(hubs))
    log_density, shifts, seconds = _integrate(joint, groups, hubs, mu, u @ root.T, sums)
    features = _features(u)
    fitted, *_ = np.linalg.lstsq(features, log_density, rcond=None)
    residual = log_density - features @ fitted
    surface = float(np.sqrt((residual**2).sum() / (len(u) - features.shape[1])))
    proposed = antithetic(rng, draws + draws % 2, len(hubs))
    weights = importance.smooth(_features(proposed) @ fitted + 0.5 * (proposed**2).sum(axis=1))
    z = np.zeros((len(proposed), joint.dimension))
    z[:, hubs] = proposed @ root.T
    misfit = np.zeros(joint.dimension)
    by_u, *_ = np.linalg.lstsq(_linear(u), shifts.reshape(len(u), -1), rcond=None)
    for own, shift, second in zip(groups, _by_size(by_u, groups), seconds, strict=True):
        spread = np.linalg.cholesky(second)
        n, m = own.members.shape
        x = (_linear(proposed) @ shift).reshape(-1, n, m)
        x += np.einsum("nij,snj->sni", spread, antithetic(rng, len(x), n * m).reshape(x.shape))
        placed = np.einsum("nij,snj->sni", own.root, x) + np.einsum("nik,sk->sni", own.slope, z[:, hubs])
        z[:, own.members.reshape(-1)] = placed.reshape(len(z), -1)
        sds = np.sqrt(np.diagonal(second, axis1=1, axis2=2))
        misfit[own.members] = np.maximum(np.abs(shift[0].reshape(n, m)), np.abs(np.log(sds)))
    z += mu
    return Corrected(z, weights, surface, misfit)


def splits(joint: LogJoint, pattern: sparse.csr_matrix, hubs: np.ndarray) -> bool:
    """Whether groups of a few coordinates are left without a short border, and every factor belongs to one or to it."""
    rest = np.setdiff1d(np.arange(pattern.shape[0]), hubs)
    _, label = csgraph.connected_components(pattern[rest][:, rest], directed=False)
    small = len(rest) > 0 and np.bincount(label).max() <= max(_NODES) and 0 < len(hubs) <= _MOST_BORDER
    return small and joint.elimination is None and not any(block.transform.event_rank for block in joint.blocks)


def _split(pattern: sparse.csr_matrix, hubs: np.ndarray, optimum: SparseOptimum) -> list[Groups]:
    """The groups that are left when the border is taken away, by size."""
    dimension = pattern.shape[0]
    rest = np.setdiff1d(np.arange(dimension), hubs)
    count, label = csgraph.connected_components(pattern[rest][:, rest], directed=False)
    size = np.bincount(label, minlength=count)
    order = np.argsort(label, kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    by_mean = optimum.hessian[:dimension, :dimension].tocsr()
    to_border = by_mean[:, hubs].toarray()
    found = []
    for m in np.unique(size):
        which = np.flatnonzero(size == m)
        members = rest[order[starts[which][:, None] + np.arange(m)]]
        n = len(members)
        rows, columns = np.repeat(members, m, axis=1).reshape(-1), np.tile(members, (1, m)).reshape(-1)
        precision = _symmetric(np.asarray(by_mean[rows, columns]).reshape(n, m, m))
        covariance = _symmetric(np.linalg.inv(precision))
        found.append(Groups(members, which + 1, -covariance @ to_border[members], np.linalg.cholesky(covariance)))
    return found


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + np.swapaxes(matrix, -1, -2))


def _linear(u: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(u), 1)), u], axis=1)


def _features(u: np.ndarray) -> np.ndarray:
    """All monomials of u (P, k) up to the second degree, up to the third for few coordinates."""
    degree = 3 if u.shape[1] <= _CUBIC_UP_TO else 2
    columns = [
        u[:, list(chosen)].prod(axis=1)
        for d in range(degree + 1)
        for chosen in combinations_with_replacement(range(u.shape[1]), d)
    ]
    return np.stack(columns, axis=1)


def _by_size(flat: np.ndarray, groups: list[Groups]) -> list[np.ndarray]:
    cuts = np.cumsum([own.members.size for own in groups])[:-1]
    return np.split(flat, cuts, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """For every part, and for the Jacobian of every block, which group each element belongs to; 0 is the border."""

    parts: list[sparse.csr_matrix]  # (groups + 1, elements)
    blocks: list[sparse.csr_matrix]

    def of(self, joint: LogJoint, z: np.ndarray) -> np.ndarray:
        """The log joint of z (S, D) by group (groups + 1, S)."""
        values = joint.constrain(z)
        total = 0.0
        for block, owner in zip(joint.blocks, self.blocks, strict=True):
            if block.transform is not transforms.IDENTITY:
                lower, upper = block.bounds_at(values)
                part = z[:, block.start : block.stop].reshape(len(z), *block.shape)
                total = total + owner @ block.transform.log_jacobian(part, lower, upper).reshape(len(z), -1).T
        for found, owner in zip(joint.by_part(z), self.parts, strict=True):
            total = total + owner @ np.broadcast_to(found, (len(z), *found.shape[1:])).reshape(len(z), -1).T
        return np.asarray(total)


def _sums(joint: LogJoint, groups: list[Groups]) -> _Sums:
    label = np.zeros(joint.dimension, dtype=np.int64)
    for own in groups:
        label[own.members] = own.numbers[:, None]
    count = sum(len(own.numbers) for own in groups) + 1

    def into(owner: np.ndarray) -> sparse.csr_matrix:
        return sparse.csr_matrix((np.ones(len(owner)), (owner, np.arange(len(owner)))), shape=(count, len(owner)))

    return _Sums(
        [into(owner) for owner in owners(joint, label)],
        [into(label[block.start : block.stop]) for block in joint.blocks],
    )


def _grid(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (J, m) and log weights (J,) of the product rule for a standard normal."""
    x, w = np.polynomial.hermite_e.hermegauss(_NODES[m])
    nodes = np.stack(np.meshgrid(*[x] * m, indexing="ij"), axis=-1).reshape(-1, m)
    weights = np.stack(np.meshgrid(*[w / w.sum()] * m, indexing="ij"), axis=-1).reshape(-1, m)
    return nodes, np.log(weights).sum(axis=1)


def _integrate(
    joint: LogJoint, groups: list[Groups], hubs: np.ndarray, mu: np.ndarray, border: np.ndarray, sums: _Sums
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """At points of the border (P, k): its log density (P,), the means of all groups (P, sum of n m) in their whitened
    coordinates, and for every size their covariances (n, m, m), on the average over the points.
    """
    largest = max(own.members.shape[1] for own in groups)
    nodes, log_weights = _grid(largest)
    log_density, shifts = np.zeros(len(border)), []
    covariances = [np.zeros((*own.members.shape, own.members.shape[1])) for own in groups]
    for p, found in enumerate(_at_nodes(joint, groups, hubs, mu, border, nodes, sums)):
        log_density[p] = found[0, 0]
        here = []
        for i, own in enumerate(groups):
            m = own.members.shape[1]
            x = nodes[:, :m]
            logs = found[own.numbers] + log_weights + 0.5 * (x**2).sum(axis=1)
            top = logs.max(axis=1, keepdims=True)
            weights = np.exp(logs - top)
            mass = weights.sum(axis=1, keepdims=True)
            log_density[p] += float((top + np.log(mass)).sum())
            weights /= mass
            mean = weights @ x
            second = np.einsum("nj,ja,jb->nab", weights, x, x)
            covariances[i] += (second - mean[:, :, None] * mean[:, None, :]) / len(border)
            here.append(mean.reshape(-1))
        shifts.append(np.concatenate(here))
    return log_density, np.array(shifts), covariances


def _at_nodes(
    joint: LogJoint, groups: list[Groups], hubs: np.ndarray, mu: np.ndarray, border: np.ndarray, nodes: np.ndarray,
    sums: _Sums,
) -> Iterator[np.ndarray]:  # fmt: skip
    """For each point of the border the log joint by group at all nodes (groups + 1, J)."""
    for point in border:
        z = np.tile(mu, (len(nodes), 1))
        z[:, hubs] += point
        for own in groups:
            m = own.members.shape[1]
            moved = own.slope @ point + np.einsum("nab,jb->jna", own.root, nodes[:, :m])
            z[:, own.members.reshape(-1)] += moved.reshape(len(nodes), -1)
        at_once = joint.draws_at_once
        yield np.concatenate([sums.of(joint, z[i : i + at_once]) for i in range(0, len(z), at_once)], axis=1)
