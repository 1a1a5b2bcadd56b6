"""formulas and grids -> posteriors of benchmarks/hard: closed forms, and sums over grids in up to three dimensions.

Each function returns {label: numbers}, numbers being mean, sd and the 5, 50 and 95 % quantiles (without quantiles where
only a check needs them). `by` says "quantiles" where the kurtosis is above LIMIT: no draws could tell the sd.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import integrate, optimize, stats

HERE = Path(__file__).resolve().parent
LEVELS = {"q5": 0.05, "q50": 0.5, "q95": 0.95}
LIMIT = 40.0
"""Kurtosis above which 4,000 independent draws leave an sd uncertain by more than 5 % (sqrt((k - 1)/4n))."""

Numbers = dict[str, Any]


def read(model: str) -> dict[str, np.ndarray]:
    """The columns of MODEL.csv, as numbers where all cells are."""
    with (HERE / f"{model}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for name in rows[0]:
        cells = [row[name] for row in rows]
        try:
            columns[name] = np.array([float(cell) for cell in cells])
        except ValueError:
            columns[name] = np.array(cells)
    return columns


def funnel_2() -> Mapping[str, Numbers]:
    return {"v": _normal(3.0), "x": _branch()}


def funnel_10() -> Mapping[str, Numbers]:
    branch = _branch()
    return {"v": _normal(3.0)} | {f"x[{i + 1}]": branch for i in range(9)}


def _normal(sd: float) -> Numbers:
    return {"mean": 0.0, "sd": sd} | {name: stats.norm.ppf(level) * sd for name, level in LEVELS.items()}


def _branch() -> Numbers:
    """x | v ~ Normal(0, exp(v/2)), v ~ Normal(0, 3): the variance is E exp(v) = exp(9/2), the kurtosis 3 exp(9)."""

    def below(x: float) -> float:
        inside = lambda v: stats.norm.cdf(x * np.exp(-v / 2)) * stats.norm.pdf(v, scale=3)  # noqa: E731
        return integrate.quad(inside, -30, 30, limit=500, points=[2 * np.log(abs(x) + 1e-9)])[0]

    found = {"mean": 0.0, "sd": np.exp(9 / 4), "by": "quantiles"}
    q95 = optimize.brentq(lambda x: below(x) - 0.95, 0.1, 100)
    drawn = _drawn_branch()
    assert abs(drawn - q95) < 0.02 * q95, (drawn, q95)
    return found | {"q5": -q95, "q50": 0.0, "q95": q95}


def _drawn_branch() -> float:
    rng = np.random.default_rng(1)
    return float(np.quantile(rng.normal(size=10**6) * np.exp(rng.normal(0, 1.5, 10**6)), 0.95))


def banana() -> Mapping[str, Numbers]:
    """x ~ Normal(0, 10), y = 10 - 0.1 x^2 + e, e ~ Normal(0, 1)."""

    def below(y: float) -> float:
        inside = lambda x: stats.norm.cdf(y - 10 + 0.1 * x**2) * stats.norm.pdf(x, scale=10)  # noqa: E731
        return 2 * integrate.quad(inside, 0, 90, limit=500, points=[np.sqrt(max(10 * (10 - y), 0.0))])[0]

    bent = {"mean": 0.0, "sd": np.sqrt(1 + 0.1**2 * 2 * 10**4)}
    for name, level in LEVELS.items():
        bent[name] = optimize.brentq(lambda y, level=level: below(y) - level, -200, 20)
    return {"x": _normal(10.0), "y": bent}


def two_peaks() -> Mapping[str, Numbers]:
    """0.4 Normal(-8, 1.5) + 0.6 Normal(8, 0.5) in each of three dimensions, jointly."""
    shares, means, sds = np.array([0.4, 0.6]), np.array([-8.0, 8.0]), np.array([1.5, 0.5])
    mean = shares @ means
    found = {"mean": mean, "sd": np.sqrt(shares @ (sds**2 + means**2) - mean**2)}
    for name, level in LEVELS.items():
        found[name] = optimize.brentq(lambda x, level=level: shares @ stats.norm.cdf(x, means, sds) - level, -20, 20)
    return {f"x[{i + 1}]": found for i in range(3)}


def two_modes() -> Mapping[str, Numbers]:
    y = read("two_modes")["y"]
    m, log_sigma = np.linspace(-4, 4, 8001), np.linspace(-1.5, 3, 451)
    sigma = np.exp(log_sigma)
    squares = ((y - m[:, None] ** 2) ** 2).sum(axis=1)
    logs = -0.5 * squares[:, None] / sigma**2 - len(y) * log_sigma + stats.halfnorm.logpdf(sigma, scale=2) + log_sigma
    return on_grid(logs + stats.norm.logpdf(m, 2, 4)[:, None], {"m": m, "sigma": sigma})


def separated_normal() -> Mapping[str, Numbers]:
    axes = [np.linspace(-45, 35, 161), np.linspace(-15, 75, 181), np.linspace(-20, 50, 141)]
    return _separated("separated_normal", axes, [np.ones_like(axis) for axis in axes], stats.norm, [10, 10, 10])


def separated_cauchy() -> Mapping[str, Numbers]:
    """On a grid of asinh(slope), which reaches to 1e5. The tail beyond r has a probability of about r^-3."""
    grid = np.linspace(-11, 12, 231)
    axes = [10 * np.sinh(grid[:211]), 2.5 * np.sinh(grid), 2.5 * np.sinh(grid)]
    slopes = [10 * np.cosh(grid[:211]), 2.5 * np.cosh(grid), 2.5 * np.cosh(grid)]
    found = _separated("separated_cauchy", axes, slopes, stats.cauchy, [10, 2.5, 2.5])
    return {label: {**numbers, "by": "quantiles"} for label, numbers in found.items()}


def _separated(
    model: str, axes: list[np.ndarray], slopes: list[np.ndarray], family: Any, scales: list[float]
) -> Mapping[str, Numbers]:
    table = read(model)
    signs = 2 * table["y"] - 1
    logs = np.zeros([len(axis) for axis in axes])
    for i, a in enumerate(axes[0]):
        for x, u, sign in zip(table["x"], table["u"], signs, strict=True):
            logs[i] -= np.logaddexp(0, -sign * (a + axes[1][:, None] * x + axes[2] * u))
    for i, (axis, slope, scale) in enumerate(zip(axes, slopes, scales, strict=True)):
        shape = [-1 if i == j else 1 for j in range(3)]
        logs += (family.logpdf(axis, scale=scale) + np.log(slope)).reshape(shape)
    return on_grid(logs, dict(zip("abc", axes, strict=True)))


def on_grid(logs: np.ndarray, axes: Mapping[str, np.ndarray]) -> dict[str, Numbers]:
    """`logs`: log density by the grid's own coordinates, evenly spaced; `axes`: what is reported, by coordinate."""
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    found = {}
    for i, (label, axis) in enumerate(axes.items()):
        marginal = shares.sum(axis=tuple(j for j in range(shares.ndim) if j != i))
        assert max(marginal[0], marginal[-1]) < 1e-4, (label, marginal[0], marginal[-1])
        mean = marginal @ axis
        found[label] = {"mean": mean, "sd": np.sqrt(marginal @ (axis - mean) ** 2)}
        below = np.cumsum(marginal) - marginal / 2
        found[label] |= {name: np.interp(level, below, axis) for name, level in LEVELS.items()}
    return found


