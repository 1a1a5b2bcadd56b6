"""Leave-one-out cross-validation against ArviZ, a closed form, and draws that are not from the posterior."""

from __future__ import annotations

from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ppl
from ppl.infer.importance import resample, smooth
from ppl.infer.loo import Sample, loo, thinned
from tests.use.conftest import NAMES

RNG = np.random.default_rng(5)
Y = RNG.normal(3, 2, 40)
NORMAL = "mu ~ Normal(0, 10)\ny ~ Normal(mu, 2)\n"


def exact_loo(y: np.ndarray) -> np.ndarray:
    """log p(y_i | y_-i) for a normal mean with prior N(0, 10^2) and sd 2."""
    precision = 1 / 100 + (len(y) - 1) / 4
    mean = (y.sum() - y) / 4 / precision
    return stats.norm.logpdf(y, mean, np.sqrt(4 + 1 / precision))


@pytest.mark.parametrize("name", NAMES)
def test_log_likelihood_and_loo_agree_with_arviz(name: str, shop: Path) -> None:
    """ArviZ reads the log likelihood and the draws, and makes the same of them where all draws count alike."""
    fit = ppl.read_fit(shop / f"{name}.nc")
    found = fit.log_likelihood()
    values = {key: value[None] for key, value in found.items()}
    inference = az.from_dict(posterior={"x": np.zeros((1, 500))}, log_likelihood=values)
    theirs = az.loo(inference, pointwise=True)
    (flat,) = (value.reshape(500, -1) for value in found.values())
    ours = loo(flat, Sample.whole(np.zeros(500)))
    np.testing.assert_allclose(ours.elpd, theirs.loo_i.values.reshape(-1), atol=0.01)
    theirs_k, uneven = theirs.pareto_k.values.reshape(-1), ours.k > 0  # no k is fitted to a tail that is bounded
    np.testing.assert_allclose(ours.k[uneven], theirs_k[uneven], atol=0.02)
    assert ours.good == pytest.approx(theirs.good_k)
    assert ours.total == pytest.approx(theirs.elpd_loo, abs=0.1)
    assert ours.se == pytest.approx(theirs.se, rel=0.01)
    assert ours.effective_parameters == pytest.approx(theirs.p_loo, abs=0.1)
    assert fit.loo().total == pytest.approx(theirs.elpd_loo, abs=0.3)


def test_closed_form() -> None:
    """To the Monte Carlo error of 4,000 draws, element by element."""
    found = ppl.from_text(NORMAL).condition(pd.DataFrame({"y": Y})).fit().loo()
    np.testing.assert_allclose(found.elpd, exact_loo(Y), atol=0.01)
    assert found.total == pytest.approx(exact_loo(Y).sum(), abs=0.02) and found.k.max() < 0.5
    precision = 1 / 100 + len(Y) / 4
    lpd = stats.norm.logpdf(Y, Y.sum() / 4 / precision, np.sqrt(4 + 1 / precision))
    assert found.effective_parameters == pytest.approx((lpd - exact_loo(Y)).sum(), abs=0.02)


def test_log_likelihood_is_that_of_scipy(shop: Path) -> None:
    fit = ppl.read_fit(shop / "robust_regression.nc")
    data, draws = pd.read_csv(shop / "robust_regression.csv"), fit.draws
    line = draws["alpha"][:, None] + draws["beta"][:, None] * data.outside.to_numpy()
    expected = stats.t.logpdf(data.energy.to_numpy(), draws["nu"][:, None], line, draws["sigma"][:, None])
    np.testing.assert_allclose(fit.log_likelihood()["energy"], expected, rtol=1e-9)


