"""program -> which unconstrained coordinates interact: those that some element of some factor depends on together."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ppl.compile.blocks import Block, bound_terms
from ppl.compile.joint import LogJoint
from ppl.model import terms
from ppl.model.terms import Term

_MOST_ENTRIES = 20_000_000  # beyond this the pattern is taken to be full


class _TooDense(Exception):
    pass


def interactions(joint: LogJoint) -> np.ndarray:
    """A symmetric pattern (D, D), true on the diagonal: where the Hessian of the log joint can be nonzero."""
    try:
        return _pattern(joint)
    except _TooDense:
        return np.ones((joint.dimension, joint.dimension), dtype=bool)


def _pattern(joint: LogJoint) -> np.ndarray:
    pattern = sparse.identity(joint.dimension, dtype=np.int32, format="csr")
    coordinates: dict[str, sparse.csr_matrix] = {}
    for block in joint.blocks:
        own = _own_coordinates(joint.dimension, block, coordinates)
        pattern = pattern + own.T @ own
        _put_in(coordinates, block, own)
    depends: dict[int, sparse.csr_matrix | None] = {}
    for term in terms.ancestors(part.log_prob for part in joint.parts):
        depends[id(term)] = _dependence(term, depends, coordinates)
    for part in joint.parts:
        matrix = depends[id(part.log_prob)]
        if matrix is not None:
            pattern = pattern + matrix.T @ matrix
    return np.asarray(pattern.todense()) != 0


def _put_in(coordinates: dict[str, sparse.csr_matrix], block: Block, own: sparse.csr_matrix) -> None:
    """The rows of a piece, where its elements stand in the latent."""
    positions = block.latent.positions(block.piece)
    if positions is None:
        coordinates[block.name] = own
        return
    size = _size(block.latent.shape)
    inner = own.shape[0] // max(1, len(positions))
    rows = (positions[:, None] * inner + np.arange(inner)).reshape(-1)
    placed = _ones(rows, np.arange(own.shape[0]), (size, own.shape[0])) @ own
    coordinates[block.name] = placed + coordinates[block.name] if block.name in coordinates else placed


def _own_coordinates(dimension: int, block: Block, earlier: dict[str, sparse.csr_matrix]) -> sparse.csr_matrix:
    """Elements of a piece by coordinates: its own, and through its bounds those of other latents."""
    size = _size(block.piece.shape)
    if block.transform.event_rank == 0:
        own = _ones(np.arange(size), np.arange(block.start, block.stop), (size, dimension))
    else:
        events = _size(block.shape[: len(block.shape) - block.transform.event_rank])
        inside = np.arange(block.start, block.stop).reshape(events, -1)
        rows = np.repeat(np.arange(size), inside.shape[1])
        columns = np.repeat(inside, size // max(events, 1), axis=0).reshape(-1)
        own = _ones(rows, columns, (size, dimension))
    for other in terms.inputs(bound_terms(block.piece)):
        touched = np.flatnonzero(np.asarray(earlier[other].sum(axis=0)).reshape(-1))
        rows = np.repeat(np.arange(size), len(touched))
        own = own + _ones(rows, np.tile(touched, size), (size, dimension))
    return _as_pattern(own)


def _dependence(
    term: Term, depends: dict[int, sparse.csr_matrix | None], coordinates: dict[str, sparse.csr_matrix]
) -> sparse.csr_matrix | None:
    """Elements of a term (flattened) by coordinates; None for what is known."""
    if term.known:
        return None
    if term.source is not None:
        return coordinates[term.source]
    total: sparse.csr_matrix | None = None
    for argument, arg in enumerate(term.args):
        matrix = depends[id(arg)]
        if matrix is None:
            continue
        picked = _influence(term, argument) @ matrix
        total = picked if total is None else total + picked
        if total.nnz > _MOST_ENTRIES:
            raise _TooDense
    assert total is not None
    return _as_pattern(total)


def _influence(term: Term, argument: int) -> sparse.csr_matrix:
    """Which elements of an argument (columns) each element of a term (rows) is made of."""
    op, arg = term.op, term.args[argument]
    assert op is not None
    size, own = _size(term.shape), np.arange(_size(arg.shape))
    if op.moves:
        indices = [np.full(other.shape, -1.0) for other in term.args]
        indices[argument] = own.reshape(arg.shape).astype(float)
        index = np.asarray(op.apply(*indices)).reshape(-1).astype(np.int64)
        rows = np.flatnonzero(index >= 0)
        return _ones(rows, index[rows], (size, len(own)))
    if op.drops:  # a sum over the last plates
        kept = arg.shape[: len(arg.plates) - op.drops]
        singletons = (*kept, *([1] * op.drops), *arg.shape[len(arg.plates) :])
        rows = np.broadcast_to(np.arange(_size(singletons)).reshape(singletons), arg.shape).reshape(-1)
        return _ones(rows, own, (size, len(own)))
    core = _size(arg.shape[len(arg.shape) - op.core_rank(argument) :])  # a result depends on all of the core
    arranged = terms.lined_up(term, argument)
    outer = tuple(axis.length for axis in (*term.plates, *terms.leading_of(term)))
    blocks = np.arange(len(own) // max(core, 1)).reshape(arranged[: len(arranged) - op.core_rank(argument)])
    block_of = np.repeat(np.broadcast_to(blocks, outer).reshape(-1), size // max(1, _size(outer)))
    columns = block_of[:, None] * core + np.arange(core)
    return _ones(np.repeat(np.arange(size), core), columns.reshape(-1), (size, len(own)))


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) if shape else 1


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    if len(rows) > _MOST_ENTRIES:
        raise _TooDense
    return sparse.csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)


def _as_pattern(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    matrix = matrix.tocsr()
    matrix.data = np.ones_like(matrix.data)
    return matrix
