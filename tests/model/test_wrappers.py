"""Distributions made of others, beside scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.language.errors import ModelError

Y = np.array([-1.0, 0.3, 2.0, 0.5])
K = np.array([0, 0, 3, 1, 5])
W = np.array([0.3, 0.7])
normal, poisson, student = stats.norm, stats.poisson, stats.t
prior = stats.dirichlet.logpdf(W, [1, 1])


def _log_density(text: str, data: dict[str, Any], **values: Any) -> float:
    return ppl.from_text(text).condition(data).log_density(values)


def test_mixture_of_several() -> None:
    found = _log_density("w[2] ~ Dirichlet(1)\ny ~ Mixture(w, Normal(0, 1), StudentT(3, 1, 2))", {"y": Y}, w=W)
    assert found == pytest.approx(prior + np.log(0.3 * normal.pdf(Y) + 0.7 * student.pdf(Y, 3, 1, 2)).sum())


def test_mixture_side_by_side() -> None:
    mu = np.array([-0.5, 1.0])
    text = "w[2] ~ Dirichlet(1)\nmu[2] ~ Normal(0, 1)\ny ~ Mixture(w, Normal(mu, 1))"
    expected = prior + normal.logpdf(mu).sum() + np.log(normal.pdf(Y[:, None], mu) @ W).sum()
    assert _log_density(text, {"y": Y}, w=W, mu=mu) == pytest.approx(expected)


def test_mixture_with_weights_of_each_row() -> None:
    weights = np.array([[0.1, 0.9], [0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
    text = """
m ~ Normal(0, 1)
y ~ Mixture(weights, Normal([0, 3], 1 + 0*m))
x ~ Mixture(weights, Normal(m, 1), Cauchy(0, 2))"""
    expected = normal.logpdf(0.4) + np.log((weights * normal.pdf(Y[:, None], [0, 3])).sum(axis=1)).sum()
    expected += np.log(weights[:, 0] * normal.pdf(Y, 0.4) + weights[:, 1] * stats.cauchy.pdf(Y, 0, 2)).sum()
    assert _log_density(text, {"y": Y, "x": Y, "weights": weights}, m=0.4) == pytest.approx(expected)


def test_mixture_of_cut_parts() -> None:
    text = "w[2] ~ Dirichlet(1)\ny ~ Mixture(w, Normal(0, 1) > -2, -3 < Normal(1, 2) < 3)"
    parts = 0.3 * normal.pdf(Y) / normal.sf(-2)
    parts = parts + 0.7 * normal.pdf(Y, 1, 2) / (normal.cdf(3, 1, 2) - normal.cdf(-3, 1, 2))
    assert _log_density(text, {"y": Y}, w=W) == pytest.approx(prior + np.log(parts).sum())


def test_zero_inflated_counts() -> None:
    text = "p ~ Beta(1, 1)\nl ~ Exponential(1)\nk ~ ZeroInflated(p, Poisson(l))"
    each = np.where(K == 0, np.log(0.2 + 0.8 * poisson.pmf(K, 1.5)), np.log(0.8) + poisson.logpmf(K, 1.5))
    assert _log_density(text, {"k": K}, p=0.2, l=1.5) == pytest.approx(-1.5 + each.sum())


def test_hurdle_counts() -> None:
    text = "p ~ Beta(1, 1)\nl ~ Exponential(1)\nk ~ Hurdle(p, Poisson(l))"
    positive = np.log(0.8) + poisson.logpmf(K, 1.5) - np.log(-np.expm1(-1.5))
    expected = -1.5 + np.where(K == 0, np.log(0.2), positive).sum()
    assert _log_density(text, {"k": K}, p=0.2, l=1.5) == pytest.approx(expected)


def test_hurdle_of_real_numbers() -> None:
    z = np.array([0, 0, 1.5, 2.2])
    text = "e ~ Normal(0, 1)\nl ~ Exponential(1)\nz ~ Hurdle(logit = e, Gamma(2, l))"
    zero = 1 / (1 + np.exp(-0.2))
    expected = normal.logpdf(0.2) - 1.5 + 2 * np.log(zero) + 2 * np.log(1 - zero)
    expected += stats.gamma.logpdf(z[2:], 2, scale=1 / 1.5).sum()
    assert _log_density(text, {"z": z}, e=0.2, l=1.5) == pytest.approx(expected)


@pytest.mark.parametrize("upper", ["2", "(2 if seen == 0 else inf)"])
def test_censored(upper: str) -> None:
    c, seen = np.array([1.0, 2.0, 2.0, 0.5]), np.array([1, 0, 0, 1])
    text = f"m ~ Normal(0, 1)\nc ~ Censored(Normal(m, 1), upper = {upper})"
    expected = normal.logpdf(0.2) + normal.logpdf([1, 0.5], 0.2).sum() + 2 * normal.logsf(2, 0.2)
    assert _log_density(text, {"c": c, "seen": seen}, m=0.2) == pytest.approx(expected)


def test_censored_counts() -> None:
    text = "m ~ Exponential(1)\nk ~ Censored(Poisson(m), lower = 1, upper = 5)"
    expected = -2.2 + poisson.logcdf(1, 2.2) + poisson.logpmf(2, 2.2) + poisson.logsf(4, 2.2)
    assert _log_density(text, {"k": np.array([1, 2, 5])}, m=2.2) == pytest.approx(expected)


def test_wrappers_in_wrappers() -> None:
    text = "p ~ Beta(1, 1)\nk ~ Mixture([0.4, 0.6], ZeroInflated(p, Poisson(2)), Poisson(7))"
    inflated = np.where(K == 0, 0.2, 0.0) + 0.8 * poisson.pmf(K, 2)
    expected = np.log(0.4 * inflated + 0.6 * poisson.pmf(K, 7)).sum()
    assert _log_density(text, {"k": K}, p=0.2) == pytest.approx(expected)


def test_a_latent_of_a_mixture() -> None:
    text = "x ~ Mixture([0.3, 0.7], Normal(-2, 1), Normal(2, 0.5))\ny ~ Normal(x, 3)"
    expected = np.log(0.3 * normal.pdf(0.4, -2) + 0.7 * normal.pdf(0.4, 2, 0.5)) + normal.logpdf(Y, 0.4, 3).sum()
    assert _log_density(text, {"y": Y}, x=0.4) == pytest.approx(expected)


def test_an_unknown_count_with_extra_zeros() -> None:
    """Discrete, and summed out like any other."""
    text = "theta ~ Uniform(0, 1)\nn ~ ZeroInflated(0.3, Binomial(6, 0.5))\nk ~ Binomial(n, theta)"
    k = np.array([1, 2])
    each = 0.7 * stats.binom.pmf(np.arange(7), 6, 0.5) + 0.3 * (np.arange(7) == 0)
    each = each * stats.binom.pmf(k[:, None], np.arange(7), 0.4).prod(axis=0)
    assert _log_density(text, {"k": k}, theta=0.4) == pytest.approx(np.log(each.sum()))


def test_draws() -> None:
    """Simulated names: their shares and means beside the exact ones."""
    text = """
