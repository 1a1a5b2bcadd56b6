"""Log densities that depend on discrete latents -> tables over their values.

A discrete latent is put in by the list of its values, along a plate of its own (`enum:...`), once for every different
selection of its elements that a term makes: in `Categorical(P[z[t-1]])` of `z[t]` there are two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model import discrete_mistakes, indexing, terms
from ppl.model.terms import Term
from ppl.numeric.shape import stack

NOWHERE = -1  # the position of an element that is no discrete latent, but known


_MOST_AT_ONCE = 1 << 16  # values of all elements that are taken apart


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
class Table:
    """A log density over the values of the discrete latents it depends on.

    `term` has the references' plates first, then the shape of the density it stands for.
    """

    term: Term
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Selection:
    """Elements of a discrete latent, just picked, not yet calculated with: `positions` over the term's shape.

    Where they are `NOWHERE`, the element is `known`, an array of that shape.
    """

    latent: Discrete
    positions: np.ndarray
    known: np.ndarray | None = None


def enumerated(term: Term, latents: Mapping[str, Discrete]) -> Table:
    """The table of a log density. Raises `CannotEnumerate`, `TooLarge`.

    One plate stands for all elements of a selection while each element of the density needs but one of them. A
    selection of which more are needed at once, as in `sum(z)`, is taken apart, first along its axes, then along its
    loops: each of its elements gets a plate of its own.
    """
    apart: dict[int, int] = {}
    while True:
        enumerator = _Enumerator(latents, apart)
        try:
            return enumerator.table(term)
        except CannotEnumerate as error:
            owner = enumerator.owners.get(str(error.plate.identity)) if error.plate is not None else None
            if owner is None or apart.get(owner, 0) == 2:
                raise
            apart[owner] = apart.get(owner, 0) + 1


class _Enumerator:
    """`apart` says, by the ids of selected terms, which are taken apart: 1 along their axes, 2 along loops too."""

    def __init__(self, latents: Mapping[str, Discrete], apart: Mapping[int, int]):
        self.latents = latents
        self.apart = apart
        self.selections: dict[int, _Selection] = {}
        self.found: dict[int, Table] = {}
        self.owners: dict[str, int] = {}  # by plate, the selected term it stands for

    def table(self, wanted: Term) -> Table:
        for term in terms.ancestors([wanted]):
            if term.source in self.latents:
                latent = self.latents[str(term.source)]
                positions = np.arange(latent.size).reshape(term.shape)
                self.selections[id(term)] = _Selection(latent, positions)
            elif term.op is not None and not term.known:
                self.operation(term)
        return _unified(self.argument(wanted), wanted)

    def operation(self, term: Term) -> None:
        assert term.op is not None
        if term.op.moves and len(term.args) == 1 and id(term.args[0]) in self.selections:
            inner = self.selections[id(term.args[0])]
            known = None if inner.known is None else _moved(term, inner.known)
            moved = _moved(term, inner.positions).astype(np.int64)
            self.selections[id(term)] = replace(inner, positions=moved, known=known)
            return
        if term.op.name == "fill" and id(term.args[1]) in self.selections:
            inner = self.selections[id(term.args[1])]
            given = np.asarray(term.args[0].value)
            nowhere = np.full(given.shape, float(NOWHERE))
            positions = np.asarray(term.op.apply(nowhere, inner.positions.astype(float))).astype(np.int64)
            known = np.where(positions == NOWHERE, given.reshape(positions.shape), 0.0)
            self.selections[id(term)] = replace(inner, positions=positions, known=known)
            return
        args = [self.argument(arg) for arg in term.args]
        references = self.references(term, args)
        if not references:
            return
        if term.op.name == "scan":
            raise CannotEnumerate(discrete_mistakes.in_a_recurrence(term.span, references[0].latent.name))
        new = tuple(arg.term for arg in args)
        core = term.axes[len(terms.leading_of(term)) :]
        if term.op.name == "take" and new[1].known:
            places, before = term.op.options
            _check_positions(term, new[1], references[0].latent.name)
            made = indexing.pick_by(new[0], places, new[1], term.axes, before, term.span)
        else:
            made = terms.apply(term.op, new, core, term.span, term.kind)
        self.found[id(term)] = Table(made, references)

    def argument(self, term: Term) -> Table:
        """A term with its discrete latents, if any, put in by their values."""
        if id(term) in self.found:
            return self.found[id(term)]
        if id(term) not in self.selections:
            return Table(term, ())
        selection = self.selections[id(term)]
        level = self.apart.get(id(term), 0)
        table = self.apart_table(term, selection, level) if level else self.whole_table(term, selection)
        for reference in table.references:
            self.owners[str(reference.plate.identity)] = id(term)
        self.found[id(term)] = table
        return table

    def whole_table(self, term: Term, selection: _Selection) -> Table:
        """All elements along one plate."""
        if (selection.positions == NOWHERE).all():
            return Table(
                Term(None, (), term.axes, Kind.INTEGER, term.span, value=selection.known, plates=term.plates), ()
            )
        plate = _plate(term, selection)
        shape = (plate.length, *term.shape)
        values = np.broadcast_to(selection.latent.values.reshape(-1, *([1] * len(term.shape))), shape)
        if selection.known is not None:
            values = np.where(selection.positions == NOWHERE, selection.known, values)
        constant = Term(None, (), term.axes, Kind.INTEGER, term.span, value=values, plates=(plate, *term.plates))
        return Table(constant, (Reference(plate, selection.latent, selection.positions),))

    def apart_table(self, term: Term, selection: _Selection, level: int) -> Table:
        """Every element, along the term's axes and at level 2 its loops too, on a plate of its own."""
        first = 0 if level == 2 else len(term.plates)
        taken, kept = term.shape[first:], term.plates[:first]
        shape = (*term.shape[:first], int(np.prod(taken)))
        positions = selection.positions.reshape(shape)
        known = None if selection.known is None else selection.known.reshape(shape)
        needed = (positions != NOWHERE).reshape(-1, shape[-1]).any(axis=0).sum()
        if needed * np.log(len(selection.latent.values)) > np.log(_MOST_AT_ONCE):
            raise CannotEnumerate(_all_at_once(term.span, selection.latent, selection.positions))
        single = Term(None, (), (), Kind.INTEGER, term.span, source=term.source, plates=kept)
        parts = [
            self.whole_table(
                single, _Selection(selection.latent, positions[..., i], None if known is None else known[..., i])
            )
            for i in range(shape[-1])
        ]
        adds = term.plates[first:]

        def together(*arrays: Any) -> Any:
            flat = stack(-1, *arrays)
            return anp.reshape(flat, (*anp.shape(flat)[:-1], *taken))

        op = terms.Op("apart", together, None, taken, adds=adds)
        args = tuple(part.term for part in parts)
        made = terms.apply(op, args, term.axes, term.span, Kind.INTEGER)
        unique = {str(ref.plate.identity): ref for part in parts for ref in part.references}
        references = tuple(
            replace(ref, positions=np.broadcast_to(_behind(ref.positions, len(taken)), term.shape))
            for _, ref in sorted(unique.items())
        )
        return Table(made, references)

    def references(self, term: Term, args: list[Table]) -> tuple[Reference, ...]:
        """What an operation's result refers to, by plate."""
        found: dict[str, Reference] = {}
        for i, arg in enumerate(args):
            for reference in arg.references:
                positions = _through(term, i, reference)
                key = str(reference.plate.identity)
                if key in found and not np.array_equal(found[key].positions, positions):
                    raise _too_tangled(term.span, reference)
                found[key] = replace(reference, positions=positions)
        return tuple(found[key] for key in sorted(found))


