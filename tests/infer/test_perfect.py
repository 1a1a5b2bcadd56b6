"""What must be perfect: small posteriors with closed forms, called good and right to a percent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import ppl


def fitted(text: str, data: dict[str, object], seed: int) -> dict[str, dict[str, float]]:
    found = ppl.from_text(text, "test.ppl").condition(data).fit(seed=seed)
    assert found.verdict == "good", found.reasons
    return found.summary()


def assert_close(found: dict[str, float], mean: float, sd: float) -> None:
    assert abs(found["mean"] - mean) < 0.01 * sd, (found, mean, sd)
    assert abs(found["sd"] / sd - 1) < 0.01, (found, mean, sd)


def of_regression(
    design: np.ndarray, y: np.ndarray, noise: float, prior_sds: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and sds of the coefficients of columns of `design`, priors Normal(0, prior_sds), by precisions.

    Solved through the singular values of the design scaled by its priors: columns may be nearly or wholly collinear.
    """
    scaled = design * prior_sds / noise
    left, values, right = np.linalg.svd(scaled, full_matrices=True)
    gain = np.zeros(scaled.shape[::-1])
    np.fill_diagonal(gain, values / (1 + values**2))
    variances = np.ones(scaled.shape[1])
    variances[: len(values)] = 1 / (1 + values**2)
    mean = right.T @ gain @ left.T @ (y / noise) * prior_sds
    return mean, np.sqrt(((right.T * variances) * right.T).sum(axis=1)) * prior_sds


@pytest.mark.parametrize("seed", range(1, 4))
def test_an_observation_far_from_its_prior(seed: int) -> None:
    found = fitted("x ~ Normal(0, 1)\ny ~ Normal(x, 0.5)", {"y": 10.0}, seed)["x"]
    assert_close(found, 8.0, np.sqrt(0.2))
    for name, level in (("q5", 0.05), ("q50", 0.5), ("q95", 0.95)):
        assert abs(found[name] - stats.norm.ppf(level, 8, np.sqrt(0.2))) < 0.08 * np.sqrt(0.2)


YEAR = np.arange(1952.0, 2014.0)
WARMING = (9 + 0.02 * (YEAR - 1980) + np.random.default_rng(3).normal(0, 0.5, len(YEAR))).round(2)


@pytest.mark.parametrize(("prior", "sds"), [("Normal(0, 100)", [100.0, 100.0]), ("Normal(0, 1000)", [1000.0, 1000.0])])
@pytest.mark.parametrize("seed", [1, 2])
def test_regression_on_raw_years(prior: str, sds: list[float], seed: int) -> None:
    """Intercept and slope correlate at -0.99995, and the intercept, at year 0, lies 1,980 years away."""
    found = fitted(f"a ~ {prior}\nb ~ {prior}\ny ~ Normal(a + b*year, 0.5)", {"y": WARMING, "year": YEAR}, seed)
    mean, sd = of_regression(np.column_stack([np.ones_like(YEAR), YEAR]), WARMING, 0.5, sds)
    assert_close(found["a"], mean[0], sd[0])
    assert_close(found["b"], mean[1], sd[1])


@pytest.mark.parametrize("seed", [1, 2])
def test_regression_on_raw_years_with_flat_priors_and_unknown_noise(seed: int) -> None:
    """Coefficients are Student t about least squares, the variance is inverse gamma (log sigma is flat)."""
    text = "a ~ Flat()\nb ~ Flat()\nls ~ Flat()\nv = exp(2*ls)\ny ~ Normal(a + b*year, exp(ls))"
    found = fitted(text, {"y": WARMING, "year": YEAR}, seed)
    line = stats.linregress(YEAR, WARMING)
    n = len(YEAR)
    widen = np.sqrt((n - 2) / (n - 4))  # sd of a t with n - 2 degrees of freedom
    rest = ((WARMING - line.intercept - line.slope * YEAR) ** 2).sum()
    exact = stats.invgamma((n - 2) / 2, scale=rest / 2)
    for name, mean, sd in (
        ("a", line.intercept, line.intercept_stderr * widen),
        ("b", line.slope, line.stderr * widen),
        ("v", exact.mean(), exact.std()),
    ):
        assert abs(found[name]["mean"] - mean) < 0.02 * sd, (name, found[name], mean, sd)
        assert abs(found[name]["sd"] / sd - 1) < 0.02, (name, found[name], mean, sd)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_rate_of_a_hundred_counts(seed: int) -> None:
    counts = np.random.default_rng(1).poisson(3.3, 100)
    found = fitted("rate ~ Gamma(2, 1)\ny ~ Poisson(rate)", {"y": counts}, seed)["rate"]
    exact = stats.gamma(2 + counts.sum(), scale=1 / 101)
    assert_close(found, exact.mean(), exact.std())
    for name, level in (("q5", 0.05), ("q50", 0.5), ("q95", 0.95)):
        assert abs(found[name] - exact.ppf(level)) < 0.08 * exact.std()


def test_a_rate_is_calibrated() -> None:
    """Over true rates drawn from the prior, ranks among the draws are uniform, and those of the exact posterior."""
    rng = np.random.default_rng(7)
    ranks, exact_ranks = [], []
    for seed in range(1, 41):
        rate = rng.gamma(2)
        counts = rng.poisson(rate, 100)
        found = ppl.from_text("rate ~ Gamma(2, 1)\ny ~ Poisson(rate)").condition({"y": counts}).fit(seed=seed)
        assert found.verdict == "good", found.reasons
        ranks.append(np.mean(found.draws["rate"] < rate))
        exact_ranks.append(stats.gamma(2 + counts.sum(), scale=1 / 101).cdf(rate))
    assert stats.kstest(ranks, "uniform").pvalue > 0.01
    np.testing.assert_allclose(ranks, exact_ranks, atol=0.05)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("copies", [2, 3])
def test_collinear_predictors_under_proper_priors(copies: int, seed: int) -> None:
    """The same column twice, or thrice: the data know the sum alone, the priors share it out."""
    x = np.random.default_rng(4).normal(size=30)
    y = 3 * x + np.random.default_rng(5).normal(size=30)
    names = [f"x{i + 1}" for i in range(copies)]
    priors = "\n".join(f"b{i + 1} ~ Normal(0, 2)" for i in range(copies))
    text = f"{priors}\ny ~ Normal({' + '.join(f'b{i + 1}*{name}' for i, name in enumerate(names))}, 1)"
    found = fitted(text, {"y": y, **dict.fromkeys(names, x)}, seed)
    mean, sd = of_regression(np.column_stack([x] * copies), y, 1.0, [2.0] * copies)
    for i in range(copies):
        assert_close(found[f"b{i + 1}"], mean[i], sd[i])
