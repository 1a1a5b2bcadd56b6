"""Stacking beside plain assignment, its gradient beside differences."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad

from ppl.numeric.shape import stack
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
