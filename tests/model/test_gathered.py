"""`X = columns(...)`, observed, with empty cells: they do not count, and are drawn given the latents of their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ppl

WIDE = """\
X = columns("x_*")
W[2, 4] ~ Param();  m[4] ~ Param();  sigma[4] ~ Param(1) > 0
z[rows, 2] ~ Normal(0, 1)
X ~ Normal(m + z @ W, sigma)
"""
LONG = """\
W[2, measure] ~ Param();  m[measure] ~ Param();  sigma[measure] ~ Param(1) > 0
z[row, 2] ~ Normal(0, 1)
x ~ Normal(m[measure] + sum(z[row, d] * W[d, measure] for d in 1..2), sigma[measure])
"""
NAMES = [f"x_{letter}" for letter in "abcd"]


def table(rows: int, seed: int, gaps: float = 0.2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 4)) + 0.5 * rng.normal(size=(rows, 4)) + [0, 1, 2, 3]
    return pd.DataFrame(np.where(rng.random(x.shape) < gaps, np.nan, x), columns=NAMES)


def long_of(wide: pd.DataFrame) -> pd.DataFrame:
    """A row a cell. Rows are numbered from 11, so that the order of their labels is that of the numbers."""
    cells = [(f"r{i + 11}", name, wide[name][i]) for i in range(len(wide)) for name in NAMES]
    return pd.DataFrame(cells, columns=["row", "measure", "x"])


def values(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "W": rng.normal(size=(2, 4)), "m": rng.normal(size=4), "sigma": rng.uniform(0.5, 2, 4),
        "z": rng.normal(size=(rows, 2)),
    }  # fmt: skip


def test_density_is_that_of_the_known_cells() -> None:
    wide, at = table(20, 1), values(20)
    seen = stats.norm.logpdf(wide.to_numpy(), at["m"] + at["z"] @ at["W"], at["sigma"])
    expected = np.nansum(seen) + stats.norm.logpdf(at["z"]).sum()
    assert ppl.from_text(WIDE).condition(wide).log_density(at) == pytest.approx(expected, rel=1e-12)
    assert ppl.from_text(LONG).condition(long_of(wide)).log_density(at) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("family", "log_prob"),
    [
        ("Bernoulli(logit = b)", lambda x, b: stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-b)))),
        ("Poisson(log = b)", lambda x, b: stats.poisson.logpmf(x, np.exp(b))),
        ("Binomial(3, logit = b)", lambda x, b: stats.binom.logpmf(x, 3, 1 / (1 + np.exp(-b)))),
        ("StudentT(4, b, 1)", lambda x, b: stats.t.logpdf(x, 4, b)),
    ],
)
def test_families(family: str, log_prob: Any) -> None:
    x = np.random.default_rng(1).integers(0, 2, (9, 3)).astype(float)
    x[2, 1] = x[5] = np.nan  # a whole row too
    data = pd.DataFrame(x, columns=["x_1", "x_2", "x_3"])
    b = np.array([0.3, -1.0, 0.5])
    posterior = ppl.from_text(f'X = columns("x_*")\nb[3] ~ Normal(0, 1)\nX ~ {family}\n').condition(data)
    known = [log_prob(x[i, j], b[j]) for i in range(9) for j in range(3) if not np.isnan(x[i, j])]
    assert posterior.log_density({"b": b}) == pytest.approx(sum(known) + stats.norm.logpdf(b).sum(), rel=1e-12)
    assert posterior.joint.dimension == 3


def test_batches_weigh_to_the_whole() -> None:
    """The mean over the batches of an epoch is the whole, whatever cells are empty."""
    posterior = ppl.from_text(WIDE).condition(table(24, 2))
    fit = posterior.fit(amortise="z", encoder=(), batch_size=8, epochs=40, learning_rate=0.05, draws=200)
    deep = fit.record.deep
    assert deep is not None and deep.gaps.tolist() == [True]
    missing = np.isnan(table(24, 2).to_numpy())
    assert deep.cells == (~missing).sum()
    at = {name: np.asarray(fit.draws[name]) for name in ("W", "m", "sigma", "z")}
    mean = at["m"][:, None] + at["z"] @ at["W"]
    reconstruction = np.nansum(stats.norm.logpdf(table(24, 2).to_numpy(), mean, at["sigma"][:, None]), axis=(1, 2))
    assert deep.likelihood == pytest.approx(reconstruction.mean(), abs=4 * reconstruction.std() / np.sqrt(64))


@pytest.fixture(scope="module")
def fitted() -> ppl.Fit:
    model = WIDE.replace("~ Param()", "~ Normal(0, 1)").replace("~ Param(1) > 0", "~ HalfNormal(1)")
    model = model.replace("W[2, 4] ~ Normal(0, 1)", "W = [[1, 1, 0, -1], [0, 1, 1, 1]]")
    return ppl.from_text(model).condition(table(30, 3)).fit(seed=1, draws=2000, guide="meanfield")


def test_empty_cells_are_restored_given_their_row(fitted: ppl.Fit) -> None:
    """As `X`, an element a cell: by the draws of the row's latents, which the known cells tell of."""
    cells = fitted.record.quantities["X"]
    missing = np.argwhere(np.isnan(table(30, 3).to_numpy()))
    assert cells.role == "simulated"
    assert cells.labels() == [f"X[{i + 1},{NAMES[j]}]" for i, j in missing]
    draws = {name: np.asarray(fitted.draws[name]) for name in ("m", "sigma", "z")}
    weights = np.array([[1, 1, 0, -1], [0, 1, 1, 1]])
    for k, (i, j) in enumerate(missing):
        mean, sd = draws["m"][:, j] + draws["z"][:, i] @ weights[:, j], draws["sigma"][:, j]
        apart = (cells.draws[:, k] - mean) / sd
        assert stats.kstest(apart, "norm").pvalue > 1e-4
    np.testing.assert_array_equal(np.isnan(fitted.record.observed["X"].values), np.isnan(table(30, 3).to_numpy()))


