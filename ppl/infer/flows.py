"""an approximation -> a better one by a normalising flow, trained, and proposed from in its own coordinates.

The flow T maps standard normals to coordinates w in which the approximation so far has mean 0 and covariance I. Seen
through T the posterior should be a standard normal; how far it is from one is judged as for any Gaussian guide, by
proposals with heavier tails than it, and weights. What a flow has left out is left out by all that is mapped through
it: so one proposal in five comes from Gaussians that were not, with the moments of the approximation before, and of the
flow; in few coordinates also much wider ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.infer.draws import generator
from ppl.infer.fullrank import covariance_of
from ppl.infer.meanfield import Optimum
from ppl.infer.objective import GUIDE_DRAWS, Counted, LogDensity, MeanField
from ppl.infer.pipeline import FLOW, FRESH, PROPOSALS, Approximation, gather
from ppl.infer.proposals import HEAVY_TAILED_BELOW, Component, Proposal, correct_twice
from ppl.infer.stochastic.flow import Flow
from ppl.infer.stochastic.table import FLOWS
from ppl.infer.stochastic.train import INTERRUPTED, Options, Trained, train
from ppl.infer.verdict import could_help
from ppl.values import dataclass

MOST = 200  # coordinates
_DRAWS = 48  # of a step
_LEAST_DRAWS = 8  # where the joint takes few at once
_BEYOND, _WEIGHT_BEYOND = 1.5, 0.2  # times the sds of others; of their path derivatives
_BESIDE = 0.2  # share of the proposals that are not mapped through the flow
_WIDE = 3.0  # times its sds in all directions
_SHOWN = 4000  # draws that tell the flow's mean and covariance
_PER_COORDINATE = 20  # effective draws, for the weighted moments to be taken
_REACHED = 200  # effective proposals about another mode
_RATES = (0.03, 0.01, 0.003, 0.001)
_SEARCH, _MOST_STEPS = 200, 12_000
UNDER_WAY = "flow under way"  # the key of what is kept


def approximate(joint: LogJoint, so_far: Approximation, seed: int, draws: int, name: str) -> Approximation | None:
    """None where a flow cannot help: many coordinates, nothing to start from, or far modes are all that is wrong."""
    begin = _beginning(so_far)
    if begin is None or joint.dimension > MOST or not could_help(so_far.evidence):
        return None
    staged = replace(joint)
    staged.staging.first = 1  # wherever training is taken up again, the same function gives the gradients
    with np.errstate(all="ignore"):
        counted = Counted(staged)
        whitened = Whitened(counted, *begin)
        flow = FLOWS[name](joint.dimension)
        trained = _trained(whitened, flow, seed)
        if not np.isfinite(trained.elbo):
            return None
        mapped = Mapped(whitened, flow, trained.phi)
        shown = mapped.through(flow.noise(generator(seed, FRESH), _SHOWN))[0]
        components = _components(mapped, shown)
        eps, weights, wider = correct_twice(mapped, generator(seed, PROPOSALS), components, draws)
        z = whitened.place(mapped.through(eps)[0])
        found = _as_optimum(whitened.place(shown), trained)
        hidden = _not_reached(mapped, so_far, eps, weights.weights)
        evidence = gather(counted, joint, found, 0.0, (), z, weights, wider)
    where = {rule: names for rule, names in evidence.where.items() if rule != "wider"}  # said of the flow's coordinates
    if hidden.any():
        where |= {"rivals": so_far.evidence.where.get("rivals", ())}
    return Approximation(
        guide=found.guide,
        z=z,
        weights=weights,
        evidence=replace(evidence, rivals=int(hidden.sum()), where=where),
        evaluations=trained.steps * 2 * _draws(joint) // GUIDE_DRAWS,  # whatever part of them a checkpoint spared
        elbo=trained.elbo,
        modes=np.concatenate([so_far.modes[:1], so_far.modes[1:][hidden]]),
        path=tuple(float(elbo) for elbo in trained.history),
    )


def _beginning(so_far: Approximation) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean (D,) and Cholesky factor (D, D) to whiten by: as weighted, or else of the proposals."""
    covariance = covariance_of(so_far)
    if covariance is None:
        return None
    weights = so_far.weights
    if weights.effective > _PER_COORDINATE * len(covariance):
        mean = weights.weights @ so_far.z
        apart = so_far.z - mean
        weighted = (weights.weights[:, None] * apart).T @ apart
        try:
            return mean, np.linalg.cholesky(weighted)
        except np.linalg.LinAlgError:
            pass
    return so_far.guide.mu, np.linalg.cholesky(covariance)


