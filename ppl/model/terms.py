"""Terms: expressions after names and axes are settled. What is known from data alone carries its value.

A term is a node of a directed acyclic graph. Its array has three groups of axes, in this order:

  plates  the loops (`for i in 1..n`) and sums over discrete values that it varies over; they line up by identity
  axes    its own axes; of two operands they line up from the right
  core    the last of these, which an operation works on as a whole (none for elementwise ones)

An operation is broadcast over what lies before its core, as a generalised ufunc of numpy is. Evaluated over S draws,
every term that depends on a latent gains a leading axis of draws before all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language.source import Span
from ppl.values import dataclass

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

    `name` and `options` together say all that `apply` depends on, so that equal operations can be shared. An operation
    on one argument may take away plates, `drops` (a sum over a loop); any may give new ones, `adds`; all plates stay in
    their order. `apply` must count axes from the right: more plates may come to stand on the left. `core_patterns` say
    for each argument which elements of its core (columns) each element of the result (rows) is made of: without them,
    of all.
    """

    name: str
    apply: Callable[..., Any]
    core_ranks: tuple[int, ...] | None = None  # None: elementwise
    options: tuple[Any, ...] = ()
    moves: bool = False  # only picks, repeats or reorders the elements of its arguments
    drops: tuple[Axis, ...] = ()
    adds: tuple[Axis, ...] = ()
    core_patterns: tuple[np.ndarray, ...] = field(default=(), compare=False)

    def core_rank(self, argument: int) -> int:
        return 0 if self.core_ranks is None else self.core_ranks[argument]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One node.

    op      the operation; None for a constant and for an input
    source  the name of the latent this term stands for, if it is an input
    value   the array, where it is known from data alone: shape that of plates and axes; positions in `levels` for text
    """

    op: Op | None
    args: tuple[Term, ...]
    axes: tuple[Axis, ...]
    kind: Kind
    span: Span
    source: str | None = None
    value: np.ndarray | None = None
    levels: tuple[str, ...] | None = None
    plates: tuple[Axis, ...] = ()

    @property
    def known(self) -> bool:
        return self.value is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of plates and axes."""
        return tuple(axis.length for axis in (*self.plates, *self.axes))

    def number(self) -> float:
        """The value of a known single number."""
        assert self.value is not None
        return float(self.value.reshape(()))


def constant(
    value: Any, axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL, plates: tuple[Axis, ...] = ()
) -> Term:
    term = Term(None, (), axes, kind, span, value=np.asarray(value), plates=plates)
    assert np.shape(value) == term.shape, (np.shape(value), term.shape)
    return term


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


def join_plates(*lists: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """All plates of several terms in one order: sums over discrete values first, then loops, outer before inner."""
    found = {plate.identity: plate for plates in lists for plate in plates}
    return tuple(found[identity] for identity in sorted(found, key=str))


def apply(op: Op, args: tuple[Term, ...], core_axes: tuple[Axis, ...], span: Span, kind: Kind = Kind.REAL) -> Term:
    """The term of an operation; its value, where all arguments are known.

    `core_axes` are the axes that the operation itself gives, after the aligned leading axes of its arguments.
    Raises `Misaligned`, `TooLarge`.
    """
    plates = join_plates(*(arg.plates for arg in args), op.adds)
    plates = tuple(plate for plate in plates if plate not in op.drops)
    leading = align(*(leading_axes(op, i, arg) for i, arg in enumerate(args)))
    axes = (*leading, *core_axes)
    check_size((*plates, *axes))
    term = Term(op, args, axes, kind, span, plates=plates)
    if not all(arg.known for arg in args):
        return term
    with np.errstate(all="ignore"):
        arrays = [numeric(arg).reshape(lined_up(term, i)) for i, arg in enumerate(args)]
        value = np.asarray(op.apply(*arrays))
    return replace(term, value=np.broadcast_to(value, term.shape))


def leading_axes(op: Op, argument: int, term: Term) -> tuple[Axis, ...]:
    """The axes of an argument over which an operation is broadcast, its plates left out."""
    return term.axes[: len(term.axes) - op.core_rank(argument)]


def leading_of(term: Term) -> tuple[Axis, ...]:
    """The axes of a term that come from the leading axes of its arguments."""
    assert term.op is not None
    return align(*(leading_axes(term.op, i, arg) for i, arg in enumerate(term.args)))


def lined_up(term: Term, argument: int) -> tuple[int, ...]:
    """The shape of an argument with singleton axes put in, so that plates and leading axes meet those of the term."""
    assert term.op is not None
    arg = term.args[argument]
    if len(term.args) == 1 and (term.op.drops or term.op.adds):
        return arg.shape
    own = {plate.identity: plate.length for plate in arg.plates}
    plates = tuple(own.get(plate.identity, 1) for plate in term.plates if plate not in term.op.adds)
    lacking = len(leading_of(term)) - len(leading_axes(term.op, argument, arg))
    return (*plates, *([1] * lacking), *(axis.length for axis in arg.axes))


def numeric(term: Term) -> np.ndarray:
    """The value of a known term in the type that is calculated with."""
    assert term.value is not None
    return term.value.astype(np.float64) if term.kind in (Kind.INTEGER, Kind.BOOLEAN) else term.value


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


Change = Callable[[Term, tuple[Term, ...]], Term | None]


def rebuild(terms: Iterable[Term], change: Change) -> list[Term]:
    """The terms made anew from the leaves up.

    `change(term, args)` gets every unknown term with its new arguments, and gives what shall stand for it, or None for
    the same operation on the new arguments.
    """
    wanted = list(terms)
    new: dict[int, Term] = {}
    for term in ancestors(wanted):
        if term.known:
            new[id(term)] = term
            continue
        args = tuple(new[id(arg)] for arg in term.args)
        changed = change(term, args)
        if changed is not None:
            new[id(term)] = changed
        elif all(arg is old for arg, old in zip(args, term.args, strict=True)):
            new[id(term)] = term
        else:
            assert term.op is not None
            new[id(term)] = apply(term.op, args, term.axes[len(leading_of(term)) :], term.span, term.kind)
    return [new[id(term)] for term in wanted]


def whole_if(*args: Term) -> Kind:
    """The kind of what is whole where all of these are whole numbers or truth values."""
    return Kind.INTEGER if all(arg.kind in (Kind.INTEGER, Kind.BOOLEAN) for arg in args) else Kind.REAL
