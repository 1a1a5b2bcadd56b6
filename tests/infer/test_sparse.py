"""The path of many coordinates against the dense one, closed forms, and integrals over grids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.special import logsumexp

import ppl
from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import interactions, sparse_interactions
from ppl.infer import arrow, curvature, large, meanfield, objective, pipeline
from ppl.infer.draws import antithetic, generator
from ppl.infer.sparse import Factor, SparseOptimum

INTERCEPTS = """
m ~ Normal(0, 3)
s ~ HalfNormal(1)
b ~ Normal(0, 2)
a[G] ~ Normal(m, s)
y ~ Bernoulli(logit=a[g] + b*x)
"""
CROSSED = """
s ~ HalfNormal(1)
a[G] ~ Normal(0, s)
c[H] ~ Normal(0, 1)
y ~ Normal(a[g] + c[h], 1)
"""
CHAIN = """
s ~ HalfNormal(1)
w[1] ~ Normal(0, 1)
for t in 2..T { w[t] ~ Normal(w[t-1], s) }
y ~ Poisson(exp(w[t]))
"""


def rows(kind: str, n: int) -> Mapping[str, object]:
    rng = np.random.default_rng(3)
    if kind == CHAIN:
        level = np.cumsum(rng.normal(0, 0.3, n))
        return {"T": n, "t": np.arange(n) + 1, "y": rng.poisson(np.exp(level - level.mean()))}
    g, h = np.arange(12 * n) % n, rng.integers(0, 7, 12 * n)
    x = rng.normal(size=12 * n)
    eta = rng.normal(size=n)[g] + 0.5 * x
    if kind == CROSSED:
        return {"G": n, "H": 7, "g": g + 1, "h": h + 1, "y": eta}
    return {"G": n, "g": g + 1, "x": x, "y": (rng.random(12 * n) < 1 / (1 + np.exp(-eta))).astype(int)}


def joint_of(text: str, data: Mapping[str, object]) -> LogJoint:
    return ppl.from_text(text).condition(data).joint


def found(joint: LogJoint, draws: int) -> tuple[SparseOptimum, np.ndarray]:
    planned = curvature.plan_sparse(sparse_interactions(joint), 60)
    assert planned is not None
    return large.newton(joint, joint, 1, (1, 2), planned[0], draws), planned[1]


@pytest.mark.parametrize("text", [INTERCEPTS, CROSSED, CHAIN])
def test_the_same_as_with_dense_matrices(text: str) -> None:
    joint = joint_of(text, rows(text, 40))
    optimum, _ = found(joint, 64)
    assert optimum.newton_step < meanfield.CONVERGED
    eps = antithetic(generator(1, 2, 64), 64, joint.dimension)
    guide = optimum.guide
    directions = curvature.plan(interactions(joint))
    dense = objective.hessian(joint, guide, eps, guide.sigma, directions)
    np.testing.assert_allclose(optimum.hessian.toarray(), dense, atol=1e-7 * np.abs(dense).max())
    covariance = meanfield.linear_response(dense)
    assert covariance is not None and optimum.factor is not None
    variances = optimum.factor.variances(np.arange(joint.dimension))
    np.testing.assert_allclose(np.sqrt(variances), np.sqrt(np.diag(covariance)), rtol=1e-6)
    other = meanfield.maximise(joint, guide, np.linalg.inv(covariance), eps, directions, 64)
    sds = np.sqrt(variances)
    np.testing.assert_allclose(guide.mu / sds, other.guide.mu / sds, atol=2 * meanfield.CONVERGED)


def test_directions_show_every_entry() -> None:
    rng = np.random.default_rng(5)
    full = sparse.random(80, 80, 0.01, random_state=rng).toarray()
    full[:, [7, 50]] = rng.normal(size=(80, 2))
    full = full + full.T + 10 * np.eye(80)
    planned = curvature.plan_sparse(sparse.csr_matrix(full != 0, dtype=np.int32), 40)
    assert planned is not None
    directions, hubs = planned
    assert {7, 50} <= set(hubs.tolist()) and len(directions) < 15
    shown = curvature.second_differences(lambda z: z @ full, np.zeros((1, 80)), np.ones(80), directions, 100)
    np.testing.assert_allclose(curvature.assemble(directions, [one[0] for one in shown]), full, atol=1e-9)


def test_too_many_directions_are_none() -> None:
    assert curvature.plan_sparse(sparse.csr_matrix(np.ones((30, 30), dtype=np.int32)), 20) is None


@pytest.mark.parametrize("full", [0, 3])
def test_a_factor_solves_and_draws(full: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with some columns that have entries everywhere."""
    monkeypatch.setattr("ppl.infer.sparse._DENSE", 2.0)
    rng = np.random.default_rng(2)
    half = sparse.random(30, 30, 0.05, random_state=rng)
    matrix = (half @ half.T + sparse.diags(np.geomspace(1, 1e6, 30))).tolil()
    matrix[5 : 5 + full], matrix[:, 5 : 5 + full] = 0.1, 0.1
    for i in range(5, 5 + full):
        matrix[i, i] = 5.0 + i
    factor = Factor.of(matrix.tocsc())
    assert factor is not None
    assert factor.order[30 - full :].tolist() == list(range(5, 5 + full))
    inverse = np.linalg.inv(matrix.toarray())
    np.testing.assert_allclose(factor.solve(np.eye(30)), inverse, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(factor.solve(np.arange(30.0)), inverse @ np.arange(30.0), rtol=1e-9)
    root = factor.draw(np.eye(30))  # a linear map: its rows are the columns of a root of the inverse
    np.testing.assert_allclose(root.T @ root, inverse, rtol=1e-9, atol=1e-15)
    assert Factor.of((matrix - 2 * sparse.diags(np.geomspace(1, 1e6, 30))).tocsc()) is None


def corrected(joint: LogJoint) -> tuple[arrow.Corrected, dict[str, np.ndarray]]:
    pattern = sparse_interactions(joint)
    optimum, hubs = found(joint, 8)
    assert arrow.splits(joint, pattern, hubs)
    result = arrow.correct(joint, pattern, hubs, optimum, generator(4), 4000)
    assert result is not None
    return result, joint.constrain(result.z)


def moments(result: arrow.Corrected, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = result.weights.weights
    mean = weights @ values.reshape(len(values), -1)
    return mean, np.sqrt(weights @ (values.reshape(len(values), -1) - mean) ** 2)


def test_groups_are_integrated_out() -> None:
    """Counts of few groups: the posterior of the scale is far from a Gaussian, and known by sums over grids."""
    rng = np.random.default_rng(8)
    n, scale = 60, np.exp(np.linspace(-3, 2, 400))
    y = rng.poisson(np.exp(rng.normal(0.5, 0.7, n)))
    joint = joint_of(
        "s ~ HalfNormal(1)\na[G] ~ Normal(0.5, s)\ny ~ Poisson(exp(a[g]))\n", {"G": n, "g": np.arange(n) + 1, "y": y}
    )
    result, values = corrected(joint)
    a = np.linspace(-6, 6, 1201)
    by_place = stats.poisson.logpmf(y[:, None], np.exp(a))
    prior = stats.norm.logpdf(a, 0.5, scale[:, None])
    by_group = logsumexp(by_place[None] + prior[:, None], axis=2)  # (scales, groups)
    log_density = by_group.sum(axis=1) + stats.halfnorm.logpdf(scale) + np.log(scale)
    shares = np.exp(log_density - logsumexp(log_density))
    mean = shares @ scale
    got, sd = moments(result, values["s"])
    want = np.sqrt(shares @ (scale - mean) ** 2)
    assert abs(got[0] - mean) < 0.05 * want and sd[0] == pytest.approx(want, rel=0.05)
    each = np.exp(by_place[None] + prior[:, None] - by_group[:, :, None])
    first, second = shares @ (each @ a), shares @ (each @ a**2)
    want = np.sqrt(second - first**2)
    got, sd = moments(result, values["a"])
    assert (np.abs(got - first) < 0.1 * want).all()
    np.testing.assert_allclose(sd, want, rtol=0.1)


def test_groups_of_two_coordinates_are_exact_where_all_is_gaussian() -> None:
    rng = np.random.default_rng(9)
    n, g = 30, np.arange(150) % 30
    x, y = rng.normal(size=150), rng.normal(size=150)
    text = "m ~ Normal(0, 2)\na[G] ~ Normal(m, 1)\nb[G] ~ Normal(0.5*m, 1)\ny ~ Normal(a[g] + b[g]*x, 1)\n"
    result, values = corrected(joint_of(text, {"G": n, "g": g + 1, "x": x, "y": y}))
    one = np.zeros((150, 1 + 2 * n))
    one[np.arange(150), 1 + g], one[np.arange(150), 1 + n + g] = 1, x
    prior = np.eye(1 + 2 * n)
    prior[0, 0] = 1 / 2
    prior[1 : 1 + n, 0], prior[1 + n :, 0] = -1, -0.5
    precision = prior.T @ prior + one.T @ one
    covariance = np.linalg.inv(precision)
    want, sds = covariance @ one.T @ y, np.sqrt(np.diag(covariance))
    got = np.concatenate([values["m"].reshape(-1, 1), values["a"], values["b"]], axis=1)
    mean, sd = moments(result, got)
    assert (np.abs(mean - want) < 0.01 * sds).all()
    np.testing.assert_allclose(sd, sds, rtol=0.06)
    assert result.surface < 1e-4 and result.misfit.max() < 1e-4


def test_of_many_rows_fewer_groups_are_integrated_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same posterior as with a dense Hessian."""
    posterior = ppl.from_text(INTERCEPTS).condition(rows(INTERCEPTS, 25))
    usual = pipeline.approximate(posterior.joint, 1, 1000)
    monkeypatch.setattr(pipeline, "FEWEST_ROWS", 25)
    monkeypatch.setattr(pipeline, "_FEWEST_BY_GROUPS", 20)
    found = pipeline.approximate(posterior.joint, 1, 1000)
    assert usual.evidence.not_definite == found.evidence.not_definite == 0
    assert found.evidence.surface > 0.0
    sds = usual.z.std(axis=0)
    means = [one.weights.weights @ one.z for one in (usual, found)]
    assert (np.abs(means[0] - means[1]) < 0.25 * sds).all()


def test_a_hierarchy_of_many_groups_is_good() -> None:
    posterior = ppl.from_text(INTERCEPTS).condition(rows(INTERCEPTS, 1600))
    fit = posterior.fit(draws=1000)
    assert fit.verdict == "good", fit.reasons
    spread = fit.record.quantities["s"]
    assert abs(spread.mean - 1.0) < 4 * spread.sd and spread.sd < 0.05


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_second_mode_is_found_on_a_further_way_up(seed: int) -> None:
    """The data tell of a^2 alone: the signs of `c` and of all groups may be the other ones."""
    rng = np.random.default_rng(1)
    text = "c ~ Normal(0, 10)\ns ~ HalfNormal(1)\na[1600] ~ Normal(c, s)\ny ~ Normal(a[g]^2, 1)\n"
    g = np.repeat(np.arange(1600), 3)
    y = (4 + 0.3 * rng.normal(size=1600))[g] ** 2 + rng.normal(size=len(g))
    found = ppl.from_text(text).condition({"g": g + 1, "y": y}).fit(draws=1000, seed=seed)
    assert found.verdict == "do not use"


def test_a_long_chain_is_drawn_from_its_linear_response() -> None:
    posterior = ppl.from_text(CHAIN).condition(rows(CHAIN, 1600))
    found = pipeline.approximate(posterior.joint, 1, 400)
    assert found.evidence.unchecked == posterior.joint.dimension and found.z.shape == (400, 1601)
    assert posterior.fit(draws=400).verdict == "usable"
