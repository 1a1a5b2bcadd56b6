"""Fits of latent vectors, matrices and series against closed forms and grids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import ppl
from tests.witness import assert_close

RNG = np.random.default_rng(5)
Y2 = RNG.multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]], 30)
TIME = np.arange(8)
SERIES = np.cumsum(RNG.normal(0, 1, 8)) + RNG.normal(0, 0.5, 8)


def fit(text: str, **data: object) -> ppl.Fit:
    found = ppl.from_text(text, "test.ppl").condition(data).fit(seed=1)
    assert found.verdict == "good"
    return found


def check(found: ppl.Fit, name: str, mean: np.ndarray, sd: np.ndarray, sds: float = 0.03, share: float = 0.03) -> None:
    """Of every element, the mean within a share of its sd, and the sd."""
    for place in np.ndindex(mean.shape):
        if sd[place] == 0:
            continue
        here = found.summary()[f"{name}[{','.join(str(i + 1) for i in place)}]"]
        assert abs(here["mean"] - mean[place]) < sds * sd[place], (name, place, here, mean[place], sd[place])
        assert here["sd"] == pytest.approx(sd[place], rel=share), (name, place)


def regression(design: np.ndarray, precision: np.ndarray, y: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sds of normal coefficients with that prior precision."""
    cov = np.linalg.inv(precision + design.T @ design / noise**2)
    return cov @ design.T @ y / noise**2, np.sqrt(np.diag(cov))


def test_wishart_is_conjugate() -> None:
    found = fit("W[2, 2] ~ Wishart(5, I)\ny ~ MvNormal(0, prec = W)", y=Y2, I=np.eye(2))
    df, scale = 5 + 30, np.linalg.inv(np.eye(2) + Y2.T @ Y2)
    diagonal = np.diag(scale)
    check(found, "W", df * scale, np.sqrt(df * (scale**2 + np.outer(diagonal, diagonal))))


def test_inverse_wishart_is_conjugate() -> None:
    found = fit("S[2, 2] ~ InvWishart(5, I)\ny ~ MvNormal(0, S)", y=Y2, I=np.eye(2))
    draws = stats.invwishart(5 + 30, np.eye(2) + Y2.T @ Y2).rvs(200_000, random_state=np.random.default_rng(1))
    check(found, "S", draws.mean(axis=0), draws.std(axis=0))


@pytest.mark.parametrize(
    "prior", ["R[2, 2] ~ LKJ(1.5)", "L[2, 2] ~ LKJCholesky(1.5); R = L @ [[1, L[2,1]], [0, L[2,2]]]"]
)
def test_correlations(prior: str) -> None:
    """Against a grid over the one correlation of two variables."""
    found = fit(f"{prior}\ny ~ MvNormal(0, [[1, 1.4*R[2,1]], [1.4*R[1,2], 2]])", y=Y2)
    grid = np.linspace(-0.9995, 0.9995, 2000)
    logs = np.array([stats.multivariate_normal(cov=[[1, 1.4 * r], [1.4 * r, 2]]).logpdf(Y2).sum() for r in grid])
    weights = np.exp(logs - logs.max()) * (1 - grid**2) ** 0.5
    weights /= weights.sum()
    mean = weights @ grid
    sd = np.sqrt(weights @ (grid - mean) ** 2)
    check(found, "R", np.array([[1, mean], [mean, 1]]), np.array([[0, sd], [sd, 0]]))


def test_random_walk() -> None:
    """Steps of known size: a linear model of a start and steps."""
    found = fit("x0 ~ Normal(0, 3)\nx[8] ~ GaussianRandomWalk(0.7, 0.2, x0)\ny ~ Normal(x, 0.5)", y=SERIES)
    through = np.tril(np.ones((8, 8)))
    cov = 9 + 0.49 * through @ through.T
    drift = 0.2 * (TIME + 1)
    gain = cov @ np.linalg.inv(cov + 0.25 * np.eye(8))
    check(found, "x", drift + gain @ (SERIES - drift), np.sqrt(np.diag(cov - gain @ cov)))


def test_autoregression_of_what_is_observed() -> None:
    found = fit("c[2] ~ Normal(0, 1)\nk ~ Normal(0, 2)\ny ~ AR(c, 0.8, constant = k, init_sd = 3)", y=SERIES)
    design = np.column_stack([SERIES[1:-1], SERIES[:-2], np.ones(6)])
    mean, sd = regression(design, np.diag([1, 1, 0.25]), SERIES[2:], 0.8)
    check(found, "c", mean[:2], sd[:2])


def test_latent_autoregression() -> None:
    found = fit("x[8] ~ AR([0.5, 0.2], 1)\ny ~ Normal(x, 0.5)", y=SERIES)
    whiten = np.eye(8) - 0.5 * np.eye(8, k=-1) - 0.2 * np.eye(8, k=-2)
    check(found, "x", *regression(np.eye(8), whiten.T @ whiten, SERIES, 0.5))


def test_field_on_a_graph() -> None:
    """A ring of five, summing to 0, and one edge less: the normal law on the plane."""
    y = np.array([1.0, 2.0, 0.0, -1.0, 0.5])
    edges = {"a": [1, 2, 3, 4], "b": [2, 3, 4, 5]}
    found = fit("x[5] ~ ZeroSum(ICAR(a, b, 0.7))\ny ~ Normal(x, 0.5)", y=y, **edges)
    differences = (np.eye(5) - np.eye(5, k=1))[:4]
    basis = np.linalg.svd(np.ones((1, 5)))[2][1:]
    cov = np.linalg.inv(basis @ (differences.T @ differences / 0.49 + np.eye(5) / 0.25) @ basis.T)
    check(found, "x", basis.T @ cov @ basis @ y / 0.25, np.sqrt(np.diag(basis.T @ cov @ basis)))


def test_gaussian_process() -> None:
    kernel = np.exp(-0.5 * np.subtract.outer(TIME, TIME) ** 2 / 4)
    found = fit("f[8] ~ GP(K, 0.3)\ny ~ Normal(f, 0.5)", y=SERIES, K=kernel)
    gain = kernel @ np.linalg.inv(kernel + 0.25 * np.eye(8))
    check(found, "f", 0.3 + gain @ (SERIES - 0.3), np.sqrt(np.diag(kernel - gain @ kernel)))


def test_student_vectors() -> None:
    found = fit("b[2] ~ MvStudentT(4, 0, C)\ny ~ Normal(b, 0.7)", y=[2.0, -1.0], C=[[1, 0.5], [0.5, 1]])
    grid = np.linspace(-8, 8, 801)
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
    logs = stats.multivariate_t(shape=[[1, 0.5], [0.5, 1]], df=4).logpdf(points)
    weights = np.exp(logs + stats.norm(points, 0.7).logpdf([2, -1]).sum(axis=-1))
    weights /= weights.sum()
    mean = np.einsum("ij,ijk->k", weights, points)
    check(found, "b", mean, np.sqrt(np.einsum("ij,ijk->k", weights, (points - mean) ** 2)))


def test_values_are_matrices_exactly() -> None:
    found = fit("R[3, 3] ~ LKJ(2)\ny ~ Normal(R[1, 2] + R[2, 3], 0.5)", y=0.4)
    draws = found.draws["R"]
    np.testing.assert_array_equal(np.diagonal(draws, axis1=-2, axis2=-1), 1.0)
    np.testing.assert_array_equal(draws, np.swapaxes(draws, -1, -2))
    assert_close(np.linalg.cholesky(draws)[:, 0, 0], np.ones(len(draws)))
