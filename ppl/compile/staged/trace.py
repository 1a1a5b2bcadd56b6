"""function of z (S, D) -> the primitive calls of its value (S,) and its gradient (S, D), found by running it once.

A node type of our own, outside the one of the gradient, sees every call of both passes. What depends on values must not
be seen through: a Python branch on a traced value raises, and primitives whose way back is plain NumPy (recurrences,
eliminations) stay one call forward and one call backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, NoReturn

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, VSpace, backward_pass, primitive_vjps, sparse_add
from autograd.extend import primitive
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vjps import untake
from autograd.numpy.numpy_wrapper import concatenate_args
from autograd.tracer import Box, Node, new_box, notrace_primitives, trace_primitives_map, trace_stack
from autograd.util import func

from ppl.compile.staged.listing import Call, Listing, Slot
from ppl.numeric import first_order, gather, kernels, linear, linear_scan, ode, reduce, scan, shape, special
from ppl.numeric.gather import pick
from ppl.numeric.trace import AUTOGRAD

MOST_CALLS = 5_000  # of a trace; more than this are not worth the time it takes


class NotStaged(Exception):
    """This function stays with autograd; the text says why."""


NEVER = {ode._answer: "a differential equation's steps depend on its values"}

_OWN = (
    gather.gather, gather.add_up, gather.pick, gather.place, gather.pick_at, gather.add_at,
    special.weigh, shape.stack, shape.join, shape.diagonal,
    shape.to_diagonal, linear.cholesky, linear.inverse_lower, linear.inverse, linear.determinant,
    linear.log_determinant, linear.solve, kernels.squared_distances, reduce.logsumexp, reduce.product,
    first_order.first_order, scan.scan, linear_scan.later, linear_scan.sooner,
)  # fmt: skip
_AUTOGRADS = (
    func(ArrayBox.__getitem__), untake, sparse_add, *(func(getattr(VSpace, name)) for name in ("add", "mut_add")),
    trace_primitives_map[np.where], concatenate_args,
)  # fmt: skip
_SEEN_THROUGH = {
    id(f) for f in (*_OWN, *_AUTOGRADS, *(f for f in vars(anp).values() if hasattr(f, "fun")))
}  # whose way back is made of primitives itself


class Tape:
    """The calls so far."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.next = 1

    def add(self, function: Any, arguments: tuple[Any, ...], options: dict[str, Any], value: Any) -> int:
        if len(self.calls) >= MOST_CALLS:
            raise NotStaged(f"more than {MOST_CALLS} calls")
        if function in NEVER:
            raise NotStaged(NEVER[function])
        index = self.next
        self.next += 1
        is_array = isinstance(value, np.ndarray | np.generic | float)
        size = np.shape(value) if is_array else None
        dtype = np.asarray(value).dtype if is_array else None
        self.calls.append(Call(function, arguments, options, Slot(index), size, dtype))
        return index


class _Seen(Node):  # type: ignore[misc]
    """A value, and the call that gave it."""

    __slots__ = ("slot", "tape")

    def __init__(self, value: Any, fun: Any, args: Any, kwargs: Any, parent_argnums: Any, parents: Any):
        self.tape = parents[0].tape
        inlined = (
            _inlined(self.tape, fun, args, parent_argnums, parents) if hasattr(fun, "raw") and not kwargs else None
        )
        if inlined is not None:
            self.slot = inlined
            return
        arguments = list(args)
        for place, parent in zip(parent_argnums, parents, strict=True):
            arguments[place] = Slot(parent.slot)
        self.slot = self.tape.add(fun, tuple(arguments), dict(kwargs), value)

    def initialize_root(self, tape: Tape, slot: int = 0) -> None:
        self.tape, self.slot = tape, slot


def _inlined(tape: Tape, fun: Any, args: Any, places: Sequence[int], parents: Sequence[_Seen]) -> int | None:
    """The slot of what an elementwise function gives, its own NumPy calls on the tape; None where it has others."""
    if isinstance(fun.raw, np.ufunc):
        return None
    calls, following = len(tape.calls), tape.next
    try:
        with trace_stack.new_trace() as trace:
            boxed = list(args)
            for place, parent in zip(places, parents, strict=True):
                boxed[place] = new_box(args[place], trace, parent)
            found = fun.raw(*boxed)
            if isinstance(found, Box) and found._trace == trace:
                return int(found._node.slot)
    except (TypeError, ValueError, Untraceable):
        pass
    del tape.calls[calls:]
    tape.next = following
    return None


class _WayBack(VJPNode):  # type: ignore[misc]
    """A node of the gradient that keeps a way back in plain NumPy as one call."""

    __slots__ = ()

    def __init__(self, value: Any, fun: Any, args: Any, kwargs: Any, parent_argnums: Any, parents: Any):
        if id(fun) in _SEEN_THROUGH or hasattr(fun, "raw"):
            super().__init__(value, fun, args, kwargs, parent_argnums, parents)
            return
        self.parents = parents  # type: ignore[misc]

        def vjp(g: Any) -> list[Any]:
            found = pulled_back(fun, parent_argnums, kwargs, g, value, *args)
            return [piece(found, i) for i in range(len(parent_argnums))]

        self.vjp = vjp  # type: ignore[misc]


