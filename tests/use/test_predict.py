"""Predictions against closed forms, and that what the fit's data decide stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ppl
from ppl.model.distributions.vectors import MV_STUDENT_T
from tests.use.conftest import run

RNG = np.random.default_rng(1)
N = 60
X = RNG.normal(3, 2, N)
G = RNG.choice(list("abc"), N)
U = np.array([{"a": 1.0, "b": 2.0, "c": -1.0}[g] for g in G])
ROWS = pd.DataFrame({
    "x": X, "g": G, "u": U, "y": 1 + 2 * X + U + RNG.normal(0, 0.5, N), "n": RNG.poisson(3, N),
    "k": RNG.choice(["lo", "mid", "hi"], N),
})  # fmt: skip
LINE = "sigma ~ HalfNormal(2)\na ~ Normal(0, 10)\nb ~ Normal(0, 10)\n"
NEW = pd.DataFrame({"x": [3.0, 7.0], "g": ["a", "b"], "u": [1.0, 2.0]})


def fit(text: str, data: Any = ROWS, draws: int = 400, **tables: Any) -> ppl.Fit:
    return ppl.from_text(text, "m.ppl").condition(data, **tables).fit(draws=draws, guide="meanfield")


def test_closed_form() -> None:
    """Normal mean with known sd: the predictive is normal, its sd made of both."""
    found = fit("mu ~ Normal(0, 10)\ny ~ Normal(mu, 2)\n", ROWS[["y"]], draws=4000).predict({"z": [0.0, 0.0]})
    precision = 1 / 100 + N / 4
    mean, sd = ROWS.y.sum() / 4 / precision, np.sqrt(4 + 1 / precision)
    y = found["y"]
    assert y.shape == (4000, 2)
    np.testing.assert_allclose(y.mean(axis=0), mean, atol=4 * sd / np.sqrt(4000))
    np.testing.assert_allclose(y.std(axis=0), sd, rtol=0.05)
    assert abs(np.corrcoef(y.T)[0, 1]) < 0.1  # the mean is known, so rows are nearly independent
    summary = found.summary()
    np.testing.assert_allclose(summary["y_mean"], y.mean(axis=0))
    np.testing.assert_allclose(summary["y_q95"], mean + 1.645 * sd, atol=0.2)


SAME_LINE = {
    "standardize": "y ~ Normal(a + b*standardize(x), sigma)\n",
    "center": "y ~ Normal(a + b*center(x), sigma)\n",
    "by hand": "m = mean(y)\ny ~ Normal(m + a + b*(x - mean(x))/sd(x), sigma)\n",
    "function": "z(v) = (v - mean(v))/sd(v)\ny ~ Normal(a + b*z(x), sigma)\n",
    "rows": "y ~ Normal(a + b*(x - sum(x)/rows), sigma)\n",
    "data line": "data y[N]\ny ~ Normal(a + b*(x - sum(x)/N), sigma)\n",
    "loop": "data y[N]\nfor i in 1..N { y[i] ~ Normal(a + b*(x[i] - sum(x[j] for j in 1..N)/N), sigma) }\n",
    "poly": "B = poly(x, 2)\nc[B] ~ Normal(0, 100)\ny ~ Normal(a + B @ c + 0*b, sigma)\n",
    "bspline": "B = bspline(x, 4)\nc[B] ~ Normal(0, 100)\ny ~ Normal(a + B @ c + 0*b, sigma)\n",
    "means by level": "m = mean(x, by = g)\ny ~ Normal(a + b*(x - m[g]) + 2*m[g], sigma)\n",
}


@pytest.mark.parametrize("text", SAME_LINE.values(), ids=SAME_LINE)
def test_what_the_data_decide_does_not_shift(text: str) -> None:
    """Means, sds, knots and counts are those of the fit's rows: a row is predicted alike alone and beside others, and
    a row of the fit as the fit itself has it."""
    found = fit(text + LINE, draws=200)
    both = found.predict(NEW, kind="mean")["y"]
    alone = found.predict(NEW.iloc[[1]], kind="mean")["y"]
    np.testing.assert_allclose(both[:, 1], alone[:, 0], rtol=1e-9)
    np.testing.assert_allclose(both.mean(axis=0), 1.8 + 2 * NEW.x, atol=1.5)
    again = found.predict(ROWS, kind="mean")["y"]
    noise = (ROWS.y.to_numpy() - again) / found.draws["sigma"][:, None]
    expected = -0.5 * noise**2 - np.log(found.draws["sigma"])[:, None] - 0.5 * np.log(2 * np.pi)
    known = found.log_likelihood()
    np.testing.assert_allclose(expected, known[next(iter(known))].reshape(expected.shape), rtol=1e-6, atol=1e-8)


LEVELS = "y ~ Normal(al[g] + b*x, sigma)\nal[g] ~ Normal(a + t*u, s)\ns ~ HalfNormal(2)\nt ~ Normal(0, 3)\n" + LINE


def test_levels() -> None:
    found = fit(LEVELS)
    old = found.predict(NEW[["x", "g"]], kind="mean")["y"]
    al, b = found.draws["al"], found.draws["b"]
    np.testing.assert_allclose(old, al[:, :2] + b[:, None] * NEW.x.to_numpy())
    new = pd.DataFrame({"x": [1.0, 1.0], "g": ["a", "aa"], "u": [1.0, 5.0]})
    with pytest.raises(ppl.DataError, match='`g` has levels that the fit has not seen: "aa"'):
        found.predict(new)
    both = found.predict(new, kind="mean", new_levels="sample")["y"]
    np.testing.assert_allclose(both[:, 0], al[:, 0] + b)
    draws = found.draws
    expected = draws["a"] + 5 * draws["t"] + b
    away = (both[:, 1] - expected) / draws["s"]
    assert abs(away.mean()) < 0.2 and away.std() == pytest.approx(1, abs=0.15)
    with pytest.raises(ppl.DataError, match="needs the column `u`"):
        found.predict(new[["x", "g"]], new_levels="sample")
    with pytest.raises(ppl.DataError, match="`u` is not constant within g"):
        found.predict(new.assign(g="a"))


def test_tables_over_levels() -> None:
    table = pd.DataFrame({"g": ["a", "b", "c"], "u": [1.0, 2.0, -1.0]})
    found = fit(LEVELS, ROWS.drop(columns="u"), g=table)
    assert found.predict(NEW[["x", "g"]])["y"].shape == (400, 2)
    new = pd.DataFrame({"x": [1.0], "g": ["new"]})
    with pytest.raises(ppl.DataError, match='no row has the level "new"'):
        found.predict(new, new_levels="sample")
    more = pd.DataFrame({"g": ["new", "a"], "u": [100.0, 7.0]})
    drawn = found.predict(new, new_levels="sample", kind="mean", g=more)["y"][:, 0]
    draws = found.draws
    away = (drawn - draws["a"] - 100 * draws["t"] - draws["b"]) / draws["s"]
    assert away.std() == pytest.approx(1, abs=0.2)


def test_rows_that_have_no_value_are_named() -> None:
    """An exposure below 0 has no logarithm: NaN would stand in the table otherwise."""
    found = fit("a ~ Normal(0, 1)\nn ~ Poisson(log = a + log(x + 9))\n", draws=100)
    with pytest.raises(ppl.UsageError, match="`n` has no value in row 2: the columns there"):
        found.predict({"x": [1.0, -10.0]})


def test_only_what_is_needed() -> None:
    """Several observed names, one of which the other depends on: it is drawn too, or read where it is given."""
    text = "y ~ Normal(a + b*x + c*n, sigma)\nn ~ Poisson(rate)\nrate ~ Gamma(2, 1)\nc ~ Normal(0, 1)\n" + LINE
    found = fit(text)
    assert found.predict({"q": 0.0}, of="n")["n"].shape == (400, 1)
    with pytest.raises(ppl.DataError, match="the prediction needs the column `x`"):
        found.predict({"q": 0.0})
    both = found.predict(NEW)
    assert set(both.draws) == {"y", "n"}
    given = found.predict(NEW.assign(n=[3, 100]), of="y", kind="mean")["y"]
    draws = found.draws
    np.testing.assert_allclose(given[:, 1] - given[:, 0], 4 * draws["b"] + 97 * draws["c"])
    with pytest.raises(ppl.UsageError, match=r"`x` is not observed in this fit, which observes `.`, `.`"):
        found.predict(NEW, of="x")


def test_series() -> None:
    """Rows behind those of the fit go on with the series: each depends on the one before, of the fit or drawn."""
    y = [0.0]
    for step in np.random.default_rng(3).normal(0, 0.1, 79):
        y.append(0.9 * y[-1] + step)
    y[-1] = 3.0
    text = "y[1] ~ Normal(0, 1)\nfor t in 2..rows { y[t] ~ Normal(phi*y[t-1], s) }\n"
    text += "phi ~ Uniform(-1, 1)\ns ~ Exponential(1)\n"
    found = fit(text, pd.DataFrame({"y": y}))
    new = found.predict({"z": [0.0] * 3})["y"]
    phi = found.draws["phi"]
    np.testing.assert_allclose(new.mean(axis=0), [(3 * phi).mean(), (3 * phi**2).mean(), (3 * phi**3).mean()], atol=0.2)
    step = (new[:, 1:] - phi[:, None] * new[:, :-1]) / found.draws["s"][:, None]
    assert step.std() == pytest.approx(1, abs=0.1)


def test_latents_of_rows_and_discrete_ones() -> None:
    """New rows have latents of their own, drawn from their distribution."""
    text = "w ~ Beta(2, 2)\nz[rows] ~ Bernoulli(w)\nm[2] ~ Ordered(Normal(0, 20))\ny ~ Normal(m[z + 1], 0.5)\n"
    y = np.concatenate([np.full(9, -4.0), np.full(21, 6.0)]) + np.random.default_rng(2).normal(0, 0.5, 30)
    new = fit(text, pd.DataFrame({"y": y}), draws=1000).predict({"x": [1.0]})["y"][:, 0]
    assert (new > 1).mean() == pytest.approx((21 + 2) / (30 + 4), abs=0.06)
    assert new[new > 1].mean() == pytest.approx(6, abs=0.3)


def test_categories_and_expressions() -> None:
    found = fit("p[3] ~ Dirichlet(1)\nk ~ Categorical(p)\nlog(n + 1) ~ Normal(a + b*x, sigma)\n" + LINE)
    both = found.predict(NEW)
    assert set(both.draws) == {"k", "log(n + 1)"}
    shares = [both.summary()[f"k_p_{level}"] for level in ("hi", "lo", "mid")]
    np.testing.assert_allclose(np.sum(shares, axis=0), 1)
    np.testing.assert_allclose(np.transpose(shares)[0], found.draws["p"].mean(axis=0), atol=0.08)
    means = found.predict(NEW, of="log(n + 1)", kind="mean")["log(n + 1)"]
    expected = found.draws["a"][:, None] + found.draws["b"][:, None] * NEW.x.to_numpy()
    np.testing.assert_allclose(means, expected)
    with pytest.raises(ppl.UsageError, match="`Categorical` gives categories, which have no mean; predict"):
        found.predict(NEW, of="k", kind="mean")


def test_missing_cells() -> None:
    """What was imputed in the fit stays; a missing predictor is drawn, where it has a distribution."""
    data = ROWS.copy()
    data.loc[[3, 7], "y"] = np.nan
    data.loc[5, "x"] = np.nan
    text = "y ~ Normal(a + b*x, sigma)\nx ~ Normal(m, s)\nm ~ Normal(0, 10)\ns ~ HalfNormal(5)\n" + LINE
    found = fit(text, data)
    draws = found.draws
    known = found.predict(NEW, of="y", kind="mean")["y"]
    np.testing.assert_allclose(known, draws["a"][:, None] + draws["b"][:, None] * NEW.x.to_numpy())
    drawn = found.predict({"q": [0.0]}, of="y")["y"]
    assert drawn.mean() == pytest.approx(data.y.mean(), abs=0.8)
    assert drawn.std() == pytest.approx(data.y.std(), rel=0.15)


def test_arrays_without_rows() -> None:
    """Lists of one length are as good as a table."""
    text = "y ~ Normal(a + b*standardize(x), sigma)\n" + LINE
    lists = {"x": X, "y": ROWS.y.to_numpy()}
    expected = fit(text).predict(NEW, kind="mean")["y"]
    np.testing.assert_allclose(fit(text, lists).predict({"x": [3.0, 7.0]}, kind="mean")["y"], expected, rtol=1e-6)


COUNTED = ("y[N] ~ Normal(a + b*x + N/60, sigma)\n", "for i in 1..N { y[i] ~ Normal(a + b*x[i] + N/60, sigma) }\n")


@pytest.mark.parametrize("line", COUNTED)
def test_a_count_of_rows_from_the_data(line: str) -> None:
    """In a loop or a bracket it counts the new rows too; in a formula it is what it was."""
    found = fit(line + LINE, {"N": N, "x": X, "y": ROWS.y.to_numpy()})
    draws = found.draws
    expected = draws["a"][:, None] + 1 + draws["b"][:, None] * NEW.x.to_numpy()
    np.testing.assert_allclose(found.predict({"x": [3.0, 7.0]}, kind="mean")["y"], expected)


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * (x[:, None] - y) ** 2)


AT = np.sort(np.random.default_rng(7).uniform(0, 10, 25))
CURVE = pd.DataFrame({"x": AT, "y": np.sin(AT) + np.random.default_rng(8).normal(0, 0.2, 25)})
FIELDS = {
    "f[rows] ~ GP(exp_quad(x, 1, 1))\ny ~ Normal(f, 0.2)\n": 0.0,
    "f[rows] ~ MvNormal(0, exp_quad(x, 1, 1) + 1e-6*diag(1 + 0*x))\ny ~ Normal(f, 0.2)\n": 0.0,
    "raw[rows] ~ Normal(0, 1)\nf = cholesky(exp_quad(x, 1, 1) + 1e-6*diag(1 + 0*x)) @ raw\ny ~ Normal(f, 0.2)\n": 0.0,
    "y ~ MvNormal(m, exp_quad(x, 1, 1) + 0.04*diag(1 + 0*x))\nm ~ Normal(0, 0.001)\n": 0.2,
}


@pytest.mark.parametrize("text", FIELDS)
def test_gaussian_processes(text: str) -> None:
    """At new places given what is known of the old ones: mean and covariance in closed form, in and outside of them."""
    new = np.array([2.2, 5.0, 5.1, 14.0])
    noise = FIELDS[text]
    found = fit(text, CURVE, draws=4000).predict({"x": new}, kind="response" if noise else "mean")["y"]
    gain = np.linalg.solve(kernel(AT, AT) + 0.04 * np.eye(25), kernel(AT, new)).T
    expected = kernel(new, new) - gain @ kernel(AT, new) + noise**2 * np.eye(4)
    np.testing.assert_allclose(found.mean(axis=0), gain @ CURVE.y.to_numpy(), atol=0.06)
    np.testing.assert_allclose(np.cov(found.T), expected, atol=0.06)


def test_fields_over_levels() -> None:
    """A new site between two others: levels are sorted, so its place is among theirs."""
    place = pd.DataFrame({"s": ["a", "b", "d", "e"], "at": [0.0, 1.0, 3.0, 4.0]})
    site = np.tile(place.s.to_numpy(), 10)
    data = pd.DataFrame({"s": site, "at": np.tile(place["at"], 10), "y": np.tile([0.0, 2.0, 1.0, -1.0], 10)})
    text = "f[s] ~ MvNormal(0, exp_quad(at, 1, 1))\ny ~ Normal(f[s], 0.1)\n"
    new = pd.DataFrame({"s": ["c", "b"], "at": [2.0, 1.0]})
    found = fit(text, data, draws=2000).predict(new, kind="mean", new_levels="sample")["y"]
    x, y = place["at"].to_numpy(), data.y.to_numpy()[:4]
    gain = np.linalg.solve(kernel(x, x) + 0.001 * np.eye(4), kernel(x, np.array([2.0, 1.0]))).T
    np.testing.assert_allclose(found.mean(axis=0), gain @ y, atol=0.05)
    variance = 1 - (gain * kernel(x, np.array([2.0, 1.0])).T).sum(axis=1)
    np.testing.assert_allclose(found.var(axis=0), variance, atol=0.03)


def test_student_fields() -> None:
    """Vectors far out are more spread: the variance given known elements grows with their distance (Roth 2013)."""
    x, new = np.array([0.0, 3.0, 3.5, 6.0]), np.array([False, True, False, False])
    root = np.linalg.cholesky(kernel(x, x))
    for size in (0.5, 4.0):
        old = np.array([size, 0.0, -size, size])
        drawn = MV_STUDENT_T.go_on(np.random.default_rng(1), np.tile(old, (40_000, 1)), new, 5.0, 0.0, root)
        gain = np.linalg.solve(kernel(x[~new], x[~new]), kernel(x[~new], x[new])).T
        distance = old[~new] @ np.linalg.solve(kernel(x[~new], x[~new]), old[~new])
        spread = (5 + distance) / (5 + 3) * (1 - gain @ kernel(x[~new], x[new]))[0, 0] * 8 / 6
        assert drawn[:, 1].mean() == pytest.approx((gain @ old[~new])[0], abs=0.03)
        assert drawn[:, 1].var() == pytest.approx(spread, rel=0.05)
        np.testing.assert_array_equal(drawn[:, ~new], np.tile(old[~new], (40_000, 1)))


WALKS = {
    "f[rows] ~ GaussianRandomWalk(0.5, drift = 0.2)\ny ~ Normal(f, 0.1)\n": (1.0, 0.2),
    "f[rows] ~ AR([0.8], 0.5)\ny ~ Normal(f, 0.1)\n": (0.8, 0.0),
    "f[rows] ~ AR([0.8], 0.5, init_sd = 3)\ny ~ Normal(f, 0.1)\n": (0.8, 0.0),
}


@pytest.mark.parametrize("text", WALKS)
def test_walks_go_on(text: str) -> None:
    keep, drift = WALKS[text]
    fitted = fit(text, CURVE, draws=4000)
    found = fitted.predict({"x": [1.0, 2.0, 3.0]}, kind="mean")["y"]
    last, sd2 = fitted.draws["f"][:, -1], 0.25
    for t in range(3):
        last = keep * last + drift
        left = found[:, t] - last
        assert left.mean() == pytest.approx(0, abs=0.06)
        assert left.var() == pytest.approx(sd2 * sum(keep ** (2 * i) for i in range(t + 1)), rel=0.1)


OF_COUNTS = {
    "n ~ Poisson(r) > 0": 1, "n ~ 1 < Poisson(r) < 9": 3, "n ~ ZeroInflated(0.2, Poisson(r))": 0,
    "n ~ Hurdle(0.3, Poisson(r))": 0, "n ~ Hurdle(0.3, NegBinomial(r, 2))": 0, "n ~ Censored(Poisson(r), upper = 7)": 0,
    "n ~ Mixture([0.3, 0.7], Poisson(r), Poisson(1) > 1)": 0,
    "w[2] ~ Gamma(2, 1)\nn ~ Mixture([0.3, 0.7], Poisson(w))": 0,
    "n ~ Normal(r, 2) > 0": 0, "n ~ Mixture([0.3, 0.7], Normal(r, 1), StudentT(4, 1, r))": 0,
    "n ~ Censored(Normal(r, 2), lower = 0)": 0, "n ~ Censored(StudentT(5, r, 2), lower = 0, upper = 9)": 0,
    "n ~ Hurdle(0.3, Gamma(2, r))": 0,
}  # fmt: skip


@pytest.mark.parametrize("line", OF_COUNTS)
def test_means_of_what_is_bounded_or_put_together(line: str) -> None:
    """The mean of each row given the latents is that of many responses."""
    n = np.clip(np.random.default_rng(1).poisson(4, 30), OF_COUNTS[line], 7)
    found = fit(f"r ~ Gamma(2, 1)\n{line}\n", pd.DataFrame({"n": n}), draws=1000)
    means = found.predict({"z": [0.0]}, kind="mean")["n"]
    drawn = found.predict({"z": np.zeros(100)})["n"]
    error = (drawn - means).std() / np.sqrt(drawn.size)
    assert abs((drawn - means).mean()) < 4.5 * error
    assert means.std() < 0.5 * drawn.std()


def test_systems_of_equations() -> None:
    """Later times go on with the solution."""
    text = "ode s in t from 0 { u = u0; u' = -k*u }\nk ~ Exponential(1)\nu0 ~ Exponential(0.1)\ny ~ Normal(u, 0.1)\n"
    t = np.linspace(0.1, 2, 20)
    data = pd.DataFrame({"t": t, "y": 8 * np.exp(-0.7 * t) + np.random.default_rng(4).normal(0, 0.1, 20)})
    found = fit(text, data, draws=100)
    later = found.predict({"t": [3.0, 4.0]}, kind="mean")["y"]
    draws = found.draws
    expected = draws["u0"][:, None] * np.exp(-draws["k"][:, None] * np.array([3.0, 4.0]))
    np.testing.assert_allclose(later, expected, rtol=1e-4)
    with pytest.raises(ppl.DataError, match="counted on from 21"):
        found.predict({"t": [1.0]})


def test_same_bits(tmp_path: Any) -> None:
    """From the file as from the fit itself; another seed gives others."""
    found = fit(LEVELS, draws=200)
    found.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc")
    np.testing.assert_array_equal(found.predict(NEW)["y"], again.predict(NEW)["y"])
    assert (found.predict(NEW, seed=2)["y"] != again.predict(NEW)["y"]).all()
    again.predict(NEW).save(tmp_path / "p.json")
    again.predict(NEW).save(tmp_path / "d.csv", all_draws=True)
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "d.csv").to_numpy(), again.predict(NEW)["y"])
    np.testing.assert_array_equal(pd.read_json(tmp_path / "p.json").y_mean, again.predict(NEW).summary()["y_mean"])


REFUSED = [
    ("y ~ Normal(a + b*x, sigma)\n", {"x": ["q"]}, "`x` holds text, and real values in the data of the fit"),
    ("y ~ Normal(a + b*x, sigma)\n", {"x": [None, 1.0]}, r"a value is missing, and the prediction needs it"),
    ("y ~ Normal(a + b*x, sigma)\n", {"x": [1.0], "u": [1.0, 2.0]}, "has 1 elements, and `u` 2"),
    ("y ~ Normal(a + b*softmax(x), sigma)\n", NEW, "`softmax` works on all rows of the data at once"),
    ("B = bspline(x, 4)\nc[B] ~ Normal(0, 9)\ny ~ Normal(a + B @ c + b, sigma)\n", {"x": [100.0]}, "`x` is 100 in"),
    ("y ~ Cauchy(a + b*x, sigma) > -50\n", NEW, r"`Cauchy` has no mean in 100.0% of the draws; predict the response"),
    ("f[rows] ~ MvNormal(0, eye(60))\ny ~ Normal(a + f + 0*b, sigma)\n", NEW, "`f`|rows"),
    ("f[rows] ~ ZeroSum(Normal(0, 1))\ny ~ Normal(a + f + 0*b, sigma)\n", NEW, "have one distribution together"),
    (
        "f[rows] ~ MvNormal(0, prec = diag(1 + 0*x) + 0.01)\ny ~ Normal(a + f + 0*b, sigma)\n",
        NEW,
        "the covariance of those in the fit would change with new ones",
    ),
    (
        "w[g] ~ GaussianRandomWalk(1)\ny ~ Normal(a + w[g] + 0*b, sigma)\n",
        pd.DataFrame({"x": [1.0], "g": ["aa"]}),
        "`w`: a series goes on behind its last element alone",
    ),
    ("y ~ MvNormal(a + b*x, diag(exp(sigma + 0*x)))\n", NEW, "the rows of `y` hang together; predict the response"),
]


@pytest.mark.parametrize(("text", "new", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
def test_refused(text: str, new: Any, words: str) -> None:
    kind = "mean" if "> -50" in text or "y ~ MvNormal" in text else "response"
    with pytest.raises(ppl.PplError, match=words):
        fit(text + LINE, draws=100).predict(new, kind=kind, new_levels="sample")


def test_probabilities_of_categories_by_name(tmp_path: Path) -> None:
    """Their means over draws; those of truth values are the sigmoid of each draw."""
    found = fit("b ~ Normal(0, 1)\nc ~ Normal(0, 1)\nk ~ OrderedLogistic(b * x, [c, c + 1])\n")
    asked = found.predict(NEW, kind="probabilities")
    assert asked["k"].shape == (400, 2, 3)
    np.testing.assert_allclose(asked["k"].sum(axis=2), 1.0)
    summed = asked.summary()
    assert list(summed) == ["row", "k_p_hi", "k_p_lo", "k_p_mid"]
    np.testing.assert_allclose(summed["k_p_lo"], asked["k"][:, :, 1].mean(axis=0))
    drawn = found.predict(NEW).summary()
    for name in list(summed)[1:]:
        np.testing.assert_allclose(drawn[name], summed[name], atol=0.1)  # shares of 400 draws
    asked.save(tmp_path / "draws.csv", all_draws=True)
    columns = pd.read_csv(tmp_path / "draws.csv")
    assert list(columns)[:3] == ["k[1]_p_hi", "k[1]_p_lo", "k[1]_p_mid"] and len(columns.columns) == 6
    np.testing.assert_allclose(columns["k[2]_p_hi"], asked["k"][:, 1, 0])


def test_probabilities_of_truth_values(tmp_path: Path) -> None:
    rows = ROWS.assign(alive=(ROWS.x > 3).astype(int))
    found = fit("a ~ Normal(0, 1)\nb ~ Normal(0, 1)\nalive ~ Bernoulli(logit = a + b*x)\n", rows)
    summed = found.predict(NEW, kind="probabilities").summary()
    assert list(summed) == ["row", "alive_p_0", "alive_p_1"]
    by_hand = 1 / (1 + np.exp(-(found.draws["a"][:, None] + found.draws["b"][:, None] * np.array([3.0, 7.0]))))
    np.testing.assert_allclose(summed["alive_p_1"], np.asarray(by_hand).mean(axis=0))
    found.save(tmp_path / "fit.nc")
    NEW.to_csv(tmp_path / "new.csv", index=False)
    done = run("predict", tmp_path / "fit.nc", tmp_path / "new.csv", "--kind", "probabilities")
    assert done.code == 0 and done.out.splitlines()[0] == "row,alive_p_0,alive_p_1"
    with pytest.raises(ppl.UsageError, match="it has no probability of each"):
        fit(LINE + "y ~ Normal(a + b*x, sigma)\n").predict(NEW, kind="probabilities")
    with pytest.raises(ppl.UsageError, match='"mean" or "probabilities", not'):
        found.predict(NEW, kind="chances")
