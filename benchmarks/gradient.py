"""Times value and gradient of six log joints, 32 draws at once: staged, by autograd, and written by hand in NumPy.

python benchmarks/gradient.py [--runs N] [--peers PYTHON]

With the interpreter of the peers' environment, beside their twins compiled by JAX as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

import ppl
from ppl.compile.staged import stage

DRAWS = 32
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
Found = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Case:
    """A model, its data, and its value and gradient by hand, as a function of z (S, D)."""

    name: str
    text: str
    data: dict[str, Any]
    by_hand: Callable[[np.ndarray], Found]


def normal(x: np.ndarray, sd: float) -> np.ndarray:
    """The log density at x (S,), for the mean 0."""
    return -0.5 * (x / sd) ** 2 - np.log(sd) - HALF_LOG_TWO_PI


def eight_schools() -> Case:
    text = """
mu ~ Normal(0, 5)
tau ~ HalfCauchy(5)
eta[8] ~ Normal(0, 1)
y ~ Normal(mu + tau*eta, s)
"""
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    s = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    constant = -np.log(s).sum() - 16 * HALF_LOG_TWO_PI

    def by_hand(z: np.ndarray) -> Found:
        mu, log_tau, eta = z[:, 0], z[:, 1], z[:, 2:]
        tau = np.exp(log_tau)
        r = (y - mu[:, None] - tau[:, None] * eta) / s
        value = normal(mu, 5) + np.log(2 / (5 * np.pi)) - np.log1p((tau / 5) ** 2) + log_tau
        value += -0.5 * (eta * eta).sum(axis=1) - 0.5 * (r * r).sum(axis=1) + constant
        gradient = np.empty_like(z)
        slope = r / s
        gradient[:, 0] = slope.sum(axis=1) - mu / 25
        gradient[:, 1] = tau * ((slope * eta).sum(axis=1) - 2 * tau / (25 + tau * tau)) + 1
        gradient[:, 2:] = slope * tau[:, None] - eta
        return value, gradient

    return Case("eight schools", text, {"y": y, "s": s}, by_hand)


def regression(rng: np.random.Generator, rows: int = 434, columns: int = 3) -> Case:
    text = """
alpha ~ Normal(0, 10)
beta[K] ~ Normal(0, 5)
sigma ~ HalfNormal(5)
y ~ Normal(alpha + X @ beta, sigma)
"""
    x = rng.normal(size=(rows, columns))
    y = 1 + x @ rng.normal(size=columns) + rng.normal(size=rows)
    turned = np.ascontiguousarray(x.T)

    def by_hand(z: np.ndarray) -> Found:
        alpha, beta, log_sigma = z[:, 0], z[:, 1:-1], z[:, -1]
        sigma = np.exp(log_sigma)
        r = y - (beta @ turned + alpha[:, None])
        squares = (r * r).sum(axis=1)
        precision = 1 / (sigma * sigma)
        value = normal(alpha, 10) - 0.5 * (beta * beta).sum(axis=1) / 25 - columns * (np.log(5) + HALF_LOG_TWO_PI)
        value += normal(sigma, 5) + np.log(2) + log_sigma
        value += -0.5 * squares * precision - rows * (log_sigma + HALF_LOG_TWO_PI)
        gradient = np.empty_like(z)
        gradient[:, 0] = r.sum(axis=1) * precision - alpha / 100
        gradient[:, 1:-1] = (r @ x) * precision[:, None] - beta / 25
        gradient[:, -1] = squares * precision - rows - sigma * sigma / 25 + 1
        return value, gradient

    return Case(f"regression, {rows} x {columns}", text, {"X": x, "y": y, "K": columns}, by_hand)


def hierarchical(rng: np.random.Generator, rows: int = 919, groups: int = 85) -> Case:
    text = """
a ~ Normal(0, 10)
tau ~ HalfNormal(1)
alpha[G] ~ Normal(a, tau)
beta ~ Normal(0, 10)
sigma ~ HalfNormal(1)
y ~ Normal(alpha[g] + beta*x, sigma)
"""
    g = np.sort(np.concatenate([np.arange(groups), rng.integers(0, groups, rows - groups)]))
    x = rng.normal(size=rows)
    y = rng.normal(size=groups)[g] + x + rng.normal(size=rows)
    starts = np.flatnonzero(np.diff(g, prepend=-1))

    def by_hand(z: np.ndarray) -> Found:
        a, log_tau, alpha, beta, log_sigma = z[:, 0], z[:, 1], z[:, 2:-2], z[:, -2], z[:, -1]
        tau, sigma = np.exp(log_tau), np.exp(log_sigma)
        r = y - alpha[:, g] - beta[:, None] * x
        away = alpha - a[:, None]
        squares, spread = (r * r).sum(axis=1), (away * away).sum(axis=1)
        precision, between = 1 / (sigma * sigma), 1 / (tau * tau)
        value = normal(a, 10) + normal(beta, 10) + normal(tau, 1) + normal(sigma, 1) + 2 * np.log(2)
        value += -0.5 * spread * between - groups * (log_tau + HALF_LOG_TWO_PI) + log_tau
        value += -0.5 * squares * precision - rows * (log_sigma + HALF_LOG_TWO_PI) + log_sigma
        gradient = np.empty_like(z)
        gradient[:, 0] = away.sum(axis=1) * between - a / 100
        gradient[:, 1] = spread * between - groups - tau * tau + 1
        gradient[:, 2:-2] = np.add.reduceat(r, starts, axis=1) * precision[:, None] - away * between[:, None]
        gradient[:, -2] = (r @ x) * precision - beta / 100
        gradient[:, -1] = squares * precision - rows - sigma * sigma + 1
        return value, gradient

    data = {"g": g + 1, "G": groups, "x": x, "y": y}
    return Case(f"hierarchical, {rows} rows in {groups} groups", text, data, by_hand)


def logistic(rng: np.random.Generator, rows: int = 3020, columns: int = 5) -> Case:
    text = """
