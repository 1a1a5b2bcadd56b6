"""x_t = a_t x_{t-1} + b_t over time -> all x at once, in blocks of times, and differentiable any number of times.

Step by step a recurrence costs two calls of NumPy a time. Here all blocks of about the square root of the number of
times are run beside one another as if each began at zero, then what each hands on goes from block to block, and is put
into the others. Every x is the sum of the same products as step by step, added in another order; where a product
overflows that was never needed, the steps are done one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive

Step = tuple[Callable[..., Any], tuple[Any, ...]]
_FEW = 24  # times: fewer are done one by one


class FirstOrder:
    """The calls for n times of S columns, over memory of their own."""

    def __init__(self, n: int, columns: int, moving: bool, squares: bool = False):
        """`moving`: whether a differs between times; `squares`: as in `first_order`."""
        self.n, self._squares = n, squares
        block = 1 if n < _FEW else max(2, round((n * (2 / 3)) ** 0.5))  # a step in blocks is three calls, between two
        blocks = -(-n // block)
        self._x = numpy.zeros((block, blocks, columns))  # time runs down the blocks first
        self._a = numpy.zeros((block, blocks if moving else 1, columns))  # into each time
        self._after = numpy.zeros((columns, n if moving else 0))
        self._moving = moving
        self._steps = tuple(self._blocked(block, blocks))

    @property
    def bytes(self) -> int:
        return int(2 * self._x.nbytes + self._a.nbytes + self._after.nbytes)

    def __call__(self, a: Any, b: Any, out: Any) -> None:
        """a (S or 1, n - 1 or 1) and b (S or 1, n) -> x (S, n), into `out`."""
        for blocks, times in _beside(self._x, b):
            numpy.copyto(blocks, times)
        self._x[self.n % len(self._x) or len(self._x) :, -1] = 0.0  # behind the last time
        if self._moving:
            self._after[:, 1:] = a
            for blocks, times in _beside(self._a, self._after):
                numpy.copyto(blocks, times)
            self._a[self.n % len(self._x) or len(self._x) :, -1] = 0.0
        else:
            self._a[:] = a.T
        with numpy.errstate(all="ignore"):
            for function, arguments in self._steps:
                function(*arguments)
            if not numpy.isfinite(self._x.sum()) or (self._squares and not self._x.min() >= 0.0):
                self._one_by_one(a, b, out)
                return
        for blocks, times in _beside(self._x, out):
            numpy.copyto(times, blocks)

    def _one_by_one(self, a: Any, b: Any, out: Any) -> None:
        x = numpy.broadcast_to(b, out.shape).T.copy()
        for t in range(1, self.n):
            x[t] += a[:, t - 1 if self._moving else 0] * x[t - 1]
            if self._squares:
                x[t, x[t] < 0.0] = numpy.nan
        numpy.copyto(out, x.T)

    def _blocked(self, block: int, blocks: int) -> list[Step]:
        x, a, part = self._x, self._a, numpy.empty(self._x.shape)
        steps: list[Step] = []
        for j in range(1, block):
            steps += [(numpy.multiply, (a[j], x[j - 1], part[0])), (numpy.add, (x[j], part[0], x[j]))]
        for j in range(1, block):  # from here on the product of all a since the block before
            steps += [(numpy.multiply, (a[j], a[j - 1], a[j]))]
        last, product = x[-1], numpy.broadcast_to(a[-1], x[-1].shape)
        for k in range(1, blocks):
            row = part[0, 0]
            steps += [(numpy.multiply, (product[k], last[k - 1], row)), (numpy.add, (last[k], row, last[k]))]
        if block > 1 and blocks > 1:
            own = part[:-1, 1:]
            into = a[:-1] if a.shape[1] == 1 else a[:-1, 1:]
            steps += [(numpy.multiply, (into, last[:-1], own)), (numpy.add, (x[:-1, 1:], own, x[:-1, 1:]))]
        return steps


def _beside(blocks: Any, x: Any) -> Iterator[tuple[Any, Any]]:
    """Views of (block, blocks, S) and of x (S, n) of the same elements: whole blocks at once, and the rest."""
    size, n = len(blocks), x.shape[1]
    whole = n // size
    yield blocks[:, :whole], x[:, : whole * size].reshape(len(x), whole, size).transpose(2, 1, 0)
    if n > whole * size:
        yield blocks[: n - whole * size, whole], x[:, whole * size :].T


@primitive
def first_order(a: Any, b: Any, squares: bool = False) -> Any:
    """a (..., n - 1 or 1) and b (..., n) -> x (..., n) with x_0 = b_0, x_t = a_{t-1} x_{t-1} + b_t.

    Leading axes are broadcast. With `squares` an x below zero and all that follow it are no number: they are squares of
    nothing.
    """
    n = b.shape[-1]
    outer = numpy.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    flat = [numpy.broadcast_to(x, (*outer, x.shape[-1])).reshape(-1, x.shape[-1]) for x in (a, b)]
    out = numpy.empty((len(flat[1]), n))
    FirstOrder(n, len(out), is_moving(a, n), squares)(flat[0], flat[1], out)
    return out.reshape(*outer, n)


def is_moving(a: Any, n: int) -> bool:
    return bool(a.shape[-1] == n - 1 and n != 2)


def _adjoint(a: Any, g: Any) -> Any:
    """What a change of each b does to all x behind it, weighed by g: the same from the last time to the first."""
    return first_order(a[..., ::-1], g[..., ::-1])[..., ::-1]


def _by_a(answer: Any, a: Any, b: Any, squares: bool = False) -> Callable[[Any], Any]:
    def vjp(g: Any) -> Any:
        return _summed_to(_adjoint(a, g)[..., 1:] * answer[..., :-1], np.shape(a))

    return vjp


def _by_b(answer: Any, a: Any, b: Any, squares: bool = False) -> Callable[[Any], Any]:
    return lambda g: _summed_to(_adjoint(a, g), np.shape(b))


def _summed_to(g: Any, shape: tuple[int, ...]) -> Any:
    """The gradient by an array that was broadcast to the shape of g."""
    extra = np.ndim(g) - len(shape)
    g = np.sum(g, axis=tuple(range(extra))) if extra else g
    axes = tuple(i for i, n in enumerate(shape) if n == 1 != np.shape(g)[i])
    return np.sum(g, axis=axes, keepdims=True) if axes else g


defvjp(first_order, _by_a, _by_b)
