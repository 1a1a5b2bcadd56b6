"""Missing cells of observed names: latent, simulated or summed out; each beside the density written out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.language.errors import ModelError

normal = stats.norm.logpdf
NAN = np.nan
X = np.array([0.1, 0.2, NAN, 0.4, 0.5])
Y = np.array([1.0, NAN, 2.0, 0.5, NAN])


def _names(posterior: ppl.Posterior) -> tuple[list[str], list[str]]:
    model = posterior.model
    return [latent.name for latent in model.latents], [latent.name for latent in model.simulated]


def test_cells_that_nothing_depends_on_are_simulated() -> None:
    posterior = ppl.from_text("a ~ Normal(0, 1)\ny ~ Normal(a, 1)").condition({"y": Y})
    assert _names(posterior) == (["a"], ["y"])
    assert posterior.log_density({"a": 0.3}) == pytest.approx(normal(0.3) + normal([1, 2, 0.5], 0.3).sum())
    fit = posterior.fit()
    assert fit.draws["y"].shape == (4000, 2)
    assert fit.summary()["y[2]"]["sd"] == pytest.approx(np.sqrt(1.25), abs=0.06)  # sd of a: 0.5
    assert [label for label, _ in fit.summary()] == ["a", "y[2]", "y[5]"]


def test_missing_predictors_are_inferred() -> None:
    text = "a ~ Normal(0, 1)\nm ~ Normal(0, 1)\nx ~ Normal(m, 1)\ny ~ Normal(a*x, 1)"
    posterior = ppl.from_text(text).condition({"x": X, "y": Y})
    assert _names(posterior) == (["a", "m", "x"], ["y"])
    x = np.where(np.isnan(X), 0.7, X)
    expected = normal(0.3) + normal(0.2) + normal(x, 0.2).sum() + normal([1, 2, 0.5], 0.3 * x[[0, 2, 3]]).sum()
    assert posterior.log_density({"a": 0.3, "m": 0.2, "x": [0.7]}) == pytest.approx(expected)


def test_a_series_with_gaps() -> None:
    text = "a ~ Normal(0, 1)\ny[1] ~ Normal(0, 2)\nfor t in 2..5 { y[t] ~ Normal(a*y[t-1], 1) }"
    posterior = ppl.from_text(text).condition({"y": Y})
    y = Y.copy()
    y[[1, 4]] = 0.6, -0.2
    expected = normal(0.3) + normal(1, 0, 2) + normal(y[1:], 0.3 * y[:-1]).sum()
    assert posterior.log_density({"a": 0.3, "y": [0.6, -0.2]}) == pytest.approx(expected)


def test_a_matrix_with_gaps_in_loops() -> None:
    y = np.array([[1, NAN], [2, 0.3], [NAN, NAN]])
    text = "a[2] ~ Normal(0, 1)\nfor i in 1..3, j in 1..2 { Y[i,j] ~ Normal(a[j], i) }"
    posterior = ppl.from_text(text).condition({"Y": y})
    a = np.array([-0.5, 0.7])
    expected = normal(a).sum() + normal(1, a[0], 1) + normal([2, 0.3], a, 2).sum()
    assert posterior.log_density({"a": a}) == pytest.approx(expected)
    assert posterior.model.simulated[0].axes[0].labels == ("1,2", "3,1", "3,2")


def test_gaps_in_pieces_and_ragged_loops() -> None:
    y = np.array([[1, NAN, 0], [NAN, 0.3, 1]])
    text = """
a ~ Normal(0, 1)
for i in 1..2 {
  y[i,1] ~ Normal(a, 1)
  for j in 2..n[i] { y[i,j] ~ Normal(y[i,j-1], 2) }
}"""
    posterior = ppl.from_text(text).condition({"y": y, "n": np.array([2, 3])})
    filled = y.copy()
    filled[0, 1], filled[1, 0] = 0.4, -0.9
    expected = normal(0.1) + normal(filled[:, 0], 0.1).sum() + normal(0.4, 1, 2) + normal(0.3, -0.9, 2)
    expected += normal(1, 0.3, 2)
    assert posterior.log_density({"a": 0.1, "y": [0.4, -0.9]}) == pytest.approx(expected)


def test_missing_discrete_values_are_summed_out() -> None:
    z = np.array([1, 0, NAN, 1, NAN])
    y = np.array([1.0, 0.3, 2.0, 0.5, -1.0])
    text = "q ~ Beta(1, 1)\nm[2] ~ Normal(0, 1)\nz ~ Bernoulli(q)\ny ~ Normal(m[z + 1], 1)"
    posterior = ppl.from_text(text).condition({"y": y, "z": z})
    q, m = 0.3, np.array([-0.5, 0.7])
    expected = normal(m).sum()
    for own, seen in zip(z, y, strict=True):
        values = [0, 1] if np.isnan(own) else [int(own)]
        expected += np.log(sum((q if k else 1 - q) * stats.norm.pdf(seen, m[k]) for k in values))
    assert posterior.log_density({"q": q, "m": m}) == pytest.approx(expected)
    assert posterior.fit().draws["z"].shape == (4000, 2)


def test_a_chain_of_states_some_of_which_are_known() -> None:
    z = np.array([1, NAN, NAN, 2, NAN])
    y = np.array([1.0, 0.3, 2.0, 0.5, -1.0])
    moves, m = np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([-0.5, 0.7])
    text = """
