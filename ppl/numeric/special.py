"""Elementwise functions of numpy and scipy.special -> autograd primitives, with their derivatives.

`autograd.scipy.special` is not used: importing it loads all of scipy.stats. Derivatives are written with traced
functions, so that they can be differentiated or staged again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast

from ppl.numeric.ufuncs import polygamma, special
from ppl.values import dataclass

Function = Callable[..., Any]
TWO_OVER_ROOT_PI = 2.0 / numpy.sqrt(numpy.pi)
ROOT_TWO_OVER_PI = numpy.sqrt(2.0 / numpy.pi)
ONE_OVER_ROOT_TWO_PI = 1.0 / numpy.sqrt(2.0 * numpy.pi)


def elementwise(value: Function, *partials: Function | None, name: str | None = None) -> Function:
    """A broadcasting function as one autograd primitive.

    `partials[i]` takes the same arguments and gives the derivative by argument i, elementwise; None says it is zero.
    By an argument without a partial the function cannot be differentiated.
    """

    def quiet(*arguments: Any) -> Any:
        with numpy.errstate(all="ignore"):
            return value(*arguments)

    quiet.__name__ = str(name or getattr(value, "__name__", "elementwise"))
    quiet.__doc__ = value.__doc__
    wrapped: Function = primitive(quiet)
    wrapped.raw = value  # type: ignore[attr-defined]
    defvjp(wrapped, *(None if partial is None else _backward(i, partial) for i, partial in enumerate(partials)))
    return wrapped


def _backward(argument: int, partial: Any) -> Function:
    def vjp(answer: Any, *arguments: Any) -> Function:
        meta = np.metadata(arguments[argument])
        return lambda g: unbroadcast(weigh(g, partial(*arguments)), meta)

    return vjp


@primitive
def weigh(g: Any, slope: Any) -> Any:
    """`g * slope`, where 0 times infinity is 0: what does not count must not spoil the rest.

    Without it `log(x) if x > 0 else 0` has the gradient NaN at 0, from the branch that was not taken.
    """
    with numpy.errstate(all="ignore"):
        product = g * slope
        if not numpy.isfinite(product).all():
            product = numpy.where(g == 0, 0.0, product)
    return product


defvjp(
    weigh,
    lambda answer, g, slope: lambda h, meta=np.metadata(g): unbroadcast(weigh(h, slope), meta),
    lambda answer, g, slope: lambda h, meta=np.metadata(slope): unbroadcast(weigh(h, g), meta),
)


@dataclass(frozen=True, slots=True)
class _Difference:
    """The central difference of a function by one argument."""

    function: Function
    argument: int

    def __call__(self, *arguments: Any) -> Any:
        at = arguments[self.argument]
        step = 6e-6 * numpy.maximum(1e-2, numpy.abs(at))
        above = [*arguments[: self.argument], at + step, *arguments[self.argument + 1 :]]
        below = [*arguments[: self.argument], at - step, *arguments[self.argument + 1 :]]
        return (self.function(*above) - self.function(*below)) / (2 * step)


def numeric_partial(function: Function, argument: int) -> Function:
    """The derivative of an elementwise function by one argument, by central differences, good to about 1e-8."""
    return elementwise(_Difference(function, argument), name="numeric_partial")


polygamma_3 = elementwise(lambda x: polygamma(3, x), name="polygamma_3")
tetragamma = elementwise(lambda x: polygamma(2, x), polygamma_3, name="tetragamma")
trigamma = elementwise(lambda x: polygamma(1, x), tetragamma, name="trigamma")
digamma = elementwise(special.psi, trigamma, name="digamma")
lgamma = elementwise(special.gammaln, digamma, name="lgamma")

exp = elementwise(numpy.exp, lambda x: np.exp(x), name="exp")
expm1 = elementwise(numpy.expm1, lambda x: np.exp(x), name="expm1")
log = elementwise(numpy.log, lambda x: 1 / x, name="log")
log10 = elementwise(numpy.log10, lambda x: (1 / numpy.log(10)) / x, name="log10")
log1p = elementwise(numpy.log1p, lambda x: 1 / (1 + x), name="log1p")
sqrt = elementwise(numpy.sqrt, lambda x: 0.5 / np.sqrt(x), name="sqrt")
square = elementwise(numpy.square, lambda x: 2.0 * x, name="square")
reciprocal = elementwise(lambda x: 1.0 / x, lambda x: -1.0 / (x * x), name="reciprocal")
absolute = elementwise(numpy.abs, lambda x: np.sign(x), name="abs")
floor = elementwise(numpy.floor, None, name="floor")
sin = elementwise(numpy.sin, lambda x: np.cos(x), name="sin")
cos = elementwise(numpy.cos, lambda x: -np.sin(x), name="cos")
tan = elementwise(numpy.tan, lambda x: 1 + np.tan(x) ** 2, name="tan")
tanh = elementwise(numpy.tanh, lambda x: 1 - np.tanh(x) ** 2, name="tanh")
relu = elementwise(lambda x: numpy.maximum(x, 0.0), lambda x: 1.0 * (x > 0), name="relu")
divide = elementwise(numpy.divide, lambda x, y: 1 / y, lambda x, y: -x / (y * y), name="divide")
power = elementwise(
    numpy.power,
    lambda x, y: np.where(y == 0, 0.0, y * np.power(x, np.where(y == 0, 1.0, y - 1.0))),
    lambda x, y: np.where(x == 0, 0.0, np.power(x, y) * np.log(np.where(x == 0, 1.0, x))),
    name="power",
)
smaller = elementwise(
    numpy.minimum, lambda x, y: 1.0 * (x < y) + 0.5 * (x == y), lambda x, y: 1.0 * (y < x) + 0.5 * (x == y), name="min"
)
larger = elementwise(
    numpy.maximum, lambda x, y: 1.0 * (x > y) + 0.5 * (x == y), lambda x, y: 1.0 * (y > x) + 0.5 * (x == y), name="max"
)
choose = elementwise(
    lambda test, x, y: numpy.where(test != 0, x, y),
    None,
    lambda test, x, y: 1.0 * (test != 0),
    lambda test, x, y: 1.0 * (test == 0),
    name="choose",
)

inv_logit: Function = elementwise(special.expit, lambda x: inv_logit(x) * inv_logit(-x), name="inv_logit")
logit = elementwise(special.logit, lambda x: 1 / (x * (1 - x)), name="logit")
softplus = elementwise(lambda x: numpy.logaddexp(0.0, x), inv_logit, name="softplus")
erf = elementwise(special.erf, lambda x: TWO_OVER_ROOT_PI * np.exp(-x * x), name="erf")


def normal_density(x: Any) -> Any:
    return ONE_OVER_ROOT_TWO_PI * np.exp(-0.5 * x * x)


Phi = elementwise(special.ndtr, normal_density, name="Phi")
log_Phi = elementwise(special.log_ndtr, lambda x: inverse_mills(x), name="log_Phi")
# d log Phi = phi / Phi, by the scaled complement of erf: both underflow in the lower tail, their ratio does not.
inverse_mills: Function = elementwise(
    lambda x: ROOT_TWO_OVER_PI / special.erfcx(-x / numpy.sqrt(2.0)),
    lambda x: -inverse_mills(x) * (x + inverse_mills(x)),
    name="inverse_mills",
)

lbeta = elementwise(
    special.betaln,
    lambda a, b: digamma(a) - digamma(a + b),
    lambda a, b: digamma(b) - digamma(a + b),
    name="lbeta",
)


def lchoose(n: Any, k: Any) -> Any:
    """log of n over k, stable for large n: n over k is 1 / ((n + 1) B(n - k + 1, k + 1))."""
    return -np.log1p(n) - lbeta(n - k + 1.0, k + 1.0)


def log1mexp(x: Any) -> Any:
    """log(1 - exp(x)) for x < 0."""
    return _log1mexp(x)


_log1mexp = elementwise(
    lambda x: numpy.where(x > -0.6931471805599453, numpy.log(-numpy.expm1(x)), numpy.log1p(-numpy.exp(x))),
    lambda x: 1.0 - 1.0 / (-np.expm1(x)),
    name="log1mexp",
)
