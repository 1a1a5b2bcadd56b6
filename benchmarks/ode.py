"""Times the solution of predators and prey over many draws, its gradient, and scipy's solver draw by draw.

python benchmarks/ode.py [--runs N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

import ppl

MODEL = """
theta[4] ~ LogNormal([-0.6, -3.5, -0.2, -3.7], 0.5)
ode t in ts from 0 {
  prey = 33
  lynx = 6
  prey' = (theta[1] - theta[2]*lynx)*prey
  lynx' = (theta[4]*prey - theta[3])*lynx
}
y ~ Normal(prey + lynx, 1)
"""
TIMES = np.arange(1.0, 21.0)


def best(run: Callable[[], object], runs: int) -> float:
    """Seconds of the fastest run."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def one_by_scipy(theta: np.ndarray) -> None:
    a, b, c, d = theta

    def slopes(_: float, y: np.ndarray) -> list[float]:
        return [(a - b * y[1]) * y[0], (d * y[0] - c) * y[1]]

    solve_ivp(slopes, (0, 20), [33.0, 6.0], "DOP853", t_eval=TIMES, rtol=1e-10, atol=1e-10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each; the fastest counts, the machine being shared")
    runs = parser.parse_args().runs
    joint = ppl.from_text(MODEL, "benchmark.ppl").condition({"ts": TIMES, "y": np.full(20, 40.0)}).joint
    rng = np.random.default_rng(1)
    print(f"{'draws':>6s} {'solution ms':>12s} {'gradient/solution':>18s} {'scipy a draw/solution a draw':>29s}")
    for draws in (1, 10, 100, 1000):
        theta = np.array([0.55, 0.028, 0.8, 0.024]) * np.exp(0.1 * rng.normal(size=(draws, 4)))
        z = joint.unconstrain({"theta": theta})
        alone = best(lambda z=z: joint.value(z), runs)
        gradient = best(lambda z=z: joint.value_and_gradient(z), runs)
        scipy = best(lambda theta=theta: one_by_scipy(theta[0]), runs)
        print(f"{draws:6d} {1e3 * alone:12.1f} {gradient / alone:18.2f} {scipy * draws / alone:29.1f}")


if __name__ == "__main__":
    main()