def test_a_wrong_approximation_is_corrected() -> None:
    """Proposals twice as wide and one sd off, with their weights: all of them, or those left after resampling."""
    precision = 1 / 100 + len(Y) / 4
    mean, sd = Y.sum() / 4 / precision, precision**-0.5
    rng = np.random.default_rng(8)
    mu = rng.normal(mean + sd, 2 * sd, 40_000)
    log_weights = stats.norm.logpdf(mu, mean, sd) - stats.norm.logpdf(mu, mean + sd, 2 * sd)
    log_weights -= np.log(np.exp(log_weights).sum())
    likelihood = stats.norm.logpdf(Y, mu[:, None], 2)
    np.testing.assert_allclose(loo(likelihood, Sample.whole(log_weights)).elpd, exact_loo(Y), atol=0.01)
    wrong = loo(likelihood, Sample.whole(np.zeros(len(mu))))
    assert np.abs(wrong.elpd - exact_loo(Y)).max() > 0.05
    chosen = resample(np.exp(log_weights), 20_000, rng)
    first, sample = thinned(log_weights, chosen)
    assert len(first) == len(np.unique(chosen)) < 20_000
    np.testing.assert_allclose(loo(likelihood[chosen[first]], sample).elpd, exact_loo(Y), atol=0.015)


@pytest.mark.parametrize("narrow", [0.6, 0.8])
def test_the_tail_is_that_of_the_proposals(narrow: float) -> None:
    """Proposals too narrow, and 4,000 draws resampled from them: the k of every element is about what it is over all
    proposals, though the largest weights stand once and all others, as draws, alike.
    """
    precision = 1 / 100 + len(Y) / 4
    mean, sd = Y.sum() / 4 / precision, precision**-0.5
    rng = np.random.default_rng(2)
    mu = rng.normal(mean, narrow * sd, 60_000)
    smoothed = smooth(stats.norm.logpdf(mu, mean, sd) - stats.norm.logpdf(mu, mean, narrow * sd))
    log_weights = np.log(smoothed.weights)
    likelihood = stats.norm.logpdf(Y, mu[:, None], 2)
    whole = loo(likelihood, Sample.whole(log_weights))
    chosen = resample(smoothed.weights, 4000, rng)
    first, sample = thinned(log_weights, chosen)
    found = loo(likelihood[chosen[first]], sample)
    assert abs(np.median(found.k) - np.median(whole.k)) < 0.08
    assert abs(np.median(found.k) - smoothed.pareto_k) < 0.15
    np.testing.assert_allclose(found.k, whole.k, atol=0.2)
    np.testing.assert_allclose(found.elpd, exact_loo(Y), atol=0.03)


