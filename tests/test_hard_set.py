"""benchmarks/hard: each model has the density that its reference was made for, by SciPy, and its reference is whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import ppl
from tests.conftest import ROOT

HARD = ROOT / "benchmarks" / "hard"
NAMES = sorted(path.name.removesuffix(".ppl") for path in HARD.glob("*.ppl"))
RNG = np.random.default_rng(1)
norm, halfnorm, cauchy, halfcauchy = (
    stats.norm.logpdf,
    stats.halfnorm.logpdf,
    stats.cauchy.logpdf,
    stats.halfcauchy.logpdf,
)

Point = dict[str, Any]
Table = dict[str, np.ndarray]


def separated(prior: Callable[..., Any], scales: list[float]) -> Callable[[Point, Table], float]:
    def density(p: Point, d: Table) -> float:
        eta = p["a"] + p["b"] * d["x"] + p["c"] * d["u"]
        likelihood = stats.bernoulli.logpmf(d["y"], special.expit(eta)).sum()
        return likelihood + sum(prior(p[name], 0, scale) for name, scale in zip("abc", scales, strict=True))

    return density


def eight_schools(p: Point, d: Table) -> float:
    own = norm(p["theta"], p["mu"], p["tau"]).sum() + norm(d["y"], p["theta"][d["at"]], d["sigma"]).sum()
    return own + norm(p["mu"], 0, 5) + halfcauchy(p["tau"], 0, 5)


def funnel(p: Point, d: Table) -> float:
    return norm(p["v"], 0, 3) + np.sum(norm(p["x"], 0, np.exp(p["v"] / 2)))


def horseshoe(p: Point, d: Table) -> float:
    x = np.column_stack([d[f"x{j + 1}"] for j in range(50)])
    scales = halfcauchy(p["tau"], 0, 0.1) + halfcauchy(p["lambda"]).sum() + halfcauchy(p["sigma"])
    slopes = norm(p["beta"], 0, p["tau"] * p["lambda"]).sum()
    return scales + slopes + norm(d["y"], x @ p["beta"], p["sigma"]).sum()


def mixture(p: Point, d: Table) -> float:
    each = np.log(p["w"]) + norm(d["y"][:, None], p["mu"], p["sigma"])
    priors = stats.dirichlet([5, 5]).logpdf(p["w"]) + norm(p["mu"], 0, 5).sum() + halfnorm(p["sigma"], 0, 2)
    return special.logsumexp(each, axis=1).sum() + priors


def gp_poisson(p: Point, d: Table) -> float:
    x = d["x"]
    cov = p["alpha"] ** 2 * (np.exp(-0.5 * ((x[:, None] - x) / p["rho"]) ** 2) + 1e-9 * np.eye(len(x)))
    priors = norm(p["level"], 1, 2) + halfnorm(p["alpha"]) + stats.invgamma(4, scale=8).logpdf(p["rho"])
    curve = stats.multivariate_normal(cov=cov, allow_singular=True).logpdf(p["f"])
    return priors + curve + stats.poisson.logpmf(d["y"], np.exp(p["level"] + p["f"])).sum()


def local_level(p: Point, d: Table) -> float:
    steps = norm(np.diff(p["level"]), 0, p["s_level"]).sum() + norm(p["level"][0], 0, 5)
    return steps + halfnorm(p["s_level"]) + halfnorm(p["s_obs"]) + norm(d["y"], p["level"], p["s_obs"]).sum()


def two_modes(p: Point, d: Table) -> float:
    return norm(p["m"], 2, 4) + halfnorm(p["sigma"], 0, 2) + norm(d["y"], p["m"] ** 2, p["sigma"]).sum()


def two_peaks(p: Point, d: Table) -> float:
    return np.log(0.4 * np.exp(norm(p["x"], -8, 1.5).sum()) + 0.6 * np.exp(norm(p["x"], 8, 0.5).sum()))


def banana(p: Point, d: Table) -> float:
    return norm(p["x"], 0, 10) + norm(p["y"], 10 - 0.1 * p["x"] ** 2, 1)


def positive() -> float:
    return float(RNG.gamma(3) / 3)


# density up to a constant, and a point at random
MODELS: dict[str, tuple[Callable[[Point, Table], float], Callable[[Table], Point]]] = {
    "eight_schools_centred": (
        eight_schools,
        lambda d: {"mu": RNG.normal(), "tau": positive(), "theta": RNG.normal(size=8)},
    ),
    "funnel_2": (funnel, lambda d: {"v": RNG.normal(), "x": RNG.normal()}),
    "funnel_10": (funnel, lambda d: {"v": RNG.normal(), "x": RNG.normal(size=9)}),
    "horseshoe": (
        horseshoe,
        lambda d: {
            "tau": positive(),
            "sigma": positive(),
            "lambda": RNG.gamma(3, size=50),
            "beta": RNG.normal(size=50),
        },
    ),
    "mixture_unordered": (
        mixture,
        lambda d: {"w": RNG.dirichlet([5, 5]), "mu": RNG.normal(size=2), "sigma": positive()},
    ),
    "gp_poisson": (
        gp_poisson,
        lambda d: {"level": RNG.normal(), "alpha": positive(), "rho": 0.5 * positive(), "f": RNG.normal(size=20)},
    ),
    "local_level": (
        local_level,
        lambda d: {"s_level": positive(), "s_obs": positive(), "level": RNG.normal(size=200)},
    ),
    "two_modes": (two_modes, lambda d: {"m": RNG.normal(), "sigma": positive()}),
    "two_peaks": (two_peaks, lambda d: {"x": RNG.choice([-8.0, 8.0]) + RNG.normal(size=3)}),
    "separated_normal": (separated(norm, [10, 10, 10]), lambda d: dict(zip("abc", RNG.normal(size=3), strict=True))),
    "separated_cauchy": (
        separated(cauchy, [10, 2.5, 2.5]),
        lambda d: dict(zip("abc", RNG.normal(size=3), strict=True)),
    ),
    "banana": (banana, lambda d: {"x": RNG.normal(), "y": RNG.normal()}),
}


def read(name: str) -> Table:
    path = HARD / f"{name}.csv"
    if not path.exists():
        return {}
    table = {column: values.to_numpy() for column, values in pd.read_csv(path).items()}
    if "school" in table:
        table["at"] = np.unique(table["school"], return_inverse=True)[1]
    return table


@pytest.mark.parametrize("name", NAMES)
def test_density(name: str) -> None:
    density, point = MODELS[name]
    files = [path for path in (HARD / f"{name}.csv", HARD / f"{name}.json") if path.exists()]
    posterior = ppl.load(HARD / f"{name}.ppl").condition(*files)
    table = read(name)
    points = [point(table) for _ in range(4)]
    ours = np.array([float(posterior.log_density(p)) for p in points])
    scipys = np.array([density(p, table) for p in points])
    np.testing.assert_allclose(ours - ours[0], scipys - scipys[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_reference(name: str) -> None:
    reference = json.loads((HARD / f"{name}.reference.json").read_text())
    assert reference["model"] == name
    assert reference["source"]
    for label, numbers in reference["params"].items():
        assert numbers["q5"] < numbers["q50"] < numbers["q95"], label
        assert numbers["sd"] > 0, label
        assert numbers.get("rhat", 1) < 1.01, label
        assert numbers.get("ess", 1_000) > 400, label
        assert abs(numbers.get("mcse_mean", 0)) < 0.05 * numbers["sd"], label
