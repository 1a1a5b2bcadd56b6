"""Models with `ode`: whole fits, and draws whose solutions break off."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import ppl
from ppl.compile.sparsity import interactions
from tests.conftest import ROOT

DECAY = """
k ~ LogNormal(-1, 1)
a ~ LogNormal(1, 1)
sigma ~ HalfNormal(1)
{}
y ~ Normal(c, sigma)
"""
EQUATIONS = "ode t in ts from 0 {\n  c = a\n  c' = -k*c\n}"
PREDATORS = """
theta[4] ~ LogNormal([-0.6, -3.5, -0.2, -3.7], 0.5)
sigma ~ HalfNormal(0.5)
ode t in ts from 0 {
  prey = 33
  lynx = 6
  prey' = (theta[1] - theta[2]*lynx)*prey
  lynx' = (theta[4]*prey - theta[3])*lynx
}
seen_prey ~ LogNormal(log(prey), sigma)
seen_lynx ~ LogNormal(log(lynx), sigma)
"""


def test_the_same_posterior_as_the_solution_written_out() -> None:
    ts = np.linspace(0.5, 8, 12)
    y = 3 * np.exp(-0.4 * ts) + 0.1 * np.random.default_rng(1).normal(size=12)
    fits = [
        ppl.from_text(DECAY.format(middle), "test.ppl").condition({"ts": ts, "y": y}).fit(seed=1).summary()
        for middle in (EQUATIONS, "c = a*exp(-k*ts)")
    ]
    for name in ("k", "a", "sigma", "c[12]"):
        for statistic in ("mean", "sd", "q5", "q95"):
            assert fits[0][name][statistic] == pytest.approx(fits[1][name][statistic], rel=1e-5)


def test_predators_and_prey_are_found_again() -> None:
    ts, true, start = np.arange(1.0, 11.0), np.array([0.55, 0.028, 0.8, 0.024]), [33.0, 6.0]

    def slopes(_: float, y: np.ndarray) -> list[float]:
        return [(true[0] - true[1] * y[1]) * y[0], (true[3] * y[0] - true[2]) * y[1]]

    states = solve_ivp(slopes, (0, 10), start, t_eval=ts, rtol=1e-10).y
    seen = states * np.exp(0.1 * np.random.default_rng(2).normal(size=states.shape))
    data = {"ts": ts, "seen_prey": seen[0], "seen_lynx": seen[1]}
    found = ppl.from_text(PREDATORS, "test.ppl").condition(data).fit(seed=1, draws=500)
    assert found.verdict == "good"
    for i, value in enumerate(true):
        one = found.summary()[f"theta[{i + 1}]"]
        assert abs(one["mean"] - value) < 3 * one["sd"] and one["sd"] < 0.2 * value
    assert found.summary()["sigma"]["mean"] == pytest.approx(0.1, abs=0.03)


def test_the_example_of_the_documentation() -> None:
    section = (ROOT / "docs" / "language.md").read_text(encoding="utf-8").split("## Differential equations")[1]
    program, data = (section.split(f"```{mark}\n")[1].split("```")[0] for mark in ("ppl", "json"))
    found = ppl.from_text(program, "docs.ppl").condition(json.loads(data)).fit(seed=1, draws=500)
    assert found.verdict == "good" and 0.2 < found.summary()["ke"]["mean"] < 0.5


def test_where_a_solution_runs_away_the_density_is_zero() -> None:
    text = "k ~ HalfNormal(1)\node t in ts from 0 { x = 1; x' = k*x^2 }\ny ~ Normal(x, 0.1)\n"
    data = {"ts": [1.0, 2.0], "y": [1.12, 1.25]}
    posterior = ppl.from_text(text, "test.ppl").condition(data)
    assert posterior.log_density({"k": 0.7}) == -np.inf
    expected = -0.005 - 0.5 * np.sum(((1 / (1 - 0.1 * np.array([1, 2])) - data["y"]) / 0.1) ** 2)
    expected += 0.5 * np.log(2 / np.pi) - 2 * np.log(0.1) - np.log(2 * np.pi)
    assert posterior.log_density({"k": 0.1}) == pytest.approx(expected, rel=1e-9)
    z = posterior.joint.unconstrain({"k": np.array([0.1, 0.7, 0.2])})
    value, gradient = posterior.joint.value_and_gradient(z)
    assert np.isfinite(value).tolist() == [True, False, True]
    assert np.isfinite(gradient[[0, 2]]).all()


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        ("(1 + k)*x^2", r"breaks off at t = 0\.597\d?, where x = .*; the fit starts from k = 0\.6745"),
        ("x^2", r"breaks off at t = 1, where x = \S*\n"),
        ("-1e7*k*(x - cos(t))", r"looks stiff: 3000 steps lead only to t = 0\.00\d*; the fit starts from k = 0\.6745"),
        ("1e6*k*cos(1e6*k*t)", r"takes more than 3000 steps, and gets no further than t = 0\.0\d*, where x = "),
    ],
)
def test_a_fit_that_cannot_begin_says_why(slope: str, words: str) -> None:
    text = f"k ~ HalfNormal(1)\node t in ts from 0 {{ x = 1; x' = {slope} }}\ny ~ Normal(x + k, 1)\n"
    with pytest.raises(ppl.PplError, match=words):
        ppl.from_text(text, "test.ppl").condition({"ts": [1.0, 30.0], "y": [1.0, 2.0]}).fit()


def test_subjects_have_solutions_of_their_own() -> None:
    """One axis in the states is as good as an `ode` for each, and derivatives need no more ways back than for one."""
    text = """
    k[3] ~ LogNormal(0, 0.5)
    ode t in ts from 0 {{ {} }}
    """
    together = "gut = dose; blood = 0; gut' = -k*gut; blood' = k*gut - 0.3*blood"
    lines = [f"g{i} = dose[{i}]; b{i} = 0; g{i}' = -k[{i}]*g{i}; b{i}' = k[{i}]*g{i} - 0.3*b{i}" for i in (1, 2, 3)]
    data = {"ts": [1.0, 2.0, 5.0], "dose": [1.0, 2.0, 0.5], "y": np.ones((3, 3))}
    seen = "; ".join(f"y[:, {i}] ~ Normal(b{i}, 1)" for i in (1, 2, 3))
    one = ppl.from_text(text.format(together) + "y ~ Normal(blood, 1)", "test.ppl").condition(data)
    each = ppl.from_text(text.format("; ".join(lines)) + seen, "test.ppl")
    point = {"k": np.array([0.5, 1.0, 2.0])}
    expected = each.condition(data)
    assert one.log_density(point) == pytest.approx(expected.log_density(point), rel=1e-10)
    assert interactions(one.joint).sum() == 3 == interactions(expected.joint).sum()
    assert len(one.model.derived["blood"].args[0].args[0].op.apply.system.near.sets) == 2