notrace_primitives[_WayBack] = notrace_primitives[VJPNode]


@primitive
def pulled_back(fun: Any, argnums: Sequence[int], kwargs: Any, g: Any, answer: Any, *args: Any) -> tuple[Any, ...]:
    """The gradients by some arguments of a primitive, as autograd has them."""
    return tuple(primitive_vjps[fun](argnums, answer, args, kwargs)(g))


@primitive
def piece(found: tuple[Any, ...], i: int) -> Any:
    return found[i]


class Untraceable(Exception):
    """Code that would look at values while it is traced."""


def _refuse(*_: object) -> NoReturn:
    raise Untraceable


class _StrictBox(ArrayBox):  # type: ignore[misc]
    """A traced array that NumPy cannot take for a plain one, and no branch can look at."""

    __slots__ = ()
    __array__ = _refuse
    __bool__ = _refuse
    __float__ = _refuse
    __iter__ = _refuse

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _primitive_of(ufunc)(*inputs, called_by_autograd_dispatcher=True, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _primitive_of(function)(*args, **kwargs)


@cache
def _primitive_of(function: Any) -> Any:
    """The primitive for a function of NumPy or scipy that was called on a traced array as if it were a plain one."""
    return trace_primitives_map.get(function) or primitive(function)


@contextmanager
def strict_boxes() -> Iterator[None]:
    before = dict(Box.type_mappings)
    Box.types.add(_StrictBox)
    for kind, box in before.items():
        if box is ArrayBox:
            Box.type_mappings[kind] = _StrictBox
    Box.type_mappings[_StrictBox] = _StrictBox
    try:
        yield
    finally:
        Box.type_mappings.clear()
        Box.type_mappings.update(before)


def root_of_trace(tape: Tape) -> Node:
    """The node of an input whose calls are seen."""
    return _Seen.new_root(tape)


def root_of_gradient() -> Node:
    """The node of an input by which the gradient is taken."""
    return _WayBack.new_root()


Density = Callable[[Any], Any]  # z (S, D) -> (S,)


def trace(function: Density, z: np.ndarray) -> Listing:
    """The calls of value and gradient of a function of z (S, D), run once here. Raises `NotStaged`."""
    return _traced(lambda seen: _value_and_gradient(function, seen), z)


def trace_value(function: Density, z: np.ndarray) -> Listing:
    """The calls of its value alone."""
    return _traced(lambda seen: (function(seen),), z)


def trace_product(function: Density, z_and_v: np.ndarray) -> Listing:
    """The calls of its gradient at z, and of its Hessian there times v: z and v (S, D) side by side (S, 2 D)."""
    dimension = z_and_v.shape[1] // 2

    def both(seen: Any) -> tuple[Any, Any]:
        z, v = (pick(seen, (slice(None), half)) for half in (slice(0, dimension), slice(dimension, None)))
        gradient: Any = None

        def along(z: Any) -> Any:
            nonlocal gradient
            gradient = _value_and_gradient(function, z)[1]
            return anp.sum(gradient * v, axis=1)

        product = _value_and_gradient(along, z)[1]
        return (gradient._value if isinstance(gradient, Box) else gradient), product

    return _traced(both, z_and_v)


def trace_step(function: Callable[..., Sequence[Any]], arrays: Sequence[np.ndarray]) -> Listing:
    """The calls of a function of several arrays that gives several. Raises `NotStaged`."""
    tape = Tape()
    tape.next = len(arrays)
    try:
        with AUTOGRAD, np.errstate(all="ignore"), strict_boxes(), trace_stack.new_trace() as outer:
            roots = [_Seen.new_root(tape, slot) for slot in range(len(arrays))]
            found = function(*(new_box(x, outer, root) for x, root in zip(arrays, roots, strict=True)))
    except (Untraceable, TypeError) as error:
        raise NotStaged("its code looks at values") from error
    first, *more = (array.shape for array in arrays)
    return replace(_ending(tape, first, found), more=tuple(more))


def _value_and_gradient(function: Density, z: Any) -> tuple[Any, Any]:
    with trace_stack.new_trace() as inner:
        end = function(new_box(z, inner, root_of_gradient()))
        if not (isinstance(end, Box) and end._trace == inner):
            raise NotStaged("the density is constant")
        value, last = end._value, end._node
    return value, backward_pass(np.ones(len(z)), last)


def _traced(function: Callable[[Any], tuple[Any, ...]], z: np.ndarray) -> Listing:
    """The calls that lead to what a function of a box gives."""
    tape = Tape()
    try:
        with AUTOGRAD, np.errstate(all="ignore"), strict_boxes(), trace_stack.new_trace() as outer:
            found = function(new_box(z, outer, root_of_trace(tape)))
    except NotImplementedError as error:
        raise NotStaged("a part of it has no further derivative") from error
    except (Untraceable, TypeError) as error:
        raise NotStaged("its code looks at values") from error
    return _ending(tape, z.shape, found)


def _ending(tape: Tape, shape: tuple[int, ...], found: Sequence[Any]) -> Listing:
    outputs = tuple(Slot(out._node.slot) if isinstance(out, Box) else out for out in found)
    shapes = tuple(np.shape(out._value if isinstance(out, Box) else out) for out in found)
    return Listing(tuple(tape.calls), shape, outputs, shapes)
