"""Series are replicated forward: what is left of each value after its own replicated past is noise of the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ppl
from tests.use.conftest import Command

RNG = np.random.default_rng(1)
Y = [0.0]
for step in RNG.normal(0, 1, 39):
    Y.append(0.8 * Y[-1] + step)
DATA = pd.DataFrame({"y": Y})
PRIORS = "phi ~ Uniform(-1, 1)\ns ~ Exponential(1)\n"
LAG = "for t in 2..rows { y[t] ~ Normal(phi*y[t-1], s) }\n"


def fit(text: str, data: pd.DataFrame = DATA) -> ppl.Fit:
    return ppl.from_text(text, "series.ppl").condition(data).fit(draws=300, guide="meanfield")


def check_noise(z: np.ndarray) -> None:
    """Standard normal, and no two neighbours alike."""
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(z.size))
    assert z.std() == pytest.approx(1, abs=4 / np.sqrt(z.size))
    assert (z[:, 1:] * z[:, :-1]).mean() == pytest.approx(0, abs=4 / np.sqrt(z.size))


@pytest.mark.parametrize("first", ["y[1] ~ Normal(0, 2)\n", "", "slice"])
def test_autoregression(first: str) -> None:
    """From its first value where that is given, else from the distribution of that."""
    text = f"N = rows\ny[2..N] ~ Normal(phi*y[1..N-1], s)\n{PRIORS}" if first == "slice" else first + LAG + PRIORS
    found = fit(text)
    y = found.replicates(draws=300)["y"]
    if first.startswith("y[1]"):
        assert y[:, 0].std() == pytest.approx(2, rel=0.2)
        before, after = y[:, :-1], y[:, 1:]
    else:
        assert y.shape == (300, 39)
        before, after = np.concatenate([np.full((300, 1), Y[0]), y[:, :-1]], axis=1), y
    phi, s = found.draws["phi"][:, None], found.draws["s"][:, None]
    check_noise((after - phi * before) / s)
    lag = next(one for one in found.ppc() if one.statistic == "correlation at lag 1")
    assert lag.q5 < lag.observed < lag.q95 and 0.3 < lag.mean < 0.9
    seen = np.array(Y if first.startswith("y[1]") else Y[1:])
    centred = seen - seen.mean()
    assert lag.observed == pytest.approx((centred[1:] * centred[:-1]).sum() / (centred**2).sum())


def test_through_derived_names() -> None:
    """A GARCH: the variance of each value depends on the replicated one before."""
    text = "data y[T]\nmu ~ Normal(0, 5)\na0 ~ Exponential(1)\na1 ~ Uniform(0, 0.5)\nv[1] = 1\n"
    text += "for t in 2..T { v[t] = a0 + a1*(y[t-1] - mu)^2 + 0.3*v[t-1] }\ny ~ Normal(mu, sqrt(v))\n"
    found = fit(text)
    y, mu, a0, a1 = found.replicates(draws=300)["y"], *(found.draws[name] for name in ("mu", "a0", "a1"))
    v, z = np.ones(300), np.empty(y.shape)
    for t in range(40):
        v = a0 + a1 * (y[:, t - 1] - mu) ** 2 + 0.3 * v if t else v
        z[:, t] = (y[:, t] - mu) / np.sqrt(v)
    check_noise(z)


def test_missing_cells_and_categories() -> None:
    """A chain of levels, two of which are missing: these are drawn on the way, and not looked at."""
    data = pd.DataFrame({"k": ["a", "b", "b", None, "a", "b", "c", "c", "b", None] * 3})
    text = "P[3, 3] ~ Dirichlet(2)\nfor t in 2..rows { k[t] ~ Categorical(P[k[t-1]]) }\n"
    found = fit(text, data)
    replicates = found.replicates(draws=300)["k"]
    assert replicates.shape == (300, 23) and set(np.unique(replicates)) == {1, 2, 3}
    assert [one.statistic for one in found.ppc()] == ["share of a", "share of b", "share of c"]
    after = found.draws["P"][:, 0, :].mean(axis=0)  # of the second value, as the first is "a"
    np.testing.assert_allclose([(replicates[:, 0] == k).mean() for k in (1, 2, 3)], after, atol=0.1)


def test_the_first_value_may_be_missing() -> None:
    data = pd.DataFrame({"y": [np.nan, *Y[1:]]})
    found = fit("y[1] ~ Normal(0, 2)\n" + LAG + PRIORS, data)
    assert found.draws["y"].shape == (300, 1)


def test_simulated_and_drawn(command: Command, shop: Path) -> None:
    """The commands: `simulate` leaves the given first value, `ppc` and the plot of checks speak of the others."""
    DATA.to_csv(shop / "series.csv", index=False)
    (shop / "series.ppl").write_text(LAG + PRIORS)
    done = command("simulate", "series.ppl", "series.csv", "--set", "phi=0.99", "--set", "s=0.001", "-o", "made.csv")
    assert done.code == 0, done.err
    made = pd.read_csv(shop / "made.csv").y.to_numpy()
    assert made[0] == Y[0] and np.abs(np.diff(made)).max() < 0.01
    assert command("fit", "series.ppl", "series.csv", "--draws", 200, "-o", "series.nc").code == 0
    found = json.loads(command("ppc", "series.nc", "--json").out)["y"]
    assert found["mean"]["observed"] == pytest.approx(np.mean(Y[1:])) and "correlation at lag 1" in found
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    assert command("plot", "series.nc", "--kind", "checks", "-o", "checks.svg").code == 0


def test_refused() -> None:
    """What depends on itself, and not on its past alone."""
    found = fit("y ~ Normal(0.1*mean(y), s)\ns ~ Exponential(1)\n")
    with pytest.raises(ppl.UsageError, match="`y` depends on its own values, and not on those before alone"):
        found.ppc()
