"""log joint with points -> their estimate: the ELBO's optimum by points and mean field together (variational EM).

Where no coordinate is integrated over this is maximum likelihood. Ways up begin as those of any fit do; the best of
their ends is the estimate. Newton's last step is the certificate, the inverse Hessian at the optimum holds the squared
standard errors: by the observed information where nothing is integrated over, and by that of the ELBO, profiled over
the guide, elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import interactions
from ppl.infer import curvature, doubts, watch
from ppl.infer.climb import Summit
from ppl.infer.curvature import Directions
from ppl.infer.damped import damped_newton
from ppl.infer.draws import antithetic, generator
from ppl.infer.em_objective import EMObjective
from ppl.infer.meanfield import newton_step
from ppl.infer.objective import GUIDE_DRAWS, Counted, evaluations
from ppl.infer.optimise import lbfgs
from ppl.infer.pipeline import CLIMBING, DRAW_ERROR, FRESH, GUIDE, MOST_SEEN, POINTS, STARTS, TooLarge
from ppl.infer.search import are_apart, ways_up
from ppl.infer.start import first_point
from ppl.model import transforms
from ppl.values import dataclass

_MOST_DRAWS = 1024
_MOST_STARTS = 5
_MOST_NEWTON = 12
_MOST_EVALUATIONS = 200  # of quasi-Newton steps, before damped ones of Newton
_MOST_DAMPED = 60
_MOST_ROUNDS = 500  # of alternating steps
_TOLERANCE = 1e-9  # nats, the decrease that ends the quasi-Newton steps
_TOLERANCE_IN_TURN = 1e-6  # nats, the decrease that ends alternating steps: what is left, both take together
_ARRIVED = 1e-5  # standard errors: the Newton step that ends them
_MANY_BATCHES = 60  # of draws evaluated at once, for a Hessian
_TIED = 1e-3  # nats by which two estimates are equally good
_RIVALLING = 2.0  # nats by which another optimum is nearly as good
_ROUNDING = 1e-6  # of a scaled Hessian's eigenvalues
_FAR_SDS, _FAR_UNITS = (100.0, 141.0), (10.0, 20.0)  # standard errors, and units of an unconstrained coordinate
_FALLEN = 1.0  # nats


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Points at their optimum, `values` by name (*shape), with `standard_errors` on the same scale, NaN where there are
    none; steps and errors in standard errors.

    `elbo` is the log likelihood where nothing is integrated over; `tied` says that others are as good.
    """

    values: Mapping[str, np.ndarray]
    standard_errors: Mapping[str, np.ndarray]
    elbo: float
    newton_step: float
    not_definite: bool
    unbounded: bool
    tied: bool
    draw_error: float
    rivals: int
    where: Mapping[str, tuple[str, ...]]
    evaluations: int


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """Where a way ended: x, the value in nats, Hessian, its inverse or None, and the step left in standard errors."""

    objective: EMObjective
    x: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    inverse: np.ndarray | None
    step: float
    tied: bool  # along some direction others are as good


def estimate(joint: LogJoint, seed: int, alternate: bool = False, mode: bool = False) -> Estimate:
    """`alternate` takes steps by guide and points in turn, to the same end; with `mode` latents have no spread either.

    Raises `search.NoStart`, and `pipeline.TooLarge` above 1,500 coordinates, as many as have a dense Hessian.
    """
    if joint.dimension > MOST_SEEN:
        raise TooLarge
    with np.errstate(all="ignore"):
        points = np.ones(joint.dimension, dtype=bool) if mode else joint.points
        directions = curvature.plan(interactions(joint))
        counted = Counted(joint)
        watch.step("ways up")
        also = first_point(joint, generator(seed, POINTS))[None]
        summits = ways_up(counted, joint, seed, (CLIMBING, STARTS), directions, also)
        watch.step("optimum")
        ends = _ends(EMObjective.over(counted, points, _eps(seed, points, GUIDE_DRAWS)), summits, directions, alternate)
        best, error = _settled(ends[0], seed, directions)
        return _told(joint, best, ends[1:], error, counted.gradients)


