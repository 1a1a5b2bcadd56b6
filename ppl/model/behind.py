"""rows of a stream + names of a program -> what a model stands for that is settled on a few of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ppl.model.names import Names
from ppl.values import dataclass

if TYPE_CHECKING:
    from ppl.data.row_groups import RowStream


@dataclass(frozen=True, slots=True, eq=False)
class Behind:
    """The rows, and the names of the program that is settled anew on each block of them."""

    rows: RowStream
    names: Names

    @property
    def why(self) -> str:
        """Why the fit is a stochastic one."""
        return f"{self.rows.groups.file} is read as a stream: fitted by stochastic gradients"

    @property
    def mark(self) -> str:
        """What tells the file from another: its groups, its length, and when it was written."""
        groups, about = self.rows.groups, self.rows.groups.path.stat()
        sizes = hashlib.sha256(groups.sizes.tobytes()).hexdigest()
        return f" stream {sizes} {about.st_size} {about.st_mtime_ns}"
