"""density of z (S, D) -> its value and gradient, by autograd at first and by a staged listing once that pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

import numpy as np
from autograd.core import make_vjp

from ppl.compile.staged.listing import Listing
from ppl.compile.staged.passes import optimised
from ppl.compile.staged.run import Runner
from ppl.compile.staged.trace import NotStaged, trace
from ppl.language.errors import InternalError
from ppl.values import dataclass

Density = Callable[[Any], Any]
Found = tuple[np.ndarray, np.ndarray]

FIRST_STAGED = 16  # which call with the same number of draws: making the listing costs about as much as 16 calls
_MOST_BYTES = 1 << 27  # of the buffers of all listings kept
_AS_NEAR = 1e-7  # relative to the largest value, and the largest slope of a draw


@dataclass(slots=True, eq=False)
class Staging:
    """The listings of one density, one for each number of draws that is asked for often; the last used are kept."""

    calls: dict[int, int] = field(default_factory=dict)  # so far, by number of draws
    runners: dict[int, Runner] = field(default_factory=dict)  # the last used last
    never: str = ""  # why nothing is staged
    first: int = FIRST_STAGED

    def value_and_gradient(self, density: Density, z: np.ndarray) -> Found:
        """z (S, D) -> value (S,) and gradient (S, D) of the density. Raises `InternalError`."""
        draws = len(z)
        runner = self.runners.pop(draws, None)
        if runner is None:
            self.calls[draws] = self.calls.get(draws, 0) + 1
            if self.never or self.calls[draws] < self.first:
                return plain(density, z)
            try:
                runner = staged(density, z.shape)
            except NotStaged as reason:
                self.never = str(reason)
                return plain(density, z)
            self._make_room(runner.bytes)
        self.runners[draws] = runner
        return runner(z)

    def _make_room(self, needed: int) -> None:
        for draws in list(self.runners):
            if needed + sum(runner.bytes for runner in self.runners.values()) > _MOST_BYTES:
                del self.runners[draws]
                self.calls[draws] = 0


def plain(density: Density, z: np.ndarray) -> Found:
    """Value and gradient by autograd."""
    with np.errstate(all="ignore"):
        backward, value = make_vjp(density, z)
        return np.asarray(value), np.asarray(backward(np.ones(len(value))))


def listing(density: Density, shape: tuple[int, ...]) -> Listing:
    """The calls of value and gradient at z of this shape, after all passes. Raises `NotStaged`."""
    return optimised(trace(density, np.random.default_rng(0).normal(0.0, 0.5, shape)))


def staged(density: Density, shape: tuple[int, ...]) -> Runner:
    """A runner that has given what autograd gives at random points. Raises `NotStaged`, `InternalError`."""
    runner = Runner(listing(density, shape))
    at = np.random.default_rng(1).normal(0.0, 1.0, shape)  # not where it was traced
    expected = plain(density, at)
    wrong = _differs(runner(at), expected)
    if wrong.any():  # where rounding alone moves the result, a difference says nothing
        for nudge in (1e-15, -1e-15, 3e-15):
            wrong &= ~_differs(plain(density, at * (1.0 + nudge)), expected, _AS_NEAR * 1e-3)
    if wrong.any():
        raise InternalError("the staged gradient differs from autograd's")
    return runner


def _differs(found: Found, expected: Found, near: float = _AS_NEAR) -> np.ndarray:
    """Whether value or gradient are others, for each draw (S,)."""
    one, other = (np.column_stack(pair) for pair in (found, expected))
    finite = np.isfinite(other)
    same = finite == np.isfinite(one)  # infinite or no number: which may turn on the order of a product
    one, other = np.where(finite & same, one, 0.0), np.where(finite & same, other, 0.0)
    size = np.abs(other).max(axis=1, keepdims=True, initial=1.0)
    return np.asarray(~(same & (np.abs(one - other) <= near * size)).all(axis=1))
