"""The table of rules: kept by a fit and by its file, and the scalars whose own numbers rest on few draws."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.infer.importance import each_behind_sd
from ppl.infer.verdict import OF_SOME, Evidence, Verdict, judge, rules
from ppl.report import diagnosis, fitfile
from ppl.report.tables import number
from tests.conftest import MODELS, Run

SQUARE = "a ~ Normal(0, 5)\nb ~ Cauchy(0, 1)\ny ~ Normal(a^2, 0.5)\n"


@pytest.fixture(scope="module")
def square() -> ppl.Fit:
    """Two modes, and a latent without a mean."""
    return ppl.from_text(SQUARE, "square.ppl").condition({"y": [9.0]}).fit(draws=1000, guide="meanfield")


def test_every_rule_is_kept(square: ppl.Fit, tmp_path: Path) -> None:
    assert [rule.name for rule in square.rules] == [r.name for key, r in rules(1000).items() if key not in OF_SOME]
    rivals = next(rule for rule in square.rules if rule.name == "rival modes")
    assert (rivals.number, rivals.verdict, rivals.names) == (1.0, "do not use", "`a`")
    assert f"{rivals.sentence}; {rivals.remedy}" in square.reasons
    square.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc")
    assert again.rules == square.rules
    for name, quantity in square.record.quantities.items():
        np.testing.assert_array_equal(again.record.quantities[name].behind_sd, quantity.behind_sd)


def test_what_follows_from_another_rule_has_no_number() -> None:
    evidence = Evidence(4000, 3000.0, {"not_definite": "`a`"}, not_definite=1.0, draw_error=np.inf, pareto_k=0.2)
    verdict, findings = judge(evidence)
    assert verdict is Verdict.DO_NOT_USE
    numbers = {finding.rule.name: finding.value for finding in findings}
    assert numbers["draw error"] is None
    assert numbers["convergence"] is None
    _, findings = judge(replace(evidence, not_definite=0.0, draw_error=np.nan))
    assert {f.rule.name for f in findings if f.verdict is not Verdict.GOOD} == {"draw error"}


def test_draws_behind_sd_of_each_element() -> None:
    """Of equally weighted draws it is n (sum d^2 / n)^2 / (sum d^4 / n): n over the kurtosis."""
    values = np.random.default_rng(1).normal(size=(5000, 2, 3)) ** np.array([1.0, 3.0, 1.0])
    found = each_behind_sd(values, np.full(5000, 1 / 5000))
    deviation = values - values.mean(axis=0)
    kurtosis = (deviation**4).mean(axis=0) / (deviation**2).mean(axis=0) ** 2
    np.testing.assert_allclose(found, 5000 / kurtosis)
    assert np.isinf(each_behind_sd(np.arange(4.0), np.full(4, 0.25)))


def test_scalars_that_rest_on_few_draws(square: ppl.Fit) -> None:
    found = {scalar.label: scalar for scalar in diagnosis.doubtful(square.record)}
    assert set(found) == {"b"}
    assert found["b"].behind_sd < 100
    assert found["b"].error == pytest.approx(found["b"].behind_mean ** -0.5)


def test_the_command(square: ppl.Fit, tmp_path: Path, ppl_command: Run) -> None:
    square.save(tmp_path / "fit.nc")
    done = ppl_command("diagnose", "fit.nc")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "verdict: do not use"
    assert lines[2].split() == ["rule", "number", "good", "to", "usable", "to", "says", "names"]
    assert any(line.split() == ["rival", "modes", "1", "0", "0", "do", "not", "use", "`a`"] for line in lines)
    assert any(line.startswith("  remedy: look for signs") for line in lines)
    assert lines[-1].startswith("b ")
    told = json.loads(ppl_command("diagnose", "fit.nc", "--json").stdout)
    assert told["verdict"] == "do not use"
    assert len(told["rules"]) == len(square.rules)
    assert set(told["unreliable"]) == {"b"}


def test_a_file_without_rules(square: ppl.Fit, tmp_path: Path, ppl_command: Run) -> None:
    fitfile.write(replace(square.record, rules=()), tmp_path / "old.nc")
    done = ppl_command("diagnose", "old.nc")
    assert done.returncode == 6
    assert "did not keep the numbers of the rules; fit again: ppl fit square.ppl" in done.stderr
    assert ppl_command("summary", "old.nc").returncode == 0


def test_the_edges_to_blame() -> None:
    """Centred eight schools: `theta` depends on both, on one of them through a derived name."""
    text = "mu ~ Normal(0, 5)\ntau ~ HalfCauchy(5)\ns = 1*tau\ntheta[8] ~ Normal(mu, s)\ny ~ Normal(theta, sigma)"
    data = {"y": [28, 8, -3, 7, -1, 1, 18, 12.0], "sigma": [15, 10, 16, 11, 9, 11, 10, 18.0]}
    found = ppl.from_text(text).condition(data).fit(guide="meanfield")
    rule = next(rule for rule in found.rules if rule.name == "Pareto k")
    assert "`tau`" in rule.names and "`tau -> theta`" in rule.edges and "theta -> tau" not in rule.edges
    assert "  along: " + rule.edges in diagnosis.as_text(found.record, "fit.nc")


def test_require(square: ppl.Fit, tmp_path: Path, ppl_command: Run) -> None:
    with pytest.raises(ppl.VerdictError, match="`do not use`, and `usable` is required: starts"):
        square.require("usable")
    with pytest.raises(ppl.UsageError, match="not 'best'"):
        square.require("best")
    (tmp_path / "square.ppl").write_text(SQUARE)
    (tmp_path / "square.json").write_text('{"y": [9.0]}')
    options = ("--guide", "meanfield", "--require", "good", "-o", "fit.nc")
    done = ppl_command("fit", "square.ppl", "square.json", *options)
    assert done.returncode == 3
    assert "`good` is required" in done.stderr
    assert "verdict: do not use" in done.stdout
    assert (tmp_path / "fit.nc").exists()
    schools = (MODELS / "eight_schools.ppl", MODELS / "eight_schools.csv")
    assert ppl_command("fit", *schools, "--require", "good").returncode == 0
    assert ppl_command("fit", *schools, "--require", "best").returncode == 2


def test_usable_is_worse_than_good(square: ppl.Fit) -> None:
    usable = ppl.Fit(replace(square.record, verdict="usable", reasons=()))
    assert usable.require("usable") is usable
    with pytest.raises(ppl.VerdictError):
        usable.require("good")


def test_no_minus_before_a_zero() -> None:
    assert [number(value, 3) for value in (-0.0004, -0.0006, 0.0004, -2.0)] == ["0.000", "-0.001", "0.000", "-2.000"]
