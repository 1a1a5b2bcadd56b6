"""terms -> where in the shape of each stands an axis of the data, of those whose rows stay apart along it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ppl.compile.row_moves import follow
from ppl.data.axes import Axis
from ppl.model import terms
from ppl.model.terms import Term


class Mixed(Exception):
    """A term that has elements of several rows in one of its own."""


def places_of(wanted: Iterable[Term], axis: Axis) -> dict[int, int]:
    """By the id of a term, of those below the given ones that have the axis and whose rows stay apart."""
    places: dict[int, int] = {}
    mixed: set[int] = set()
    for term in terms.ancestors(wanted):
        try:
            place = _place(term, places, mixed, axis)
            if place is not None:
                places[id(term)] = place
        except Mixed:
            mixed.add(id(term))
    return places


def _place(term: Term, places: Mapping[int, int], mixed: set[int], axis: Axis) -> int | None:
    """Where in the shape of a term the axis is, None where it lacks it. Raises `Mixed`."""
    own = [i for i, each in enumerate((*term.plates, *term.axes)) if each.aligns(axis)]
    if len(own) > 1:
        raise Mixed
    place = own[0] if own else None
    if term.known or term.source is not None:
        return place
    if any(id(arg) in mixed for arg in term.args):
        raise Mixed
    along = [places.get(id(arg)) for arg in term.args]
    if place is None and all(at is None for at in along):
        return None
    if place is not None and (_is_broadcast(term, along, axis) or _keeps_rows(term, along, place)):
        return place
    raise Mixed


def _is_broadcast(term: Term, along: Sequence[int | None], axis: Axis) -> bool:
    """Whether the axis is one of those over which the operation is broadcast, in all arguments that have it."""
    assert term.op is not None
    own = not any(each.aligns(axis) for each in (*term.op.adds, *term.op.drops))
    return own and any(at is not None for at in along) and all(
        at is None or is_outside(term, i, at) for i, at in enumerate(along)
    )  # fmt: skip


def _keeps_rows(term: Term, along: Sequence[int | None], place: int) -> bool:
    """Whether an operation on whole cores keeps the rows of these apart."""
    assert term.op is not None
    if term.op.name in _THROUGH:
        return _THROUGH[term.op.name](term, along)
    return term.op.moves and len(term.args) == 1 and follow(term, along[0], place) is not None


def is_outside(term: Term, argument: int, place: int) -> bool:
    """Whether an axis of an argument is one of those over which the operation is broadcast."""
    assert term.op is not None
    return place < len(term.args[argument].shape) - term.op.core_rank(argument)


def _rows_of_left(term: Term, along: Sequence[int | None]) -> bool:
    """`X @ b` for rows of X."""
    left = term.args[0]
    return len(left.axes) == 2 and along == [len(left.plates), None]


_THROUGH: dict[str, Callable[[Term, Sequence[int | None]], bool]] = {
    "@": _rows_of_left,
    "list": lambda term, along: len(set(along)) == 1 and len({len(arg.shape) for arg in term.args}) == 1,
}  # operations on cores that keep the rows of these apart, whatever their number
