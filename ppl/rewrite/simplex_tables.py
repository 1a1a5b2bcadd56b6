"""values and weights of the elements of discrete latents, as terms: what an operation on them is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.model import functions as fn
from ppl.model import terms
from ppl.model.indexing import pick_by
from ppl.model.terms import Op, Term
from ppl.numeric import gather
from ppl.values import dataclass

AT = "\x1e"  # between a latent's name and a word: in no name


def weights_of(name: str) -> str:
    """What the weights (*shape, K) of a latent's elements are called, as an input."""
    return f"{name}{AT}weights"


def shares_of(name: str) -> str:
    """The same of their probabilities by the guide."""
    return f"{name}{AT}shares"


def name_of(source: str) -> str:
    """The way back."""
    return source.partition(AT)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A term at each value of an element, in the order of values: they have the term's axes, their `weights` maybe
    fewer. `of` says of which elements: those of equal tables are the same. A `density` is weighed last.
    """

    weights: tuple[Term, ...]
    values: tuple[Term, ...]
    of: tuple[Any, ...]
    density: bool = False

    @property
    def known(self) -> bool:
        return all(value.known for value in self.values)


def applied(term: Term, args: Sequence[Term]) -> Term:
    """The operation of a term on other arguments."""
    assert term.op is not None
    if term.op.name == "take" and args[1].known:
        places, before = term.op.options
        kept = [axis for i, axis in enumerate(args[0].axes) if i not in places]
        axes = (*kept[:before], *args[1].axes, *kept[before:])
        return pick_by(args[0], places, args[1], axes, before, term.span)
    core = term.axes[len(terms.leading_of(term)) :]
    return terms.apply(term.op, tuple(args), core, term.span, term.kind)


def filled_with(value: float, like: Term) -> Term:
    kind = Kind.INTEGER if float(value).is_integer() else Kind.REAL
    return terms.constant(np.full(like.shape, float(value)), like.axes, like.span, kind, like.plates)


def at(base: Term, places: tuple[int, ...], position: int) -> Term:
    """What stands at one position of the axes at `places`, taken as one."""
    lengths = tuple(base.axes[place].length for place in places)
    own = dict(zip(places, (int(i) for i in np.unravel_index(position, lengths)), strict=True))
    key = (..., *(own.get(i, slice(None)) for i in range(len(base.axes))))
    kept = tuple(axis for i, axis in enumerate(base.axes) if i not in places)
    options = tuple(own.get(i, (None, None)) for i in range(len(base.axes)))
    op = Op("pick", lambda x: gather.pick(x, key), (len(base.axes),), options, moves=True)
    return terms.apply(op, (base,), kept, base.span, base.kind)


def spread(weight: Term, like: Term) -> Term:
    """Weights over all axes of a term."""
    if weight.axes == like.axes and weight.plates == like.plates:
        return weight
    return terms.apply(fn.MULTIPLY, (weight, filled_with(1.0, like)), (), weight.span)


def behind(weight: Term, axes: tuple[Axis, ...]) -> Term:
    """Weights, the same along further axes behind their own."""
    if not axes:
        return weight
    lengths = tuple(axis.length for axis in axes)

    def apply(x: Any) -> Any:
        return anp.reshape(x, (*anp.shape(x), *([1] * len(lengths)))) * np.ones(lengths)

    return terms.apply(Op("repeated behind", apply, (0,), lengths), (weight,), axes, weight.span)


def product_of(weights: Sequence[Term], term: Term) -> Term:
    found = weights[0]
    for weight in weights[1:]:
        found = terms.apply(fn.MULTIPLY, (found, weight), (), term.span)
    return found


def weighed(table: Table, term: Term) -> Term:
    """The sum of weights times values."""
    parts = []
    for weight, value in zip(table.weights, table.values, strict=True):
        if value.known and not np.any(value.value):
            continue
        one = value.known and np.all(value.value == np.ones(())) and weight.shape == value.shape
        parts.append(weight if one else terms.apply(fn.MULTIPLY, (weight, value), (), term.span))
    if not parts:
        return replace(filled_with(0.0, term), kind=Kind.REAL)
    found = parts[0]
    for part in parts[1:]:
        found = terms.apply(fn.ADD, (found, part), (), term.span)
    return found


def without_infinities(value: Term) -> Term:
    """Log densities that are known, 0 in place of minus infinity: no probability is given to these values."""
    if not value.known:
        return value
    numbers = np.asarray(value.value, dtype=np.float64)
    return replace(value, value=np.where(np.isfinite(numbers), numbers, 0.0))
