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
from ppl.compile.staged.trace import NotStaged, trace, trace_product, trace_value
from ppl.language.errors import InternalError
from ppl.numeric.trace import AUTOGRAD
from ppl.values import dataclass

Density = Callable[[Any], Any]
Found = tuple[np.ndarray, np.ndarray]

FIRST_STAGED = 16  # which call with the same number of draws: making the listing costs about as much as 16 calls
FIRST_IN_PIECES = 4  # which call with any number of draws: these cost more than a listing over a fit of few latents
_PIECE = 64  # draws, as many as a guide has: of a listing that serves any number of them
_MOST_BYTES = 1 << 27  # of the buffers of all listings kept
_AS_NEAR = 1e-7  # relative to the largest value, and the largest slope of a draw


@dataclass(slots=True, eq=False)
class Staging:
    """The listings of one density, one for each number of draws that is asked for often; the last used are kept.

    Where a listing for `_PIECE` draws stays in cache it serves all other numbers, in pieces and filled up.
    """

    calls: dict[int, int] = field(default_factory=dict)  # so far, by number of draws
    runners: dict[int, Runner] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)  # by number of draws, larger for what was used later
    values: dict[int, Runner] = field(default_factory=dict)  # that give the value alone
    valued: int = 0  # pieces of draws so far
    asked: int = 0  # times for a gradient so far
    never: str = ""  # why nothing is staged
    first: int = FIRST_STAGED

    def value_and_gradient(self, density: Density, z: np.ndarray, in_cache: int = 0) -> Found:
        """z (S, D) -> value (S,) and gradient (S, D) of the density, so many draws of which stay in cache.

        Several threads may call it. Raises `InternalError`.
        """
        draws = len(z)
        runner = self.runners.get(draws)
        if runner is None:
            with AUTOGRAD:
                runner = self.runners.get(draws) or self._made(density, z.shape, in_cache)
            if runner is None:
                return plain(density, z)
        size = runner.listing.shape[0]
        self.used[size] = 1 + max(list(self.used.values()), default=0)  # a copy: threads
        value, gradient = runner(z) if size == draws else _in_pieces(runner, z)
        return value, gradient

    def value(self, density: Density, z: np.ndarray, piece: int) -> np.ndarray | None:
        """z (S, D) -> value (S,), a piece of the draws, which stays in cache, at a time; None until that pays.

        Raises `InternalError`.
        """
        if len(z) < piece:
            return None
        runner = self.values.get(piece)
        if runner is None:
            with AUTOGRAD:
                runner = self.values.get(piece) or self._valued(density, len(z) // piece, (piece, z.shape[1]))
            if runner is None:
                return None
        return _in_pieces(runner, z)[0]

    def _valued(self, density: Density, pieces: int, shape: tuple[int, ...]) -> Runner | None:
        self.valued += pieces
        if self.never or self.valued < self.first:
            return None
        try:
            runner = self.values[shape[0]] = staged_value(density, shape)
        except NotStaged as reason:
            self.never = str(reason)
            return None
        return runner

    def _made(self, density: Density, shape: tuple[int, ...], in_cache: int) -> Runner | None:
        draws = shape[0]
        self.asked += 1
        self.calls[draws] = self.calls.get(draws, 0) + 1
        if self.never:
            return None
        if self.calls[draws] >= self.first:
            size = draws
        elif in_cache >= 2 * _PIECE and self.asked >= FIRST_IN_PIECES:
            size = _PIECE
        else:
            return None
        if size not in self.runners:
            try:
                runner = staged(density, (size, shape[1]))
            except NotStaged as reason:
                self.never = str(reason)
                return None
            self._make_room(runner.bytes)
            self.runners[size] = runner
        return self.runners[size]

    def _make_room(self, needed: int) -> None:
        for draws in sorted(self.runners, key=lambda draws: self.used.get(draws, 0)):
            if needed + sum(runner.bytes for runner in self.runners.values()) > _MOST_BYTES:
                del self.runners[draws]
                self.calls[draws] = 0


def _in_pieces(runner: Runner, z: np.ndarray) -> tuple[np.ndarray, ...]:
    """The outputs at any number of draws, as many at a time as the listing has; the last draw fills up what lacks."""
    piece = runner.listing.shape[0]
    lacking = -len(z) % piece
    whole = np.concatenate([z, np.broadcast_to(z[-1:], (lacking, z.shape[1]))]) if lacking else z
    found = [runner(whole[i : i + piece]) for i in range(0, len(whole), piece)]
    return tuple(np.concatenate(part)[: len(z)] for part in zip(*found, strict=True))


def plain(density: Density, z: np.ndarray) -> Found:
    """Value and gradient by autograd."""
    with AUTOGRAD, np.errstate(all="ignore"):
        backward, value = make_vjp(density, z)
        return np.asarray(value), np.asarray(backward(np.ones(len(value))))


def listing(density: Density, shape: tuple[int, ...]) -> Listing:
    """The calls of value and gradient at z of this shape, after all passes. Raises `NotStaged`."""
    return optimised(trace(density, _near(shape)))


def staged(density: Density, shape: tuple[int, ...]) -> Runner:
    """A runner that has given what autograd gives at random points. Raises `NotStaged`, `InternalError`."""
    return _checked(Runner(listing(density, shape)), lambda z: plain(density, z))


def staged_value(density: Density, shape: tuple[int, ...]) -> Runner:
    """As `staged`, of the value alone."""
    runner = Runner(optimised(trace_value(density, _near(shape))))
    return _checked(runner, lambda z: (np.asarray(density(z)),))


def staged_product(density: Density, shape: tuple[int, ...]) -> Runner:
    """As `staged`, of the gradient at z and the Hessian there times v, for z and v side by side (S, 2 D).

    It is compared with differences of gradients.
    """
    dimension = shape[1]
    runner = Runner(optimised(trace_product(density, _near((shape[0], 2 * dimension)))))

    def differences(both: np.ndarray) -> tuple[np.ndarray, ...]:
        z, v = both[:, :dimension], both[:, dimension:]
        ahead, behind = (plain(density, z + step * v)[1] for step in (1e-5, -1e-5))
        return plain(density, z)[1], (ahead - behind) / 2e-5

    return _checked(runner, differences, 1e-4)


def _near(shape: tuple[int, ...]) -> np.ndarray:
    """Where densities are traced."""
    return np.random.default_rng(0).normal(0.0, 0.5, shape)


def _checked(runner: Runner, expect: Callable[[np.ndarray], tuple[np.ndarray, ...]], near: float = _AS_NEAR) -> Runner:
    at = np.random.default_rng(1).normal(0.0, 1.0, runner.listing.shape)  # not where it was traced
    with np.errstate(all="ignore"):
        expected = expect(at)
        wrong = _differs(runner(at), expected, near)
        if wrong.any():  # where rounding alone moves the result, a difference says nothing
            for nudge in (1e-15, -1e-15, 3e-15):
                wrong &= ~_differs(expect(at * (1.0 + nudge)), expected, near * 1e-3)
    if wrong.any():
        raise InternalError("the staged gradient differs from autograd's")
    return runner


def _differs(found: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...], near: float) -> np.ndarray:
    """Whether any output is another, for each draw (S,)."""
    one, other = (np.column_stack(arrays) for arrays in (found, expected))
    finite = np.isfinite(other)
    same = finite == np.isfinite(one)  # infinite or no number: which may turn on the order of a product
    one, other = np.where(finite & same, one, 0.0), np.where(finite & same, other, 0.0)
    size = np.abs(other).max(axis=1, keepdims=True, initial=1.0)
    return np.asarray(~(same & (np.abs(one - other) <= near * size)).all(axis=1))
