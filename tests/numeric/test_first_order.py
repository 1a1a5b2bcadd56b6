"""Recurrences in blocks give what the steps give one by one, and so do their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd.test_util import check_grads

from ppl.numeric.first_order import FirstOrder, first_order


def one_by_one(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    x = b.copy()
    for t in range(1, b.shape[-1]):
        x[..., t] += a[..., t - 1 if a.shape[-1] > 1 else 0] * x[..., t - 1]
    return x


@pytest.mark.parametrize("n", [1, 2, 3, 23, 24, 25, 199, 200, 211, 1000])
@pytest.mark.parametrize("moving", [False, True])
def test_values(n: int, moving: bool) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.uniform(-1.0, 1.0, (5, n - 1 if moving and n > 1 else 1)), rng.normal(size=(5, n))
    np.testing.assert_allclose(first_order(a, b), one_by_one(a, b), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("moving", [False, True])
def test_the_same_memory_again(moving: bool) -> None:
    """Nothing of one run is left in the next: neither behind the last time, nor after what is not finite."""
    rng = np.random.default_rng(3)
    run, out = FirstOrder(205, 4, moving), np.empty((4, 205))
    for scale in (1.0, 1e200, np.inf, 1.0, 1.0):
        a, b = rng.uniform(0.9, 1.1, (4, 204 if moving else 1)), scale * rng.normal(size=(4, 205))
        run(a, b, out)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(out, one_by_one(a, b), rtol=1e-9)


def test_leading_axes_are_broadcast() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.uniform(size=(2, 1, 1)), rng.normal(size=(3, 40))
    expected = one_by_one(np.broadcast_to(a, (2, 3, 1)), np.broadcast_to(b, (2, 3, 40)))
    np.testing.assert_allclose(first_order(a, b), expected, rtol=1e-12)


@pytest.mark.parametrize("rows", [(2, 2), (1, 2), (2, 1)])
@pytest.mark.parametrize("moving", [False, True])
def test_first_and_second_derivatives(rows: tuple[int, int], moving: bool) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.uniform(-1.0, 1.0, (rows[0], 27 if moving else 1)), rng.normal(size=(rows[1], 28))
    check_grads(lambda a, b: first_order(a, b) ** 2, modes=["rev"], order=2)(a, b)


def test_a_product_that_overflows_and_is_not_needed() -> None:
    """Of 60 factors of 1e10 only those after the first x above zero count."""
    a, b = np.full((1, 1), 1e10), np.zeros((1, 60))
    b[0, 55] = 1.0
    assert np.isfinite(first_order(a, b)).all()
    np.testing.assert_allclose(first_order(a, b), one_by_one(a, b), rtol=1e-12)


def test_what_is_no_square_ends_the_series() -> None:
    b = np.ones((2, 50))
    b[0, 30] = -100.0
    found: Any = first_order(np.full((2, 1), 0.5), b, True)
    assert np.isnan(found[0, 30:]).all()
    assert np.isfinite(found[0, :30]).all()
    np.testing.assert_allclose(found[1], one_by_one(np.full((1, 1), 0.5), b[1:])[0])


def test_infinite_squares() -> None:
    b = np.ones((1, 50))
    b[0, 30] = np.inf
    found = first_order(np.zeros((1, 1)), b, True)
    assert np.isfinite(found[0, :30]).all()
    assert np.isinf(found[0, 30])
    assert np.isnan(found[0, 31:]).all()  # 0 times infinity, as step by step