def eight_schools_centred() -> Mapping[str, Numbers]:
    """Means and sds: given tau all else is Gaussian, and tau has one dimension."""
    table = read("eight_schools_centred")
    y, sigma = table["y"], table["sigma"]
    grid = np.linspace(-9, 7, 3201)
    tau = np.exp(grid)
    spread = tau[:, None] ** 2 + sigma**2
    precision = 1 / 25 + (1 / spread).sum(axis=1)
    mu = (y / spread).sum(axis=1) / precision
    logs = -0.5 * (np.log(spread) + y**2 / spread).sum(axis=1) + 0.5 * precision * mu**2 - 0.5 * np.log(precision)
    logs += stats.halfcauchy.logpdf(tau, scale=5) + grid
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    keep = sigma**2 / spread  # how much of mu is in theta
    own = y * tau[:, None] ** 2 / spread
    means = np.column_stack([mu, tau, own + keep * mu[:, None]])
    thetas = tau[:, None] ** 2 * keep + keep**2 / precision[:, None]
    variances = np.column_stack([1 / precision, np.zeros_like(tau), thetas])
    return mixed(shares, means, variances, ["mu", "tau", *(f"theta[{name}]" for name in table["school"])])


def local_level() -> Mapping[str, Numbers]:
    """Means and sds: given both sds the states are Gaussian."""
    y = read("local_level")["y"]
    n = len(y)
    steps = np.minimum.outer(np.arange(n), np.arange(n)).astype(float)
    means, variances, logs = [], [], []
    for log_level in np.linspace(-4.5, 0.5, 51):
        for log_obs in np.linspace(-0.35, 0.35, 36):
            s_level, s_obs = np.exp([log_level, log_obs])
            prior = 25 + s_level**2 * steps
            total = np.linalg.cholesky(prior + s_obs**2 * np.eye(n))
            half, white = np.linalg.solve(total, prior), np.linalg.solve(total, y)
            means.append([s_level, s_obs, *(half.T @ white)])
            variances.append([0, 0, *(np.diag(prior) - (half**2).sum(axis=0))])
            logs.append(
                -0.5 * white @ white
                - np.log(np.diag(total)).sum()
                - 0.5 * (s_level**2 + s_obs**2)
                + log_level
                + log_obs
            )
    shares = np.exp(np.array(logs) - max(logs))
    labels = ["s_level", "s_obs", *(f"level[{t + 1}]" for t in range(n))]
    return mixed(shares / shares.sum(), np.array(means), np.array(variances), labels)


def mixed(shares: np.ndarray, means: np.ndarray, variances: np.ndarray, labels: list[str]) -> Mapping[str, Numbers]:
    """Moments of a mixture of Gaussians."""
    mean = shares @ means
    sd = np.sqrt(shares @ (variances + (means - mean) ** 2))
    return {label: {"mean": m, "sd": s} for label, m, s in zip(labels, mean, sd, strict=True)}


REFERENCES: dict[str, tuple[Callable[[], Mapping[str, Numbers]], str]] = {
    "funnel_2": (funnel_2, "Closed form: moments and quantiles of v and sd of x; quantiles of x by integration over v"),
    "funnel_10": (
        funnel_10,
        "Closed form: moments and quantiles of v and sd of x; quantiles of x by integration over v",
    ),
    "banana": (banana, "Closed form: all of x, moments of y; quantiles of y by integration over x"),
    "two_peaks": (two_peaks, "Closed form: a mixture of two Gaussians"),
    "two_modes": (two_modes, "Sum over a grid of m and log sigma, 8001 x 451"),
    "separated_normal": (separated_normal, "Sum over a grid of a, b and c, 161 x 181 x 141, half a unit apart"),
    "separated_cauchy": (
        separated_cauchy,
        "Sum over a grid of asinh(a/10), asinh(b/2.5), asinh(c/2.5), 211 x 231 x 231",
    ),
}
CHECKS = {"eight_schools_centred": eight_schools_centred, "local_level": local_level}
"""By a grid over the scales too, but without quantiles: to check the sampler."""
