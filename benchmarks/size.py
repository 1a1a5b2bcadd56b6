"""Fits a varying-intercept logistic model with thousands of groups, and compares it with quadrature written by hand.

python benchmarks/size.py [--groups N] [--rows N]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

import ppl

MODEL = """
a_mean ~ Normal(0, 5)
a_sd ~ HalfNormal(2)
b ~ Normal(0, 2)
a[G] ~ Normal(a_mean, a_sd)
y ~ Bernoulli(logit=a[g] + b*x)
"""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


def simulated(groups: int, rows: int) -> dict[str, np.ndarray]:
    """Every group has a row, the others are spread at random; rows are sorted by group, from 0."""
    rng = np.random.default_rng(1)
    g = np.sort(np.concatenate([np.arange(groups), rng.integers(0, groups, rows - groups)]))
    x = rng.normal(size=rows)
    eta = (-0.5 + 0.8 * rng.normal(size=groups))[g] + 0.7 * x
    return {"g": g, "x": x, "y": (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int)}


class ByHand:
    """The posterior of (a_mean, log a_sd, b), each group integrated out about its own mode with 15 nodes."""

    def __init__(self, data: dict[str, np.ndarray]):
        self.g, self.x, self.y = data["g"], data["x"], data["y"]
        self.starts = np.searchsorted(self.g, np.arange(self.g[-1] + 1))
        self.mode = np.zeros(len(self.starts))

    def by_group(self, rows: np.ndarray) -> np.ndarray:
        return np.add.reduceat(rows, self.starts)

    def at(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The log density, and the means of a and of its square, (G,) each."""
        mean, log_sd, b = theta
        a, sd = self.mode, np.exp(log_sd)
        for _ in range(50):
            p = 1 / (1 + np.exp(-a[self.g] - b * self.x))
            curved = self.by_group(p * (1 - p)) + 1 / sd**2
            step = np.clip((self.by_group(self.y - p) - (a - mean) / sd**2) / curved, -2, 2)
            a = a + step
            if np.abs(step).max() < 1e-9:
                break
        self.mode = a
        places = a + NODES[:, None] / np.sqrt(curved)
        logs = np.empty_like(places)
        for place, out in zip(places, logs, strict=True):
            eta = place[self.g] + b * self.x
            out[:] = self.by_group(self.y * eta - np.logaddexp(0, eta))
        logs += -0.5 * ((places - mean) / sd) ** 2 - log_sd - 0.5 * np.log(curved)
        logs += 0.5 * NODES[:, None] ** 2 + np.log(WEIGHTS)[:, None]
        top = logs.max(axis=0)
        shares = np.exp(logs - top)
        total = shares.sum(axis=0)
        shares /= total
        prior = -0.5 * (mean / 5) ** 2 - 0.5 * (sd / 2) ** 2 + log_sd - 0.5 * (b / 2) ** 2
        density = float((top + np.log(total)).sum() + prior)
        return density, (shares * places).sum(axis=0), (shares * places**2).sum(axis=0)

    def moments(self, start: np.ndarray, sds: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Means and sds by quadrature over a grid about the mode, which is found from `start` with steps of `sds`."""
        theta = start
        for _ in range(4):  # Newton, by differences over half an sd
            gradient, hessian = np.zeros(3), np.zeros((3, 3))
            steps = 0.5 * np.diag(sds)
            for i in range(3):
                gradient[i] = (self.at(theta + steps[i])[0] - self.at(theta - steps[i])[0]) / sds[i]
                for j in range(i + 1):
                    corners = [
                        self.at(theta + s * steps[i] + t * steps[j])[0] * s * t for s in (1, -1) for t in (1, -1)
                    ]
                    hessian[i, j] = hessian[j, i] = sum(corners) / (sds[i] * sds[j])
            theta = theta - np.linalg.solve(hessian, gradient)
        root = np.linalg.cholesky(np.linalg.inv(-hessian))
        x, w = np.polynomial.hermite_e.hermegauss(5)
        u = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
        found = [self.at(theta + root @ one) for one in u]
        logs = np.array([one[0] for one in found]) + 0.5 * (u**2).sum(axis=1)
        shares = np.einsum("i,j,k->ijk", w, w, w).reshape(-1) * np.exp(logs - logs.max())
        shares /= shares.sum()
        border = theta + u @ root.T
        border[:, 1] = np.exp(border[:, 1])
        mean = shares @ border
        sd = np.sqrt(shares @ (border - mean) ** 2)
        a = shares @ np.array([one[1] for one in found])
        a_sd = np.sqrt(shares @ np.array([one[2] for one in found]) - a**2)
        named = {name: (mean[i], sd[i]) for i, name in enumerate(("a_mean", "a_sd", "b"))}
        return named | {"a": (a, a_sd)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    data = simulated(options.groups, options.rows)
    start, used = time.perf_counter(), time.process_time()
    posterior = ppl.from_text(MODEL).condition({**data, "g": data["g"] + 1, "G": options.groups})
    fit = posterior.fit()
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{wall:.1f} seconds ({cpu:.1f} of CPU), {peak:.2f} GiB at the most, verdict: {fit.verdict}")
    print(*fit.reasons, sep="\n")
    found = fit.record.quantities
    at = [float(found[name].mean) for name in ("a_mean", "a_sd", "b")]
    sds = np.array([float(found[name].sd) for name in ("a_mean", "a_sd", "b")])
    at[1], sds[1] = np.log(at[1]), sds[1] / at[1]
    truth = ByHand(data).moments(np.array(at), sds)
    print(f"{'':8}{'mean off by, sds':>18}{'sd, ratio':>12}   (the worst element)")
    for name, (mean, sd) in truth.items():
        off = np.abs((found[name].mean - mean) / sd).max()
        ratios = np.atleast_1d(found[name].sd / sd)
        ratio = ratios[np.argmax(np.abs(np.log(ratios)))]
        print(f"{name:8}{off:18.3f}{ratio:12.3f}")


if __name__ == "__main__":
    main()
