"""Walks and groups under a few hubs: the posterior by Laplace's method inside weights, against grids over the hubs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import ppl
from ppl.compile.sparsity import interactions
from ppl.infer import curvature, nested

LEVEL = """s_level ~ HalfNormal(1)
s_obs ~ HalfNormal(1)
level[1] ~ Normal(0, 5)
for t in 2..40 { level[t] ~ Normal(level[t-1], s_level) }
y ~ Normal(level, s_obs)"""
GROUPS = "m ~ Normal(0, 2)\ns ~ HalfNormal(1)\na[15] ~ Normal(m, s)\ny ~ Poisson(log = a)"


def walk() -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.asarray(np.cumsum(0.3 * rng.normal(size=40)) + rng.normal(size=40))


def by_grid(y: np.ndarray) -> dict[str, tuple[float, float]]:
    """Means and sds over a grid of both sds, the levels integrated out: y is Gaussian given these."""
    n = len(y)
    steps = np.minimum.outer(np.arange(n), np.arange(n))
    sds = np.exp(np.linspace(-6, 1.2, 64))
    level, obs = np.meshgrid(sds, sds, indexing="ij")
    prior = 25.0 + level[..., None, None] ** 2 * steps
    total = prior + obs[..., None, None] ** 2 * np.eye(n)
    right = np.stack([np.broadcast_to(y, (64, 64, n)), prior[..., 20]], axis=-1)
    solved = np.linalg.solve(total, right)
    logs = -0.5 * np.linalg.slogdet(total)[1] - 0.5 * solved[..., 0] @ y
    logs += np.log(level * obs) - 0.5 * (level**2 + obs**2)
    mean = solved[..., 1] @ y
    second = prior[..., 20, 20] - (solved[..., 1] * prior[..., 20]).sum(axis=-1) + mean**2
    weights = np.exp(logs - logsumexp(logs))
    found = {}
    for name, first, square in (
        ("s_level", level, level**2), ("s_obs", obs, obs**2), ("level[21]", mean, second)
    ):  # fmt: skip
        centre = float((weights * first).sum())
        found[name] = centre, float(np.sqrt((weights * square).sum() - centre**2))
    return found


def test_a_level_that_walks() -> None:
    y = walk()
    found = ppl.from_text(LEVEL, "test.ppl").condition({"y": y}).fit(guide="nested")
    assert found.verdict == "good" and found.record.tried[-1].rung == "nested Laplace"
    for name, (mean, sd) in by_grid(y).items():
        shown = found.summary()[name]
        assert shown["mean"] == pytest.approx(mean, abs=0.06 * sd), name
        assert shown["sd"] == pytest.approx(sd, rel=0.06), name


def test_groups_of_counts() -> None:
    """The rest is not Gaussian: against quadrature of every group at each point of a grid of m and log s."""
    y = np.array([0, 1, 0, 2, 5, 1, 0, 0, 3, 1, 9, 2, 0, 1, 4])
    m, log_s = np.meshgrid(np.linspace(-2.5, 3, 111), np.linspace(-4, 1.3, 107), indexing="ij")
    s = np.exp(log_s)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(60)
    a = m[..., None] + s[..., None] * nodes
    logs = -0.5 * (m / 2) ** 2 - 0.5 * s**2 + log_s
    for count in y:
        logs = logs + logsumexp(stats.poisson(np.exp(a)).logpmf(count), b=node_weights, axis=-1)
    weights = np.exp(logs - logsumexp(logs))
    found = ppl.from_text(GROUPS, "test.ppl").condition({"y": y}).fit(guide="nested", seed=2)
    assert found.verdict == "good", found.reasons
    for name, values in (("m", m), ("s", s)):
        mean = (weights * values).sum()
        sd = np.sqrt((weights * (values - mean) ** 2).sum())
        assert found.summary()[name]["mean"] == pytest.approx(mean, abs=0.05 * sd), name
        assert found.summary()[name]["sd"] == pytest.approx(sd, rel=0.05), name


def test_no_more_proposals_than_fit_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "_MOST_KEPT", 42 * 3000)
    posterior = ppl.from_text(LEVEL, "test.ppl").condition({"y": walk()})
    found = posterior.fit(guide="nested")
    assert found.verdict == "good" and len(found.record.log_weights) == 3000
    monkeypatch.undo()
    usual = posterior.fit(guide="nested").summary()
    for name in ("s_level", "s_obs"):
        assert found.summary()[name]["mean"] == pytest.approx(usual[name]["mean"], abs=0.1 * usual[name]["sd"])


def test_hubs_are_what_ties_a_band() -> None:
    pattern = np.eye(20, dtype=bool) | np.eye(20, k=1, dtype=bool) | np.eye(20, k=-1, dtype=bool)
    shuffled = np.random.default_rng(1).permutation(20)
    pattern = pattern[np.ix_(shuffled, shuffled)]
    pattern[[3, 7]] = pattern[:, [3, 7]] = True
    found = nested.split(pattern)
    assert found is not None and found.hubs.tolist() == [3, 7] and found.width == 1
    assert nested.split(np.ones((20, 20), dtype=bool)) is None


def test_auto_takes_it_before_chains() -> None:
    found = ppl.from_text(LEVEL, "test.ppl").condition({"y": walk()}).fit()
    assert found.verdict == "good" and "chains" not in [one.rung for one in found.record.tried]


def test_where_it_has_nothing_to_offer() -> None:
    """In a few coordinates, and where all hangs together with all, the rung before stands."""
    few = ppl.from_text("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", "test.ppl").condition({"y": [1.0, 2.0]})
    assert few.fit(guide="nested").record.tried[-1].rung == "mean field"
    text = "a ~ Normal(0, 1)\nx[20] ~ Normal(0, 1)\ny ~ Normal(a + sum(x), 1)"
    assert (
        ppl.from_text(text, "test.ppl").condition({"y": 1.0}).fit(guide="nested").record.tried[-1].rung == "mean field"
    )


def test_precisions_are_those_of_the_model() -> None:
    """Groups beside their means: some of these tie so many that they show their entries from one side alone."""
    text = "t ~ HalfNormal(1)\ng[3] ~ Normal(0, 2)\na[18] ~ Normal(g[i], t)\ny ~ Normal(a, 1)"
    data = {"i": np.repeat([1, 2, 3], 6), "y": np.arange(18.0)}
    joint = ppl.from_text(text, "test.ppl").condition(data).joint
    pattern = interactions(joint)
    divided = nested.split(pattern)
    assert divided is not None and len(divided.hubs) == 1
    directions = curvature.plan(pattern[np.ix_(divided.rest, divided.rest)])
    zeros = np.zeros(len(divided.rest))
    marginal = nested.Marginal(joint, divided, directions, zeros, zeros + 1.0)
    t = np.array([0.5, 2.0])
    bands = marginal._precision(np.log(t)[:, None], np.zeros((len(zeros), 2)))
    full = np.zeros((2, 21, 21))
    for i, k in np.ndindex(21, divided.width + 1):
        if i >= k:
            full[:, i, i - k] = full[:, i - k, i] = bands[i, k]
    into = np.zeros((18, 3))
    into[np.arange(18), np.repeat([0, 1, 2], 6)] = 1.0
    for found, sd in zip(full, t, strict=True):
        a, g, both = np.eye(18) * (1 + sd**-2), np.eye(3) / 4 + 6 * np.eye(3) / sd**2, -into / sd**2
        order = np.argsort(divided.rest)
        expected = np.block([[g, both.T], [both, a]])
        np.testing.assert_allclose(found[np.ix_(order, order)], expected, atol=1e-5)


def test_nested_groups() -> None:
    """As many levels again: the same as chains say."""
    rng = np.random.default_rng(1)
    text = "m ~ Normal(0, 2)\nt ~ HalfNormal(1)\ng[2] ~ Normal(m, 1)\na[14] ~ Normal(g[i], t)\ny ~ Poisson(log = a)"
    y = rng.poisson(np.exp(rng.normal(0.5, 0.5, 14)))
    posterior = ppl.from_text(text, "test.ppl").condition({"i": np.repeat([1, 2], 7), "y": y})
    found, other = posterior.fit(guide="nested"), posterior.fit(guide="chains")
    assert found.verdict != "do not use", found.reasons
    for name in ("m", "t", "g[1]", "g[2]", "a[1]", "a[14]"):
        shown = other.summary()[name]
        assert found.summary()[name]["mean"] == pytest.approx(shown["mean"], abs=0.12 * shown["sd"]), name
        assert found.summary()[name]["sd"] == pytest.approx(shown["sd"], rel=0.12), name
