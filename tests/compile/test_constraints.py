"""`Ordered` and `ZeroSum`: in loops as written out, drawn as their densities say, and fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

import ppl


def conditioned(text: str, **data: object) -> ppl.Posterior:
    return ppl.from_text(text, "test.ppl").condition(data)


def test_loops_mean_what_they_say() -> None:
    """The pieces of a loop have the densities of the vectors one by one."""
    inside = conditioned(
        """
        low[2] ~ HalfNormal(1)
        for j in 1..2 { cut[j, 1..3] ~ Ordered(Normal(0, j) > low[j]) }
        for j in 1..2 { b[j, 1..3] ~ ZeroSum(Normal(low[j], [1, 2, j])) }
        for j in 1..2 { w[j] ~ Ordered(Normal([3, 10, 12], low[j])) }
        y ~ Normal(cut[1, 2] + b[2, 1] + w[2, 2], 1)
        """,
        y=1.0,
    )
    apart = conditioned(
        """
        low[2] ~ HalfNormal(1)
        cut1[3] ~ Ordered(Normal(0, 1) > low[1]); cut2[3] ~ Ordered(Normal(0, 2) > low[2])
        b1[3] ~ ZeroSum(Normal(low[1], [1, 2, 1])); b2[3] ~ ZeroSum(Normal(low[2], [1, 2, 2]))
        w1[3] ~ Ordered(Normal([3, 10, 12], low[1])); w2[3] ~ Ordered(Normal([3, 10, 12], low[2]))
        y ~ Normal(cut1[2] + b2[1] + w2[2] + 0*(cut2[1] + b1[1] + w1[1]), 1)
        """,
        y=1.0,
    )
    assert inside.joint.dimension == apart.joint.dimension
    z = np.random.default_rng(1).standard_normal((5, apart.joint.dimension))
    values = apart.joint.constrain(z)
    rows = {name: np.stack([values[f"{name}1"], values[f"{name}2"]], axis=1) for name in ("cut", "b", "w")}
    together = inside.joint.unconstrain({"low": values["low"], **rows})
    np.testing.assert_allclose(inside.joint.value(together), apart.joint.value(z), rtol=1e-10)


def simulated(text: str) -> np.ndarray:
    """Draws of `x`, on which nothing observed depends."""
    return conditioned(f"{text}\nmu ~ Normal(0, 1)\ny ~ Normal(mu, 1)", y=0.0).fit(seed=1, draws=4000).draws["x"]


def test_draws_of_like_elements_are_sorted() -> None:
    x = simulated("x[3] ~ Ordered(Exponential(1))")
    for i in range(3):  # the smallest of n is exponential, and gaps after i have rate n - i
        gap = np.diff(x, axis=1, prepend=0)[:, i]
        assert stats.kstest(gap, stats.expon(scale=1 / (3 - i)).cdf).pvalue > 1e-3


def test_draws_of_unlike_elements() -> None:
    """Against draws of which only the increasing ones are kept."""
    x = simulated("x[3] ~ Ordered(Normal([1, 0, 2], [1, 2, 1]) < 3)")
    assert (np.diff(x, axis=1) > 0).all()
    free = stats.truncnorm(-np.inf, (3 - np.array([1, 0, 2])) / [1, 2, 1], [1, 0, 2], [1, 2, 1])
    witness = free.rvs((200_000, 3), random_state=np.random.default_rng(2))
    witness = witness[(np.diff(witness, axis=1) > 0).all(axis=1)]
    for i in range(3):
        assert stats.ks_2samp(x[:, i], witness[:, i]).pvalue > 1e-3


def test_draws_that_sum_to_zero() -> None:
    """Covariances of normal vectors, given that they sum to 0."""
    sd = np.array([1.0, 2.0, 0.5, 1.0])
    x = simulated("x[4] ~ ZeroSum(Normal([1, 0, 0, 2], [1, 2, 0.5, 1]))")
    np.testing.assert_allclose(x.sum(axis=1), 0, atol=1e-12)
    share = sd**2 / np.sum(sd**2)
    mean = np.array([1, 0, 0, 2]) - 3 * share
    cov = np.diag(sd**2) - np.outer(share, share) * np.sum(sd**2)
    assert (np.abs(x.mean(axis=0) - mean) < 5 * np.sqrt(np.diag(cov) / 4000)).all()
    np.testing.assert_allclose(np.cov(x, rowvar=False), cov, atol=0.15)


def test_density_on_the_plane_of_zero_sums_is_one_in_all() -> None:
    """By the area of the plane, also where means and sds differ."""
    posterior = conditioned("x[3] ~ ZeroSum(Normal([0.3, -1, 0], [1, 2, 0.7]))\ny ~ Normal(x[1], 1e6)", y=0.0)
    log_y = stats.norm(0, 1e6).logpdf(0)
    area = integrate.dblquad(
        lambda a, b: np.exp(posterior.joint.value(np.array([[a, b]]))[0] - log_y), -12, 12, -12, 12, epsabs=1e-7
    )[0]
    assert area == pytest.approx(1.0, rel=1e-6)


def test_fit_of_zero_sum_effects() -> None:
    """Normal effects that sum to 0, of known scale: the posterior is that of a linear model on the plane."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(1, 6), 4)
    y = rng.normal(0, 1, 20) + np.array([2, -1, 0, 1, -2.0])[group - 1]
    text = "m ~ Normal(0, 10)\na[5] ~ ZeroSum(Normal(0, 2))\ny ~ Normal(m + a[group], 1)"
    found = conditioned(text, y=y, group=group).fit(seed=1)
    basis = np.linalg.svd(np.ones((1, 5)))[2][1:]
    design = np.column_stack([np.ones(20), np.eye(5)[group - 1] @ basis.T])
    cov = np.linalg.inv(design.T @ design + np.diag([0.01, *[0.25] * 4]))
    mean = cov @ design.T @ y
    a_mean, a_cov = basis.T @ mean[1:], basis.T @ cov[1:, 1:] @ basis
    assert found.verdict == "good"
    for i in range(5):
        a = found.summary()[f"a[{i + 1}]"]
        assert abs(a["mean"] - a_mean[i]) < 0.02 * np.sqrt(a_cov[i, i])
        assert a["sd"] == pytest.approx(np.sqrt(a_cov[i, i]), rel=0.02)