a ~ Normal(0, 1)
y ~ Normal(a, 1)
hurdle ~ Hurdle(0.4, Poisson(1.5))
inflated ~ ZeroInflated(0.3, Poisson(2))
mixed ~ Mixture([0.3, 0.7], Normal(0, 1) > 0, Normal(5, 1))
side ~ Mixture([0.3, 0.7], Poisson([2, 9]))
censored ~ Censored(Normal(0, 2), lower = -1, upper = 1)"""
    draws = ppl.from_text(text).condition({"y": Y}).fit(draws=20_000).draws
    assert (draws["hurdle"] == 0).mean() == pytest.approx(0.4, abs=0.015)
    assert draws["hurdle"].mean() == pytest.approx(0.6 * 1.5 / -np.expm1(-1.5), abs=0.05)
    assert draws["inflated"].mean() == pytest.approx(1.4, abs=0.05)
    assert draws["mixed"].mean() == pytest.approx(0.3 * np.sqrt(2 / np.pi) + 3.5, abs=0.07)
    assert draws["mixed"].min() > 0 or (draws["mixed"] < 0).mean() < 1e-3
    assert draws["side"].mean() == pytest.approx(0.6 + 6.3, abs=0.12)
    assert (draws["censored"] == 1).mean() == pytest.approx(normal.sf(0.5), abs=0.015)


def test_a_fit_with_censored_data() -> None:
    """The posterior beside one on a grid."""
    c = np.array([1.0, 2.0, 2.0, 0.5, 1.4, 2.0])
    fit = ppl.from_text("m ~ Normal(0, 2)\nc ~ Censored(Normal(m, 1), upper = 2)").condition({"c": c}).fit()
    m = np.linspace(-5, 8, 4001)
    log_density = normal.logpdf(m, 0, 2) + normal.logpdf([1, 0.5, 1.4], m[:, None]).sum(axis=1) + 3 * normal.logsf(2, m)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    mean = (m * density).sum()
    assert fit.verdict == "good"
    assert fit.summary()["m"]["mean"] == pytest.approx(mean, abs=0.02)
    assert fit.summary()["m"]["sd"] == pytest.approx(np.sqrt(((m - mean) ** 2 * density).sum()), rel=0.03)


@pytest.mark.parametrize(
    "text",
    [
        "l ~ Exponential(1)\nk ~ ZeroInflated(0.2, Poisson(l))",
        "l ~ Exponential(1)\nk ~ Hurdle(0.2, NegBinomial(l, 2))",
        "l ~ Exponential(1)\nk ~ Censored(Poisson(l), upper = 5)",
        "l ~ Exponential(1)\nk ~ Mixture([0.5, 0.5], Poisson(l), Poisson(3))",
        "l ~ Exponential(1)\nk ~ Mixture([0.5, 0.5], Poisson([l, 2*l]))",
    ],
)
def test_gradients(text: str) -> None:
    joint = ppl.from_text(text).condition({"k": K}).joint
    z = np.array([[0.3], [-0.7]])
    _, gradient = joint.value_and_gradient(z)
    step = 1e-5
    expected = (joint.value(z + step) - joint.value(z - step)) / (2 * step)
    assert gradient[:, 0] == pytest.approx(expected, rel=1e-7)


def test_what_is_no_number_cannot_be_inferred() -> None:
    with pytest.raises(ModelError, match="have a probability, others a density"):
        ppl.from_text("x ~ Censored(Normal(0, 1), upper = 1)\ny ~ Normal(x, 1)").condition({"y": Y})
