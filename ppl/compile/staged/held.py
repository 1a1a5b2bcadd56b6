"""constants that change between runs of a listing: arrays in memory of their own, overwritten before each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from autograd.core import VJPNode
from autograd.extend import primitive, register_notrace

from ppl.compile.staged.listing import Listing


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Memory that a listing reads; `key` tells cells apart."""

    key: int
    array: np.ndarray


@primitive
def held(z: Any, cell: Cell) -> Any:
    """What the cell holds now. As it takes z, tracing sees it as a call, which no pass can work out beforehand."""
    return cell.array


register_notrace(VJPNode, held)


def with_cells(listing: Listing, cells: Mapping[int, Cell]) -> Listing:
    """The listing over other memory, by the keys of its cells."""
    calls = tuple(
        replace(call, arguments=(call.arguments[0], cells[call.arguments[1].key]))
        if call.function is held.fun
        else call
        for call in listing.calls
    )
    return replace(listing, calls=calls)


def keys_of(listing: Listing) -> tuple[int, ...]:
    """The cells that a listing reads."""
    return tuple(call.arguments[1].key for call in listing.calls if call.function is held.fun)
