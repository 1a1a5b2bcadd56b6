"""The slow interpreter beside closed forms and scipy: what the witness says is right."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from ppl.data import dataset
from ppl.language.parser import parse
from ppl.language.source import Source
from tests.interpreter import Interpreter

NAN = float("nan")


def interpreter(text: str, data: dict[str, Any], **values: Any) -> Interpreter:
    return Interpreter(parse(Source("m", text)), dataset.read([data]), values)


def density(text: str, data: dict[str, Any], **values: Any) -> float:
    return interpreter(text, data, **values).log_density()


Y = [0.3, 1.2, -0.7]
NORMAL = stats.norm(0.5, 1.3)


POISSON = stats.poisson(3)
TWO_NORMALS = np.log(0.3 * NORMAL.pdf(Y) + 0.7 * stats.norm(2, 1).pdf(Y)).sum()


@pytest.mark.parametrize(
    ("right", "y", "expected"),
    [
        ("Censored(Normal(0.5, 1.3), upper = 1)", [0.3, 1, 1.0], NORMAL.logpdf(0.3) + 2 * NORMAL.logsf(1)),
        ("Censored(Normal(0.5, 1.3), lower = -1)", [-1, 2.0], NORMAL.logcdf(-1) + NORMAL.logpdf(2)),
        ("Censored(Poisson(3), upper = 4)", [4, 2], POISSON.logsf(3) + POISSON.logpmf(2)),
        ("Hurdle(0.2, Poisson(3))", [0, 2], np.log(0.16) + POISSON.logpmf(2) - np.log1p(-np.exp(-3))),
        ("ZeroInflated(0.2, Poisson(3))", [0, 2], np.log(0.2 + 0.8 * np.exp(-3)) + np.log(0.8) + POISSON.logpmf(2)),
        ("Mixture([0.3, 0.7], Normal(0.5, 1.3), Normal(2, 1))", Y, TWO_NORMALS),
        ("Mixture([0.3, 0.7], Normal([0.5, 2], [1.3, 1]))", Y, TWO_NORMALS),
        ("Normal(0.5, 1.3) > 0", [0.3, 1.2], NORMAL.logpdf([0.3, 1.2]).sum() - 2 * NORMAL.logsf(0)),
        ("Poisson(3) > 1", [2, 5], POISSON.logpmf([2, 5]).sum() - 2 * POISSON.logsf(1)),
        ("Poisson(3) >= 1", [2, 5], POISSON.logpmf([2, 5]).sum() - 2 * POISSON.logsf(0)),
        ("Poisson(3) < 5", [2, 4], POISSON.logpmf([2, 4]).sum() - 2 * POISSON.logcdf(4)),
        ("OrderedLogistic(0.4, [-1, 1])", [1, 3], np.log(special.expit(-1.4) * special.expit(-0.6))),
    ],
)
def test_densities(right: str, y: list[float], expected: float) -> None:
    assert density(f"y ~ {right}", {"y": y}) == pytest.approx(expected, rel=1e-12)


MIXTURE = "w[2] ~ Dirichlet(1)\nmu[2] ~ Normal(0, 3)\nz[3] ~ Categorical(w)\ny ~ Normal(mu[z], 1)\ncount = sum(z)"
CHAIN = "z[1] ~ Bernoulli(0.4)\nfor t in 2..4 { z[t] ~ Bernoulli(0.8 if z[t-1] else 0.1) }\ny ~ Normal(z, 0.5)"
SHARED = """n ~ Binomial(4, p); w[2] ~ Bernoulli(0.5)
for i in 1..2, j in 1..2 { z[i,j] ~ Bernoulli(0.3 + 0.5*w[i]); k[i,j] ~ Binomial(n, 0.2 + 0.6*z[i,j]) }"""


@pytest.mark.parametrize(
    ("text", "data", "values"),
    [
        (MIXTURE, {"y": Y}, {"w": [0.3, 0.7], "mu": [0.0, 1.0]}),
        (CHAIN, {"y": [0.1, 0.9, 1.2, 0.3]}, {}),
        (SHARED, {"k": [[0, 1], [2, 2]], "p": 0.6}, {}),
    ],
)
def test_elimination_is_brute_force(text: str, data: dict[str, Any], values: dict[str, Any]) -> None:
    found = interpreter(text, data, **values)
    assert found.log_density() == pytest.approx(found.log_density(by_force=True), rel=1e-12)


def test_mixture_by_hand() -> None:
    w, mu, y = np.array([0.3, 0.7]), np.array([0.0, 1.0]), np.array(Y)
    each = w * stats.norm(mu, 1).pdf(y[:, None])
    prior = np.log(1.0) + stats.norm(0, 3).logpdf(mu).sum()
    found = interpreter(MIXTURE, {"y": Y}, w=w, mu=mu)
    assert found.log_density() == pytest.approx(prior + np.log(each.sum(1)).sum(), rel=1e-12)
    shares = each / each.sum(1, keepdims=True)
    np.testing.assert_allclose(found.probabilities("z"), shares, rtol=1e-12)
    np.testing.assert_allclose(found.expectation("count"), (shares @ [1, 2]).sum(), rtol=1e-12)


def test_chain_by_all_paths() -> None:
    y = np.array([0.1, 0.9, 1.2, 0.3])
    total = 0.0
    for path in itertools.product((0, 1), repeat=4):
        chance = 0.4 if path[0] else 0.6
        for before, now in itertools.pairwise(path):
            up = 0.8 if before else 0.1
            chance *= up if now else 1 - up
        total += chance * np.prod(stats.norm(path, 0.5).pdf(y))
    assert density(CHAIN, {"y": y}) == pytest.approx(np.log(total), rel=1e-12)


def test_empty_cells() -> None:
    """One that something observed depends on counts; one that nothing depends on is left out; discrete are summed."""
    lagged = "y[1] ~ Normal(0, 1)\nfor t in 2..4 { y[t] ~ Normal(0.5*y[t-1], 1) }"
    data = {"y": [0.3, NAN, 1.1, NAN]}
    expected = stats.norm(0, 1).logpdf(0.3) + stats.norm(0.15, 1).logpdf(0.8) + stats.norm(0.4, 1).logpdf(1.1)
    assert density(lagged, data, y=[0.8, NAN]) == pytest.approx(expected, rel=1e-12)
    regression = "x ~ Bernoulli(0.3)\ny ~ Normal(x, 1)"
    data = {"x": [1, NAN], "y": [0.3, 0.6]}
    summed = np.log(0.3 * stats.norm(1, 1).pdf(0.6) + 0.7 * stats.norm(0, 1).pdf(0.6))
    assert density(regression, data) == pytest.approx(np.log(0.3) + stats.norm(1, 1).logpdf(0.3) + summed, rel=1e-12)


def test_loops_recurrences_and_pieces() -> None:
    text = """s[1] = 1; for t in 2..n { s[t] = sqrt(0.2 + 0.5*y[t-1]^2 + 0.3*s[t-1]^2) }
        for i in 1..n, j in 1..i { y[i] ~ Normal(0, s[i]*j) }"""
    y = np.array(Y)
    s = [1.0]
    for t in (1, 2):
        s.append(np.sqrt(0.2 + 0.5 * y[t - 1] ** 2 + 0.3 * s[t - 1] ** 2))
    expected = sum(stats.norm(0, s[i] * j).logpdf(y[i]) for i in range(3) for j in range(1, i + 2))
    assert density(text, {"y": Y, "n": 3}) == pytest.approx(expected, rel=1e-12)


def test_ode_with_a_closed_form() -> None:
    text = "k ~ HalfNormal(1)\node t in ts from 0 { a = 2\n a' = -k*a + t }\ny ~ Normal(a, 1)"
    k, ts, y = 0.7, np.array([0.5, 1.0, 2.5]), np.array(Y)
    path = (2 + 1 / k**2) * np.exp(-k * ts) + ts / k - 1 / k**2
    expected = stats.halfnorm.logpdf(k) + stats.norm(path, 1).logpdf(y).sum()
    assert density(text, {"ts": ts, "y": Y}, k=k) == pytest.approx(expected, rel=1e-9)


def test_data_levels_and_factors() -> None:
    text = """data only x[N], g, y missing -9
        levels g = "low", "high"
        a[g] ~ Normal(0, 1)
        y ~ Normal(a[g] + N, 1)
        factor -sum(a) + logp(2 ~ Normal(a["high"], 1))"""
    data = {"x": [1, 2, 3], "g": ["high", "low", "low"], "y": [1, -9, 2], "N": 100}
    a = np.array([0.2, -0.4])
    expected = stats.norm(0, 1).logpdf(a).sum() + stats.norm([a[1] + 3, a[0] + 3], 1).logpdf([1, 2]).sum()
    expected += -a.sum() + stats.norm(a[1], 1).logpdf(2)
    assert density(text, data, a=a) == pytest.approx(expected, rel=1e-12)