alpha ~ Normal(0, 5)
beta[K] ~ Normal(0, 2)
y ~ Bernoulli(logit = alpha + X @ beta)
"""
    x = rng.normal(size=(rows, columns))
    y = (rng.random(rows) < expit(x @ rng.normal(size=columns))).astype(float)
    turned, sign = np.ascontiguousarray(x.T), np.where(y == 1, -1.0, 1.0)

    def by_hand(z: np.ndarray) -> Found:
        alpha, beta = z[:, 0], z[:, 1:]
        eta = beta @ turned + alpha[:, None]
        value = normal(alpha, 5) - 0.5 * (beta * beta).sum(axis=1) / 4 - columns * (np.log(2) + HALF_LOG_TWO_PI)
        value -= np.logaddexp(0.0, sign * eta).sum(axis=1)
        slope = y - expit(eta)
        gradient = np.empty_like(z)
        gradient[:, 0] = slope.sum(axis=1) - alpha / 25
        gradient[:, 1:] = slope @ x - beta / 4
        return value, gradient

    return Case(f"logistic, {rows} x {columns}", text, {"X": x, "y": y.astype(int), "K": columns}, by_hand)


def gaussian_process(rng: np.random.Generator, points: int = 11) -> Case:
    text = """
rho ~ LogNormal(0, 1)
alpha ~ HalfNormal(2)
sigma ~ HalfNormal(1)
y ~ MvNormal(zeros(N), exp_quad(x, alpha, rho) + sigma^2*eye(N))
"""
    x = np.sort(rng.uniform(-3, 3, points))
    y = np.sin(x) + 0.3 * rng.normal(size=points)
    squares, eye = (x[:, None] - x) ** 2, np.eye(points)

    def by_hand(z: np.ndarray) -> Found:
        rho, alpha, sigma = np.exp(z).T
        scaled = squares * (0.5 / (rho * rho))[:, None, None]
        smooth = (alpha * alpha)[:, None, None] * np.exp(-scaled)
        root = np.linalg.cholesky(smooth + (sigma * sigma)[:, None, None] * eye)
        inverse = np.linalg.inv(root)
        white = inverse @ y
        logs = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        value = -0.5 * (white * white).sum(axis=1) - logs - points * HALF_LOG_TWO_PI
        value += -0.5 * z[:, 0] ** 2 - HALF_LOG_TWO_PI
        value += normal(alpha, 2) + normal(sigma, 1) + 2 * np.log(2) + z[:, 1] + z[:, 2]
        solved = (white[:, None, :] @ inverse)[:, 0]
        slope = 0.5 * (solved[:, :, None] * solved[:, None, :] - np.swapaxes(inverse, 1, 2) @ inverse)
        by_smooth = slope * smooth
        gradient = np.empty_like(z)
        gradient[:, 0] = 2 * (by_smooth * scaled).sum(axis=(1, 2)) - z[:, 0]
        gradient[:, 1] = 2 * by_smooth.sum(axis=(1, 2)) - alpha * alpha / 4 + 1
        diagonal = np.diagonal(slope, axis1=1, axis2=2).sum(axis=1)
        gradient[:, 2] = 2 * sigma * sigma * diagonal - sigma * sigma + 1
        return value, gradient

    return Case(f"Gaussian process, {points} points", text, {"x": x, "y": y, "N": points}, by_hand)


def garch(rng: np.random.Generator, steps: int = 200) -> Case:
    text = """
