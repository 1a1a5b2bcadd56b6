"""Models with discrete latents beside the sum over all their values, written out by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.language.errors import ModelError

normal = stats.norm.logpdf
bernoulli = stats.bernoulli.logpmf
Y = np.array([0.4, -1.3, 2.2, 0.9, -0.2, 1.7, 3.0])
T = len(Y)


def _sum(count: int, values: Sequence[int], log_density: Callable[[np.ndarray], float]) -> float:
    found = [log_density(np.array(z)) for z in itertools.product(values, repeat=count)]
    return float(np.logaddexp.reduce(found))


def _log_density(text: str, data: dict[str, Any], values: dict[str, Any]) -> float:
    return ppl.from_text(text).condition(data).log_density(values)


def test_mixture() -> None:
    text = "w[3] ~ Dirichlet(1)\nmu[3] ~ Normal(0, 2)\nz[N] ~ Categorical(w)\ny ~ Normal(mu[z], 1)"
    w, mu = np.array([0.2, 0.3, 0.5]), np.array([-1.0, 0.0, 2.0])
    expected = stats.dirichlet.logpdf(w, np.ones(3)) + normal(mu, 0, 2).sum()
    expected += np.log((w * stats.norm.pdf(Y[:, None], mu, 1)).sum(axis=1)).sum()
    assert _log_density(text, {"y": Y, "N": T}, {"w": w, "mu": mu}) == pytest.approx(expected)


def test_hidden_markov() -> None:
    text = """
mu[3] ~ Normal(0, 2)
z[1] ~ Categorical(start)
for t in 2..T { z[t] ~ Categorical(P[z[t-1]]) }
y ~ Normal(mu[z], 1)"""
    rng = np.random.default_rng(0)
    start, moves, mu = np.array([0.2, 0.3, 0.5]), rng.dirichlet([1, 1, 1], size=3), np.array([-1.0, 0.5, 2.0])
    forward = np.log(start) + normal(Y[0], mu, 1)
    for y in Y[1:]:
        forward = np.logaddexp.reduce(forward[:, None] + np.log(moves), axis=0) + normal(y, mu, 1)
    expected = normal(mu, 0, 2).sum() + np.logaddexp.reduce(forward)
    data = {"y": Y, "T": T, "P": moves, "start": start}
    assert _log_density(text, data, {"mu": mu}) == pytest.approx(expected)


def test_two_chains_that_meet_in_the_data() -> None:
    text = """
mu[2] ~ Normal(0, 2)
z[1] ~ Bernoulli(0.5)
w[1] ~ Bernoulli(0.5)
for t in 2..T {
  z[t] ~ Bernoulli(0.8 if z[t-1] == 1 else 0.1)
  w[t] ~ Bernoulli(0.3 + 0.4*w[t-1])
}
y ~ Normal(mu[1]*z + mu[2]*w, 1)"""
    mu = np.array([-1.0, 0.5])

    def joint(both: np.ndarray) -> float:
        z, w = both[:T], both[T:]
        found = 2 * np.log(0.5) + bernoulli(z[1:], np.where(z[:-1] == 1, 0.8, 0.1)).sum()
        return float(found + bernoulli(w[1:], 0.3 + 0.4 * w[:-1]).sum() + normal(Y, mu[0] * z + mu[1] * w, 1).sum())

    expected = normal(mu, 0, 2).sum() + _sum(2 * T, [0, 1], joint)
    assert _log_density(text, {"y": Y, "T": T}, {"mu": mu}) == pytest.approx(expected)


def test_a_chain_with_a_longer_memory() -> None:
    text = """
mu ~ Normal(0, 2)
z[1] ~ Bernoulli(0.5)
z[2] ~ Bernoulli(0.5)
for t in 3..T { z[t] ~ Bernoulli(0.2 + 0.3*z[t-1] + 0.4*z[t-2]) }
y ~ Normal(mu*z, 1)"""

    def joint(z: np.ndarray) -> float:
        found = 2 * np.log(0.5) + bernoulli(z[2:], 0.2 + 0.3 * z[1:-1] + 0.4 * z[:-2]).sum()
        return float(found + normal(Y, 0.7 * z, 1).sum())

    expected = normal(0.7, 0, 2) + _sum(T, [0, 1], joint)
    assert _log_density(text, {"y": Y, "T": T}, {"mu": 0.7}) == pytest.approx(expected)


def test_shared_by_several_observations() -> None:
    text = """
omega ~ Uniform(0, 1)
p ~ Uniform(0, 1)
z[M] ~ Bernoulli(omega)
for i in 1..M, t in 1..3 { y[i,t] ~ Bernoulli(z[i]*p) }"""
    y = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]])
    seen = np.exp(bernoulli(y, 0.4).sum(axis=1)) * 0.7
    expected = np.log(seen + np.where(y.any(axis=1), 0.0, 0.3)).sum()
    assert _log_density(text, {"y": y, "M": 4}, {"omega": 0.7, "p": 0.4}) == pytest.approx(expected)


def test_nested_levels() -> None:
    text = """
