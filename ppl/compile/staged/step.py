"""objective(phi, *given) -> its value and gradient by phi (P,), staged: arrays that change between calls are inputs.

What a step of a stochastic fit gets beside its parameters (rows of the data, noise) stands behind them in one buffer,
so that the listing is made once and reads views of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import backward_pass, make_vjp
from autograd.tracer import Box, new_box, trace_stack

from ppl.compile.staged.listing import Listing, Slot, drop_dead
from ppl.compile.staged.passes import optimised
from ppl.compile.staged.run import Layout
from ppl.compile.staged.trace import NotStaged, Tape, Untraceable, root_of_gradient, root_of_trace, strict_boxes
from ppl.language.errors import InternalError
from ppl.numeric.gather import pick
from ppl.numeric.trace import AUTOGRAD

Objective = Callable[..., Any]  # (phi, *given) -> (1,)
_AS_NEAR, _AS_NEAR_IN_SINGLE = 1e-7, 2e-3  # relative to the value, and to the largest slope


class Step:
    """Value and gradient by phi at one point; by autograd where the objective cannot be staged.

    With `single` the listing calculates in numbers of 32 bits, in half of the time, whatever goes in; the gradient has
    as many as phi. Staged with the first call, so that the bits of a step do not depend on how many went before.
    `shapes` are those of the given arrays, all of real numbers.
    """

    def __init__(self, objective: Objective, parameters: int, shapes: Sequence[tuple[int, ...]], single: bool = False):
        self.objective, self.parameters, self.shapes, self.single = objective, parameters, tuple(shapes), single
        self.never = ""  # why nothing is staged
        self.runner: _Runner | None = None
        self.valuer: _Runner | None = None

    def __call__(self, phi: np.ndarray, *given: np.ndarray) -> tuple[float, np.ndarray]:
        """The value in nats and the gradient (P,). Raises `InternalError` where the listing gives another gradient."""
        if not self._is_staged(phi, given):
            value, gradient = plain(self.objective, phi, given)
            return value, gradient.astype(phi.dtype)
        assert self.runner is not None
        return self.runner(phi, given), self.runner.gradient(phi.dtype)

    def value(self, phi: np.ndarray, *given: np.ndarray) -> float:
        """The value alone, in a third of the time."""
        if not self._is_staged(phi, given):
            with np.errstate(all="ignore"):
                return float(self.objective(phi, *given)[0])
        assert self.valuer is not None
        return self.valuer(phi, given)

    def _is_staged(self, phi: np.ndarray, given: Sequence[np.ndarray]) -> bool:
        if self.runner is None and not self.never:
            self._stage(phi, given, plain(self.objective, phi, given))
        return self.runner is not None

    def _stage(self, phi: np.ndarray, given: Sequence[np.ndarray], expected: tuple[float, np.ndarray]) -> None:
        try:
            listing = _listing(self.objective, phi, given)
            listing = in_single(listing) if self.single else listing
            runner = _Runner(listing, len(phi), self.single)
        except NotStaged as reason:
            self.never = str(reason)
            return
        value, gradient = runner(phi, given), runner.gradient(np.float64)
        size = max(1.0, float(np.abs(expected[1]).max(initial=0.0)))
        near = _AS_NEAR_IN_SINGLE if self.single else _AS_NEAR
        same = abs(value - expected[0]) <= near * max(1.0, abs(expected[0]))
        if np.isfinite(expected[1]).all() and not (same and (np.abs(gradient - expected[1]) <= near * size).all()):
            raise InternalError("the staged gradient differs from autograd's")
        self.runner = runner
        self.valuer = _Runner(drop_dead(replace(listing, outputs=listing.outputs[:1])), len(phi), self.single)


def plain(objective: Objective, phi: np.ndarray, given: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
    """Value and gradient by autograd, in numbers of 64 bits."""
    phi, given = phi.astype(np.float64), [np.asarray(part, np.float64) for part in given]
    with AUTOGRAD, np.errstate(all="ignore"):
        backward, value = make_vjp(lambda phi: objective(phi, *given), phi)
        return float(value[0]), np.asarray(backward(np.ones(1)))


class _Runner:
    """A listing over buffers of its own."""

    def __init__(self, listing: Listing, parameters: int, single: bool):
        self._layout = Layout(listing, dtype=np.float32 if single else np.float64)
        self._input = self._layout.arrays[0]
        self._parameters = parameters
        self._value, *others = (self._layout.array_of(output) for output in listing.outputs)
        self._gradient = np.broadcast_to(others[0], (parameters,)) if others else np.zeros(parameters)
        self._steps = tuple(step for step, _ in self._layout.steps)
        self._careful = tuple(step if other is None else other for step, other in self._layout.steps)

    def __call__(self, phi: np.ndarray, given: Sequence[np.ndarray]) -> float:
        """The value; the gradient is there until the next call."""
        np.concatenate([phi, *(part.reshape(-1) for part in given)], out=self._input, casting="same_kind")
        with np.errstate(all="ignore"):
            for function, arguments in self._steps:
                function(*arguments)
            if not np.isfinite(self._gradient).all():
                for function, arguments in self._careful:  # 0 times infinity, somewhere on the way back
                    function(*arguments)
        return float(np.reshape(self._value, -1)[0])

    def gradient(self, dtype: Any) -> np.ndarray:
        """A copy (P,)."""
        return self._gradient.astype(dtype)


def _listing(objective: Objective, phi: np.ndarray, given: Sequence[np.ndarray]) -> Listing:
    try:
        return optimised(_traced(objective, phi, given))
    except (Untraceable, TypeError, NotImplementedError) as error:
        raise NotStaged("its code looks at values") from error


def in_single(listing: Listing) -> Listing:
    """The same calls over numbers of 32 bits."""
    calls = []
    for call in listing.calls:
        arguments = tuple(_single(argument) for argument in call.arguments)
        dtype = np.dtype(np.float32) if call.dtype == np.float64 else call.dtype
        calls.append(replace(call, arguments=arguments, dtype=dtype))
    return replace(listing, calls=tuple(calls), outputs=tuple(_single(output) for output in listing.outputs))


def _single(argument: Any) -> Any:
    if isinstance(argument, np.ndarray) and argument.dtype == np.float64:
        return argument.astype(np.float32) if argument.ndim else float(argument)
    return float(argument) if isinstance(argument, np.float64) else argument


def _traced(objective: Objective, phi: np.ndarray, given: Sequence[np.ndarray]) -> Listing:
    """The calls of value and gradient: all of the input is seen, and the gradient is taken by its first P numbers."""
    tape = Tape()
    whole = np.concatenate([phi, *(part.reshape(-1) for part in given)])
    with AUTOGRAD, np.errstate(all="ignore"), strict_boxes(), trace_stack.new_trace() as outer:
        seen = new_box(whole, outer, root_of_trace(tape))
        own, *others = _cut(seen, [(len(phi),), *(part.shape for part in given)])
        with trace_stack.new_trace() as inner:
            end = objective(new_box(own, inner, root_of_gradient()), *others)
            if not (isinstance(end, Box) and end._trace == inner):
                raise NotStaged("the objective is constant")
            value, last = end._value, end._node
        gradient = backward_pass(np.ones(1), last)
    outputs = tuple(Slot(out._node.slot) if isinstance(out, Box) else out for out in (value, gradient))
    return Listing(tuple(tape.calls), whole.shape, outputs, ((1,), (len(phi),)))


def _cut(whole: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Pieces of a flat array, one after the other, in these shapes."""
    found, start = [], 0
    for shape in shapes:
        stop = start + int(np.prod(shape))
        found.append(anp.reshape(pick(whole, (slice(start, stop),)), shape))
        start = stop
    return found
