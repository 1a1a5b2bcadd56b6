"""Families of matrices beside their twins: densities, gradients, draws; constants by integration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import integrate, stats

from ppl.model.distributions.family import Family, Form
from ppl.model.distributions.table import FAMILIES
from ppl.model.events import EVENTS
from tests.model.twins import BROAD, DIAGONAL, TAME, TWINS, K, Rng, Twin
from tests.witness import assert_close, assert_gradients

NAMES = [name for name, family in FAMILIES.items() if family.event_rank == 2]


@pytest.fixture(params=NAMES)
def row(request: pytest.FixtureRequest) -> tuple[Family, Form, Twin]:
    family = FAMILIES[request.param]
    return family, family.forms[0], TWINS[request.param][0]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(1)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("decades", [TAME, BROAD])
def test_log_prob(row: tuple[Family, Form, Twin], rng: Rng, decades: float) -> None:
    family, form, twin = row
    parameters = tuple(make(rng, (200,), decades) for make in twin.parameters)
    x = twin.points(rng, (200, K, K), None)
    assert EVENTS[family.support.kind].holds(x).all()
    assert_close(form.log_prob(x, *parameters), twin.log_prob(x, *parameters), 1e-8, 1e-8)


@pytest.mark.parametrize("layout", [((5,), (5,)), ((5,), ()), ((), (5,))])
def test_gradient(row: tuple[Family, Form, Twin], rng: Rng, layout: tuple[tuple[int, ...], ...]) -> None:
    family, form, twin = row
    of_values, of_parameters = layout
    parameters = tuple(make(rng, of_parameters, TAME) for make in twin.parameters)
    x = twin.points(rng, (*of_values, K, K), None)
    ranks = [0, *(parameter.event_rank for parameter in form.parameters)]
    numbers = [i for i, rank in enumerate(ranks) if rank == 0 and i > 0]
    matrices = [i for i, rank in enumerate(ranks) if rank == 2]
    triangle = family.support.kind == "cholesky_correlation"
    assert_gradients(form.log_prob, x, *parameters, by=[*numbers, *([0] if triangle else [])])
    assert_gradients(form.log_prob, x, *parameters, by=[*matrices, *([] if triangle else [0])], symmetric=True)


def test_draws(row: tuple[Family, Form, Twin], rng: Rng) -> None:
    """Elements have the laws of the twin; draws are matrices of the kind, but for a rounding to singular ones."""
    family, _, twin = row
    draws, plates = 10_000, 3
    shapes = [(draws, 1), (plates,)]
    parameters = tuple(make(rng, shapes[i % 2], TAME) for i, make in enumerate(twin.parameters))
    x = family.draw(rng, (draws, plates, K, K), *parameters)
    assert x.shape == (draws, plates, K, K)
    assert EVENTS[family.support.kind].holds(x).mean() > 0.999
    if family.support.kind == "covariance":
        u = twin.law(*parameters).cdf(x[..., DIAGONAL, DIAGONAL])
    else:
        matrices = x @ np.swapaxes(x, -1, -2) if family.support.kind == "cholesky_correlation" else x
        rows, columns = np.tril_indices(K, -1)
        u = twin.law(parameters[0][..., None]).cdf(matrices[..., rows, columns])
    for column in u.reshape(draws, -1).T:
        assert stats.kstest(column, "uniform", method="asymp").pvalue > 1e-4


def test_mean_of_draws(rng: Rng) -> None:
    """Off the diagonal too."""
    scale = np.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]])
    for name, df in (("Wishart", 4.5), ("InvWishart", 9.0)):
        family = FAMILIES[name]
        assert family.mean is not None
        x = family.draw(rng, (40_000, 3, 3), df, scale)
        assert (np.abs(x.mean(axis=0) - family.mean(df, scale)) < 5 * x.std(axis=0) / 200).all()
    assert np.isnan(FAMILIES["InvWishart"].mean(3.9, scale)).all()  # type: ignore[misc]


def test_too_few_degrees_of_freedom() -> None:
    for name in ("Wishart", "InvWishart"):
        assert FAMILIES[name].forms[0].log_prob(np.eye(3), 2.0, np.eye(3)) == -np.inf


@pytest.mark.parametrize("shape", [0.7, 1.0, 3.5])
def test_lkj_is_one_in_all(shape: float) -> None:
    """Two rows: a beta variable. Three rows: the integral over three correlations, by the factor's free elements."""
    lkj, factor = (FAMILIES[name].forms[0].log_prob for name in ("LKJ", "LKJCholesky"))
    for r in (-0.9, 0.2):
        matrix = np.array([[1.0, r], [r, 1.0]])
        expected = stats.beta(shape, shape, -1, 2).logpdf(r)
        assert lkj(matrix, shape) == pytest.approx(expected, rel=1e-12)
        assert factor(np.linalg.cholesky(matrix), shape) == pytest.approx(expected, rel=1e-12)

    def density(angle: float, share: float, first: float) -> float:
        """The first row's element is a sine; the other two lie in a disc, by angle and squared radius."""
        radius, height = np.sqrt(share), np.sqrt(1 - share)
        root = np.array([[1, 0, 0], [np.sin(first), np.cos(first), 0]])
        last = [radius * np.cos(angle), radius * np.sin(angle), height]
        return float(np.exp(factor(np.vstack([root, last]), shape)) * np.cos(first) / 2)

    nodes, weights = np.polynomial.legendre.leggauss(60)
    total = 0.0
    for first, w in zip(nodes * np.pi / 2, weights * np.pi / 2, strict=True):
        inner = integrate.quad(lambda share, first=first: density(0.3, share, first), 0, 1)[0]
        total += w * 2 * np.pi * inner
    assert total == pytest.approx(1.0, rel=2e-3)
