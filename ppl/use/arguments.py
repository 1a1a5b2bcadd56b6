"""arguments of the public calls -> the same, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl.language.errors import UsageError


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds, or `UsageError`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        shown = value if isinstance(value, int | float) else repr(value)
        raise UsageError(f"{name} must be a whole number between {least:,} and {most:,}, not {shown}")
    return int(value)