def _eps(seed: int, points: np.ndarray, draws: int, stream: int = GUIDE) -> np.ndarray:
    """Draws (S, D); one of zeros where all coordinates are points."""
    if points.all():
        return np.zeros((1, len(points)))
    eps = np.zeros((draws, len(points)))
    eps[:, ~points] = antithetic(generator(seed, stream, draws), draws, int((~points).sum()))
    return eps


def _ends(objective: EMObjective, summits: Sequence[Summit], directions: Directions, alternate: bool) -> list[_End]:
    """Where the ways from the likeliest summits end, the best first; those that end beside a better one left out."""
    starts = [(np.concatenate([one.guide.mu, one.guide.log_sigma[~objective.points]]), one) for one in summits]
    ranked = sorted(((objective(x)[0], i) for i, (x, _) in enumerate(starts)), key=lambda pair: pair)
    chosen: list[int] = []
    for _, i in ranked:
        if len(chosen) < _MOST_STARTS and all(are_apart(summits[i], summits[other]) for other in chosen):
            chosen.append(i)
    found = [_optimum(objective, starts[i][0], summits[i].precision, directions, alternate) for i in chosen]
    found.sort(key=lambda end: end.value)
    apart: list[_End] = []
    for end in found:
        if not any(_same(end, other) for other in apart):
            apart.append(end)
    return apart


def _same(end: _End, other: _End) -> bool:
    """Whether two ends lie within a standard error, or are not told apart where there is none."""
    if end.inverse is None or other.inverse is None:
        return True
    moved = end.x - other.x
    return min(float(moved @ one.hessian @ moved) for one in (end, other)) < 1.0


def _optimum(
    objective: EMObjective, x: np.ndarray, precision: np.ndarray, directions: Directions, alternate: bool
) -> _End:
    dimension, covariance = objective.dimension, np.linalg.inv(precision)

    def precondition(gradient: np.ndarray) -> np.ndarray:
        """The curvature at the start for mu; for log sigma that of a Gaussian."""
        return np.concatenate([covariance @ gradient[:dimension], 0.5 * gradient[dimension:]])

    if alternate:
        x = _in_turn(objective, x, precision)
    found = lbfgs(objective, x, precondition, _TOLERANCE, _MOST_EVALUATIONS)
    scale = 1.0 / np.sqrt(np.maximum(np.diag(precision), 1e-12))
    scale, draws = np.minimum(scale, 1e4), _draws_of_hessian(objective, directions)

    def hessian(at: np.ndarray) -> np.ndarray:
        return objective.hessian(at, scale, directions, draws)

    found = damped_newton(objective, found, hessian, _TOLERANCE, _MOST_DAMPED)
    return _newton(objective, found.x, found.value, found.gradient, scale, directions)


