"""Picking and adding up beside plain loops; each is the adjoint of the other."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad

from ppl.numeric.gather import Positions, add_up, gather, pick, place
from tests.witness import assert_close, assert_gradients

LENGTH = 4  # of the axis that is picked from

INDICES = {
    "sorted": np.array([0, 0, 1, 3, 3, 3]),
    "unsorted": np.array([3, 0, 2, 0, 3]),
    "one": np.array([2]),
    "none": np.array([], dtype=int),
    "matrix": np.array([[3, 1, 1], [0, 3, 1]]),
    "number": np.array(2),
}

every_index = pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
every_axis = pytest.mark.parametrize("axis", [-1, -2, -3])

KEYS: dict[str, tuple[Any, ...]] = {
    "number": (..., 2),
    "slice": (..., slice(1, 3), slice(None)),
    "number and slice": (slice(None), 1, slice(0, 2)),
    "first axis": (1,),
    "steps": (..., slice(None, None, 2)),
}

every_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


def array(axis: int) -> np.ndarray:
    """Three axes; `axis` is the one of LENGTH elements."""
    shape = [2, 3, 5]
    shape[axis] = LENGTH
    return np.random.default_rng(4).standard_normal(shape)


def gathered(x: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """One element at a time."""
    moved = np.moveaxis(x, axis, 0)
    result = np.empty((*index.shape, *moved.shape[1:]))
    for at in np.ndindex(index.shape):
        result[at] = moved[index[at]]
    start = x.ndim + axis
    return np.moveaxis(result, range(index.ndim), range(start, start + index.ndim))


def added_up(x: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    start = x.ndim + axis - index.ndim + 1
    moved = np.moveaxis(x, range(start, start + index.ndim), range(index.ndim))
    result = np.zeros((LENGTH, *moved.shape[index.ndim :]))
    for at in np.ndindex(index.shape):
        result[index[at]] += moved[at]
    return np.moveaxis(result, 0, axis)


@every_index
@every_axis
def test_gather(index: np.ndarray, axis: int) -> None:
    x, positions = array(axis), Positions(index, LENGTH)
    assert_close(gather(x, positions, axis), gathered(x, index, axis), 0, 0)
    assert_gradients(lambda x: gather(x, positions, axis), x)


@every_index
@every_axis
def test_add_up(index: np.ndarray, axis: int) -> None:
    x, positions = gathered(array(axis), index, axis), Positions(index, LENGTH)
    assert_close(add_up(x, positions, axis), added_up(x, index, axis), 1e-14, 1e-14)
    assert_gradients(lambda x: add_up(x, positions, axis), x)


@every_key
def test_pick(key: tuple[Any, ...]) -> None:
    x = array(-1)
    assert_close(pick(x, key), x[key], 0, 0)
    assert_gradients(lambda x: pick(x, key), x)


@every_key
def test_place(key: tuple[Any, ...]) -> None:
    x = array(-1)
    expected = np.zeros(x.shape)
    expected[key] = x[key]
    assert_close(place(x[key], key, x.shape), expected, 0, 0)
    assert_gradients(lambda part: place(part, key, x.shape), x[key])


def test_second_derivative() -> None:
    """The gradient of a function of what was picked can be differentiated again."""
    positions = Positions(INDICES["unsorted"], LENGTH)
    assert_gradients(elementwise_grad(lambda x: anp.exp(gather(x, positions, -1))), array(-1))
    assert_gradients(elementwise_grad(lambda x: anp.exp(pick(x, (..., slice(1, 3))))), array(-1))
