"""Stacking and diagonals beside plain assignment, its gradient beside differences."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad

from ppl.numeric.shape import diagonal, stack, to_diagonal
from tests.witness import assert_close, assert_gradients

RNG = np.random.default_rng(5)
ARRAYS = (RNG.standard_normal((3, 1, 4)), RNG.standard_normal((2, 4)), RNG.standard_normal((3, 2, 1)), np.array(0.7))


def stacked(*arrays: np.ndarray) -> np.ndarray:
    """Along a new axis in front."""
    result = np.empty((len(arrays), 3, 2, 4))
    for i, array in enumerate(arrays):
        result[i] = array
    return result


@pytest.mark.parametrize("axis", [-1, -2, -3, -4])
def test_stack(axis: int) -> None:
    assert_close(stack(axis, *ARRAYS), np.moveaxis(stacked(*ARRAYS), 0, axis), 0, 0)
    assert_gradients(lambda *arrays: stack(axis, *arrays), *ARRAYS)


def test_one_array_twice() -> None:
    assert_gradients(lambda x: stack(-1, x, 2 * x, 3.0), ARRAYS[0])


def test_second_derivative() -> None:
    assert_gradients(elementwise_grad(lambda x: anp.exp(stack(-2, x, ARRAYS[1]))), ARRAYS[0])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_diagonals(shape: tuple[int, ...]) -> None:
    vectors, matrices = RNG.standard_normal((*shape, 4)), RNG.standard_normal((*shape, 4, 4))
    expected, picked = np.zeros((*shape, 4, 4)), np.empty((*shape, 4))
    for place in np.ndindex(*shape):
        for i in range(4):
            expected[(*place, i, i)] = vectors[(*place, i)]
            picked[(*place, i)] = matrices[(*place, i, i)]
    assert_close(to_diagonal(vectors, 0.0), expected, 0, 0)
    assert_close(diagonal(matrices), picked, 0, 0)
    assert_gradients(lambda x: to_diagonal(x, 0.0), vectors)
    assert_gradients(diagonal, matrices)
    assert_gradients(elementwise_grad(lambda x: anp.exp(diagonal(to_diagonal(x, 0.0)))), vectors)


def test_beside_the_diagonal() -> None:
    found = to_diagonal(np.array([1.0, 2.0]), np.array([[0.0], [-1.0]]))
    assert found.tolist() == [[[[1, 0], [0, 2]]], [[[1, -1], [-1, 2]]]]
