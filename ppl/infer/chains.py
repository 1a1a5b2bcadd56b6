"""log joint, starts and a covariance -> draws of many short Hamiltonian chains, all in one batch, and diagnostics.

Every chain takes the same number of leapfrog steps, so one batched gradient moves them all: what NUTS decides chain by
chain is learnt from all chains together. The length of trajectories is that of ChEES-HMC (Hoffman, Radul, Sountsov
2021) and the covariance is learnt in windows; the step size follows the mean acceptance. Steps are jittered chain by
chain, sometimes to a fraction: a chain in a narrow part gets steps that fit now and then.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.infer import convergence, watch
from ppl.infer.chains_stored import Sampling, Tuning
from ppl.infer.hamiltonian import Move, Points, at, move
from ppl.infer.objective import LogDensity
from ppl.values import dataclass

RHAT = 1.01
ENOUGH = 2000.0  # effective draws: sds to 2 %
_ENOUGH_TO_TELL = 100  # draws of a chain: before, the starts show
_LEAST = 400.0  # effective draws that a good verdict asks for
_HOPELESS = 50.0  # times as many draws as can be afforded would be needed: chains in far modes, say
_ACCEPTANCE = 0.8
_SHORTEST = 0.5 * np.pi  # trajectory, on average: a quarter turn of a Gaussian
_SMALL = 0.5  # of the largest step
_PENALTY = 5.0  # of acceptance, for the share of trajectories that diverged
_WINDOWS = (20, 30, 50, 50)  # iterations, the covariance learnt at the end of each but the last
_CHAINS_WARMED_UP = 2  # of a superchain: afterwards all of it start where the first has come to
_FIRST_LOOK = 25  # draws of a chain, doubled while they are too few
_FEWEST_MORE = 0.2  # of the draws so far: fewer change little, and each look costs
_LONGEST = 128  # leapfrog steps, fewer where gradients are dear
_TRAJECTORIES = 200  # of a chain, the longest, that must be affordable
_DRAWS_PER_COORDINATE = 10  # in a window, for a full covariance
_SHRINK = 5.0  # draws' worth of the covariance before
_RATE = 0.1  # of change of the log of the trajectory length
_WORTH = 0.5  # power of the trajectory length with which ChEES must grow for longer ones to be worth their cost
_SHORTEST_STEP = 1.5  # nats by which a jittered step is smaller at most
_MOST_ELEMENTS = 16_000_000  # of the draws kept
UNDER_WAY = "chains under way"  # the key of what is kept


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Draws z (T, C, D) of C chains, K superchains in a row, and what they are worth."""

    z: np.ndarray
    log_density: np.ndarray  # (T, C)
    rhat: np.ndarray  # (D + 1,) nested, of coordinates and of the log density
    ess: np.ndarray  # (D + 1,) the smallest of bulk, tail, and that of sds
    divergent: float  # share of trajectories with small steps that lost their path all the same
    divergent_at: np.ndarray  # (D,) how far from the rest, in sds, these began
    e_bfmi: float
    acceptance: float
    steps: float  # leapfrog steps of a trajectory, on average
    gradients: int  # of one chain each, warm-up included


