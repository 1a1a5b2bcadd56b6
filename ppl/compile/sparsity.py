"""program -> which unconstrained coordinates interact: those that some element of some factor depends on together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ppl.compile.blocks import Block
from ppl.compile.joint import LogJoint
from ppl.compile.rowwise import Rowwise
from ppl.model import terms
from ppl.model.dependence import TooDense, as_pattern, dependences, ones, size_of
from ppl.model.pattern import Pattern

if TYPE_CHECKING:
    from scipy import sparse

_ROWS_AT_ONCE = 20_000


def interactions(joint: LogJoint) -> np.ndarray:
    """A symmetric pattern (D, D), true on the diagonal: where the Hessian of the log joint can be nonzero."""
    blocks = joint.blocks_of_rows
    if blocks is not None:
        return _of_many_rows(blocks.split)
    try:
        return _interactions(joint).todense()
    except TooDense:
        return np.ones((joint.dimension, joint.dimension), dtype=bool)


def _of_many_rows(split: Rowwise) -> np.ndarray:
    """Some rows at a time, until all coordinates interact."""
    found = interactions(split.rest)
    for start in range(0, split.axis.length, _ROWS_AT_ONCE):
        if found.all():
            break
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, split.axis.length))
        try:
            found = found | (np.asarray(sparse_interactions(split.subset(rows)).todense()) != 0)
        except TooDense:
            return np.ones(found.shape, dtype=bool)
    return found


def sparse_interactions(joint: LogJoint) -> sparse.csr_matrix:
    """The same pattern, of ones, in memory of the order of its entries. Raises `TooDense`."""
    return _interactions(joint).sparse()


def _interactions(joint: LogJoint) -> Pattern:
    everyone = np.arange(joint.dimension)
    pattern = ones(everyone, everyone, (joint.dimension, joint.dimension))
    own_ones, depends = _dependences(joint)
    for own in own_ones:
        pattern = pattern + own.T @ own
    for part in joint.parts:
        matrix = depends[id(part.log_prob)]
        if matrix is not None and part.summand is None:
            pattern = pattern + matrix.T @ matrix
    summed = _by_component(joint, depends)
    if summed is not None:
        pattern = pattern + summed.T @ summed
    return as_pattern(pattern)


def owners(joint: LogJoint, label: np.ndarray) -> list[np.ndarray]:
    """For every part the largest label (D,) of the coordinates that each of its elements depends on, 0 for none."""
    _, depends = _dependences(joint)
    found = []
    for part in joint.parts:
        matrix = depends[id(part.log_prob)]
        own = np.zeros(size_of(part.log_prob.shape), dtype=np.int64)
        if matrix is not None:
            rows, columns = matrix.entries()
            np.maximum.at(own, rows, label[columns])
        found.append(own)
    return found


def _dependences(joint: LogJoint) -> tuple[list[Pattern], dict[int, Pattern | None]]:
    """What elements of blocks and of the terms of parts, by id, are made of."""
    coordinates: dict[str, Pattern] = {}
    own_ones = []
    for block in joint.blocks:
        own_ones.append(_own_coordinates(joint.dimension, block, coordinates))
        _put_in(coordinates, block, own_ones[-1])
    return own_ones, dependences([part.log_prob for part in joint.parts], coordinates)


def _by_component(joint: LogJoint, depends: Mapping[int, Pattern | None]) -> Pattern | None:
    """What each connected part of the discrete factor graph depends on: a sum over it is no sum of its tables."""
    if joint.elimination is None:
        return None
    plan = joint.elimination.plan
    total: Pattern | None = None
    size = 1 + max((int(component.max(initial=-1)) for component in plan.components), default=0)
    summands = [part for part in joint.parts if part.summand is not None]
    for part, component in zip(summands, plan.components, strict=True):
        matrix = depends[id(part.log_prob)]
        if matrix is not None:
            values = matrix.shape[0] // max(1, len(component))  # its rows are values, then the table's own rows
            columns = np.arange(matrix.shape[0])
            own = ones(np.tile(component, values), columns, (size, matrix.shape[0])) @ matrix
            total = own if total is None else total + own
    return None if total is None else as_pattern(total)


def _put_in(coordinates: dict[str, Pattern], block: Block, own: Pattern) -> None:
    """The rows of a piece, where its elements stand in the latent."""
    positions = block.latent.positions(block.piece)
    if positions is None:
        coordinates[block.name] = own
        return
    size = size_of(block.latent.shape)
    inner = own.shape[0] // max(1, len(positions))
    rows = (positions[:, None] * inner + np.arange(inner)).reshape(-1)
    placed = ones(rows, np.arange(own.shape[0]), (size, own.shape[0])) @ own
    coordinates[block.name] = placed + coordinates[block.name] if block.name in coordinates else placed


def _own_coordinates(dimension: int, block: Block, earlier: dict[str, Pattern]) -> Pattern:
    """Elements of a piece by coordinates: its own, and through what its transform takes those of other latents."""
    size = size_of(block.piece.shape)
    if block.conditional is not None:
        return _conditional_coordinates(dimension, block, earlier)
    if block.transform.event_rank == 0:
        own = ones(np.arange(size), np.arange(block.start, block.stop), (size, dimension))
        found = dependences(block.needs, earlier)
        for term, shape in zip(block.needs, block.bound_shapes, strict=True):
            matrix = found[id(term)]
            if matrix is not None:
                own = own + matrix[_element_of(shape, block.piece.shape)]
        return as_pattern(own)
    events = size_of(block.shape[:-1])
    inside = np.arange(block.start, block.stop).reshape(events, -1)
    rows = np.repeat(np.arange(size), inside.shape[1])
    columns = np.repeat(inside, size // max(events, 1), axis=0).reshape(-1)
    own = ones(rows, columns, (size, dimension))
    for other in terms.inputs(block.needs):
        if other not in earlier:  # held at a value
            continue
        touched = np.flatnonzero(earlier[other].sum(axis=0))
        rows = np.repeat(np.arange(size), len(touched))
        own = own + ones(rows, np.tile(touched, size), (size, dimension))
    return as_pattern(own)


def _conditional_coordinates(dimension: int, block: Block, earlier: dict[str, Pattern]) -> Pattern:
    """Elements of one group depend on all its coordinates, and on all that the group's part of the image does."""
    assert block.conditional is not None
    members, owners = block.conditional.members, block.conditional.owners
    size = size_of(block.piece.shape)
    group = np.zeros(size, dtype=np.int64)
    group[members[members >= 0]] = np.nonzero(members >= 0)[0]
    together = ones(group, np.arange(block.start, block.stop), (len(members), dimension))
    found = dependences(block.needs, earlier)
    first = 0
    for term, shape in zip(block.needs[2:], block.bound_shapes[2:], strict=True):
        matrix = found[id(term)]
        if matrix is not None:
            own = np.tile(owners.index[first : first + shape[1]], shape[0])
            together = together + ones(own, np.arange(matrix.shape[0]), (len(members), matrix.shape[0])) @ matrix
        first += shape[1]
    for term, shape in zip(block.needs[:2], block.bound_shapes[:2], strict=True):
        matrix = found[id(term)]
        if matrix is not None and block.transform.event_rank == 0:
            element = _element_of(shape, block.piece.shape)
            together = together + ones(group, np.arange(size), (len(members), size)) @ matrix[element]
        elif matrix is not None:
            touched = np.flatnonzero(matrix.sum(axis=0))
            rows, columns = np.divmod(np.arange(len(members) * len(touched)), max(1, len(touched)))
            together = together + ones(rows, touched[columns], (len(members), dimension))
    return as_pattern(together[group])


def _element_of(shape: tuple[int, ...], whole: tuple[int, ...]) -> np.ndarray:
    """Which element of an array of some shape meets each of a whole one, both flattened."""
    return np.broadcast_to(np.arange(size_of(shape)).reshape(shape), whole).reshape(-1)