p ~ Uniform(0, 1)
w[3] ~ Bernoulli(0.6)
for i in 1..3, j in 1..2 {
  z[i,j] ~ Bernoulli(w[i]*0.5)
  y[i,j] ~ Binomial(4, z[i,j]*p)
}"""
    y = np.array([[0, 2], [0, 0], [1, 0]])
    expected = 0.0
    for row in y:
        given = stats.binom.pmf(row, 4, 0.3) * 0.5 + (row == 0) * 0.5
        expected += np.log(0.6 * given.prod() + 0.4 * (row == 0).prod())
    assert _log_density(text, {"y": y}, {"p": 0.3}) == pytest.approx(expected)


def test_unknown_count() -> None:
    text = "theta ~ Uniform(0, 1)\nn ~ Binomial(10, 0.5)\nk ~ Binomial(n, theta)"
    k = np.array([3, 4, 2])
    each = [stats.binom.logpmf(n, 10, 0.5) + stats.binom.logpmf(k, n, 0.4).sum() for n in range(11)]
    assert _log_density(text, {"k": k}, {"theta": 0.4}) == pytest.approx(np.logaddexp.reduce(each))


@pytest.mark.parametrize("total", ["sum(z)", "sum(z[i] for i in 1..4)", "z[1] + z[2] + sum(z[3..4])", "z @ ones4"])
def test_several_elements_at_once(total: str) -> None:
    text = f"q ~ Beta(2, 2)\nz[4] ~ Bernoulli(q)\ny ~ Normal({total}, 1)"

    def joint(z: np.ndarray) -> float:
        return float(bernoulli(z, 0.3).sum() + normal(Y, z.sum(), 1).sum())

    expected = stats.beta.logpdf(0.3, 2, 2) + _sum(4, [0, 1], joint)
    assert _log_density(text, {"y": Y, "ones4": np.ones(4)}, {"q": 0.3}) == pytest.approx(expected)


def test_several_elements_at_once_in_every_row() -> None:
    text = "q ~ Beta(2, 2)\nz[3, 2] ~ Bernoulli(q)\nfor i in 1..3 { y[i] ~ Normal(sum(z[i,:]*x), 1) }"
    y, x = Y[:3], np.array([1.0, 2.5])

    def joint(z: np.ndarray) -> float:
        return float(bernoulli(z, 0.3).sum() + normal(y, z.reshape(3, 2) @ x, 1).sum())

    expected = stats.beta.logpdf(0.3, 2, 2) + _sum(6, [0, 1], joint)
    assert _log_density(text, {"y": y, "x": x}, {"q": 0.3}) == pytest.approx(expected)


def test_a_continuous_latent_below_a_discrete_one() -> None:
    text = "q ~ Beta(2, 2)\nz[3] ~ Bernoulli(q)\ntheta[3] ~ Normal(2*z, 0.5)\ny ~ Normal(theta, 1)"
    theta = np.array([0.3, 1.9, 1.0])
    mixed = 0.3 * stats.norm.pdf(theta, 2, 0.5) + 0.7 * stats.norm.pdf(theta, 0, 0.5)
    expected = stats.beta.logpdf(0.3, 2, 2) + np.log(mixed).sum() + normal(Y[:3], theta, 1).sum()
    assert _log_density(text, {"y": Y[:3]}, {"q": 0.3, "theta": theta}) == pytest.approx(expected)


def test_the_fit_holds_discrete_names_and_what_follows() -> None:
    """Two components with everything known but who belongs where: exact probabilities."""
    text = """
mu ~ Normal(0, 1)
z[N] ~ Categorical([0.3, 0.7])
y ~ Normal([-1, 1][z], 1)
N1 = sum(z == 1)
again ~ Normal([-1, 1][z[1]], 0.1)
x ~ Normal(mu, 1)"""
    fit = ppl.from_text(text).condition({"y": Y, "N": T, "x": Y}).fit(seed=3)
    weights = np.array([0.3, 0.7]) * stats.norm.pdf(Y[:, None], [-1, 1], 1)
    first = weights[:, 0] / weights.sum(axis=1)
    found = (fit.draws["z"] == 1).mean(axis=0)
    assert set(np.unique(fit.draws["z"])) == {1.0, 2.0}
    assert np.abs(found - first).max() < 5 * np.sqrt(0.25 / 4000)
    assert np.abs(fit.probabilities["z"][0] - first).max() < 1e-12
    assert fit.draws["N1"].mean() == pytest.approx(first.sum(), abs=0.1)
    assert np.array_equal(fit.draws["N1"], (fit.draws["z"] == 1).sum(axis=1))
    assert np.abs(fit.draws["again"] - np.where(fit.draws["z"][:, 0] == 1, -1, 1)).max() < 1.0


def test_marginal_posterior_of_the_rest() -> None:
    """Capture and recapture: the posterior of p beside one on a grid."""
    text = """