def test_fit_of_ordered_means() -> None:
    """Two ordered positive means, against the integral over a grid."""
    found = conditioned("m[2] ~ Ordered(Normal([1, 0], [1, 2]) > 0)\ny ~ Normal(m, 1)", y=[1.4, 1.0]).fit(seed=1)
    grid = np.linspace(0.0005, 9.9995, 10_000)[::5]
    prior = [stats.truncnorm(-1, np.inf, 1, 1), stats.truncnorm(0, np.inf, 0, 2)]
    weights = np.outer(*(prior[i].pdf(grid) * stats.norm(grid, 1).pdf([1.4, 1.0][i]) for i in range(2)))
    weights = np.triu(weights, 1) / np.triu(weights, 1).sum()
    for i in range(2):
        marginal = weights.sum(axis=1 - i)
        mean = marginal @ grid
        sd = np.sqrt(marginal @ (grid - mean) ** 2)
        m = found.summary()[f"m[{i + 1}]"]
        assert abs(m["mean"] - mean) < 0.05 * sd
        assert m["sd"] == pytest.approx(sd, rel=0.05)


def test_missing_vectors() -> None:
    """A vector of which nothing is known is a latent of the same kind."""
    rows = np.array([[0.1, 0.5, 2.0], [np.nan] * 3, [1.0, 2.0, 3.0]])
    text = "m[3, 3] ~ Normal(0, 1)\nx ~ Ordered(Normal(m, [1, 2, 3]))\ny ~ Normal(x[2, 3], 1)"
    posterior = conditioned(text, x=rows, y=1.0)
    m, x = np.arange(9.0).reshape(3, 3) / 5, np.array([[0.3, 0.4, 1.5]])
    full = rows.copy()
    full[1] = x
    expected = stats.norm.logpdf(m).sum() + stats.norm(m, [1, 2, 3]).logpdf(full).sum() + stats.norm(1.5, 1).logpdf(1)
    assert posterior.log_density({"m": m, "x": x}) == pytest.approx(expected)
    assert posterior.log_density({"m": m, "x": x[:, ::-1]}) == -np.inf
    with pytest.raises(ppl.PplError, match="only a part is missing"):
        conditioned(text, x=np.where(rows == 0.5, np.nan, rows), y=1.0)


def test_expressions_out_of_order() -> None:
    """An expression of latents can break the order; then the density is 0."""
    posterior = conditioned("t[2] ~ Normal(0, 1)\nexp(t) ~ Ordered(Normal(0, 1))\ny ~ Normal(t[1], 1)", y=0.0)
    t = np.array([-0.5, 0.3])
    expected = stats.norm.logpdf(t).sum() + stats.norm.logpdf(np.exp(t)).sum() + stats.norm(t[0]).logpdf(0)
    assert posterior.log_density({"t": t}) == pytest.approx(expected)
    assert posterior.log_density({"t": t[::-1]}) == -np.inf
