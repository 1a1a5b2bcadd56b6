"""terms -> which elements of their inputs each of their elements is made of, as sparse patterns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ppl.model import terms as terms_of
from ppl.model.pattern import Pattern, ones_at
from ppl.model.terms import Term

_MOST_ENTRIES = 20_000_000


class TooDense(Exception):
    """More entries than are worth following one by one."""


def dependences(terms: Iterable[Term], inputs: Mapping[str, Pattern]) -> dict[int, Pattern | None]:
    """For every term below the given ones, by id: its flattened elements (rows) by the columns of `inputs`.

    None for what depends on none of the inputs. Raises `TooDense`.
    """
    found: dict[int, Pattern | None] = {}
    for term in terms_of.ancestors(terms):
        found[id(term)] = inputs.get(term.source) if term.source is not None else _through_arguments(term, found)
    return found


def _through_arguments(term: Term, found: Mapping[int, Pattern | None]) -> Pattern | None:
    if term.known:
        return None
    total: Pattern | None = None
    for argument, arg in enumerate(term.args):
        matrix = found[id(arg)]
        if matrix is None:
            continue
        picked = _influence(term, argument) @ matrix
        total = picked if total is None else total + picked
        if total.nnz > _MOST_ENTRIES:
            raise TooDense
    return None if total is None else as_pattern(total)


def _influence(term: Term, argument: int) -> Pattern:
    """Which elements of an argument (columns) each element of a term (rows) is made of."""
    op, arg = term.op, term.args[argument]
    assert op is not None
    size, own = size_of(term.shape), np.arange(size_of(arg.shape))
    if op.moves:
        shapes = [terms_of.lined_up(term, i) for i in range(len(term.args))]
        indices = [np.full(shape, -1.0) for shape in shapes]
        indices[argument] = own.reshape(shapes[argument]).astype(float)
        index = np.broadcast_to(op.apply(*indices), term.shape).reshape(-1).astype(np.int64)
        rows = np.flatnonzero(index >= 0)
        return ones(rows, index[rows], (size, len(own)))
    if op.drops:  # a sum over plates
        plates = (1 if plate in op.drops else plate.length for plate in arg.plates)
        singletons = (*plates, *arg.shape[len(arg.plates) :])
        rows = np.broadcast_to(np.arange(size_of(singletons)).reshape(singletons), arg.shape).reshape(-1)
        return ones(rows, own, (size, len(own)))
    rank = op.core_rank(argument)
    core = size_of(arg.shape[len(arg.shape) - rank :])  # a result depends on all of the core
    arranged = terms_of.lined_up(term, argument)
    outer = tuple(axis.length for axis in (*term.plates, *terms_of.leading_of(term)))
    blocks = np.arange(len(own) // max(core, 1)).reshape(arranged[: len(arranged) - rank])
    if op.core_patterns:
        used = op.core_patterns[argument]
        below, beside = np.nonzero(used)
        block = np.broadcast_to(blocks, outer).reshape(-1, 1)
        rows = np.arange(len(block))[:, None] * len(used) + below
        return ones(rows.reshape(-1), (block * core + beside).reshape(-1), (size, len(own)))
    block_of = np.repeat(np.broadcast_to(blocks, outer).reshape(-1), size // max(1, size_of(outer)))
    columns = block_of[:, None] * core + np.arange(core)
    return ones(np.repeat(np.arange(size), core), columns.reshape(-1), (size, len(own)))


def size_of(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) if shape else 1


def ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Pattern:
    if len(rows) > _MOST_ENTRIES:
        raise TooDense
    return ones_at(rows, columns, shape)


def as_pattern(matrix: Pattern) -> Pattern:
    """With every entry a one, and listed once."""
    return matrix if matrix.is_dense else Pattern(matrix.sparse())