p ~ Uniform(0, 1)
z[M] ~ Bernoulli(0.5)
for i in 1..M { y[i] ~ Binomial(3, z[i]*p) }
N = sum(z)"""
    y = np.array([1, 2, 0, 0, 3, 0, 1, 2])
    fit = ppl.from_text(text).condition({"y": y, "M": len(y)}).fit()
    p = np.linspace(0.0005, 0.9995, 1000)
    log_density = np.log(0.5 * stats.binom.pmf(y[:, None], 3, p) + 0.5 * (y == 0)[:, None]).sum(axis=0)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    mean = (p * density).sum()
    assert fit.verdict == "good"
    assert fit.summary()["p"]["mean"] == pytest.approx(mean, abs=0.05 * np.sqrt(((p - mean) ** 2 * density).sum()))
    present = 0.5 * (1 - p) ** 3 / (0.5 * (1 - p) ** 3 + 0.5)
    expected = (y > 0).sum() + (y == 0).sum() * (present * density).sum()
    assert fit.summary()["N"]["mean"] == pytest.approx(expected, abs=0.1)


def test_same_seed_same_draws_of_discrete_names() -> None:
    posterior = ppl.from_text("p ~ Beta(1, 1)\nz[3] ~ Bernoulli(p)\ny ~ Normal(z, 1)").condition({"y": Y[:3]})
    assert np.array_equal(posterior.fit(seed=2).draws["z"], posterior.fit(seed=2).draws["z"])


def test_nothing_continuous_at_all() -> None:
    """All there is to infer is discrete: drawn exactly."""
    fit = ppl.from_text("z ~ Bernoulli(0.3)\ny ~ Normal(z, 1)").condition({"y": np.array([1.5])}).fit()
    odds = 0.3 * stats.norm.pdf(1.5, 1) / (0.3 * stats.norm.pdf(1.5, 1) + 0.7 * stats.norm.pdf(1.5, 0))
    assert fit.verdict == "good"
    assert fit.draws["z"].mean() == pytest.approx(odds, abs=0.03)


def test_too_many_elements_at_once_are_refused() -> None:
    with pytest.raises(ModelError, match=r"a sum of 2\^30 terms"):
        ppl.from_text("z[30] ~ Bernoulli(0.5)\ny ~ Normal(sum(z), 1)").condition({"y": Y})


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("max(a, b)", max),
        ("abs(a - b)", lambda a, b: abs(a - b)),
        ("sum([a, b, 0])", lambda a, b: a + b),
        ("a if b == 1 else 2*b", lambda a, b: a if b else 0),
        ("a == b", lambda a, b: int(a == b)),
        ("(a + b)^2 - a*b", lambda a, b: a + b + a * b),
    ],
)
def test_indices_that_are_whole_because_their_parts_are(text: str, which: Callable[[int, int], int]) -> None:
    model = f"a ~ Bernoulli(0.3)\nb ~ Bernoulli(0.6)\ne = {text}\nm[5] ~ Normal(0, 1)\ny ~ Normal(m[e + 1], 1)"
    m = np.array([0.1, 0.5, 0.9, -0.4, 2.0])
    found = [
        bernoulli(a, 0.3) + bernoulli(b, 0.6) + normal(0.7, m[which(a, b)], 1)
        for a, b in itertools.product((0, 1), repeat=2)
    ]
    expected = normal(m).sum() + np.logaddexp.reduce(found)
    assert _log_density(model, {"y": 0.7}, {"m": m}) == pytest.approx(expected)


@pytest.mark.parametrize("index", ["2 if t > k else 1", "1 + (t > k)", "min(2, 1 + max(0, t - k))"])
def test_an_index_that_follows_from_a_discrete_latent(index: str) -> None:
    """A broken line: the segment of each element follows from where the break is."""
    loop = f"for t in 1..T {{ s[t] = {index}; y[t] ~ Normal(mu[s[t]], 1) }}"
    text = f"k ~ DiscreteUniform(1, T)\nmu[2] ~ Normal(0, 2)\n{loop}"
    mu, t = np.array([-0.5, 1.5]), np.arange(1, T + 1)
    terms = [normal(Y, mu[1 * (t > k)]).sum() - np.log(T) for k in t]
    expected = normal(mu, 0, 2).sum() + np.logaddexp.reduce(terms)
    assert _log_density(text, {"y": Y, "T": T}, {"mu": mu}) == pytest.approx(expected)
