"""Point estimates in all that is done with a fit: they are constants, and what else there is depends on them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.report import tables

RNG = np.random.default_rng(5)
GROUP = np.repeat(np.arange(6), 5)
DATA = {
    "g": [f"g{i}" for i in GROUP],
    "x": RNG.normal(size=30),
    "y": RNG.normal(0, 1.5, 6)[GROUP] + RNG.normal(0, 0.7, 30),
}
TEXT = """
mu ~ Param()
b ~ Param()
tau ~ Param(1) > 0
s ~ Param(1) > 0
u[g] ~ Normal(mu, tau)
y ~ Normal(u[g] + b*x, s)
ratio = tau / s
new ~ Normal(mu, tau)
"""
POINTS = ("mu", "b", "tau", "s")


@pytest.fixture(scope="module")
def fit() -> ppl.Fit:
    return ppl.from_text(TEXT).condition(DATA).fit(draws=2000)


@pytest.fixture(scope="module")
def likelihood() -> ppl.Fit:
    return ppl.from_text("a ~ Param()\ns ~ Param() > 0\ny ~ Normal(a, s)").condition(DATA).fit(draws=2000)


def value(fit: ppl.Fit, name: str) -> float:
    return float(fit.draws[name][0])


def test_draws_are_constant_and_what_follows_from_them_too(fit: ppl.Fit) -> None:
    assert all(np.ptp(fit.draws[name]) == 0 for name in (*POINTS, "ratio"))
    assert fit.record.quantities["ratio"].sd == 0
    assert value(fit, "ratio") == pytest.approx(value(fit, "tau") / value(fit, "s"))
    assert fit.draws["new"].std() == pytest.approx(value(fit, "tau"), rel=0.1)


def test_a_file_keeps_the_role(fit: ppl.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc")
    assert {name for name, found in again.record.quantities.items() if found.role == "point"} == set(POINTS)
    assert str(again.summary()) == str(fit.summary())
    np.testing.assert_array_equal(again.predict(DATA).draws["y"], fit.predict(DATA).draws["y"])


def test_tables_leave_blank_what_a_point_has_not(fit: ppl.Fit, likelihood: ppl.Fit) -> None:
    shown = tables.as_text(fit.record).splitlines()
    row = next(line for line in shown if line.startswith("tau"))
    assert row.split() == ["tau", row.split()[1]]
    assert "mu, b, tau, s are point estimates, without a distribution; all else is given them" in shown
    rows = {line["variable"]: line for line in csv.DictReader(io.StringIO(tables.as_csv(fit.record)))}
    assert rows["tau"]["sd"] == rows["tau"]["q5"] == "" and float(rows["tau"]["mean"]) == value(fit, "tau")
    told = json.loads(tables.as_json(fit.record))["variables"]["tau"]
    assert told == {"mean": value(fit, "tau"), **dict.fromkeys(("sd", "q5", "q50", "q95", "mcse"))}
    assert "ELBO" in "\n".join(tables.verdict_lines(fit.record))
    words = "\n".join(tables.verdict_lines(likelihood.record))
    assert "log likelihood" in words and "ELBO" not in words and "Pareto" not in words


def test_predictions_are_drawn_given_the_points(likelihood: ppl.Fit) -> None:
    drawn = likelihood.predict({"x": [0.0]}, of="y").draws["y"]
    assert drawn.mean() == pytest.approx(value(likelihood, "a"), abs=0.15)
    assert drawn.std() == pytest.approx(value(likelihood, "s"), rel=0.1)


def test_checks_and_likelihoods(fit: ppl.Fit, likelihood: ppl.Fit) -> None:
    assert {check.statistic for check in fit.ppc()} >= {"mean", "sd"}
    expected = stats.norm(value(likelihood, "a"), value(likelihood, "s")).logpdf(DATA["y"])
    np.testing.assert_allclose(likelihood.log_likelihood()["y"][0], expected)
    assert likelihood.loo().total == pytest.approx(expected.sum())


def test_log_density_takes_their_values_and_no_prior() -> None:
    posterior = ppl.from_text("a ~ Param()\ns ~ Param(1) > 0\ny ~ Normal(a, s)").condition(DATA)
    expected = stats.norm(0.3, 2).logpdf(DATA["y"]).sum()
    assert posterior.log_density({"a": 0.3, "s": 2}) == pytest.approx(expected)
    assert posterior.log_density({"a": 0.3, "s": -2}) == -np.inf


def test_what_needs_a_prior_says_so() -> None:
    with pytest.raises(ppl.UsageError, match="`Param` has no prior to draw true values from"):
        ppl.from_text(TEXT).calibrate(DATA)


def test_a_checkpoint_leads_to_the_same_bits(tmp_path: Path) -> None:
    posterior = ppl.from_text(TEXT).condition(DATA)
    one = posterior.fit(draws=500, checkpoint=tmp_path / "c")
    two = posterior.fit(draws=500, resume=tmp_path / "c")
    assert all((one.draws[name] == two.draws[name]).all() for name in one.draws)
