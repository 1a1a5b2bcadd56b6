"""Data that might have been, and simulation-based calibration: right fits pass, and wrong ones do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.compile.replicate import draw_prior, replicate, without_proper_prior
from ppl.data import dataset
from ppl.report import ranks
from tests.conftest import MODELS, Run


def replicated(text: str, data: dict[str, object], draws: int = 4000) -> tuple[dict[str, np.ndarray], ...]:
    """Draws of all latents from their priors, and of the observed names given these."""
    model = ppl.from_text(text, "test.ppl").condition(data).model
    rng = np.random.default_rng(1)
    true = draw_prior(model, draws, rng)
    return true, replicate(model, dataset.read([data]), true, draws, rng)


def test_prior_predictive_of_a_normal() -> None:
    """y ~ N(0, sqrt(4 + x^2)) for mu ~ N(0, 2), given mu it is N(mu, x)."""
    true, found = replicated("mu ~ Normal(0, 2)\ny ~ Normal(mu, x)", {"y": [1.0, 2.0], "x": [1.0, 3.0]})
    assert found["y"].shape == (4000, 2)
    for i, x in enumerate((1.0, 3.0)):
        assert stats.kstest(found["y"][:, i], stats.norm(0, np.hypot(2, x)).cdf).pvalue > 1e-3
        assert stats.kstest(found["y"][:, i] - true["mu"], stats.norm(0, x).cdf).pvalue > 1e-3


def test_discrete_latents_come_first() -> None:
    text = "p ~ Beta(2, 2)\nz[3] ~ Bernoulli(p)\nfor i in 1..3 {\n  y[i] ~ Normal(10*z[i], 1)\n}"
    true, found = replicated(text, {"y": [1.0, 2.0, 9.0]})
    assert set(np.unique(true["z"])) == {0, 1}
    assert true["z"].mean() == pytest.approx(0.5, abs=0.03)
    assert stats.kstest((found["y"] - 10 * true["z"]).reshape(-1), stats.norm(0, 1).cdf).pvalue > 1e-3


def test_categories_and_vectors() -> None:
    text = "p[3] ~ Dirichlet(1)\ny ~ Categorical(p)\nc ~ Multinomial(7, p)"
    true, found = replicated(text, {"y": np.array(["a", "b", "c", "a"]), "c": [2, 2, 3]})
    assert set(np.unique(found["y"])) == {1, 2, 3}
    assert (found["c"].sum(axis=-1) == 7).all()
    slope = np.polyfit(true["p"][:, 0], (found["y"] == 1).mean(axis=1), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)


REFUSED = {
    "before": ("a ~ Normal(0, 1)\nfor t in 2..3 {\n  y[t] ~ Normal(a*y[t - 1], 1)\n}", "is not observed as a whole"),
    "elsewhere": ("a ~ Normal(0, 1)\ny ~ Normal(a, 1)\nx ~ Normal(a*y, 1)", "depends on the observed `y`"),
    "twice": ("a ~ Normal(0, 1)\ny ~ Normal(a, 1)\ny ~ Normal(a, 2)", "is not observed as a whole"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    text, words = REFUSED[name]
    with pytest.raises(ppl.UsageError, match=words):
        ppl.from_text(text).calibrate({"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0, 3.0]})


def test_what_has_no_prior() -> None:
    model = ppl.from_text("a ~ Flat()\nb ~ Normal(0, 1)\ny ~ Normal(a + b, 1)").condition({"y": [1.0, 2.0]}).model
    assert without_proper_prior(model) == ["a"]


def test_ranks_are_uniform_for_the_same_distribution() -> None:
    rng = np.random.default_rng(1)
    found = np.array([ranks.rank(*rng.normal(size=(2, 1)), rng)[0] for _ in range(4000)])
    assert stats.kstest(found, "uniform").pvalue > 1e-3
    found = np.array([ranks.rank(rng.integers(2, size=1), rng.integers(2, size=(5, 1)), rng)[0] for _ in range(4000)])
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_the_test_of_uniformity() -> None:
    """Against scipy's chi-square test, and it finds posteriors that are biased, or too narrow."""
    rng = np.random.default_rng(1)
    even = rng.random(64)
    expected = stats.chisquare(np.histogram(even, 8, (0, 1))[0])
    assert ranks.uniformity("a", even).p == pytest.approx(expected.pvalue)
    right = {f"a{i}": rng.random(64) for i in range(20)}
    assert ranks.judged(right, 64, 0, ()).flagged == ()
    for wrong in (stats.norm.cdf(rng.normal(1, 1, 64)), stats.norm.cdf(rng.normal(0, 2, 64))):
        found = ranks.judged({**right, "wrong": wrong}, 64, 0, ())
        assert [scalar.label for scalar in found.flagged] == ["wrong"]
        assert found.scalars[0].label == "wrong"
        assert "not calibrated: the ranks of `wrong`" in ranks.as_text(found)


def test_a_right_fit_is_calibrated() -> None:
    model = ppl.from_text("mu ~ Normal(1, 2)\ns ~ HalfNormal(1)\ny ~ Normal(mu, s)")
    data = {"y": [1.0, np.nan, 2.0, 0.0, 3.0]}
    done: list[int] = []
    found = model.calibrate(data, rounds=24, progress=done.append)
    assert done == list(range(1, 25))
    assert (found.failed, found.flagged, found.improper) == (0, (), ())
    assert {scalar.label for scalar in found.scalars} == {"mu", "s"}
    assert model.calibrate(data, rounds=24) == found


def test_the_command(ppl_command: Run) -> None:
    model, data = MODELS / "normal_mean.ppl", MODELS / "normal_mean.csv"
    done = ppl_command("check", "--calibrate", model, data, "--rounds", "16")
    assert done.returncode == 0
    assert "calibrating: 16 of 16" in done.stderr
    assert done.stdout.splitlines()[-1] == "calibrated, as far as can be seen"
    told = json.loads(ppl_command("check", "--calibrate", model, data, "--rounds", "16", "--json").stdout)
    assert (told["rounds"], told["flagged"], set(told["scalars"])) == (16, [], {"mu"})
    assert ppl_command("check", "--calibrate", model).returncode == 2
    assert ppl_command("check", model, "--json").returncode == 2


def test_without_a_prior_the_posterior_gives_the_truth(tmp_path: Path, ppl_command: Run) -> None:
    (tmp_path / "m.ppl").write_text("mu ~ Flat()\ny ~ Normal(mu, 1)\n")
    (tmp_path / "d.csv").write_text("y\n1\n2\n3\n")
    done = ppl_command("check", "--calibrate", "m.ppl", "d.csv", "--rounds", "24")
    assert done.returncode == 0
    assert "as `mu` cannot be drawn from one" in done.stdout
