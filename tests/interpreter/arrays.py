"""Lazy arrays: a shape, what the axes are, and a rule that gives one element at a time.

An element that was computed from a discrete unknown is computed anew whenever it is asked for; `READ` tells which
unknowns an element was computed from. All others are computed once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Place = tuple[int, ...]  # positions from 0
READ: set[Any] = set()  # the discrete unknowns that were read since it was last cleared


@dataclass(frozen=True)
class Axis:
    """`identity` is "rows of NAME", "levels of NAME", "columns", or nothing; `labels` are the names of the elements."""

    identity: str = ""
    labels: tuple[str, ...] | None = None


PLAIN = Axis()


class Array:
    """Elements are Python numbers, truth values or text."""

    def __init__(self, shape: Sequence[int], axes: Sequence[Axis], rule: Callable[[Place], Any]):
        self.shape = tuple(shape)
        self.axes = tuple(axes)
        self.rule = rule
        self.known: dict[Place, Any] = {}
        assert len(self.shape) == len(self.axes), (shape, axes)

    @property
    def rank(self) -> int:
        return len(self.shape)

    def at(self, place: Place) -> Any:
        if place in self.known:
            return self.known[place]
        before = set(READ)
        READ.clear()
        found = self.rule(place)
        if not READ:
            self.known[place] = found
        READ.update(before)
        return found

    def aligned(self, place: Place) -> Any:
        """The element that lines up, from the right, with a place in a larger shape."""
        if self.shape == (1,):
            return self.at((0,))
        return self.at(place[len(place) - self.rank :])

    def number(self) -> Any:
        """The only element."""
        assert all(n == 1 for n in self.shape), self.shape
        return self.at((0,) * self.rank)

    def whole(self) -> int:
        found = self.number()
        assert float(found).is_integer(), found
        return int(found)

    def numpy(self) -> np.ndarray:
        """All elements."""
        found = np.empty(self.shape, dtype=object)
        for place in places(self.shape):
            found[place] = self.at(place)
        if any(isinstance(x, str) for x in found.reshape(-1)):
            return found.astype(str)
        return found.astype(float)

    def last(self, place: Place, count: int) -> Array:
        """The array over the last `count` axes at a place that lines up with the others, if there are any."""
        others = self.rank - count
        if others <= 0:
            return self
        front = place[len(place) - others :]
        return Array(self.shape[others:], self.axes[others:], lambda rest: self.at((*front, *rest)))


def places(shape: Sequence[int]) -> itertools.product[Place]:
    return itertools.product(*map(range, shape))


def array(found: Any, axes: Sequence[Axis] | None = None) -> Array:
    """An array whose elements are known."""
    held = np.asarray(found)
    return Array(held.shape, axes or (PLAIN,) * held.ndim, lambda place: held.item(*place))


def one(found: Any) -> Array:
    return Array((), (), lambda place: found)


def common(arrays: Sequence[Array]) -> tuple[tuple[int, ...], tuple[Axis, ...]]:
    """The shape and the axes of what arrays make together: they line up from the right, lengths agree exactly."""
    shape: list[int] = []
    axes: list[Axis] = []
    largest = max((a.rank for a in arrays), default=0)
    for back in range(1, largest + 1):
        here = [(a.shape[-back], a.axes[-back]) for a in arrays if a.rank >= back]
        lengths = {length for length, _ in here}
        if len(lengths) > 1:  # a list of one number, used where a number is needed
            here = [(a.shape[-back], a.axes[-back]) for a in arrays if a.rank >= back and a.shape != (1,)]
            lengths = {length for length, _ in here}
        assert len(lengths) == 1, [a.shape for a in arrays]
        shape.insert(0, here[0][0])
        axes.insert(0, next((axis for _, axis in here if axis.identity), here[0][1]))
    return tuple(shape), tuple(axes)


def elementwise(function: Callable[..., Any], *arrays: Array) -> Array:
    shape, axes = common(arrays)
    return Array(shape, axes, lambda place: function(*(a.aligned(place) for a in arrays)))


def stacked(items: Sequence[Array]) -> Array:
    """Arrays as the elements of a new first axis."""
    shape, axes = common(items)
    return Array((len(items), *shape), (PLAIN, *axes), lambda place: items[place[0]].aligned(place[1:]))


def together(function: Callable[..., Any], *arrays: Array, axes: Sequence[Axis] | None = None) -> Array:
    """What a function makes of whole arrays; its shape is found by trying it once."""
    before = set(READ)
    shape = np.asarray(function(*(a.numpy() for a in arrays))).shape
    READ.clear()
    READ.update(before)
    held: dict[str, np.ndarray] = {}

    def rule(place: Place) -> Any:
        if "found" in held:
            return held["found"].item(*place)
        READ.clear()
        found = np.asarray(function(*(a.numpy() for a in arrays)))
        if not READ:
            held["found"] = found
        return found.item(*place)

    return Array(shape, axes if axes is not None else (PLAIN,) * len(shape), rule)
