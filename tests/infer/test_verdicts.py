"""Posteriors on which a fit must not be called good, each with the truth by integration; and some on which it must."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import ppl

Log = Callable[[np.ndarray], np.ndarray]


def fit(text: str, data: dict[str, object], seed: int = 1, **options: object) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition(data).fit(seed=seed, **options)  # type: ignore[arg-type]


def moments(log_density: Log, grid: np.ndarray) -> tuple[float, float]:
    """Mean and sd of an unnormalised log density on an even grid."""
    values = log_density(grid)
    weights = np.exp(values - values.max())
    weights /= weights.sum()
    mean = float(weights @ grid)
    return mean, float(np.sqrt(weights @ (grid - mean) ** 2))


def is_right(found: ppl.Fit, label: str, truth: tuple[float, float]) -> bool:
    statistics = found.summary()[label]
    mean, sd = truth
    return abs(statistics["mean"] - mean) < 0.3 * sd and abs(np.log(statistics["sd"] / sd)) < 0.26


NEAR, FAR = [0, 0.1, -0.1, 0.2], [50, 50.1, 49.9, 50.2]
SINE = np.sin(7 * np.arange(12) * 0.5) + 0.1
FAR_MODES: dict[str, tuple[str, dict[str, object], str, Log, np.ndarray]] = {
    "square": (
        "a ~ Normal(0, 5)\ny ~ Normal(a^2, 0.5)",
        {"y": 9.0},
        "a",
        lambda a: stats.norm(0, 5).logpdf(a) + stats.norm(a**2, 0.5).logpdf(9),
        np.linspace(-10, 10, 200_001),
    ),
    "square off centre": (
        "x ~ Normal(5, 10)\ny ~ Normal((x - 20)^2, 1)",
        {"y": 400.0},
        "x",
        lambda x: stats.norm(5, 10).logpdf(x) + stats.norm((x - 20) ** 2, 1).logpdf(400),
        np.linspace(-20, 60, 800_001),
    ),
    "two clusters": (
        "m ~ Normal(0, 100)\ny ~ Cauchy(m, 1)",
        {"y": NEAR + FAR},
        "m",
        lambda m: stats.norm(0, 100).logpdf(m) + sum(stats.cauchy(m, 1).logpdf(y) for y in NEAR + FAR),
        np.linspace(-300, 300, 600_001),
    ),
    "uneven clusters": (
        "m ~ Normal(0, 100)\ny ~ Cauchy(m, 1)",
        {"y": NEAR[:3] + FAR},
        "m",
        lambda m: stats.norm(0, 100).logpdf(m) + sum(stats.cauchy(m, 1).logpdf(y) for y in NEAR[:3] + FAR),
        np.linspace(-300, 300, 600_001),
    ),
    "frequency": (
        "w ~ Uniform(0.1, 20)\ny ~ Normal(sin(w*t), 0.5)",
        {"t": np.arange(12.0) * 0.5, "y": SINE},
        "w",
        lambda w: sum(stats.norm(np.sin(w * 0.5 * i), 0.5).logpdf(SINE[i]) for i in range(12)),
        np.linspace(0.1, 20, 200_001),
    ),
}


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("name", FAR_MODES)
def test_far_modes_are_seen(name: str, seed: int) -> None:
    text, data, label, log_density, grid = FAR_MODES[name]
    found = fit(text, data, seed)
    assert found.verdict != "good" or is_right(found, label, moments(log_density, grid))


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("centre", [0.0, 1000.0])
def test_components_that_can_change_places(seed: int, centre: float) -> None:
    """An unordered mixture: by symmetry both means have the same posterior, and no single mode shows it, but two do."""
    rng = np.random.default_rng(5)
    y = centre + np.concatenate([rng.normal(-3, 1, 30), rng.normal(3, 1, 40)])
    text = (
        f"m[2] ~ Normal({centre}, 100)\n"
        "ll = logsumexp([-0.5*(y - m[1])^2, -0.5*(y - m[2])^2], 1)\none ~ Bernoulli(exp(ll - 1))"
    )
    data = {"y": y, "one": np.ones(70, dtype=int)}
    alone = fit(text, data, seed, guide="meanfield")
    assert alone.verdict != "good" and "`m`" in alone.reasons[0]
    found = fit(text, data, seed)
    first, second = (found.summary()[f"m[{i}]"] for i in (1, 2))
    assert found.verdict == "good" and first["sd"] > 2.5
    assert abs(first["mean"] - second["mean"]) < 0.05 * first["sd"]


@pytest.mark.parametrize("seed", range(1, 4))
def test_signs_that_can_flip(seed: int) -> None:
    rng = np.random.default_rng(0)
    table = np.outer(rng.normal(size=30), [1, 0.8, -0.6]) + 0.5 * rng.normal(size=(30, 3))
    text = "tau ~ HalfNormal(1)\nl[3] ~ Normal(0, tau)\nz[30] ~ Normal(0, 1)\n" + "".join(
        f"y{i} ~ Normal(z*l[{i}], 0.5)\n" for i in (1, 2, 3)
    )
    data = {f"y{i + 1}": table[:, i] for i in range(3)}
    assert fit(text, data, seed, guide="meanfield").verdict != "good"
    loading = fit(text, data, seed).summary()["l[1]"]  # whatever the verdict: both signs are covered
    assert abs(loading["mean"]) < 0.1 * loading["sd"] and loading["sd"] > 0.7


@pytest.mark.parametrize("seed", range(1, 4))
def test_modes_that_the_proposals_reach_are_no_rivals(seed: int) -> None:
    """Prior and datum disagree, both with long tails: two bumps under one wide proposal, rightly weighted."""
    found = fit("m ~ StudentT(3, 0, 1)\ny ~ StudentT(3, m, 1)", {"y": 10.0}, seed)
    log_density = lambda m: stats.t(3).logpdf(m) + stats.t(3, m).logpdf(10)  # noqa: E731
    assert is_right(found, "m", moments(log_density, np.linspace(-2000, 2000, 4_000_001)))
    assert found.verdict == "good"


FLAT = {
    "sum": ("a ~ Flat()\nb ~ Flat()\ny ~ Normal(a + b, 1)", {"y": [0.5, 1]}, "`a` and `b`"),
    "untouched": ("a ~ Flat()\ny ~ Normal(0*a, 1)", {"y": [0.5, 1]}, "`a`"),
    "separated": ("w ~ Flat()\ny ~ Bernoulli(logit=w*x)", {"y": [0, 0, 1, 1], "x": [-3, -1, 1, 2]}, "`w`"),
    "product": (
        "a ~ Flat()\nb ~ Normal(0, 1)\nc ~ Flat()\ny ~ Normal(a*b, 1)\nz ~ Normal(c, 1)",
        {"y": 1.0, "z": 2.0},
        "",
    ),
}


@pytest.mark.parametrize(
    ("name", "seed"), [*((name, seed) for name in FLAT for seed in (1, 2, 3)), ("product", 4), ("product", 5)]
)
def test_what_nothing_bounds_is_named(name: str, seed: int) -> None:
    text, data, named = FLAT[name]
    found = fit(text, data, seed)
    assert found.verdict == "do not use"
    assert not named or found.reasons[0].startswith(f"nothing bounds {named}:")


@pytest.mark.parametrize("seed", range(1, 3))
@pytest.mark.parametrize("groups", [3, 8, 40, 100])
def test_dummies_and_an_intercept(seed: int, groups: int) -> None:
    """An intercept beside one free level a group: their sum is all the data know, however many coordinates."""
    rng = np.random.default_rng(groups)
    data = {"y": rng.normal(size=3 * groups), "g": np.tile(np.arange(groups), 3)}
    found = fit("a ~ Flat()\nb[g] ~ Flat()\ny ~ Normal(a + b[g], 1)", data, seed)
    assert found.verdict == "do not use"
    assert found.reasons[0].startswith("nothing bounds `a` and `b`:")


def test_nearly_collinear_is_not_flat() -> None:
    """Two columns that differ in the fifth digit, under vague but proper priors: hard, and right."""
    x = np.array([[1, 1], [2, 2], [3, 3.0001]])
    y = np.array([0.3, 1, 2])
    found = fit("w[2] ~ Normal(0, 1000)\ny ~ Normal(x @ w, 1)", {"x": x, "y": y})
    covariance = np.linalg.inv(x.T @ x + np.eye(2) / 1e6)
    assert found.verdict == "good"
    for i, mean in enumerate(covariance @ x.T @ y):
        assert is_right(found, f"w[{i + 1}]", (mean, np.sqrt(covariance[i, i])))


def test_tails_too_long_for_a_mean_are_named() -> None:
    """A half-Cauchy has neither: its quantiles are right, its mean is not called good."""
    found = fit("x ~ HalfCauchy(1)\ny ~ Normal(0*x, 1)", {"y": 0.5})
    assert found.verdict == "usable"
    assert found.reasons[0].startswith("mean and sd of `x` rest on a few far draws")
    assert found.summary()["x"]["q95"] == pytest.approx(stats.halfcauchy.ppf(0.95), rel=0.05)


def test_more_coordinates_than_can_be_judged() -> None:
    """No groups below a border: the Gaussian is right here, and yet the fit is not called good."""
    y = np.random.default_rng(1).normal(size=1600) * 1.4
    found = fit("x[1600] ~ Normal(0, 1)\ny ~ Normal(x, 1)", {"y": y}, draws=1000)
    assert found.verdict == "usable"
    assert found.reasons[0].startswith("with 1,600 coordinates the Gaussian of the linear response was not checked")
    np.testing.assert_allclose(found.draws["x"].mean(axis=0), y / 2, atol=0.2)


def test_many_coordinates_that_all_interact_have_a_mean_field_alone() -> None:
    found = fit("x[1600] ~ Normal(0, 1)\ny ~ Normal(sum(x), 40)", {"y": 3.0}, draws=200)
    assert found.verdict == "do not use"
    assert found.reasons[0].startswith("with 1,600 coordinates only a mean field was fitted")


def test_a_start_is_looked_for_among_prior_draws() -> None:
    """Finite only in a corner that neither the median nor a small cube around 0 reaches."""
    found = fit("a ~ Normal(0, 10)\ny ~ Normal(0, sqrt(a - 15))", {"y": [1.0, 2.0]})
    assert found.summary()["a"]["q5"] > 15


def test_the_factor_whose_gradient_is_not_finite_is_blamed() -> None:
    with pytest.raises(ppl.ModelError, match=r"test\.ppl:3:1: error: the log density of `y` is") as caught:
        fit("a ~ Normal(0, 1)\nb ~ Normal(0, 1)\ny ~ Normal(sqrt(0*a), 1)", {"y": 0.3})
    assert "its gradient is not" in str(caught.value)