def _draws_of_hessian(objective: EMObjective, directions: Directions) -> int:
    """All, where that can be afforded: with fewer, flat directions drown in the difference."""
    affordable = _MANY_BATCHES * objective.joint.draws_at_once // max(1, 2 * len(directions))
    return 2 * int(np.clip(affordable // 2, 4, max(4, len(objective.eps) // 2)))


def _in_turn(objective: EMObjective, x: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Expectation and maximisation: the guide given the points, then the points given the guide, again and again."""
    points = np.concatenate([objective.points, np.zeros(len(x) - objective.dimension, dtype=bool)])
    curved = np.concatenate([np.diag(precision), np.full(len(x) - objective.dimension, 2.0)])
    before = np.inf
    for _ in range(_MOST_ROUNDS):
        value = before
        for own in (~points, points):
            if own.any():
                x, value = _moved(objective, x, own, curved[own])
        if not before - value > _TOLERANCE_IN_TURN:
            break
        before = value
    return x


def _moved(objective: EMObjective, x: np.ndarray, own: np.ndarray, curved: np.ndarray) -> tuple[np.ndarray, float]:
    def part(y: np.ndarray) -> tuple[float, np.ndarray]:
        whole = x.copy()
        whole[own] = y
        value, gradient = objective(whole)
        return value, gradient[own]

    found = lbfgs(part, x[own], lambda gradient: gradient / curved, 0.1 * _TOLERANCE_IN_TURN, _MOST_EVALUATIONS)
    after = x.copy()
    after[own] = found.x
    return after, found.value


def _newton(
    objective: EMObjective, x: np.ndarray, value: float, gradient: np.ndarray, scale: np.ndarray, directions: Directions
) -> _End:
    """Newton's steps to the end. Without a positive definite Hessian there is none, or others are as good."""
    dimension = objective.dimension
    draws = _draws_of_hessian(objective, directions)
    left, inverse, tied = np.inf, None, False
    for _ in range(_MOST_NEWTON):
        hessian = objective.hessian(x, scale, directions, draws)
        step = newton_step(hessian, gradient)
        inverse = None if step is None else np.linalg.inv(hessian)
        if step is None or inverse is None or not (np.diag(inverse) > 0).all():
            step, tied, inverse = _least_step(hessian, gradient), True, None
        if step is None:
            left, tied = np.inf, False
            break
        sds = np.sqrt(np.diag(inverse)) if inverse is not None else np.abs(np.diag(hessian)) ** -0.5
        left = float(np.nan_to_num(np.abs(step / sds), nan=np.inf).max(initial=0.0))
        scale = np.minimum(sds[:dimension], 1e4)
        if left < _ARRIVED:
            break
        trials = [x + 0.5**halvings * step for halvings in range(6)]
        better = next(((t, found) for t in trials if (found := objective(t))[0] < value), None)
        if better is None:
            break
        x, (value, gradient) = better
    return _End(objective, x, value, gradient, hessian, inverse, left, tied and inverse is None)


def _least_step(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray | None:
    """The shortest of Newton's steps where the Hessian is singular up to rounding; None where it is curved upwards."""
    unit = np.sqrt(np.abs(np.diag(hessian)))
    if not np.isfinite(hessian).all() or not (unit > 0).all():
        return None
    values, vectors = np.linalg.eigh(hessian / unit / unit[:, None])
    if values[0] < -_ROUNDING:
        return None
    kept = values > _ROUNDING
    turned = vectors[:, kept].T @ (gradient / unit)
    return -(vectors[:, kept] @ (turned / values[kept])) / unit


def _settled(end: _End, seed: int, directions: Directions) -> tuple[_End, float]:
    """The end over draws that are doubled until fresh ones would not move it, and how far these would."""
    points = end.objective.points
    while not points.all() and end.inverse is not None:
        draws = len(end.objective.eps)
        fresh = EMObjective.over(end.objective.joint, points, _eps(seed, points, draws, FRESH))
        step = newton_step(end.hessian, fresh(end.x)[1])
        sds = np.sqrt(np.diag(end.inverse))
        error = np.inf if step is None else float(np.abs(step / sds)[: len(points)].max(initial=0.0))
        if error <= DRAW_ERROR or draws >= _MOST_DRAWS:
            return end, error
        more = EMObjective.over(end.objective.joint, points, _eps(seed, points, 2 * draws))
        end = _newton(more, end.x, *more(end.x), np.minimum(sds[: len(points)], 1e4), directions)
    return end, 0.0


def _told(joint: LogJoint, best: _End, others: Sequence[_End], error: float, gradients: int) -> Estimate:
    dimension, blocks = joint.dimension, joint.blocks
    z = best.x[:dimension]
    values = {name: value[0] for name, value in joint.constrain(z[None]).items()}
    points = dict.fromkeys(block.name for block in blocks if block.latent.is_point)
    bounded = [block for block in blocks if block.latent.is_point and block.transform is not transforms.IDENTITY]
    away = _runs_away(best, np.isin(np.arange(dimension), [i for b in bounded for i in range(b.start, b.stop)]))
    share = np.where(joint.points, 0.0 if away is None else np.abs(away), 0.0)
    arrived = [one for one in others if one.inverse is not None and one.step < 0.1]
    tied = [one for one in arrived if one.value - best.value < _TIED]
    rivals = [one for one in arrived if _TIED <= one.value - best.value < _RIVALLING]
    apart = [np.where(joint.points, np.abs(one.x - best.x)[:dimension], 0.0) for one in (*tied, *rivals)]
    where = {"unbounded": doubts.names(blocks, share)}
    where["tied"] = where["rivals"] = doubts.names(blocks, apart[0]) if apart else tuple(points)
    where["not_definite"] = tuple(points)
    return Estimate(
        values={name: values[name] for name in points},
        standard_errors=_standard_errors(joint, z, best.inverse, list(points)),
        elbo=-best.value,
        newton_step=best.step,
        not_definite=best.inverse is None and not best.tied and away is None,
        unbounded=away is not None,
        tied=best.tied or bool(tied),
        draw_error=error,
        rivals=len(rivals),
        where=where,
        evaluations=evaluations(gradients),
    )


def _runs_away(end: _End, bounded: np.ndarray) -> np.ndarray | None:
    """A direction (D,) along which the objective does not rise again, None if there is none.

    Where the gradient or Newton's step points, and along the least curved directions, nothing may be left 100 standard
    errors out; each coordinate of those `bounded` (D,) is moved 10 units, as a scale that goes to its bound has a
    curvature of nothing there.
    """
    unit = np.sqrt(np.maximum(np.abs(np.diag(end.hessian)), 1e-300))
    ways = []
    if np.isfinite(end.hessian).all():
        scaled = end.hessian / unit / unit[:, None]
        values, vectors = np.linalg.eigh(scaled)
        downhill = -end.gradient / unit
        newton = vectors @ ((vectors.T @ downhill) / np.maximum(np.abs(values), 1e-12))
        for way in (downhill, newton, *vectors[:, :3].T, *-vectors[:, :3].T):
            length = np.sqrt(max(float(way @ scaled @ way), 1e-12 * float(way @ way), 1e-300))
            ways.append((way / unit / length, _FAR_SDS))
    for i in np.flatnonzero(bounded):
        one = np.zeros(len(end.x))
        one[i] = 1.0
        ways += [(-one, _FAR_UNITS), (one, _FAR_UNITS)]
    for way, lengths in ways:
        far = [end.objective(end.x + length * way)[0] for length in lengths]
        if np.isfinite(way).all() and all(value < end.value + _FALLEN for value in far):
            return np.asarray(way[: len(bounded)])
    return None


def _standard_errors(
    joint: LogJoint, z: np.ndarray, inverse: np.ndarray | None, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """By the delta method, from the inverse Hessian by (mu, log sigma)."""
    own = np.flatnonzero(joint.points)
    at = joint.constrain(z[None])
    if inverse is None:
        return {name: np.full(at[name].shape[1:], np.nan) for name in names}
    covariance = inverse[np.ix_(own, own)]
    steps = 1e-4 * np.sqrt(np.diag(covariance))
    moves = np.zeros((len(own), joint.dimension))
    moves[np.arange(len(own)), own] = steps
    above, below = joint.constrain(z + moves), joint.constrain(z - moves)
    found = {}
    for name in names:
        slopes = (above[name] - below[name]).reshape(len(own), -1) / (2 * steps[:, None])
        variances = np.einsum("ij,ik,kj->j", slopes, covariance, slopes)
        found[name] = np.sqrt(np.maximum(variances, 0.0)).reshape(at[name].shape[1:])
    return found
