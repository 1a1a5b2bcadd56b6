"""Hierarchies that mean field misses in centred coordinates, truths by integration; and how rungs are tried."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.infer import ladder, pipeline
from ppl.infer.verdict import Verdict
from ppl.report import tables

EFFECTS = np.array([28, 8, -3, 7, -1, 1, 18, 12.0])
ERRORS = np.array([15, 10, 16, 11, 9, 11, 10, 18.0])
SCHOOLS = "mu ~ Normal(0, 5)\ntau ~ HalfCauchy(5)\ntheta[8] ~ Normal(mu, tau)\ny ~ Normal(theta, sigma)"
FUNNEL = "v ~ Normal(0, 3)\nx[9] ~ Normal(0, exp(v/2))\ny ~ Normal(x, 1)"
WEAK = np.array([0.4, -1.1, 0.9, 0.2, -0.6, 1.4, -0.1, 0.7, -1.6])  # nine: ten coordinates


def fit(text: str, data: dict[str, object], **options: object) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition(data).fit(**options)  # type: ignore[arg-type]


def moments(grid: np.ndarray, log_density: np.ndarray, given: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Mean and sd of what has this mean and variance given the parameter of a grid."""
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    mean = float(weights @ given)
    return mean, float(np.sqrt(weights @ (variance + (given - mean) ** 2)))


def schools() -> dict[str, tuple[float, float]]:
    """By integration over log tau; mu is Gaussian given tau, each effect given both."""
    log_tau = np.linspace(-16, 9, 20_001)
    tau = np.exp(log_tau)
    total = ERRORS**2 + tau[:, None] ** 2  # of an effect around mu
    precision = 1 / 25 + (1 / total).sum(axis=1)
    centre = (EFFECTS / total).sum(axis=1) / precision
    fitted = -0.5 * (np.log(total) + EFFECTS**2 / total).sum(axis=1) + 0.5 * centre**2 * precision
    log_density = stats.halfcauchy(scale=5).logpdf(tau) + log_tau + fitted - 0.5 * np.log(precision)
    none = np.zeros_like(tau)
    found = {
        "mu": moments(log_tau, log_density, centre, 1 / precision),
        "tau": moments(log_tau, log_density, tau, none),
    }
    for i in range(8):
        to_data = tau**2 / total[:, i]
        given = to_data * EFFECTS[i] + (1 - to_data) * centre
        spread = to_data * ERRORS[i] ** 2 + (1 - to_data) ** 2 / precision
        found[f"theta[{i + 1}]"] = moments(log_tau, log_density, given, spread)
    return found


def funnel(y: np.ndarray) -> dict[str, tuple[float, float]]:
    v = np.linspace(-30, 25, 50_001)
    variance = np.exp(v)
    log_density = stats.norm(0, 3).logpdf(v) + stats.norm(0, np.sqrt(1 + variance)[:, None]).logpdf(y).sum(axis=1)
    to_data = variance / (1 + variance)
    found = {f"x[{i + 1}]": moments(v, log_density, to_data * one, to_data) for i, one in enumerate(y)}
    return found | {"v": moments(v, log_density, v, np.zeros_like(v))}


def worst(found: ppl.Fit, truth: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """The largest error of a mean, in sds, and of the logarithm of an sd."""
    summary = found.summary()
    means = [abs(summary[label]["mean"] - mean) / sd for label, (mean, sd) in truth.items()]
    return max(means), max(abs(np.log(summary[label]["sd"] / sd)) for label, (_, sd) in truth.items())


@pytest.mark.parametrize("seed", range(1, 4))
def test_eight_schools_written_centred(seed: int) -> None:
    found = fit(SCHOOLS, {"y": EFFECTS, "sigma": ERRORS}, seed=seed)
    assert found.verdict == "good"
    assert [tried.taken for tried in found.record.tried][-2:] == [False, True]  # non-centred, or partly centred
    mean, sd = worst(found, schools())
    assert mean < 0.05 and sd < 0.06


def test_a_funnel_cut_off_that_looks_good() -> None:
    """With few draws the mean field's Pareto k is 0.69, and its mean of `tau` half an sd off."""
    found = fit(SCHOOLS, {"y": EFFECTS, "sigma": ERRORS}, draws=1000)
    mean, sd = worst(found, schools())
    assert found.verdict == "good" and mean < 0.1 and sd < 0.1


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_funnel_in_ten_dimensions(seed: int) -> None:
    found = fit(FUNNEL, {"y": WEAK}, seed=seed)
    assert found.verdict == "good"
    assert found.record.tried[-1].rung == "non-centred (`x`)"
    mean, sd = worst(found, funnel(WEAK))
    assert mean < 0.05 and sd < 0.06


@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0, 30.0])
def test_a_funnel_is_never_wrong_and_good(scale: float) -> None:
    """Data that say nearly nothing of x, and data that leave no funnel."""
    y = scale * WEAK
    found = fit(FUNNEL, {"y": y})
    mean, sd = worst(found, funnel(y))
    assert found.verdict != "good" or (mean < 0.3 and sd < 0.26)
    if scale >= 3:
        assert mean < 0.05 and sd < 0.06


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_two_groups_of_modes_far_apart(seed: int) -> None:
    """A rung that starts elsewhere must not call one of them the posterior, nor weigh one of which it misses most.

    The mean of c is 23.49, by sums over a grid of c and s of Voigt densities: x integrated out.
    """
    text = "c ~ Normal(0, 100)\ns ~ HalfNormal(1)\nx[8] ~ Normal(c, s)\ny ~ Cauchy(x, 0.5)"
    y = np.array([0, 0.1, -0.1, 0.2, 50, 50.1, 49.9, 50.2])
    found = fit(text, {"y": y}, seed=seed)
    assert found.verdict == "do not use" or found.summary()["c"]["mean"] == pytest.approx(23.49, abs=2.5)