mu ~ Normal(0, 10)
alpha0 ~ Exponential(1)
alpha1 ~ Uniform(0, 1)
beta1 ~ Uniform(0, 1)
sigma[1] = 0.5
for t in 2..T { sigma[t] = sqrt(alpha0 + alpha1*(y[t-1] - mu)^2 + beta1*sigma[t-1]^2) }
y ~ Normal(mu, sigma)
"""
    y = rng.normal(size=steps)

    def by_hand(z: np.ndarray) -> Found:
        mu, alpha0, alpha1, beta1 = z[:, 0], np.exp(z[:, 1]), expit(z[:, 2]), expit(z[:, 3])
        r = y[:, None] - mu
        squares = r * r
        shocks = alpha0 + alpha1 * squares
        variance = np.empty((steps, len(z)))
        variance[0] = 0.25
        for t in range(1, steps):
            variance[t] = shocks[t - 1] + beta1 * variance[t - 1]
        precision = 1 / variance
        value = normal(mu, 10) - alpha0 + z[:, 1] + np.log(alpha1 * (1 - alpha1) * beta1 * (1 - beta1))
        value -= 0.5 * (squares * precision + np.log(variance)).sum(axis=0) + steps * HALF_LOG_TWO_PI
        back = 0.5 * (squares * precision - 1) * precision
        for t in range(steps - 1, 1, -1):
            back[t - 1] += beta1 * back[t]
        later = back[1:]
        gradient = np.empty_like(z)
        by_mu = (r * precision).sum(axis=0) - 2 * alpha1 * (later * r[:-1]).sum(axis=0)
        gradient[:, 0] = by_mu - mu / 100
        gradient[:, 1] = alpha0 * (later.sum(axis=0) - 1) + 1
        gradient[:, 2] = alpha1 * (1 - alpha1) * (later * squares[:-1]).sum(axis=0) + 1 - 2 * alpha1
        gradient[:, 3] = beta1 * (1 - beta1) * (later * variance[:-1]).sum(axis=0) + 1 - 2 * beta1
        return value, gradient

    return Case(f"GARCH, {steps} steps", text, {"y": y, "T": steps}, by_hand)


def seconds(runs: list[Callable[[], object]], rounds: int, least: float = 0.02) -> list[float]:
    """CPU seconds of each, the best of several rounds in turns: the machine is shared."""
    best = [np.inf] * len(runs)
    for _ in range(rounds):
        for i, run in enumerate(runs):
            start, count = time.process_time(), 0
            while time.process_time() - start < least:
                run()
                count += 1
            best[i] = min(best[i], (time.process_time() - start) / count)
    return best


def compiled(python: str, cases: list[tuple[Case, np.ndarray, Found]], rounds: int) -> tuple[list[float], str]:
    """CPU seconds of each twin in JAX, which must give what is found here, and JAX's version."""
    arrays: dict[str, Any] = {}
    for i, (case, z, (value, gradient)) in enumerate(cases):
        own = {**case.data, "draws": z, "value": value, "gradient": gradient}
        arrays.update({f"{i}.{name}": array for name, array in own.items()})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.npz"
        np.savez(file, **arrays)
        twins = Path(__file__).parent / "peers" / "gradient_jax.py"
        command = [python, str(twins), str(file), "--runs", str(rounds)]
        done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return done["seconds"], done["version"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="rounds; the fastest of each counts, the machine is shared")
    parser.add_argument("--peers", metavar="PYTHON", help="the interpreter of the peers' environment")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    cases = (
        eight_schools(), regression(rng), hierarchical(rng), logistic(rng), gaussian_process(rng), garch(rng),
    )  # fmt: skip
    rows, held = [], []
    for case in cases:
        joint = ppl.from_text(case.text, "model.ppl").condition(case.data).joint
        z = rng.normal(size=(DRAWS, joint.dimension)) * 0.3
        start = time.process_time()
        runner = stage.staged(joint, z.shape)
        building = time.process_time() - start
        expected = stage.plain(joint, z)
        for found in (runner(z), case.by_hand(z)):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8 * np.abs(other).max())
        times = seconds(
            [lambda: case.by_hand(z), lambda: runner(z), lambda: stage.plain(joint, z)],  # noqa: B023
            options.runs,
        )
        rows.append([*times, building])
        held.append((case, z, expected))
    twins, version = (
        compiled(options.peers, held, options.runs) if options.peers else ([np.nan] * len(cases), "not run")
    )
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, JAX {version}, {os.cpu_count()} cores, "
          f"best of {options.runs}")  # fmt: skip
    heads = ("by hand us", "staged us", "autograd us", "JAX us", "staged/by hand", "autograd/staged", "staged/JAX",
             "building ms")  # fmt: skip
    print(f"{f'{DRAWS} draws, CPU time':36s}" + "".join(f"{head:>16s}" for head in heads))
    for case, (hand, staged, plain, building), twin in zip(cases, rows, twins, strict=True):
        times = "".join(f"{1e6 * each:16.0f}" for each in (hand, staged, plain, twin))
        ratios = f"{staged / hand:16.2f}{plain / staged:16.1f}{staged / twin:16.2f}"
        print(f"{case.name:36s}{times}{ratios}{1e3 * building:16.1f}", flush=True)


if __name__ == "__main__":
    main()
