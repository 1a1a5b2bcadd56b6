"""Reductions and running totals beside plain loops, their gradients beside differences, over any axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from statistics import fmean, stdev, variance
from typing import Any

import numpy as np
import pytest
from autograd import elementwise_grad

from ppl.numeric import reduce
from tests.witness import assert_close, assert_gradients, functions_of

X = np.random.default_rng(3).standard_normal((3, 4, 5))  # no two values are the same


def logsumexp(values: list[float]) -> float:
    return math.log(math.fsum(math.exp(v) for v in values))


@dataclass(frozen=True)
class Row:
    """A function and what it makes of one list of numbers: a number, or a list.

    `times` is how often it can be differentiated.
    """

    function: Callable[..., Any]
    witness: Callable[[list[float]], Any]
    times: int = 2


ROWS = {
    "total": Row(reduce.total, math.fsum),
    "mean": Row(reduce.mean, fmean),
    "variance": Row(reduce.variance, variance),
    "standard_deviation": Row(reduce.standard_deviation, stdev),
    "product": Row(reduce.product, math.prod, times=1),
    "logsumexp": Row(reduce.logsumexp, logsumexp),
    "softmax": Row(reduce.softmax, lambda values: [math.exp(v - logsumexp(values)) for v in values]),
    "log_softmax": Row(reduce.log_softmax, lambda values: [v - logsumexp(values) for v in values]),
    "largest": Row(reduce.largest, max),
    "smallest": Row(reduce.smallest, min),
    "running_total": Row(reduce.running_total, lambda values: list(accumulate(values))),
    "running_product": Row(reduce.running_product, lambda values: list(accumulate(values, mul)), times=1),
    "differences": Row(reduce.differences, lambda values: [b - a for a, b in pairwise(values)]),
}

every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
every_axis = pytest.mark.parametrize("axis", [-1, -2, -3])


def test_every_function_has_a_row() -> None:
    assert functions_of(reduce) == set(ROWS)


@every_row
@every_axis
def test_value(row: Row, axis: int) -> None:
    expected = np.apply_along_axis(lambda line: np.array(row.witness(line.tolist())), axis, X)
    assert_close(row.function(X, axis), expected, 1e-12, 1e-14)


@every_row
@every_axis
def test_gradient(row: Row, axis: int) -> None:
    assert_gradients(lambda x: row.function(x, axis), X)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.times > 1])
def test_second_derivative(name: str) -> None:
    assert_gradients(elementwise_grad(lambda x: ROWS[name].function(x, -2) ** 2), X[0])


@pytest.mark.parametrize("function", [reduce.product, reduce.running_product])
def test_gradient_of_products_with_zeros(function: Callable[..., Any]) -> None:
    """No division by the elements."""
    x = np.array([[2.0, 0.0, 3.0, -1.0], [2.0, 0.0, 0.0, 5.0], [0.0, 1.0, 1.0, 0.0]])
    assert_gradients(lambda x: function(x, -1), x)
    assert_gradients(lambda x: function(x, -2), x)


def test_logsumexp_of_infinities() -> None:
    x = np.array([[-np.inf, -np.inf], [-np.inf, 2.0], [1000.0, 1000.0], [-1000.0, -1000.0], [np.inf, 0.0]])
    expected = np.array([-np.inf, 2.0, 1000 + math.log(2), -1000 + math.log(2), np.inf])
    assert_close(reduce.logsumexp(x), expected, 1e-14)
    slope = elementwise_grad(reduce.logsumexp)(x[:4])
    assert_close(slope, np.array([[0.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]]), 1e-12)


def test_softmax_far_out() -> None:
    x = np.array([1000.0, 0.0, -np.inf])
    assert_close(reduce.softmax(x), np.array([1.0, 0.0, 0.0]))
    assert_close(reduce.log_softmax(x), np.array([0.0, -1000.0, -np.inf]))


def test_spread_of_equal_values() -> None:
    """All latents start at the same value: the kink must not stop the climb there."""
    x = np.full((2, 3), 7.0)
    assert_close(reduce.standard_deviation(x), np.zeros(2))
    assert_close(elementwise_grad(reduce.standard_deviation)(x), np.zeros((2, 3)))


def test_spread_of_one_value_is_unknown() -> None:
    assert np.isnan(reduce.variance(np.ones((2, 1)))).all()
    assert np.isnan(reduce.standard_deviation(np.ones((2, 1)))).all()


def test_gradient_of_ties_is_shared() -> None:
    x = np.array([1.0, 3.0, 3.0])
    assert_close(elementwise_grad(reduce.largest)(x), np.array([0.0, 0.5, 0.5]))
    assert_close(elementwise_grad(reduce.smallest)(-x), np.array([0.0, 0.5, 0.5]))
