"""Elements of discrete latents that terms refer to: which they are, and how they are passed on by operations."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import discrete_mistakes, terms
from ppl.model.terms import Term
from ppl.values import dataclass

NOWHERE = -1  # the position of an element that is no discrete latent, but known


class CannotEnumerate(Exception):
    """A density that depends on discrete latents in a way that cannot be summed over.

    Taking apart the selection that `plate` stands for may help.
    """

    def __init__(self, mistake: Mistake, plate: Axis | None = None):
        super().__init__(mistake.message)
        self.mistake = mistake
        self.plate = plate


@dataclass(frozen=True, slots=True, eq=False)
class Discrete:
    """A discrete latent: its name, the values its elements can have, and how many elements there are."""

    name: str
    values: np.ndarray
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Elements of a discrete latent along an enumeration plate: for each element of a term the position of its own.

    `positions` has the shape of the term's own plates and axes, enumeration plates left out.
    """

    plate: Axis
    latent: Discrete
    positions: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Elements of a discrete latent, just picked, not yet calculated with: `positions` over the term's shape.

    Where they are `NOWHERE`, the element is `known`, an array of that shape.
    """

    latent: Discrete
    positions: np.ndarray
    known: np.ndarray | None = None


def plate_of(term: Term, selection: Selection) -> Axis:
    """The plate of a selection: the same for the same elements in the same places, however often they are picked."""
    positions = selection.positions
    tags: list[str] = [str(plate.identity) for plate in term.plates]
    tags += [str(i - len(term.axes)) for i in range(len(term.axes))]
    kept = []
    for i, tag in enumerate(tags):
        first = np.take(positions, [0], axis=i) if positions.shape[i] else positions
        if positions.shape[i] > 1 and (positions == first).all():
            positions = first  # what does not vary along an axis is the same selection without it
        else:
            kept.append(tag)
    digest = hashlib.sha256(f"{selection.latent.name}|{kept}|{positions.shape}".encode() + positions.tobytes())
    identity = f"enum:{selection.latent.name}:{digest.hexdigest()[:16]}"
    return Axis(selection.latent.name, len(selection.latent.values), identity)


def moved(term: Term, values: np.ndarray) -> np.ndarray:
    """An array of numbers after an operation that only picks, repeats or reorders."""
    assert term.op is not None
    return np.asarray(term.op.apply(values.astype(float))).reshape(term.shape)


def through(term: Term, argument: int, reference: Reference) -> np.ndarray:
    """The positions of a reference of an argument, for each element of the term."""
    op, arg = term.op, term.args[argument]
    assert op is not None
    positions = reference.positions
    if op.moves and len(term.args) == 1:
        return moved(term, positions).astype(np.int64)
    if op.moves:
        raise too_tangled(term.span, reference)
    if op.name == "take":
        return _through_pick(term, argument, reference)
    gone = [i for i, plate in enumerate(arg.plates) if plate in op.drops]
    rank = op.core_rank(argument)
    gone += list(range(len(arg.shape) - rank, len(arg.shape)))
    for axis in gone:
        first = np.take(positions, [0], axis=axis)
        if (positions != first).any():
            raise CannotEnumerate(all_at_once(term.span, reference.latent, positions), reference.plate)
    arranged = terms.lined_up(term, argument) if not op.drops else arg.shape
    if op.drops:
        kept = [i for i in range(len(arg.shape)) if i not in gone]
        thin = positions[tuple(slice(None) if i in kept else 0 for i in range(len(arg.shape)))]
        return np.broadcast_to(thin, term.shape)
    key: Any = (..., *([0] * rank))
    thin = positions.reshape(arranged)[key] if rank else positions.reshape(arranged)
    inner = len(term.axes) - len(terms.leading_of(term))
    return np.broadcast_to(thin.reshape((*thin.shape, *([1] * inner))), term.shape)


def _through_pick(term: Term, argument: int, reference: Reference) -> np.ndarray:
    """As `through`, for elements of a base picked by random positions: what stands on either side of the picks."""
    assert term.op is not None
    places, before = term.op.options
    base, picks = term.args
    own = {plate.identity: plate.length for plate in term.args[argument].plates}
    plates = [own.get(plate.identity, 1) for plate in term.plates]
    kept = [i for i in range(len(base.axes)) if i not in places]
    if argument == 1:
        axes = [*([1] * before), *(axis.length for axis in picks.axes), *([1] * (len(kept) - before))]
        return np.broadcast_to(reference.positions.reshape((*plates, *axes)), term.shape)
    outer = len(base.plates)
    for place in places:
        if (reference.positions != np.take(reference.positions, [0], axis=outer + place)).any():
            raise CannotEnumerate(all_at_once(term.span, reference.latent, reference.positions), reference.plate)
    thin = reference.positions[(..., *(0 if i in places else slice(None) for i in range(len(base.axes))))]
    lengths = [base.axes[i].length for i in kept]
    axes = [*lengths[:before], *([1] * len(picks.axes)), *lengths[before:]]
    return np.broadcast_to(thin.reshape((*plates, *axes)), term.shape)


def behind(positions: np.ndarray, axes: int) -> np.ndarray:
    return positions.reshape((*positions.shape, *([1] * axes)))


def all_at_once(span: Span, latent: Discrete, positions: np.ndarray) -> Mistake:
    elements = len(np.unique(positions[positions != NOWHERE]))
    return discrete_mistakes.all_at_once(span, latent.name, len(latent.values), elements)


def too_tangled(span: Span, reference: Reference) -> CannotEnumerate:
    return CannotEnumerate(discrete_mistakes.too_tangled(span, reference.latent.name), reference.plate)
