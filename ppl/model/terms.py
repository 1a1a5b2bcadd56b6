"""Terms: expressions after names and axes are settled. What is known from data alone carries its value.

A term is a node of a directed acyclic graph. An operation works on trailing `core` axes of each argument and is
broadcast over the axes before them, as numpy's generalised ufuncs are; evaluated over S draws, every term that depends
on a latent gains a leading axis of draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language.source import Span

MOST_ELEMENTS = 1 << 27  # of one array: 1 GB


class Misaligned(Exception):
    """Two lists of axes that cannot be aligned; `first` and `second` are the axes that differ."""

    def __init__(self, first: Axis, second: Axis):
        super().__init__(f"{first} and {second}")
        self.first = first
        self.second = second


class TooLarge(Exception):
    """An array with more elements than an array may have."""

    def __init__(self, elements: int):
        super().__init__(f"{elements}")
        self.elements = elements


@dataclass(frozen=True, slots=True)
class Op:
    """An operation: `apply(*arrays)` over leading axes that broadcast and `core_ranks[i]` trailing axes of argument i.

    `name` and `options` together say all that `apply` depends on, so that equal operations can be shared.
    """

    name: str
    apply: Callable[..., Any]
    core_ranks: tuple[int, ...] | None = None  # None: elementwise
    options: tuple[Any, ...] = ()
    moves: bool = False  # only picks, repeats or reorders the elements of its one argument

    def core_rank(self, argument: int) -> int:
        return 0 if self.core_ranks is None else self.core_ranks[argument]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One node.

    op      the operation; None for a constant and for an input
    source  the name of the latent this term stands for, if it is an input
    value   the array, where it is known from data alone: shape `[axis.length for axis in axes]`; positions in `levels`
            for text
    """

    op: Op | None
    args: tuple[Term, ...]
    axes: tuple[Axis, ...]
    kind: Kind
    span: Span
    source: str | None = None
    value: np.ndarray | None = None
    levels: tuple[str, ...] | None = None

    @property
    def known(self) -> bool:
        return self.value is not None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.length for axis in self.axes)

    def number(self) -> float:
        """The value of a known single number."""
        assert self.value is not None
        return float(self.value.reshape(()))


def constant(value: Any, axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL) -> Term:
    array = np.asarray(value)
    assert array.shape == tuple(axis.length for axis in axes), (array.shape, axes)
    return Term(None, (), axes, kind, span, value=array)


def latent(name: str, axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL) -> Term:
    check_size(axes)
    return Term(None, (), axes, kind, span, source=name)


def check_size(axes: Iterable[Axis]) -> None:
    """Raises `TooLarge` for more elements than an array may have."""
    elements = 1
    for axis in axes:
        elements *= axis.length
    if elements > MOST_ELEMENTS:
        raise TooLarge(elements)


def align(*lists: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The axes that elementwise work on arrays with these axes gives, aligned from the right.

    Raises `Misaligned` for two axes of different lengths or different identities; nothing is stretched but what lacks
    an axis.
    """
    longest: list[Axis] = []
    for axes in lists:
        longest = list(axes) if len(axes) > len(longest) else longest
    for axes in lists:
        for place in range(1, len(axes) + 1):
            have, new = longest[-place], axes[-place]
            if not have.aligns(new):
                raise Misaligned(have, new)
            if have.identity is None and (new.identity is not None or _tells_more(new, have)):
                longest[-place] = new
    return tuple(longest)


def _tells_more(new: Axis, have: Axis) -> bool:
    return have.name == str(have.length) and new.name != str(new.length)


def apply(op: Op, args: tuple[Term, ...], core_axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL) -> Term:
    """The term of an operation; its value, where all arguments are known.

    `core_axes` are the axes that the operation itself gives, after the aligned leading axes of its arguments.
    Raises `Misaligned`, `TooLarge`.
    """
    leading = align(*(leading_axes(op, i, arg) for i, arg in enumerate(args)))
    axes = (*leading, *core_axes)
    check_size(axes)
    value = None
    if all(arg.known for arg in args):
        with np.errstate(all="ignore"):
            value = np.asarray(op.apply(*(_spread(op, i, arg, len(leading)) for i, arg in enumerate(args))))
        value = np.broadcast_to(value, tuple(axis.length for axis in axes))
    return Term(op, args, axes, kind, span, value=value)


def leading_axes(op: Op, argument: int, term: Term) -> tuple[Axis, ...]:
    """The axes of an argument over which an operation is broadcast."""
    return term.axes[: len(term.axes) - op.core_rank(argument)]


def _spread(op: Op, argument: int, term: Term, leading: int) -> np.ndarray:
    """A known value with singleton axes put before its core, so that leading axes align."""
    assert term.value is not None
    core = op.core_rank(argument)
    lacking = leading - (len(term.axes) - core)
    value = term.value.astype(np.float64) if term.kind in (Kind.INTEGER, Kind.BOOLEAN) else term.value
    if lacking == 0 or core == 0:
        return value
    return value.reshape((1,) * lacking + value.shape)


def ancestors(terms: Iterable[Term]) -> list[Term]:
    """The given terms and all they are made of, each after its arguments; known ones are leaves."""
    ordered: list[Term] = []
    seen: set[int] = set()
    stack = [(term, False) for term in reversed(list(terms))]
    while stack:
        term, expanded = stack.pop()
        if expanded:
            ordered.append(term)
            continue
        if id(term) in seen:
            continue
        seen.add(id(term))
        stack.append((term, True))
        if not term.known:
            stack.extend((arg, False) for arg in reversed(term.args) if id(arg) not in seen)
    return ordered


def inputs(terms: Iterable[Term]) -> tuple[str, ...]:
    """The names of the latents that the given terms depend on, in order of appearance."""
    found = [term.source for term in ancestors(terms) if term.source is not None]
    return tuple(dict.fromkeys(found))
