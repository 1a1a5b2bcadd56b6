"""Draws within bounds, in the middle and in the far tails, and simulated categories."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import ppl
from ppl.compile.simulate import derive, simulate

S = 4_000


def drawn(text: str, draws: int = S, **data: Any) -> dict[str, np.ndarray]:
    """Draws of what a program simulates; `a` is a latent, a standard normal one."""
    model = ppl.from_text(f"a ~ Normal(0, 1)\nobs ~ Normal(a, 1)\n{text}").condition({"obs": [0.3], **data}).model
    rng = np.random.default_rng(5)
    known = {"a": rng.standard_normal(draws)}
    found = simulate(model, known, draws, rng)
    return {**known, **found, **derive(model.derived, {**known, **found})}


def is_uniform(u: np.ndarray) -> bool:
    return bool(stats.kstest(u.reshape(-1), "uniform", method="asymp").pvalue > 1e-4)


@pytest.mark.parametrize("lower", [0.5, 3.0, 9.0, 40.0])
def test_upper_tail_of_normal(lower: float) -> None:
    """Many different draws, with the mean phi(lower) / Phi(-lower)."""
    x = drawn(f"x ~ Normal(0, 1) > {lower}")["x"]
    law = stats.truncnorm(lower, np.inf)
    exact = np.exp(stats.norm.logpdf(lower) - stats.norm.logsf(lower))
    assert len(np.unique(x)) > 0.99 * S
    assert abs(x.mean() - exact) < 5 * law.std() / np.sqrt(S)
    assert is_uniform(np.exp(stats.norm.logsf(x) - stats.norm.logsf(lower)))


@pytest.mark.parametrize(
    ("written", "law", "low", "high"),
    [
        ("Normal(1, 2) < -70", stats.norm(1, 2), -np.inf, -70),
        ("12 < Normal(0, 1) < 12.1", stats.norm(), 12, 12.1),
        ("-1 < Normal(0, 1) < 30", stats.norm(), -1, 30),
        ("Cauchy(0, 1) > 1e12", stats.cauchy(), 1e12, np.inf),
        ("Exponential(2) > 300", stats.expon(0, 0.5), 300, np.inf),
        ("Gamma(3, 2) > 90", stats.gamma(3, 0, 0.5), 90, np.inf),
        ("Gamma(30, 1) < 0.1", stats.gamma(30), -np.inf, 0.1),
        ("Gumbel(0, 1) > 50", stats.gumbel_r(), 50, np.inf),
        ("SkewNormal(0, 1, 2) > 8", stats.skewnorm(2), 8, np.inf),
        ("Beta(2, 30) > 0.9", stats.beta(2, 30), 0.9, np.inf),
        ("Pareto(2, 3) > 1", stats.pareto(3, 0, 2), 2, np.inf),
    ],
)
def test_continuous(written: str, law: Any, low: float, high: float) -> None:
    x = drawn(f"x ~ {written}")["x"]
    assert ((x >= low) & (x <= high)).all()
    if law.cdf(high) <= law.sf(low):
        u = np.exp(law.logcdf(x) - law.logcdf(high)) - np.exp(law.logcdf(low) - law.logcdf(high))
        whole = -np.expm1(law.logcdf(low) - law.logcdf(high))
    else:
        u = np.exp(law.logsf(x) - law.logsf(low)) - np.exp(law.logsf(high) - law.logsf(low))
        whole = -np.expm1(law.logsf(high) - law.logsf(low))
    assert is_uniform(u / whole)


@pytest.mark.parametrize(
    ("written", "law", "allowed"),
    [
        ("Poisson(0.7) > 0", stats.poisson(0.7), range(1, 40)),
        ("Poisson(0.7) >= 0", stats.poisson(0.7), range(40)),
        ("2 <= Poisson(3) < 6", stats.poisson(3), range(2, 6)),
        ("1.5 < Poisson(3) < 5.5", stats.poisson(3), range(2, 6)),
        ("Poisson(1) > 60", stats.poisson(1), range(61, 90)),
        ("Poisson(900) <= 3", stats.poisson(900), range(4)),
        ("Binomial(9, 0.3) < 5", stats.binom(9, 0.3), range(5)),
        ("Binomial(9, 0.001) > 6", stats.binom(9, 0.001), range(7, 10)),
        ("NegBinomial(3, 2) > 4", stats.nbinom(2, 0.4), range(5, 200)),
        ("Geometric(0.4) > 100", stats.geom(0.4, -1), range(101, 160)),
        ("DiscreteUniform(1, 6) > 2", stats.randint(1, 7), range(3, 7)),
        ("BetaBinomial(7, 2, 3) >= 5", stats.betabinom(7, 2, 3), range(5, 8)),
        ("Bernoulli(0.3) > 0", stats.bernoulli(0.3), range(1, 2)),
    ],
)
def test_counts(written: str, law: Any, allowed: range) -> None:
    counts = Counter(drawn(f"x ~ {written}")["x"].tolist())
    assert set(counts) <= set(allowed)
    log_p = law.logpmf(np.array(allowed))
    expected = np.exp(log_p - np.logaddexp.reduce(log_p)) * S
    found = np.array([counts[k] for k in allowed], dtype=float)
    assert (np.abs(found - expected) < 5 * np.sqrt(expected) + 4).all()


def test_bounds_that_depend_on_a_latent() -> None:
    found = drawn("k[3] ~ Poisson(exp(a)) > a\nx ~ a < Normal(0, 1) < a + 9\nw = x - a")
    assert (found["k"] > found["a"][:, None]).all()
    assert (found["w"] >= 0).all()
    assert is_uniform(stats.norm.sf(found["x"]) / stats.norm.sf(found["a"]))


@pytest.mark.parametrize(("low", "high"), [(-np.pi, np.pi), (0.0, 2 * np.pi), (2.0, 3.5)])
def test_angles(low: float, high: float) -> None:
    x = drawn(f"x ~ {low} < VonMises(2.5, 1.5) < {high}")["x"]
    assert ((x >= low) & (x <= high)).all()

    def share(start: float, end: float) -> float:
        return integrate.quad(lambda t: stats.vonmises.pdf(t, 1.5, 2.5), start, end)[0]

    for middle in np.linspace(low, high, 7)[1:-1]:
        p = share(low, middle) / share(low, high)
        assert abs((x < middle).mean() - p) < 5 * np.sqrt(p * (1 - p) / S)


def test_angles_without_bounds_lie_around_zero() -> None:
    x = drawn("x ~ VonMises(3 + 2*pi, 4)")["x"]
    assert (np.abs(x) <= np.pi).all()
    assert abs(np.angle(np.exp(1j * x).mean()) - 3) < 0.1


def test_categories_count_from_one() -> None:
    """As where they are observed; as an index they pick what they say."""
    found = drawn(
        "z[2] ~ Categorical([0.1, 0.6, 0.3])\nmu = [10, 20, 30]\nm = mu[z]\n"
        "o ~ OrderedLogistic(0, [-1, 1, inf])\nq ~ OrderedProbit(a, [0])\nv ~ Categorical(logit = [0, 0])"
    )
    z = found["z"]
    np.testing.assert_allclose([(z == k).mean() for k in (1, 2, 3)], [0.1, 0.6, 0.3], atol=0.03)
    np.testing.assert_array_equal(found["m"], 10 * z)
    edges = stats.logistic.cdf([-np.inf, -1, 1, np.inf])
    np.testing.assert_allclose([(found["o"] == k).mean() for k in (1, 2, 3)], np.diff(edges), atol=0.03)
    assert set(np.unique(found["q"])) == {1, 2}
    assert (found["q"][found["a"] > 2] == 2).mean() > 0.9
    assert set(np.unique(found["v"])) == {1, 2}


def test_density_of_simulated_categories() -> None:
    """They may be given to `log_density`, from 1 as they come out."""
    posterior = ppl.from_text("a ~ Normal(0, 1)\ny ~ Normal(a, 1)\nz ~ Categorical([0.1, 0.6, 0.3])").condition(
        {"y": 1}
    )
    base = posterior.log_density({"a": 0.0})
    found = [np.exp(posterior.log_density({"a": 0.0, "z": z}) - base) for z in (0, 1, 2, 3, 4)]
    np.testing.assert_allclose(found, [0, 0.1, 0.6, 0.3, 0], atol=1e-12)