def sample_chains(
    joint: LogDensity,
    starts: np.ndarray,
    root: np.ndarray,
    rng: np.random.Generator,
    superchains: int,
    most_gradients: int,
) -> Chains:
    """Chains from starts (C, D), those of a superchain next to one another and at the same point.

    A few of each superchain are warmed up; then all of it continue from where one of them has come to.

    Sampled until every nested R-hat is below 1.01 and every effective number of draws above 2,000, or until the
    gradients of single chains would exceed their most. Chains that were kept go on where they were. `root` is the lower
    Cholesky factor of a covariance, (D, D), or its diagonal (D,).
    """
    with np.errstate(all="ignore"):
        longest = int(np.clip(most_gradients // (_TRAJECTORIES * len(starts)), 4, _LONGEST))
        each = len(starts) // superchains
        few = min(each, _CHAINS_WARMED_UP)
        warm = np.arange(len(starts)).reshape(superchains, each)[:, :few].ravel()
        now = _resumed(rng)
        if now is None:
            points = at(joint, starts[warm])
            tuning = Tuning(root, 0.5, _SHORTEST, longest)
            now = Sampling(tuning, points, len(points.z), _FIRST_LOOK, rng.bit_generator.state)
        while now.windows < len(_WINDOWS):
            watch.step(f"warm-up {now.windows + 1} of {len(_WINDOWS)}")
            _warm_up(joint, now, rng)
            if now.windows == len(_WINDOWS):
                now.begin = now.begin.at(np.repeat(np.arange(0, len(warm), few), each))
            watch.keep(UNDER_WAY, now.as_piece)
        return _sample(joint, now, superchains, most_gradients, rng)


def _resumed(rng: np.random.Generator) -> Sampling | None:
    """Chains that were kept on the way, with their random stream."""
    if not watch.holds(UNDER_WAY):
        return None
    now = watch.recall(UNDER_WAY, Sampling.of)
    rng.bit_generator.state = now.stream
    return now


def _sample(
    joint: LogDensity, now: Sampling, superchains: int, most_gradients: int, rng: np.random.Generator
) -> Chains:
    """Iterations until all is well or nothing is left to spend; where these are interrupted, the chains as they were
    when they were last judged.
    """
    chains = len(now.points.z)

    def judged() -> Chains:
        moves = [iteration.move for iteration in now.kept]
        return _judge(moves, superchains, now.steps / len(moves), now.spent + now.steps * chains)

    found = judged() if len(now.kept) >= _FIRST_LOOK else None
    try:
        while True:
            while len(now.kept) < now.look:
                watch.step(f"draw {len(now.kept) + 1} of {now.look}")
                _iterate(joint, now, rng)
                watch.keep(UNDER_WAY, now.as_piece, eager=False)
            found = judged()
            enough = found.rhat.max() < RHAT and found.ess.min() > ENOUGH
            affordable = (most_gradients - found.gradients) * len(now.kept) // (found.gradients - now.spent)
            more = min(len(now.kept), affordable, _MOST_ELEMENTS // now.points.z.size - len(now.kept))
            hopeless = len(now.kept) >= _ENOUGH_TO_TELL and _needed(found) > _HOPELESS * (len(now.kept) + affordable)
            if enough or hopeless or more < _FEWEST_MORE * len(now.kept):
                return found
            now.look += more
    except KeyboardInterrupt:
        watch.keep(UNDER_WAY, now.as_piece)
        if found is None or not watch.is_stopped():
            raise
        return found


def _iterate(joint: LogDensity, now: Sampling, rng: np.random.Generator) -> None:
    count = _count(now.tuning, float(rng.random()))
    jittered = _jittered(now.tuning.step, len(now.points.z), rng)
    made = move(joint, now.points, now.tuning.root, jittered, count, rng)
    now.keep(made, count, rng.bit_generator.state)


def _needed(found: Chains) -> float:
    """About how many draws of a chain until R-hat and the least effective number would do: B / W falls like 1 / T."""
    apart = float(found.rhat.max()) ** 2 - 1
    return len(found.z) * max(apart / (RHAT**2 - 1), _LEAST / max(float(found.ess.min()), 1.0))


def _judge(kept: list[Move], superchains: int, steps: float, gradients: int) -> Chains:
    z = np.stack([made.points.z for made in kept])
    value = np.stack([made.points.value for made in kept])
    diverged, step = np.stack([made.diverged for made in kept]), np.stack([made.step for made in kept])
    small = step < _SMALL * step.max()
    both = np.concatenate([z, value[..., None]], axis=-1)
    rhat, bulk = convergence.robust(both, superchains)
    return Chains(
        z=z,
        log_density=value,
        rhat=rhat,
        ess=np.minimum(np.minimum(bulk, convergence.tail_ess(both)), convergence.sd_ess(both)),
        divergent=float(diverged[small].mean()) if small.any() else 0.0,
        divergent_at=_apart(z, diverged & small),
        e_bfmi=convergence.e_bfmi(np.stack([made.energy for made in kept])),
        acceptance=float(np.mean([made.acceptance.mean() for made in kept])),
        steps=steps,
        gradients=gradients,
    )


def _apart(z: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How far the mean of chosen (T, C) positions z (T, C, D) lies from that of all, in sds (D,). (A trajectory that
    lost its path ends where it began.)
    """
    if not chosen.any():
        return np.zeros(z.shape[-1])
    apart = np.abs(z[chosen].mean(axis=0) - z.mean(axis=(0, 1))) / z.std(axis=(0, 1))
    return np.nan_to_num(apart, nan=0.0, posinf=1e6)


def _warm_up(joint: LogDensity, now: Sampling, rng: np.random.Generator) -> None:
    """A window of iterations; the step size starts anew after each, as the coordinates have changed. The last ends with
    the step size averaged over its second half.
    """
    window = _WINDOWS[now.windows]
    tuning, points, spent = now.tuning, now.begin, now.spent
    seen, log_steps = [], []
    for t in range(window):
        u = float(rng.random())
        count = _count(tuning, u)
        before = points
        jittered = _jittered(tuning.step, len(points.z), rng)
        made = move(joint, points, tuning.root, jittered, count, rng)
        points = made.points
        spent += count * len(points.z)
        seen.append(points.z)
        gain = 1.0 / np.sqrt(1.0 + t)
        rate = _RATE * float(np.clip(_gain_of_length(made, before, tuning.root, 2 * u * tuning.length) - _WORTH, -1, 1))
        inside = np.isfinite(before.value)  # a chain that is still nowhere says nothing of the step size
        signal = float((made.acceptance - _PENALTY * made.diverged)[inside].mean()) if inside.any() else _ACCEPTANCE
        step = float(tuning.step * np.exp(gain * (signal - _ACCEPTANCE)))
        length = float(min(max(tuning.length * np.exp(rate), _SHORTEST), 0.5 * tuning.longest * step))
        tuning = replace(tuning, step=step, length=length)
        log_steps.append(np.log(step))
    if now.windows < len(_WINDOWS) - 1:
        tuning = replace(tuning, root=_learn(tuning.root, np.concatenate(seen[window // 3 :])))
    else:
        tuning = replace(tuning, step=float(np.exp(np.mean(log_steps[len(log_steps) // 2 :]))))
    root = np.ascontiguousarray(tuning.root)  # as it is when it was kept and read again
    now.tuning, now.begin, now.spent = replace(tuning, root=root), points, spent
    now.windows, now.stream = now.windows + 1, rng.bit_generator.state


def _count(tuning: Tuning, u: float) -> int:
    """Leapfrog steps of a trajectory of a random share u of twice the length."""
    return int(np.clip(np.ceil(2 * u * tuning.length / tuning.step), 1, tuning.longest))


def _jittered(step: float, chains: int, rng: np.random.Generator) -> np.ndarray:
    return step * np.exp(-_SHORTEST_STEP * rng.random(chains) ** 3)


def _gain_of_length(made: Move, before: Points, root: np.ndarray, length: float) -> float:
    """The slope of the logarithm of ChEES by that of the trajectory length: how much farther, in squared distance from
    the centre in whitened coordinates, a little more time would carry chains. Proposals count by their acceptance.
    """
    weight = np.where(np.isfinite(made.proposed).all(axis=1), made.acceptance, 0.0)
    if not weight.sum() > 0:
        return 0.0
    proposed = np.where(weight[:, None] > 0, made.proposed, before.z)
    ends = _to_whitened(root, proposed - weight @ proposed / weight.sum())
    starts = _to_whitened(root, before.z - before.z.mean(axis=0))
    change = (ends**2).sum(axis=1) - (starts**2).sum(axis=1)
    along = np.where(weight > 0, (ends * made.velocity).sum(axis=1), 0.0)
    found = float(4 * length * (weight @ (change * along)) / (weight @ change**2))
    return found if np.isfinite(found) else 0.0


def _to_whitened(root: np.ndarray, apart: np.ndarray) -> np.ndarray:
    if root.ndim == 1:
        return apart / root
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root, apart.T, lower=True, check_finite=False).T)


def _learn(root: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The Cholesky factor of the covariance of draws (S, D) of all chains, drawn a little towards the one before;
    where draws are few for that, the factor before with its columns scaled.
    """
    draws, dimension = z.shape
    u = _to_whitened(root, z - z.mean(axis=0))
    keep = draws / (draws + _SHRINK)
    if draws < _DRAWS_PER_COORDINATE * dimension:
        sds = np.sqrt(keep * (u**2).mean(axis=0) + (1 - keep))
        return np.asarray(root * np.where(np.isfinite(sds), sds, 1.0))
    covariance = keep * u.T @ u / draws + (1 - keep) * np.eye(dimension)
    if not np.isfinite(covariance).all():
        return root
    factor = np.linalg.cholesky(covariance)
    return np.asarray(root[:, None] * factor if root.ndim == 1 else root @ factor)
