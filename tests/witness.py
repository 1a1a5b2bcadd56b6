"""What the numeric tests measure with: agreement within a tolerance, and autograd beside central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import autograd.numpy as np
import numpy
from autograd import grad

Function = Callable[..., Any]


def functions_of(module: ModuleType) -> set[str]:
    """The names of the functions a module offers, those that are autograd's primitives among them."""
    return {
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_")
        if getattr(getattr(value, "fun", value), "__module__", None) == module.__name__
    }


def assert_close(found: Any, expected: Any, relative: float = 1e-10, absolute: float = 1e-10) -> None:
    """The same shape, infinities at the same places, no NaN, and finite values that agree by either tolerance."""
    assert numpy.shape(found) == numpy.shape(expected)
    assert not numpy.isnan(expected).any(), "the witness itself fails"
    numpy.testing.assert_allclose(found, expected, rtol=relative, atol=absolute)


def assert_gradients(
    function: Function, *arguments: Any, by: Sequence[int] | None = None, symmetric: bool = False
) -> None:
    """Autograd's gradient of a weighted sum of the values is that of differences, to 1e-6, by all arguments or some.

    With `symmetric` an element of a matrix moves together with its mirror image, half of the way each.
    """
    weights = numpy.random.default_rng(0).uniform(0.5, 1.5, numpy.shape(function(*arguments)))
    for which in range(len(arguments)) if by is None else by:
        found = grad(partial(_weighted_sum, function, weights, which), which)(*arguments)
        expected = _gradient_by_differences(function, arguments, which, weights, symmetric)
        assert_close(found, expected, 1e-6, 1e-8)


def _weighted_sum(function: Function, weights: numpy.ndarray, which: int, *arguments: Any) -> Any:
    """Nothing times one argument is added: autograd warns where a value does not depend on it."""
    return np.sum(weights * function(*arguments)) + 0.0 * np.sum(arguments[which])


def _gradient_by_differences(
    function: Function, arguments: tuple[Any, ...], which: int, weights: numpy.ndarray, symmetric: bool
) -> numpy.ndarray:
    """Five points an element, good to the fourth power of a step of 1e-5."""
    at = numpy.asarray(arguments[which], dtype=float)
    gradient = numpy.zeros(at.shape)
    for place in numpy.ndindex(at.shape):
        step = 1e-5 * max(abs(at[place]), 0.1)
        move = numpy.zeros(at.shape)
        move[place] = step
        if symmetric:
            move = 0.5 * (move + numpy.swapaxes(move, -1, -2))
        at_steps = {
            steps: function(*arguments[:which], at + steps * move, *arguments[which + 1 :]) for steps in (-2, -1, 1, 2)
        }
        difference = 8 * (at_steps[1] - at_steps[-1]) - (at_steps[2] - at_steps[-2])
        gradient[place] = numpy.sum(weights * difference) / (12 * step)
    return gradient
