"""What the tests of numbers share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Floating point warnings are the caller's to switch off, as `compile` does."""
    with np.errstate(all="ignore"):
        yield
