"""Times recurrences and chains of states beside their forward passes written by hand in NumPy.

python benchmarks/scan.py [--runs N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import ppl

GARCH = """
mu ~ Normal(0, 10)
alpha0 ~ Exponential(1)
alpha1 ~ Uniform(0, 1)
beta1 ~ Uniform(0, 1)
sigma[1] = sigma1
for t in 2..T { sigma[t] = sqrt(alpha0 + alpha1*(y[t-1] - mu)^2 + beta1*sigma[t-1]^2) }
y ~ Normal(mu, sigma)
"""
HIDDEN = """
P[K, K] ~ Dirichlet(1)
mu[K] ~ Normal(0, 5)
z[1] ~ Categorical(ones(K)/K)
for t in 2..T { z[t] ~ Categorical(P[z[t-1]]) }
y ~ Normal(mu[z], 1)
"""


def best(run: Callable[[], object], runs: int) -> float:
    """Seconds of the fastest run."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def garch_by_hand(mu: np.ndarray, a0: np.ndarray, a1: np.ndarray, b1: np.ndarray, y: np.ndarray) -> np.ndarray:
    sigma = np.empty((len(mu), len(y)))
    sigma[:, 0] = 0.5
    for t in range(1, len(y)):
        sigma[:, t] = np.sqrt(a0 + a1 * (y[t - 1] - mu) ** 2 + b1 * sigma[:, t - 1] ** 2)
    return -0.5 * (((y - mu[:, None]) / sigma) ** 2).sum(axis=1) - np.log(sigma).sum(axis=1)


def chain_by_hand(moves: np.ndarray, mu: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The forward algorithm over all draws at once."""
    log_moves = np.log(moves)
    forward = -0.5 * (y[0] - mu) ** 2
    for value in y[1:]:
        joined = forward[:, :, None] + log_moves
        largest = joined.max(axis=1)
        forward = largest + np.log(np.exp(joined - largest[:, None]).sum(axis=1)) - 0.5 * (value - mu) ** 2
    largest = forward.max(axis=1)
    return largest + np.log(np.exp(forward - largest[:, None]).sum(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="of each; the fastest counts, the machine being shared")
    runs = parser.parse_args().runs
    rng = np.random.default_rng(1)
    print(f"{'what':28s} {'by hand ms':>11s} {'value/by hand':>14s} {'value and gradient/by hand':>27s}")
    draws, steps = 32, 200
    y = rng.normal(size=steps)
    joint = ppl.from_text(GARCH, "garch.ppl").condition({"y": y, "T": steps, "sigma1": 0.5}).joint
    z = rng.normal(size=(draws, 4)) * 0.1
    values = joint.constrain(z)
    arguments = [values[name] for name in ("mu", "alpha0", "alpha1", "beta1")]
    hand = best(lambda: garch_by_hand(*arguments, y), runs)
    row(f"GARCH, {steps} steps, {draws} draws", hand, joint, z, runs)
    for states, length in ((2, 1000), (5, 200), (20, 200)):
        y = rng.normal(size=length)
        joint = ppl.from_text(HIDDEN, "chain.ppl").condition({"y": y, "T": length, "K": states}).joint
        z = rng.normal(size=(draws, joint.dimension)) * 0.1
        values = joint.constrain(z)
        hand = best(lambda v=values, y=y: chain_by_hand(v["P"], v["mu"], y), runs)
        row(f"chain, {states} states, {length} steps", hand, joint, z, runs)


def row(name: str, hand: float, joint: ppl.api.LogJoint, z: np.ndarray, runs: int) -> None:
    value = best(lambda: joint.value(z), runs)
    both = best(lambda: joint.value_and_gradient(z), runs)
    print(f"{name:28s} {1000 * hand:11.2f} {value / hand:14.1f} {both / hand:27.1f}")


if __name__ == "__main__":
    main()
