"""expressions that nest deeply -> room on the stack of calls to read them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_RECURSION = 12_000  # frames; expressions nest at most 200 levels, one-line functions multiply that


@contextmanager
def room_to_recurse() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
