"""`factor`, `logp`, `levels`, `data` and tables over levels: log densities worked out by hand with scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ppl

ROWS = {"y": [0.5, 2.0, -1.0, 1.0], "g": ["b", "a", "b", "c"]}


def given(text: str, *data: Any, **tables: Any) -> ppl.Posterior:
    return ppl.api.from_text(text).condition(*data, **tables)


def normal(x: Any, mean: Any, sd: Any = 1.0) -> float:
    return float(np.sum(stats.norm(mean, sd).logpdf(x)))


def close(found: float, expected: float) -> bool:
    return found == pytest.approx(expected, rel=1e-12, abs=1e-12)


# -- factor and logp --------------------------------------------------------------------------------------------------


def test_factor_in_a_loop_counts_once_a_round() -> None:
    posterior = given("m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nfor i in 1..3 { factor m }", ROWS)
    assert close(posterior.log_density({"m": 0.7}), normal(0.7, 0) + normal(ROWS["y"], 0.7) + 3 * 0.7)


def test_factor_in_ragged_loops_counts_what_is_there() -> None:
    posterior = given("m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nfor i in 1..4, j in i..4 { factor m*y[i]*j }", ROWS)
    extra = sum(0.7 * ROWS["y"][i - 1] * j for i in range(1, 5) for j in range(i, 5))
    assert close(posterior.log_density({"m": 0.7}), normal(0.7, 0) + normal(ROWS["y"], 0.7) + extra)


def test_a_latent_that_only_a_factor_uses_is_inferred() -> None:
    posterior = given("m ~ Normal(0, 1)\nq ~ Normal(0, 1)\nfree ~ Normal(0, 1)\ny ~ Normal(m, 1)\nfactor -q^2", ROWS)
    assert [latent.name for latent in posterior.model.latents] == ["m", "q"]
    assert [latent.name for latent in posterior.model.simulated] == ["free"]


def test_a_factor_shifts_the_posterior_as_it_should() -> None:
    """factor -(q - 3)^2/2 with the prior Normal(0, 1) is the posterior Normal(1.5, sqrt 0.5)."""
    fit = given("q ~ Normal(0, 1)\nfactor -0.5*(q - 3)^2", {"unused": 1.0}).fit()
    assert fit.summary()["q"]["mean"] == pytest.approx(1.5, abs=0.03)
    assert fit.summary()["q"]["sd"] == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_a_constant_factor_is_noted() -> None:
    posterior = given("m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nfactor sum(y)", ROWS)
    assert any("adds 2.5 to the log density" in note for note in posterior.model.notes)


def test_logp_is_pointwise() -> None:
    posterior = given("m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nll = logp(y ~ StudentT(4, m, 2) > -3)", ROWS)
    fit = posterior.fit(draws=200, keep_all=True)
    m = fit.draws["m"][:, None]
    mass = stats.t(4, m, 2).sf(-3)
    np.testing.assert_allclose(fit.draws["ll"], stats.t(4, m, 2).logpdf(ROWS["y"]) - np.log(mass), rtol=1e-10)


def test_logp_outside_the_support_is_minus_infinity() -> None:
    posterior = given("m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nll = logp(y ~ Exponential(1))", ROWS)
    np.testing.assert_allclose(posterior.model.derived["ll"].value, [-0.5, -2.0, -np.inf, -1.0])


def test_logp_sums_over_a_mixture_like_a_discrete_latent() -> None:
    by_hand = """
    data y[N]
    mu[2] ~ Normal(0, 3)
    w[2] ~ Dirichlet(1)
    for i in 1..N { factor logsumexp(log(w[k]) + logp(y[i] ~ Normal(mu[k], 1)) for k in 1..2) }
    """
    discrete = "data y[N]\nmu[2] ~ Normal(0, 3)\nw[2] ~ Dirichlet(1)\nz[N] ~ Categorical(w)\ny ~ Normal(mu[z], 1)"
    values = {"mu": [0.3, 2.0], "w": [0.4, 0.6]}
    data = {"y": ROWS["y"]}
    assert close(given(by_hand, data).log_density(values), given(discrete, data).log_density(values))


# -- levels -----------------------------------------------------------------------------------------------------------

MATCHES = {"home": ["P", "A", "T"], "away": ["A", "T", "P"], "goals": [1.0, 2.0, 0.0]}


def test_levels_of_two_columns() -> None:
    text = "levels team = home, away\na[team] ~ Normal(0, 1)\ngoals ~ Normal(a[home] - a[away], 1)"
    posterior = given(text, pd.DataFrame(MATCHES))
    assert posterior.model.latents[0].axes[0].labels == ("A", "P", "T")
    a = np.array([0.1, -0.4, 0.9])
    difference = a[[1, 0, 2]] - a[[0, 2, 1]]
    assert close(posterior.log_density({"a": a}), normal(a, 0) + normal(MATCHES["goals"], difference))


def test_levels_in_order_for_an_axis_and_for_categories() -> None:
    text = """
    levels g = "c", "a", "b"
    e[g] ~ Normal(0, 1)
    g ~ Categorical(logit = e)
    """
    posterior = given(text, pd.DataFrame(ROWS))
    assert posterior.model.latents[0].axes[0].labels == ("c", "a", "b")
    e = np.array([0.2, -0.5, 1.0])
    p = np.exp(e) / np.exp(e).sum()
    assert close(posterior.log_density({"e": e}), normal(e, 0) + float(np.log(p[[2, 1, 2, 0]]).sum()))


def test_a_level_without_rows_has_its_prior() -> None:
    posterior = given('levels g = "a", "b", "c", "d"\na[g] ~ Normal(0, 1)\ny ~ Normal(a[g], 1)', pd.DataFrame(ROWS))
    fit = posterior.fit()
    assert fit.summary()["a[d]"]["sd"] == pytest.approx(1, abs=0.05)
    assert fit.summary()["a[a]"]["sd"] == pytest.approx(np.sqrt(0.5), abs=0.05)


def test_sums_by_a_level_without_rows_are_zero() -> None:
    text = 'levels g = "a", "b", "c", "d"\ntotal = sum(y, by = g)\nm ~ Normal(0, 1)\ny ~ Normal(m + total[g], 1)'
    total = given(text, pd.DataFrame(ROWS)).model.derived["total"].value
    np.testing.assert_allclose(total, [2.0, -0.5, 1.0, 0.0])


# -- tables over levels -----------------------------------------------------------------------------------------------


def test_a_table_over_a_column() -> None:
    """As if each value had been copied into the rows."""
    text = "b ~ Normal(0, 1)\na[g] ~ Normal(b*u, 1)\ny ~ Normal(a[g] + u[g]/10, 1)"
    second = {"g": ["c", "a", "b"], "u": [3.0, 1.0, 2.0]}
    posterior = given(text, pd.DataFrame(ROWS), g=second)
    a = np.array([0.3, -0.2, 0.8])
    mean = a[[1, 0, 1, 2]] + np.array([2.0, 1.0, 2.0, 3.0]) / 10
    expected = normal(0.4, 0) + normal(a, 0.4 * np.array([1.0, 2.0, 3.0])) + normal(ROWS["y"], mean)
    assert close(posterior.log_density({"b": 0.4, "a": a}), expected)
    assert posterior.model.data.sources == ("data 1", "g=the table over g")


def test_a_table_over_named_levels_and_a_factor_in_it() -> None:
    """Teams in regions: levels of a column of the second table."""
    text = """
    levels team = home, away
    r[region] ~ Normal(0, 1)
    a[team] ~ Normal(r[region], 1)
    goals ~ Normal(a[home] - a[away], 1)
    """
    second = {"team": ["P", "T", "A", "Z"], "region": ["south", "east", "west", "north"]}
    posterior = given(text, pd.DataFrame(MATCHES), team=second)
    r, a = np.array([0.5, 1.0, -1.0]), np.array([0.1, -0.4, 0.9])
    difference = a[[1, 0, 2]] - a[[0, 2, 1]]
    expected = normal(r, 0) + normal(a, r[[2, 1, 0]]) + normal(MATCHES["goals"], difference)
    assert close(posterior.log_density({"r": r, "a": a}), expected)


def test_what_is_observed_for_each_level() -> None:
    second = {"g": ["c", "a", "b"], "seen": [3.0, 1.0, 2.0]}
    posterior = given("a[g] ~ Normal(0, 1)\nseen ~ Normal(a, 2)\ny ~ Normal(a[g], 1)", pd.DataFrame(ROWS), g=second)
    a = np.array([0.3, -0.2, 0.8])
    expected = normal(a, 0) + normal([1.0, 2.0, 3.0], a, 2.0) + normal(ROWS["y"], a[[1, 0, 1, 2]])
    assert close(posterior.log_density({"a": a}), expected)


# -- data lines -------------------------------------------------------------------------------------------------------


def test_a_length_is_bound_and_used() -> None:
    posterior = given("data y[N]\nm ~ Normal(N, 1)\ne[N] ~ Normal(m, 1)\ny ~ Normal(e, 1)", {"y": [1.0, 2.0]})
    found = posterior.log_density({"m": 1.5, "e": [0.5, 1.0]})
    assert close(found, normal(1.5, 2) + normal([0.5, 1.0], 1.5) + normal([1.0, 2.0], [0.5, 1.0]))


def test_lengths_that_agree_with_the_data() -> None:
    given("data y[N], N, x[N]\nm ~ Normal(0, 1)\ny ~ Normal(m*x, 1)", {"y": [1.0, 2.0], "x": [1.0, 1.0], "N": [2]})
    given("data y[rows]\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)", pd.DataFrame({"y": [1.0, 2.0]}))


def test_only_the_names_of_the_line_are_read() -> None:
    posterior = given("data only y\nz ~ Normal(0, 1)\ny ~ Normal(z, 1)", {"y": [1.0, 2.0], "z": 3.0})
    assert [latent.name for latent in posterior.model.latents] == ["z"]
    assert set(posterior.model.data.columns) == {"y"}


def test_only_leaves_the_keys_of_tables(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("g,u,v\na,1,9\nb,2,9\nc,3,9\n")
    text = "data only y, g, u\na[g] ~ Normal(u, 1)\ny ~ Normal(a[g], 1)"
    posterior = given(text, pd.DataFrame(ROWS), g=tmp_path / "g.csv")
    assert set(posterior.model.data.columns) == {"y", "g", "u"}


def test_recoding_makes_numbers_of_a_column_with_words(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("y,x\n1,NA\n2,3\n")
    text = 'data x missing "NA"\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)'
    column = given(text, tmp_path / "d.csv").model.data.columns["x"]
    assert column.missing is not None and column.missing.tolist() == [True, False]
    np.testing.assert_array_equal(column.values, [np.nan, 3.0])


def test_recoding_that_finds_nothing_is_noted() -> None:
    posterior = given("data y missing -9\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": [1.0]})
    assert any("no value of `y` is -9" in note for note in posterior.model.notes)
