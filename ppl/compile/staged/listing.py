"""What tracing gives and every pass takes and gives: calls of plain NumPy functions, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a value; 0 is the input."""

    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """`target = function(*arguments, **options)`: slots and constants -> an array of this shape and dtype.

    `shape` is None where the result is a tuple of arrays.
    """

    function: Any
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    target: Slot
    shape: tuple[int, ...] | None
    dtype: np.dtype[Any] | None

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = tuple(_by_name(argument) for argument in self.arguments)
        return _restored, (_by_name(self.function), arguments, self.options, self.target, self.shape, self.dtype)

    def sources(self) -> Iterator[Slot]:
        return (argument for argument in self.arguments if isinstance(argument, Slot))


@dataclass(frozen=True, slots=True)
class _Name:
    """Where a primitive, or a plain function behind it, is found again: pickle takes both for another function."""

    module: str
    name: str
    behind: str  # "" for the primitive itself, else the attribute that holds the function

    def found(self) -> Any:
        primitive = getattr(import_module(self.module), self.name)
        return getattr(primitive, self.behind) if self.behind else primitive


def _by_name(argument: Any) -> Any:
    module = getattr(getattr(argument, "fun", argument), "__module__", None)
    if not callable(argument) or not isinstance(module, str):
        return argument
    for name, primitive in vars(import_module(module)).items():
        for behind in ("fun", "raw"):
            if getattr(primitive, "fun", None) is not None and getattr(primitive, behind, None) is argument:
                return _Name(module, name, behind)
        if primitive is argument and hasattr(primitive, "fun"):
            return _Name(module, name, "")
    return argument


def _restored(function: Any, arguments: tuple[Any, ...], *rest: Any) -> Call:
    own = [part.found() if isinstance(part, _Name) else part for part in (function, *arguments)]
    return Call(own[0], tuple(own[1:]), *rest)


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """Calls in order, the shape of the input, and where the outputs end up, slots or constants that broadcast to
    `output_shapes`. `more` are the shapes of further inputs, in the slots from 1.
    """

    calls: tuple[Call, ...]
    shape: tuple[int, ...]
    outputs: tuple[Any, ...]
    output_shapes: tuple[tuple[int, ...], ...] = ()
    more: tuple[tuple[int, ...], ...] = ()

    def shapes(self) -> dict[int, tuple[int, ...] | None]:
        """By index of the slot."""
        return {**dict(enumerate((self.shape, *self.more))), **{call.target.index: call.shape for call in self.calls}}

    def uses(self) -> dict[int, int]:
        """How often each slot is read, as an output once more."""
        found: dict[int, int] = {}
        for slot in [slot for call in self.calls for slot in call.sources()] + [
            out for out in self.outputs if isinstance(out, Slot)
        ]:
            found[slot.index] = found.get(slot.index, 0) + 1
        return found


def shape_in(argument: Any, shapes: Mapping[int, Any]) -> Any:
    """The shape of an argument, those of slots being known."""
    return shapes[argument.index] if isinstance(argument, Slot) else np.shape(argument)


def renamed(listing: Listing, calls: list[Call], stands_for: Mapping[int, Any]) -> Listing:
    """The listing with these calls, the outputs read through `stands_for`."""
    outputs = tuple(resolve(output, stands_for) for output in listing.outputs)
    return replace(listing, calls=tuple(calls), outputs=outputs)


def resolve(argument: Any, stands_for: Mapping[int, Any]) -> Any:
    """What stands for an argument now."""
    while isinstance(argument, Slot) and argument.index in stands_for:
        argument = stands_for[argument.index]
    return argument


def reading(call: Call, stands_for: Mapping[int, Any]) -> Call:
    """A call whose arguments are read through `stands_for`."""
    if not any(slot.index in stands_for for slot in call.sources()):
        return call
    return replace(call, arguments=tuple(resolve(argument, stands_for) for argument in call.arguments))


def drop_dead(listing: Listing) -> Listing:
    """Without the calls that nothing reads."""
    needed = {output.index for output in listing.outputs if isinstance(output, Slot)}
    kept = []
    for call in reversed(listing.calls):
        if call.target.index in needed:
            needed.update(slot.index for slot in call.sources())
            kept.append(call)
    return replace(listing, calls=tuple(reversed(kept)))