def _check_positions(term: Term, picks: Term, name: str) -> None:
    """Every value of a discrete latent must be a position."""
    places, _ = term.op.options  # type: ignore[union-attr]
    length = int(np.prod([term.args[0].axes[place].length for place in places]))
    positions = np.asarray(picks.value)
    if positions.size and (positions.min() < 0 or positions.max() >= length):
        low, high = int(positions.min()) + 1, int(positions.max()) + 1
        raise CannotEnumerate(discrete_mistakes.index_outside(term.span, name, low, high, length))


def _plate(term: Term, selection: _Selection) -> Axis:
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


def _moved(term: Term, values: np.ndarray) -> np.ndarray:
    """An array of numbers after an operation that only picks, repeats or reorders."""
    assert term.op is not None
    return np.asarray(term.op.apply(values.astype(float))).reshape(term.shape)


def _through(term: Term, argument: int, reference: Reference) -> np.ndarray:
    """The positions of a reference of an argument, for each element of the term."""
    op, arg = term.op, term.args[argument]
    assert op is not None
    positions = reference.positions
    if op.moves and len(term.args) == 1:
        return _moved(term, positions).astype(np.int64)
    if op.moves:
        raise _too_tangled(term.span, reference)
    if op.name == "take":
        return _through_pick(term, argument, reference)
    gone = [i for i, plate in enumerate(arg.plates) if plate in op.drops]
    rank = op.core_rank(argument)
    gone += list(range(len(arg.shape) - rank, len(arg.shape)))
    for axis in gone:
        first = np.take(positions, [0], axis=axis)
        if (positions != first).any():
            raise CannotEnumerate(_all_at_once(term.span, reference.latent, positions), reference.plate)
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
    """As `_through`, for elements of a base picked by random positions: what stands on either side of the picks."""
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
            raise CannotEnumerate(_all_at_once(term.span, reference.latent, reference.positions), reference.plate)
    thin = reference.positions[(..., *(0 if i in places else slice(None) for i in range(len(base.axes))))]
    lengths = [base.axes[i].length for i in kept]
    axes = [*lengths[:before], *([1] * len(picks.axes)), *lengths[before:]]
    return np.broadcast_to(thin.reshape((*plates, *axes)), term.shape)