def _trained(whitened: Whitened, flow: Flow, seed: int) -> Trained:
    """Raises `KeyboardInterrupt` where it was interrupted, with the state kept."""
    draws, dimension = _draws(whitened), whitened.dimension

    def objective(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        return tailed_elbo(whitened, flow, phi, flow.noise(rng, draws), _BEYOND * flow.noise(rng, draws))

    phi = flow.start(np.zeros(dimension), np.ones(dimension), generator(seed, FLOW, 0))
    options = Options(seed, FLOW, rates=_RATES, search=_SEARCH, smooth=15, patience=5, most=_MOST_STEPS)
    trained = train(objective, phi, options, key=UNDER_WAY)
    if trained.reason == INTERRUPTED:
        raise KeyboardInterrupt
    return trained


def tailed_elbo(
    density: LogDensity, flow: Flow, phi: np.ndarray, eps: np.ndarray, beyond: np.ndarray
) -> tuple[float, np.ndarray]:
    """The negative ELBO over draws eps, and its path derivative with a part of that at draws further out.

    Where guide and posterior agree, each draw's path derivative is zero, wherever it was drawn: with these the zero is
    the same, and the tails, of which an ELBO sees little, agree too. Infinite, with zeros, where a draw of eps has no
    density.
    """
    draws = len(eps)
    made = flow.drawn(phi, np.concatenate([eps, beyond]))
    values, gradients = density.value_and_gradient(made.z)
    seen = np.isfinite(values) & np.isfinite(gradients).all(axis=1)
    if not seen[:draws].all() or made.score is None:
        return np.inf, np.zeros(len(phi))
    by_z = np.where(seen[:, None], (made.score() - gradients) / draws, 0.0)
    by_z[draws:] *= _WEIGHT_BEYOND
    return float((made.log_q - values)[:draws].mean()), made.pull_back(by_z, np.zeros(len(by_z)))


def _draws(density: LogDensity) -> int:
    """Of a step, and as many further out."""
    return int(np.clip(density.draws_at_once // 2, _LEAST_DRAWS, _DRAWS))


@dataclass(frozen=True, slots=True, eq=False)
class Whitened:
    """A log density as that of w, z = mean + root w."""

    density: LogDensity
    mean: np.ndarray
    root: np.ndarray

    @property
    def dimension(self) -> int:
        return self.density.dimension

    @property
    def draws_at_once(self) -> int:
        return self.density.draws_at_once

    @property
    def log_det(self) -> float:
        return float(np.log(np.diag(self.root)).sum())

    def place(self, w: np.ndarray) -> np.ndarray:
        return self.mean + w @ self.root.T

    def value(self, w: np.ndarray) -> np.ndarray:
        return self.density.value(self.place(w)) + self.log_det

    def value_and_gradient(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = self.density.value_and_gradient(self.place(w))
        return value + self.log_det, gradient @ self.root


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A log density as that of eps, w = T(eps), where it is close to a standard normal's."""

    density: LogDensity
    flow: Flow
    phi: np.ndarray

    @property
    def dimension(self) -> int:
        return self.density.dimension

    @property
    def draws_at_once(self) -> int:
        return self.density.draws_at_once

    def through(self, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """T (P, D), and the log determinant of its Jacobian (P,)."""
        return self.flow.through(self.phi, eps)

    def back(self, w: np.ndarray) -> np.ndarray:
        return self.flow.back(self.phi, w)[0]

    def value(self, eps: np.ndarray) -> np.ndarray:
        w, log_det = self.through(eps)
        found = self.density.value(w) + log_det
        return np.where(np.isnan(found), -np.inf, found)


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Proposals of Gaussians in w, of each in turn, as they are seen from eps."""

    mapped: Mapped
    gaussians: tuple[Component, ...]
    share: float = _BESIDE

    @property
    def heavy(self) -> int:
        return self.gaussians[0].heavy

    def place(self, eps: np.ndarray) -> np.ndarray:
        w, count = np.empty_like(eps), len(self.gaussians)
        for i, gaussian in enumerate(self.gaussians):
            w[i::count] = gaussian.place(eps[i::count])
        return self.mapped.back(w)

    def log_density(self, eps: np.ndarray) -> np.ndarray:
        w, log_det = self.mapped.through(eps)
        among = np.logaddexp.reduce([gaussian.log_density(w) for gaussian in self.gaussians], axis=0)
        return np.asarray(among + log_det - np.log(len(self.gaussians)))

    def wider(self) -> list[Component]:
        return []


def _components(mapped: Mapped, w: np.ndarray) -> list[Proposal]:
    """What is proposed, w (S, D) being draws of the flow."""
    dimension = mapped.dimension
    standard = Component(np.zeros(dimension), np.eye(dimension), 1 - _BESIDE)
    gaussians = [standard]
    try:
        root = np.linalg.cholesky(np.cov(w, rowvar=False).reshape(dimension, -1))
        gaussians.append(Component(w.mean(axis=0), root))
    except np.linalg.LinAlgError:
        pass
    if dimension <= HEAVY_TAILED_BELOW:
        last = gaussians[-1]
        gaussians += [*last.wider(), Component(last.mean, _WIDE * last.root)]
    return [standard, Beside(mapped, tuple(gaussians))]


def _as_optimum(z: np.ndarray, trained: Trained) -> Optimum:
    """The mean and covariance of the flow's draws (S, D), in the shape that evidence is gathered from."""
    covariance = np.cov(z, rowvar=False).reshape(z.shape[1], -1)
    precision = np.linalg.pinv(covariance)
    hessian = np.block([[precision, 0 * precision], [0 * precision, 2 * np.eye(len(precision))]])
    guide = MeanField(z.mean(axis=0), 0.5 * np.log(np.diag(covariance)))
    return Optimum(guide, np.zeros((0, z.shape[1])), trained.elbo, hessian, covariance, 0.0, ())


def _not_reached(mapped: Mapped, so_far: Approximation, eps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which of the other modes known before (N - 1,) have few proposals about them, seen through the flow."""
    assert isinstance(mapped.density, Whitened)
    apart = (so_far.modes[1:] - mapped.density.mean).T
    at = mapped.back(np.linalg.solve(mapped.density.root, apart).T)
    near = [weights[((eps - one) ** 2).sum(axis=1) < mapped.dimension] for one in at]
    return np.array([not own.sum() ** 2 > _REACHED * (own**2).sum() for own in near], dtype=bool)
