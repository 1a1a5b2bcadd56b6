"""what a picture was asked to show -> one value, and a refusal of what its kind has no use for."""

from __future__ import annotations

import re
from collections.abc import Collection

from ppl.data.dataset import Dataset
from ppl.language.errors import UsageError
from ppl.values import dataclass

_SHAPE = re.compile(r"\s*(\d+)\s*[x×]\s*(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Asked:
    """Names, or elements of them; the column that points are coloured by; rows and columns of an image; rows that the
    fit has not seen.
    """

    names: tuple[str, ...] = ()
    color: str | None = None
    shape: tuple[int, int] | None = None
    new: Dataset | None = None

    def check(self, kind: str, takes: Collection[str]) -> None:
        """Raises `UsageError` for what does not go with a kind."""
        given = {
            "of": bool(self.names),
            "color": self.color is not None,
            "shape": self.shape is not None,
            "new": self.new is not None,
        }
        for option in given:
            if given[option] and option not in takes:
                raise UsageError(f"--{option} does not go with --kind {kind}")


def shape_of(text: str) -> tuple[int, int]:
    """Rows and columns of "8x8". Raises `UsageError`."""
    found = _SHAPE.fullmatch(text)
    if found is None or not int(found[1]) or not int(found[2]):
        raise UsageError(f"--shape {text}: rows and columns of an image are written 8x8")
    return int(found[1]), int(found[2])