def _behind(positions: np.ndarray, axes: int) -> np.ndarray:
    return positions.reshape((*positions.shape, *([1] * axes)))


def _all_at_once(span: Span, latent: Discrete, positions: np.ndarray) -> Mistake:
    elements = len(np.unique(positions[positions != NOWHERE]))
    return discrete_mistakes.all_at_once(span, latent.name, len(latent.values), elements)


def _too_tangled(span: Span, reference: Reference) -> CannotEnumerate:
    return CannotEnumerate(discrete_mistakes.too_tangled(span, reference.latent.name), reference.plate)


def _unified(table: Table, wanted: Term) -> Table:
    """Two plates that stand for the same elements are one: the diagonal of the table."""
    term, references = table.term, list(table.references)
    i = 0
    while i < len(references):
        twin = next(
            (
                j
                for j in range(i + 1, len(references))
                if references[j].latent is references[i].latent
                and np.array_equal(references[j].positions, references[i].positions)
            ),
            None,
        )
        if twin is None:
            i += 1
            continue
        term = _diagonal(term, references[i].plate, references[twin].plate)
        del references[twin]
    for i, first in enumerate(references):
        for second in references[i + 1 :]:
            same = (first.positions == second.positions) & (first.positions != NOWHERE)
            if first.latent is second.latent and same.any():
                raise _too_tangled(wanted.span, first)
    return Table(term, tuple(references))


def _diagonal(term: Term, kept: Axis, dropped: Axis) -> Term:
    """The elements of a term at which two plates have the same value."""
    places = [len(term.shape) - i for i in (term.plates.index(kept), term.plates.index(dropped))]

    def apply(x: Any) -> Any:
        rank = anp.ndim(x)
        first, second = (rank - place for place in places)
        order = [i for i in range(rank) if i not in (first, second)]
        moved = anp.transpose(x, (*order, first, second))
        shape = anp.shape(moved)
        flat = anp.reshape(moved, (*shape[:-2], shape[-1] * shape[-2]))
        own = flat[..., :: shape[-1] + 1]
        return anp.moveaxis(own, -1, first - (second < first))

    op = terms.Op("diagonal", apply, (len(term.axes),), tuple(places), moves=True, drops=(dropped,))
    return terms.apply(op, (term,), term.axes, term.span, term.kind)
