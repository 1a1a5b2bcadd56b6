"""`=` -> terms of derived names: whole, over levels, piece by piece, and by recurrence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ppl.data.axes import Axis
from ppl.language import syntax as s
from ppl.language.source import Span
from ppl.model import brackets, loop_mistakes, loops, mistakes, scan_terms, terms
from ppl.model import recurrence as recurrences
from ppl.model.brackets import Place
from ppl.model.expressions import Reader
from ppl.model.names import Line, Names
from ppl.model.scope import Failed, NotYet, Scope, Skipped
from ppl.model.terms import Misaligned, Term

if TYPE_CHECKING:
    from ppl.model.settle import Settler


def derive(settler: Settler, line: Line, statement: s.Assign) -> None:
    name = statement.name.name
    if settler.names.is_piecewise(name):
        derive_piece(settler, line, statement)
    elif statement.subscripts is None:
        reader = settler.reader(line)
        define(settler, reader, name, reader.number(statement.value), statement.span)
    else:
        axes, lifted = brackets.declared(Reader(settler.env, Scope()), statement.subscripts)
        reader = settler.reader(line, lifted)
        term = over(reader, reader.number(statement.value), axes, statement)
        define(settler, reader, name, term, statement.span)


def define(settler: Settler, reader: Reader, name: str, term: Term, span: Span) -> None:
    """Settle a derived name; one that varies over loops is known inside them, and reported over them."""
    if name in settler.data.columns:
        column = settler.data.columns[name]
        settler.notes.append(f"`{name}` is also in {column.file}; the model's own definition stands")
    settler.env.settled[name] = term
    settler.derived[name] = loops.as_axes(reader, term, term.plates, span)


def over(reader: Reader, term: Term, axes: tuple[Axis, ...], statement: s.Assign) -> Term:
    name = statement.name.name
    try:
        if len(term.axes) <= len(axes):
            terms.align(axes, term.axes)
            return reader.spread(term, axes, statement.span)
    except Misaligned:
        pass
    raise Failed(mistakes.derived_lacks_axis(statement.name.span, name, axes, term.axes))


def derive_piece(settler: Settler, line: Line, statement: s.Assign) -> None:
    name = statement.name.name
    reader = whole_loops(settler, line, name)
    place = brackets.place_of(reader, name, statement.subscripts or ())
    term = reader.number(statement.value)
    if place.axes:
        term = over(reader, term, place.axes, statement)
    term = loops.over_plates(reader, term, reader.scope.plates, statement.span)
    parts = settler.parts.setdefault(name, [])
    parts.append((place, term, statement.span))
    if len(parts) == len(settler.names.lines_of(name)) and name not in settler.env.resolve:
        define(settler, reader, name, assembled(reader, name, parts), statement.span)


def read_whole(reader: Reader, line: Line, names: Names, target: s.Expr) -> Term:
    """The left side of a `~`; where a derived name lacks that element, `=` and `~` were meant to share the name."""
    try:
        return reader.read(target)
    except Failed:
        if line.defines in names.derived and line.subscripts is not None:
            raise Failed(loop_mistakes.pieces_of_two_sorts(line.name_span, line.defines)) from None
        raise


def derive_part(settler: Settler, line: Line) -> None:
    assert isinstance(line.statement, s.Assign)
    derive_piece(settler, line, line.statement)


def given_element(settler: Settler, reader: Reader, node: s.Index) -> Term:
    """An element of a name of which only some pieces are there yet."""
    assert isinstance(node.base, s.Name)
    wanted = brackets.place_of(reader, node.base.name, node.subscripts)
    for place, term, _ in settler.parts.get(node.base.name, []):
        if place.shape == () and all(map(np.array_equal, place.positions, wanted.positions)):
            return term
    raise NotYet(loop_mistakes.not_yet_defined(node.span, reader.text(node)))


def assembled(reader: Reader, name: str, parts: list[tuple[Place, Term, Span]]) -> Term:
    """A derived name from all its pieces."""
    places = [place for place, _, _ in parts]
    for place, _, span in parts:
        if len(place.positions) != len(places[0].positions):
            expected = len(places[0].positions)
            raise Failed(loop_mistakes.pieces_differ(span, name, len(place.positions), expected))
    lengths = brackets.lengths_of(places)
    brackets.check_cover(name, places, [span for _, _, span in parts], lengths)
    return loops.put_together(reader, name, parts, lengths)


def whole_loops(settler: Settler, line: Line, name: str) -> Reader:
    """A reader in loops over which a name can be defined: all rounds must count."""
    reader = settler.reader(line)
    mask = reader.scope.mask
    if mask is not None and not bool(mask.value is not None and mask.value.all()):
        raise Failed(loop_mistakes.ragged_definition(line.name_span, name))
    return reader


def settle_recurrence(settler: Settler, lines: tuple[Line, ...]) -> None:
    """Names that refer to their own past, and the elements of theirs that are defined outside the loop."""
    settler.env.touched.clear()
    names = {str(line.defines) for line in lines}
    done = settler.guarded(lines[0].statement.span, lambda: recur(settler, list(lines), names))
    for line in lines:
        settler.columns_read[line.statement.span] = set(settler.env.touched)
    for name in names:
        settler.env.resolve.pop(name, None)
        if not done:
            settler.env.failed.add(name)


def recur(settler: Settler, lines: list[Line], names: set[str]) -> None:
    for name in names:
        if name in settler.env.failed:
            raise Skipped(name)
        settler.env.resolve[name] = lambda reader, node: given_element(settler, reader, node)
    in_any_order([line for line in lines if not line.loops], lambda line: derive_part(settler, line))
    moving = [line for line in lines if line.loops]
    recurrence, readers = recurrences.opened(settler.env, moving, names, settler.plates, settler.parts)
    for name in names:
        settler.env.resolve[name] = recurrence.element
    in_any_order(moving, lambda line: recurrences.step(recurrence, readers[id(line)], line))
    found = scan_terms.names_of(readers[id(moving[0])], recurrence, moving[0].statement.span)
    for name, term in found.items():
        define(settler, Reader(settler.env, Scope()), name, term, moving[0].statement.span)


def in_any_order(lines: list[Line], read: Callable[[Line], None]) -> None:
    """Read lines, those first whose needs are there."""
    waiting = lines
    while waiting:
        left: list[tuple[Line, NotYet]] = []
        for line in waiting:
            try:
                read(line)
            except NotYet as error:
                left.append((line, error))
        if len(left) == len(waiting):
            raise left[0][1]
        waiting = [line for line, _ in left]
