"""pyarrow array of numbers -> NumPy array, without pandas: pyarrow imports that for its own conversions where it is.

Nor is pyarrow given Python's files or bytes to read from. Its threads outlive a call, and one that lets go of a Python
object while the interpreter ends aborts the process (Arrow's issues 34314 and 50482: one fit in a hundred).
"""

from __future__ import annotations

from typing import Any

import numpy as np


def numbers_of(data: Any) -> np.ndarray:
    """Of an array of integers or floats: a view. In gaps it has any number."""
    found = np.frombuffer(data.buffers()[1], dtype=data.type.to_pandas_dtype())
    return found[data.offset : data.offset + len(data)]


def as_file(data: bytes) -> Any:
    """A file of pyarrow's own over a copy of some bytes."""
    import pyarrow

    copy = pyarrow.BufferOutputStream()
    copy.write(data)
    return pyarrow.BufferReader(copy.getvalue())
