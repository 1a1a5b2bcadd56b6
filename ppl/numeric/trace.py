"""function of several arrays -> its value and the way back to the gradients by all of them, in one pass of autograd."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from autograd.core import VJPNode, add_outgrads
from autograd.tracer import isbox, new_box, trace_stack
from autograd.util import toposort

Backward = Callable[[Any], list[Any]]
AUTOGRAD = threading.RLock()  # autograd counts the traces that are open in one number for all threads


def vjp_of(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, Backward]:
    """The value at the arguments, and a function that takes a cotangent of it to those of the arguments.

    An argument that the value does not depend on gets zeros. The way back may be gone more than once.
    """
    with AUTOGRAD, trace_stack.new_trace() as trace:
        roots = [VJPNode.new_root() for _ in arguments]
        boxes = [new_box(argument, trace, root) for argument, root in zip(arguments, roots, strict=True)]
        end = function(*boxes)
        depends = isbox(end) and end._trace == trace
        value, last = (end._value, end._node) if depends else (end, None)

    def backward(cotangent: Any) -> list[Any]:
        found: dict[Any, Any] = {}
        if last is not None:
            found[last] = (cotangent, False)
            for node in toposort(last):
                if node in roots or node not in found:
                    continue
                for parent, part in zip(node.parents, node.vjp(found.pop(node)[0]), strict=True):
                    found[parent] = add_outgrads(found.get(parent), part)
        return [
            found[root][0] if root in found else numpy.zeros(numpy.shape(argument))
            for root, argument in zip(roots, arguments, strict=True)
        ]

    return value, backward


def raw(function: Callable[..., Any]) -> Callable[..., Any]:
    """The plain numpy function behind a primitive: for loops in which autograd's bookkeeping would cost most."""
    plain: Any = getattr(function, "raw", None) or getattr(function, "fun", function)
    assert callable(plain)
    return plain