def test_the_fit_says_which_rung_it_took(tmp_path: Path) -> None:
    found = fit(SCHOOLS, {"y": EFFECTS, "sigma": ERRORS})
    lines = tables.verdict_lines(found.record)
    assert lines[1].startswith("  rung: non-centred (`theta`); mean field: do not use, ")
    found.save(tmp_path / "fit.nc")
    assert ppl.read_fit(tmp_path / "fit.nc").record.tried == found.record.tried
    rungs = json.loads(tables.as_json(found.record))["rungs"]
    assert [(rung["rung"], rung["taken"]) for rung in rungs] == [("mean field", False), ("non-centred (`theta`)", True)]
    assert found.record.evaluations == sum(rung["evaluations"] for rung in rungs)


def test_same_seed_same_bits() -> None:
    first, second = (fit(SCHOOLS, {"y": EFFECTS, "sigma": ERRORS}, seed=3) for _ in range(2))
    for name, draws in first.draws.items():
        assert draws.tobytes() == second.draws[name].tobytes()


def test_a_guide_can_be_chosen() -> None:
    data = {"y": EFFECTS, "sigma": ERRORS}
    plain, other = fit(SCHOOLS, data, guide="meanfield"), fit(SCHOOLS, data, guide="noncentred")
    assert plain.verdict == "do not use"
    assert [tried.rung for tried in plain.record.tried] == ["mean field"]
    assert [tried.rung for tried in other.record.tried] == ["non-centred (`theta`)"]
    with pytest.raises(ppl.UsageError, match=r"guide must be one of auto, meanfield, .*, not 'full'"):
        fit(SCHOOLS, data, guide="full")
    with pytest.raises(ppl.UsageError, match="no latent of this model has a location or scale that is itself inferred"):
        fit("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": [1.0]}, guide="noncentred")


def test_where_nothing_is_finite_is_said_of_either_guide() -> None:
    text = "s ~ HalfNormal(1)\nx ~ Normal(0, s)\ny ~ Normal(x, -1 - s)"
    for guide in ("auto", "noncentred"):
        with pytest.raises(ppl.ModelError, match=r"test\.ppl:3:1"):
            fit(text, {"y": 0.3}, guide=guide)


def test_rungs_of_others() -> None:
    """A rung sees the best attempt before it; one with nothing to offer is passed over, a worse one is not taken."""
    posterior = ppl.from_text(SCHOOLS, "test.ppl").condition({"y": EFFECTS, "sigma": ERRORS})
    problem = ladder.Problem(posterior.model, posterior.summed, posterior.joint, 1, 4000)
    seen: list[ladder.Attempt | None] = []

    def worse(problem: ladder.Problem, best: ladder.Attempt | None) -> ladder.Found | None:
        seen.append(best)
        assert best is not None
        evidence = replace(best.found.approximation.evidence, pareto_k=2.0)
        weights = replace(best.found.approximation.weights, pareto_k=2.0)
        return replace(best.found, approximation=replace(best.found.approximation, evidence=evidence, weights=weights))

    rungs = (ladder.MEAN_FIELD, ladder.Rung("none", lambda problem, best: None), ladder.Rung("worse", worse))
    best, tried = ladder.climb(problem, rungs)
    assert best.rung == "mean field" and best.verdict == Verdict.DO_NOT_USE
    assert [attempt.rung for attempt in tried] == ["mean field", "worse"]
    assert seen[0] is not None and seen[0].found.approximation is best.found.approximation
    best, tried = ladder.climb(problem, (*ladder.GUIDES["auto"], ladder.Rung("worse", worse)))
    assert best.rung == "non-centred" and len(tried) == 2


def test_wider_proposals_find_the_tail_that_others_end_before() -> None:
    """A funnel whose log scale `v` has an sd of 3: the first proposals know little of its mouth, and look good."""
    text = "v ~ Flat()\nx ~ Flat()\nfactor -v^2/18 - v/2 - 0.5*exp(-v)*x^2"
    joint = ppl.from_text(text).condition({}).joint
    moved = [pipeline.approximate(joint, seed).evidence.wider for seed in (6, 9)]
    assert min(moved) > 0.3


def test_a_second_fit_of_the_same_posterior_has_the_same_bits() -> None:
    """Gradients are staged after some calls, and differ then in their last digits: each rung counts its own calls."""
    posterior = ppl.from_text(SCHOOLS, "test.ppl").condition({"y": EFFECTS, "sigma": ERRORS})
    first, second = (posterior.fit(seed=3, guide="chains") for _ in range(2))
    for name, draws in first.draws.items():
        assert draws.tobytes() == second.draws[name].tobytes()