def test_new_rows_may_have_empty_cells(fitted: ppl.Fit, tmp_path: Path) -> None:
    fitted.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc")
    new = table(4, 9, gaps=0.4)
    for fit in (fitted, again):
        assert fit.predict(new, kind="mean")["X"].shape == (2000, 4, 4)
    known = fitted.evaluate(new, draws=500)
    full = fitted.evaluate(new.fillna(0.0), draws=500)
    assert np.isfinite(known.by_row).all() and (known.by_row != full.by_row).any()


def test_an_encoder_meets_gaps_that_the_fit_had_not() -> None:
    wide = table(40, 4, gaps=0.0)
    fit = ppl.from_text(WIDE).condition(wide).fit(amortise="z", encoder=(), epochs=60, learning_rate=0.05, draws=200)
    new = table(5, 4, gaps=0.5)
    means = {name: np.nan_to_num(column, nan=wide[name].mean()) for name, column in new.items()}
    for label, found in fit.encode(new).items():
        np.testing.assert_allclose(found, fit.encode(pd.DataFrame(means))[label], atol=1e-9)
    assert np.isfinite(fit.predict(new, kind="mean")["X"]).all()


def test_a_matrix_that_is_not_observed_may_have_none() -> None:
    data = table(10, 1).assign(y=1.0)
    model = 'X = columns("x_*")\nb[X] ~ Normal(0, 1)\ny ~ Normal(X @ b, 1)\n'
    with pytest.raises(ppl.ModelError, match=r"row \d+, column x_\w"):
        ppl.from_text(model).condition(data)
    with pytest.raises(ppl.ModelError, match="of which only a part is missing"):
        ppl.from_text('X = columns("x_*")\nm ~ Normal(0, 1)\nX ~ MvNormal(m*ones(4), eye(4))\n').condition(table(10, 1))