def test_blocks_are_as_each_element_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against `smooth`, element by element; heavy tails, bounded ones, ties, and some that are no number among them;
    elements that are alike have the same.
    """
    draws = RNG.standard_t(3, size=(700, 4))
    likelihood = -0.02 * (RNG.standard_t(2, size=30) - draws @ RNG.normal(size=(4, 30))) ** 2
    likelihood[:, 5] = -1.0
    likelihood[:, 6] = np.round(likelihood[:, 6])
    likelihood[::50, 7] = -np.inf
    likelihood[:, 8] = likelihood[:, 2]
    log_weights = RNG.normal(size=700)
    monkeypatch.setattr("ppl.infer.loo._AT_ONCE", 7 * 700)
    found = loo(likelihood, Sample.whole(log_weights))
    whole = log_weights - np.logaddexp.reduce(log_weights)
    for i, own in enumerate(likelihood.T):
        with np.errstate(all="ignore"):
            alone = smooth(log_weights - own)
            elpd = np.logaddexp.reduce(np.log(alone.weights) + own)
        assert found.k[i] == pytest.approx(alone.pareto_k, abs=1e-9), i
        if i != 7:
            assert found.elpd[i] == pytest.approx(elpd, abs=1e-9), i
            assert found.lpd[i] == pytest.approx(np.logaddexp.reduce(whole + own), abs=1e-9), i
    assert found.elpd[8] == found.elpd[2] and found.k[8] == found.k[2]
    assert np.isfinite(found.elpd).all() and found.k.min() < 0.4 and found.k.max() > 0.7
    flat = loo(np.full((700, 2), -1.0), Sample.whole(np.zeros(700)))
    assert (flat.k == -np.inf).all() and flat.elpd == pytest.approx(-1.0)


@pytest.mark.parametrize("few", [60, 25])
def test_thinned_draws_stand_for_the_posterior(few: int) -> None:
    """Averages over many resamplings are those of the weights, when some of 60 are taken again, too."""
    log_weights = RNG.normal(0, 1.5, 200)
    log_weights -= np.log(np.exp(log_weights).sum())
    x = RNG.normal(size=200)
    total = np.zeros(2)
    for i in range(400):
        chosen = resample(np.exp(log_weights), 60, np.random.default_rng(i))
        first, sample = thinned(log_weights, chosen)
        total += (np.exp(sample.log_weights) * sample.counts) @ np.stack(
            [x[chosen[first]], np.ones(len(first))], axis=1
        )
    expected = [np.exp(log_weights) @ x, 1.0]
    np.testing.assert_allclose(total / 400, expected, atol=0.02)


def test_bad_elements_are_named(shop: Path) -> None:
    """One far outlier decides the mean of few: leaving it out cannot be done by weights."""
    data = pd.DataFrame({"y": [0.0, 0.1, -0.2, 0.3, 60.0]})
    text = "mu ~ Normal(0, 100)\ns ~ HalfNormal(3)\ny ~ Normal(mu, s)\n"
    found = ppl.from_text(text).condition(data).fit(draws=1000)
    assert found.loo().bad >= 1 and int(np.argmax(found.loo().k)) == 4


def test_missing_elements_are_not_left_out() -> None:
    y = np.where(np.arange(40) % 10 == 3, np.nan, Y)
    found = ppl.from_text(NORMAL).condition(pd.DataFrame({"y": y})).fit(draws=1000).loo()
    np.testing.assert_allclose(found.elpd, exact_loo(Y[~np.isnan(y)]), atol=0.03)


def test_many_rows_are_kept_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ppl.from_text(NORMAL).condition(pd.DataFrame({"y": Y})).fit(draws=200)
    expected = fit.log_likelihood()["y"]
    monkeypatch.setattr("ppl.compile.likelihood._MOST_IN_MEMORY", 100)
    found = fit.log_likelihood()["y"]
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, expected)


def test_of_many_rows_fewer_draws_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ppl.from_text(NORMAL).condition(pd.DataFrame({"y": Y})).fit(draws=2000)
    monkeypatch.setattr("ppl.use.loo._MOST_NUMBERS", 40 * 500)
    monkeypatch.setattr("ppl.use.loo._FEWEST_DRAWS", 300)
    found = fit.loo()
    assert found.good == pytest.approx(1 - 1 / np.log10(500), abs=0.01)
    np.testing.assert_allclose(found.elpd, exact_loo(Y), atol=0.05)
    np.testing.assert_array_equal(fit.loo().elpd, found.elpd)


def test_a_mixture() -> None:
    """A discrete latent for each element is summed out: the same as the mixture written as such."""
    y = np.concatenate([Y, [np.nan]])
    data, priors = pd.DataFrame({"y": y}), "m[2] ~ Ordered(Normal(0, 5))\nw ~ Beta(2, 2)\n"
    fit = ppl.from_text(f"{priors}z[rows] ~ Bernoulli(w)\ny ~ Normal(m[z + 1], 1)\n").condition(data).fit(draws=200)
    m, w = fit.draws["m"], fit.draws["w"][:, None]
    one, other = (stats.norm.pdf(Y, m[:, [k]], 1) for k in (0, 1))
    found = fit.log_likelihood()["y"]
    np.testing.assert_allclose(found[:, :40], np.log((1 - w) * one + w * other))
    assert len(fit.loo().elpd) == 40


def test_elements_with_a_common_discrete_latent_are_refused() -> None:
    text = "z[2] ~ Bernoulli(0.5)\nm ~ Normal(0, 5)\ny ~ Normal(m + z[k], 1)\n"
    fit = ppl.from_text(text).condition(pd.DataFrame({"y": Y[:4], "k": [1, 1, 2, 2]})).fit(draws=100)
    with pytest.raises(ppl.UsageError, match="nothing can be left out: `y` depends on the discrete `z`"):
        fit.loo()
    with pytest.raises(ppl.UsageError, match="no log likelihood by element"):
        fit.log_likelihood()
