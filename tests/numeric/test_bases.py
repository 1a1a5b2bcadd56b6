"""Splines beside scipy's, orthogonal polynomials beside a QR decomposition, and both beside numbers from R."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline

from ppl.numeric import bases
from tests.witness import assert_close, functions_of

RNG = np.random.default_rng(9)
X = np.concatenate([RNG.standard_normal(30), [0.5, 0.5, -1.0]])


def scipy_basis(x: np.ndarray, knots: np.ndarray, degree: int) -> np.ndarray:
    """R's `bs(x, knots = knots, degree = degree)`."""
    ends = np.ones(degree + 1)
    at = np.concatenate([x.min() * ends, knots, x.max() * ends])
    return BSpline.design_matrix(x, at, degree).toarray()[:, 1:]


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("knots", [[], [0.2], [-0.5, 0.1, 0.9], [0.5], [0.5, 0.5]])  # one of them is a value of x
def test_splines(degree: int, knots: list[float]) -> None:
    found = bases.splines(X, np.array(knots), degree)
    assert_close(found, scipy_basis(X, np.array(knots), degree), 1e-12, 1e-12)
    assert found.shape == (len(X), len(knots) + degree)


def test_splines_and_the_first_sum_to_one() -> None:
    left_out = 1 - bases.splines(X, np.array([0.1, 0.4]), 3).sum(axis=1)
    assert ((left_out >= -1e-12) & (left_out <= 1)).all()
    assert left_out[np.argmin(X)] == 1


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
def test_polynomials(degree: int) -> None:
    """R: the Q of the powers of the centred x, each column turned so that its highest power has a plus."""
    q, r = np.linalg.qr(np.vander(X - X.mean(), degree + 1, increasing=True))
    expected = (q * np.sign(np.diagonal(r)))[:, 1:]
    assert_close(bases.polynomials(X, degree), expected, 1e-9, 1e-9)


def test_polynomials_of_high_degree() -> None:
    found = bases.polynomials(np.sort(X)[:30] ** 3, 24)
    assert_close(found.T @ found, np.eye(24), 0, 1e-12)


def test_polynomials_far_from_zero() -> None:
    years = 1e6 + np.arange(20.0)
    found = bases.polynomials(years, 5)
    assert_close(found.T @ found, np.eye(5), 0, 1e-13)
    assert_close(found.sum(axis=0), np.zeros(5), 0, 1e-13)


def test_a_line_of_five() -> None:
    """R: poly(1:5, 2), and the linear spline of 1:5 with one knot at 3."""
    root = np.sqrt([10.0, 14.0])
    expected = np.array([[-2, 2], [-1, -1], [0, -2], [1, -1], [2, 2]]) / root
    assert_close(bases.polynomials(np.arange(1.0, 6.0), 2), expected, 1e-14, 1e-14)
    hats = [[0, 0], [0.5, 0], [1, 0], [0.5, 0.5], [0, 1]]
    assert_close(bases.splines(np.arange(1.0, 6.0), np.array([3.0]), 1), np.array(hats), 1e-14, 1e-14)


def test_knots() -> None:
    """The quartiles as R's default has them: of 1:10 those are 3.25, 5.5 and 7.75."""
    assert_close(bases.knots_for(np.arange(1.0, 11.0), 3), np.array([3.25, 5.5, 7.75]), 1e-14, 0)
    assert bases.knots_for(X, 0).shape == (0,)


def test_every_function_is_tested() -> None:
    assert functions_of(bases) == {"polynomials", "splines", "knots_for"}
