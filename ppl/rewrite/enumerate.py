"""Log densities that depend on discrete latents -> tables over their values.

A discrete latent is put in by the list of its values, along a plate of its own (`enum:...`), once for every different
selection of its elements that a term makes: in `Categorical(P[z[t-1]])` of `z[t]` there are two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.model import discrete_mistakes, indexing, terms
from ppl.model import functions as fn
from ppl.model.terms import Term
from ppl.numeric.shape import stack
from ppl.rewrite.references import (
    NOWHERE,
    CannotEnumerate,
    Discrete,
    Reference,
    Selection,
    all_at_once,
    behind,
    moved,
    plate_of,
    through,
    too_tangled,
)
from ppl.values import dataclass

_MOST_AT_ONCE = 1 << 16  # values of all elements that are taken apart


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A log density over the values of the discrete latents it depends on.

    `term` has the references' plates first, then the shape of the density it stands for.
    """

    term: Term
    references: tuple[Reference, ...]


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
        self.selections: dict[int, Selection] = {}
        self.found: dict[int, Table] = {}
        self.owners: dict[str, int] = {}  # by plate, the selected term it stands for

    def table(self, wanted: Term) -> Table:
        for term in terms.ancestors([wanted]):
            if term.source in self.latents:
                latent = self.latents[str(term.source)]
                positions = np.arange(latent.size).reshape(term.shape)
                self.selections[id(term)] = Selection(latent, positions)
            elif term.op is not None and not term.known:
                self.operation(term)
        found = _unified(self.argument(wanted), wanted)
        return replace(found, term=_widened(found.term, wanted))

    def operation(self, term: Term) -> None:
        assert term.op is not None
        if term.op.moves and len(term.args) == 1 and id(term.args[0]) in self.selections:
            inner = self.selections[id(term.args[0])]
            known = None if inner.known is None else moved(term, inner.known)
            positions = moved(term, inner.positions).astype(np.int64)
            self.selections[id(term)] = replace(inner, positions=positions, known=known)
            return
        if term.op.name == "fill" and id(term.args[1]) in self.selections:
            inner = self.selections[id(term.args[1])]
            given = np.asarray(term.args[0].value)
            nowhere = np.full(given.shape, float(NOWHERE))
            positions = np.asarray(term.op.apply(nowhere, inner.positions.astype(float))).astype(np.int64)
            known = np.where(positions == NOWHERE, given.reshape(positions.shape), 0.0)
            self.selections[id(term)] = replace(inner, positions=positions, known=known)
            return
        args = [self.fitting(term, i) for i in range(len(term.args))]
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
            kept = [axis for i, axis in enumerate(new[0].axes) if i not in places]
            axes = (*kept[:before], *new[1].axes, *kept[before:])
            made = indexing.pick_by(new[0], places, new[1], axes, before, term.span)
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

    def fitting(self, term: Term, argument: int) -> Table:
        """An argument of a term. Where an operation works on each element alone, it may lack axes that it is the same
        along; where it works on more at once, it has them all.
        """
        arg, op = term.args[argument], term.op
        assert op is not None
        table = self.argument(arg)
        alone = op.core_rank(argument) == 0 and not (op.moves or op.drops or op.adds)
        if alone or not table.references or (op.name == "take" and argument == 1):
            return table
        return replace(table, term=_widened(table.term, arg))

    def whole_table(self, term: Term, selection: Selection) -> Table:
        """All elements along one plate; their values are the same for all, so the term has no other axes."""
        if (selection.positions == NOWHERE).all():
            return Table(
                Term(None, (), term.axes, Kind.INTEGER, term.span, value=selection.known, plates=term.plates), ()
            )
        plate = plate_of(term, selection)
        values = selection.latent.values
        constant = Term(None, (), (), Kind.INTEGER, term.span, value=values, plates=(plate,))
        if selection.known is not None:
            wide = values.reshape(-1, *([1] * len(term.shape)))
            values = np.where(selection.positions == NOWHERE, selection.known, wide)
            constant = Term(None, (), term.axes, Kind.INTEGER, term.span, value=values, plates=(plate, *term.plates))
        return Table(constant, (Reference(plate, selection.latent, selection.positions),))

    def apart_table(self, term: Term, selection: Selection, level: int) -> Table:
        """Every element, along the term's axes and at level 2 its loops too, on a plate of its own."""
        first = 0 if level == 2 else len(term.plates)
        taken, kept = term.shape[first:], term.plates[:first]
        shape = (*term.shape[:first], int(np.prod(taken)))
        positions = selection.positions.reshape(shape)
        known = None if selection.known is None else selection.known.reshape(shape)
        needed = (positions != NOWHERE).reshape(-1, shape[-1]).any(axis=0).sum()
        if needed * np.log(len(selection.latent.values)) > np.log(_MOST_AT_ONCE):
            raise CannotEnumerate(all_at_once(term.span, selection.latent, selection.positions))
        single = Term(None, (), (), Kind.INTEGER, term.span, source=term.source, plates=kept)
        parts = [
            self.whole_table(
                single, Selection(selection.latent, positions[..., i], None if known is None else known[..., i])
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
            replace(ref, positions=np.broadcast_to(behind(ref.positions, len(taken)), term.shape))
            for _, ref in sorted(unique.items())
        )
        return Table(made, references)

    def references(self, term: Term, args: list[Table]) -> tuple[Reference, ...]:
        """What an operation's result refers to, by plate."""
        found: dict[str, Reference] = {}
        for i, arg in enumerate(args):
            for reference in arg.references:
                positions = through(term, i, reference)
                key = str(reference.plate.identity)
                if key in found and not np.array_equal(found[key].positions, positions):
                    raise too_tangled(term.span, reference)
                found[key] = replace(reference, positions=positions)
        return tuple(found[key] for key in sorted(found))


def _widened(made: Term, term: Term) -> Term:
    """What stands for a term, with all axes and plates of the term."""
    if made.axes == term.axes and set(made.plates) >= set(term.plates):
        return made
    ones = terms.constant(np.ones(term.shape), term.axes, term.span, plates=term.plates)
    return terms.apply(fn.MULTIPLY, (made, ones), (), term.span, made.kind)


def _check_positions(term: Term, picks: Term, name: str) -> None:
    """Every value of a discrete latent must be a position."""
    places, _ = term.op.options  # type: ignore[union-attr]
    length = int(np.prod([term.args[0].axes[place].length for place in places]))
    positions = np.asarray(picks.value)
    if positions.size and (positions.min() < 0 or positions.max() >= length):
        low, high = int(positions.min()) + 1, int(positions.max()) + 1
        raise CannotEnumerate(discrete_mistakes.index_outside(term.span, name, low, high, length))


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
                raise too_tangled(wanted.span, first)
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
