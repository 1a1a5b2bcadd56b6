"""Reductions and running totals along one axis (counted from the end, negative), differentiable by autograd."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive

from ppl.numeric.special import sqrt


def total(x: Any, axis: int = -1) -> Any:
    return np.sum(x, axis=axis)


def mean(x: Any, axis: int = -1) -> Any:
    return np.sum(x, axis=axis) / np.shape(x)[axis]


def variance(x: Any, axis: int = -1) -> Any:
    """With n - 1 below; NaN for a single value."""
    n = np.shape(x)[axis]
    deviation = x - np.expand_dims(mean(x, axis), axis)
    return np.sum(deviation * deviation, axis=axis) / (n - 1 if n > 1 else numpy.nan)


def standard_deviation(x: Any, axis: int = -1) -> Any:
    """Of values that are all the same it has a kink, as abs has at 0; the gradient there is 0 too."""
    found = variance(x, axis)
    return np.where(found > 0, sqrt(np.where(found > 0, found, 1.0)), found)


@primitive
def product(x: Any, axis: int = -1) -> Any:
    return numpy.prod(x, axis=axis)


def _product_of_others(x: Any, axis: int) -> Any:
    """For each element the product of all others, without dividing by it."""
    moved = numpy.moveaxis(x, axis, -1)
    ones = numpy.ones((*moved.shape[:-1], 1))
    before = numpy.cumprod(numpy.concatenate([ones, moved[..., :-1]], axis=-1), axis=-1)
    after = numpy.cumprod(numpy.concatenate([ones, moved[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return numpy.moveaxis(before * after, -1, axis)


_product_of_others_primitive = primitive(_product_of_others)
defvjp(
    product,
    lambda answer, x, axis=-1: lambda g: np.expand_dims(g, axis) * _product_of_others_primitive(x, axis),
    argnums=[0],
)


@primitive
def logsumexp(x: Any, axis: int = -1) -> Any:
    """log of the sum of exponentials; minus infinity, with gradient 0, where all are minus infinity."""
    largest = numpy.max(x, axis=axis, keepdims=True)
    shift = numpy.where(numpy.isfinite(largest), largest, 0.0)
    with numpy.errstate(divide="ignore"):
        return numpy.log(numpy.sum(numpy.exp(x - shift), axis=axis)) + numpy.squeeze(shift, axis=axis)


def _logsumexp_backward(answer: Any, x: Any, axis: int = -1) -> Any:
    def vjp(g: Any) -> Any:
        level = np.expand_dims(answer, axis)
        weights = np.exp(x - np.where(level == -numpy.inf, 0.0, level))
        return np.expand_dims(g, axis) * weights

    return vjp


defvjp(logsumexp, _logsumexp_backward, argnums=[0])


def softmax(x: Any, axis: int = -1) -> Any:
    return np.exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: int = -1) -> Any:
    return x - np.expand_dims(logsumexp(x, axis), axis)


def largest(x: Any, axis: int = -1) -> Any:
    return np.max(x, axis=axis)


def smallest(x: Any, axis: int = -1) -> Any:
    return np.min(x, axis=axis)


def running_total(x: Any, axis: int = -1) -> Any:
    return np.cumsum(x, axis=axis)


@primitive
def running_product(x: Any, axis: int = -1) -> Any:
    return numpy.cumprod(x, axis=axis)


def _running_product_backward(answer: Any, x: Any, axis: int = -1) -> Any:
    def vjp(g: Any) -> Any:
        moved = numpy.moveaxis(x, axis, -1)
        cotangent = numpy.moveaxis(g, axis, -1)
        n = moved.shape[-1]
        gradient = numpy.zeros(moved.shape)
        running = numpy.ones(moved.shape[:-1])  # the product before element i
        for i in range(n):  # quadratic, but right where elements are zero
            tail = numpy.cumprod(numpy.concatenate([running[..., None], moved[..., i + 1 :]], axis=-1), axis=-1)
            gradient[..., i] = numpy.sum(cotangent[..., i:] * tail, axis=-1)
            running = running * moved[..., i]
        return numpy.moveaxis(gradient, -1, axis)

    return vjp


defvjp(running_product, _running_product_backward, argnums=[0])


def differences(x: Any, axis: int = -1) -> Any:
    """x[2] - x[1], x[3] - x[2], ...: one element fewer."""
    n = np.shape(x)[axis]
    after = [slice(None)] * -axis
    before = list(after)
    after[0], before[0] = slice(1, n), slice(0, n - 1)
    return x[(..., *after)] - x[(..., *before)]
