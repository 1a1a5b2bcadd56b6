"""what a picture was asked to show -> one value, and a refusal of what its kind has no use for."""

from __future__ import annotations

import re
from collections.abc import Collection

from ppl.data.dataset import Dataset
from ppl.language.errors import UsageError, nearest
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

    def one_of(self, found: Collection[str], drawn: str, refused: str, which: str) -> str:
        """The one name asked for among those `found`, or, where none is, the only one there is.

        Raises `UsageError`: `drawn` says what is drawn of one name, `refused` what another is not, `which` what to say.
        """
        if len(self.names) > 1:
            raise UsageError(f"--of names {len(self.names)}: {drawn} one observed name")
        for name in self.names:
            if name not in found:
                likely = nearest(name, found)
                meant = f"did you mean `{likely}`?" if likely else f"there are {', '.join(found) or 'none'}"
                raise UsageError(f"--of {name}: {refused}; {meant}")
        if len(found) > 1 and not self.names:
            raise UsageError(f"{' and '.join(f'`{name}`' for name in found)} are observed: say {which}, --of NAME")
        return self.names[0] if self.names else next(iter(found))


def shape_of(text: str) -> tuple[int, int]:
    """Rows and columns of "8x8". Raises `UsageError`."""
    found = _SHAPE.fullmatch(text)
    if found is None or not int(found[1]) or not int(found[2]):
        raise UsageError(f"--shape {text}: rows and columns of an image are written 8x8")
    return int(found[1]), int(found[2])