m[2] ~ Normal(0, 1)
z[1] ~ Categorical([0.5, 0.5])
for t in 2..5 { z[t] ~ Categorical(P[z[t-1]]) }
y ~ Normal(m[z], 1)"""
    posterior = ppl.from_text(text).condition({"y": y, "z": z, "P": moves})
    paths = [path for path in itertools.product([0, 1], repeat=5) if path[0] == 0 and path[3] == 1]
    each = [sum(np.log(moves[a, b]) for a, b in itertools.pairwise(p)) + normal(y, m[list(p)]).sum() for p in paths]
    expected = normal(m).sum() + np.log(0.5) + np.logaddexp.reduce(each)
    assert posterior.log_density({"m": m}) == pytest.approx(expected)


def test_missing_levels() -> None:
    """A column of text: its levels are known, its gaps are summed over."""
    data = {"g": np.array(["a", "b", None, "b"], dtype=object), "y": np.array([0.1, 1.0, 0.9, 1.2])}
    text = "w[2] ~ Dirichlet(1)\nm[g] ~ Normal(0, 1)\ng ~ Categorical(w)\ny ~ Normal(m[g], 1)"
    posterior = ppl.from_text(text).condition(data)
    w, m = np.array([0.3, 0.7]), np.array([-0.5, 0.7])
    known = np.array([0, 1, 1])
    expected = stats.dirichlet.logpdf(w, [1, 1]) + normal(m).sum() + np.log(w[known]).sum()
    expected += normal(data["y"][[0, 1, 3]], m[known]).sum() + np.log((w * stats.norm.pdf(0.9, m)).sum())
    assert posterior.log_density({"w": w, "m": m}) == pytest.approx(expected)


def test_whole_events() -> None:
    y = np.array([[1, 0.4], [2, 0.3], [NAN, NAN]])
    text = "a[2] ~ Normal(0, 1)\nY ~ MvNormal(a, [[1, 0], [0, 1]])"
    posterior = ppl.from_text(text).condition({"Y": y})
    a = np.array([-0.5, 0.7])
    assert posterior.log_density({"a": a}) == pytest.approx(normal(a).sum() + normal(y[:2], a).sum())
    assert [label for label, _ in posterior.fit().summary()] == ["a[1]", "a[2]", "Y[3,1]", "Y[3,2]"]


def test_all_cells_missing() -> None:
    data = {"x": np.full(3, NAN), "y": np.array([1.0, 2.0, 0.0])}
    posterior = ppl.from_text("x ~ Gamma(2, 1)\ny ~ Normal(x, 1)").condition(data)
    x = np.array([0.5, 1.5, 0.2])
    expected = stats.gamma.logpdf(x, 2).sum() + normal(data["y"], x).sum()
    assert posterior.log_density({"x": x}) == pytest.approx(expected)


def test_what_is_observed_keeps_its_gaps() -> None:
    fit = ppl.from_text("a ~ Normal(0, 1)\ny ~ Normal(a, 1)").condition({"y": Y}).fit()
    np.testing.assert_array_equal(fit.record.observed["y"].values, Y)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a ~ Normal(0, 1)\nfor t in 1..4 { y[t] ~ Normal(a, 1) }", r"`y\[5\]` is missing"),
        ("a ~ Normal(0, 1)\nz ~ Normal(a, 1)\nlog(y) ~ Normal(a, 1)", "missing value: data 1, y"),
        ("a[2] ~ Normal(0, 1)\nM ~ MvNormal(a, [[1, 0], [0, 1]])", "only a part is missing"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    data = {"y": Y, "z": np.ones(5), "M": np.array([[1, NAN], [1, 2]])}
    with pytest.raises(ModelError, match=message):
        ppl.from_text(text).condition(data)


def test_a_loop_of_no_rounds_says_nothing_of_missing_cells() -> None:
    text = "for i in 1..0 { y[i] ~ Normal(0, 1) }\ny ~ Normal(0.3, 1)"
    assert ppl.from_text(text).condition({"y": Y}).log_density({}) == pytest.approx(normal([1, 2, 0.5], 0.3).sum())


def test_bounds_that_differ_by_cell_are_those_of_each_missing_cell() -> None:
    t, low = np.array([1.0, NAN, 2.0, NAN]), np.array([0.0, 3.0, 0.5, 4.0])
    loop = "k ~ Exponential(1)\nfor i in 1..4 { t[i] ~ Exponential(k) > low[i] }\nfactor -0.1*sum(t)"
    for text in (loop, "k ~ Exponential(1)\nt ~ Exponential(k) > low\nfactor -0.1*sum(t)"):
        posterior = ppl.from_text(text).condition({"t": t, "low": low})
        whole = np.array([1.0, 3.5, 2.0, 6.0])
        expected = -0.7 + (np.log(0.7) - 0.7 * (whole - low)).sum() - 0.1 * whole.sum()
        assert posterior.log_density({"k": 0.7, "t": whole[[1, 3]]}) == pytest.approx(expected)


def test_rounds_that_a_ragged_loop_leaves_out_may_hold_anything() -> None:
    text = "p ~ Beta(1, 1)\nfor i in 1..3, j in 1..n[i] { k[i,j] ~ Bernoulli(p) }"
    k = np.array([[1, 0, -1], [-1, -1, -1], [1, 1, 0]])
    posterior = ppl.from_text(text).condition({"k": k, "n": np.array([2, 0, 3])})
    assert posterior.log_density({"p": 0.3}) == pytest.approx(3 * np.log(0.3) + 2 * np.log(0.7))
    with pytest.raises(ModelError, match="`k\\[i,j\\]` is -1 at element 1, 3"):
        ppl.from_text(text).condition({"k": k, "n": np.array([3, 0, 3])})


def test_a_statement_that_fails_says_nothing_of_missing_cells() -> None:
    with pytest.raises(ModelError) as error:
        ppl.from_text("y ~ Normal(m, 1)").condition({"y": Y})
    assert [mistake.kind for mistake in error.value.mistakes] == ["unknown-name"]


def test_parameters_of_rounds_that_a_ragged_loop_leaves_out_may_be_anything() -> None:
    text = "m ~ Normal(0, 1)\nfor i in 1..2, j in 1..n[i] { y[i,j] ~ Normal(m, s[i,j]) }"
    y, s = np.array([[1.0, 2.0], [3.0, 9.0]]), np.array([[1.0, 2.0], [0.5, 0.0]])
    posterior = ppl.from_text(text).condition({"y": y, "s": s, "n": np.array([2, 1])})
    expected = normal(0.3) + normal([1, 2, 3], 0.3, [1, 2, 0.5]).sum()
    assert posterior.log_density({"m": 0.3}) == pytest.approx(expected)
    with pytest.raises(ModelError, match="must be positive, and is 0"):
        ppl.from_text(text).condition({"y": y, "s": s, "n": np.array([2, 2])})


@pytest.mark.parametrize("family", ["Normal(p, 1)", "Bernoulli(p)"])
def test_empty_cells_that_fill_up_short_rows_are_no_part_of_the_model(family: str) -> None:
    """A matrix of rows of different lengths: what no statement speaks of, and none reads, need not be there."""
    y = np.array([[1, NAN, NAN], [NAN, NAN, NAN], [1, 0, 1]])
    text = f"p ~ Beta(1, 1)\nfor i in 1..3, j in 1..n[i] {{ y[i,j] ~ {family} }}"
    posterior = ppl.from_text(text).condition({"y": y, "n": np.array([2, 0, 3])})
    density = {"Normal(p, 1)": normal([1, 1, 0, 1], 0.3), "Bernoulli(p)": stats.bernoulli.logpmf([1, 1, 0, 1], 0.3)}
    assert posterior.log_density({"p": 0.3}) == pytest.approx(density[family].sum())
    assert posterior.model.simulated[0].axes[0].labels == ("1,2",)


def test_an_empty_cell_that_is_read_needs_a_distribution() -> None:
    text = "a ~ Normal(0, 1)\nfor t in 2..5 { y[t] ~ Normal(a*y[t-1], 1) }"
    with pytest.raises(ModelError, match="`y\\[1\\]` is missing in the data, and no statement gives it a distribution"):
        ppl.from_text(text).condition({"y": np.array([NAN, 1, 2, 0, 1])})
