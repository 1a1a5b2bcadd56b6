"""What steps carry through time, forth and back: each is the other's transpose, and their derivatives are right."""

from __future__ import annotations

import numpy as np
import pytest
from autograd.test_util import check_grads

from ppl.numeric.linear_scan import Carry, Past, later, sooner

STEPS, BEFORE, DRAWS = 5, 2, 3


def past(lags: np.ndarray) -> Past:
    """Two columns; the first element of the carry has a part in the second, the last in none."""
    carry = Carry("x", lags, 0, 2, (2,))
    reads = np.tile([1, 0], lags.size)
    reads[-1] = -1
    return Past(STEPS, BEFORE, 2, (carry, Carry("y", np.array(1), 1, 2, ())), ((reads,), (np.array([0]),)))


@pytest.mark.parametrize("lags", [np.array(1), np.array(2), np.array([1, 2]), np.array([3, 1])], ids=str)
def test_transposes_and_derivatives(lags: np.ndarray) -> None:
    own = past(lags)
    rng = np.random.default_rng(1)
    g, w = rng.normal(size=(2, DRAWS, BEFORE + STEPS, 2))
    slopes = [rng.normal(size=(DRAWS, STEPS, 2 * lags.size)), rng.normal(size=(1, STEPS, 1))]
    assert (later(own, g, *slopes) * w).sum() == pytest.approx((g * sooner(own, w, *slopes)).sum())
    for function in (later, sooner):
        check_grads(lambda *a, f=function: f(own, *a), modes=["rev"], order=2)(g, *slopes)
