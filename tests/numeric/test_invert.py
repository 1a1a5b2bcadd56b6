"""Inverses of rising functions beside closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from ppl.numeric.invert import invert

PROBABILITIES = np.array([1e-300, 1e-12, 0.03, 0.5, 0.97])


@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (-50.0, np.inf), (-np.inf, 8.0), (-50.0, 8.0)])
def test_of_real_numbers(low: float, high: float) -> None:
    """Whichever ends are given, to the last bits of what the function tells."""
    found = invert(lambda x: special.log_ndtr(x), np.log(PROBABILITIES), low, high)
    np.testing.assert_allclose(found, special.ndtri(PROBABILITIES), rtol=1e-12, atol=1e-15)


def test_far_from_where_the_search_starts() -> None:
    found = invert(lambda x: np.cbrt(x), np.array([-1e60, -1e-30, 1e-30, 1e60]))
    np.testing.assert_allclose(found, [-1e180, -1e-90, 1e-90, 1e180], rtol=1e-13)


def test_what_is_not_reached_is_the_upper_end() -> None:
    np.testing.assert_array_equal(invert(lambda x: x, np.array([3.0, 7.0]), 0.0, 5.0), [3.0, 5.0])


def test_of_whole_numbers() -> None:
    """The smallest at which the function is at least the target, as scipy's quantiles of counts are."""
    law = stats.poisson(np.array([0.1, 3.0, 40.0, 2e6])[:, None])
    u = np.array([1e-9, 0.2, 0.7, 0.9999])
    target = np.broadcast_to(u, (4, 4))
    np.testing.assert_array_equal(invert(lambda x: law.cdf(x), target, -1.0, np.inf, whole=True), law.ppf(u))


def test_whole_numbers_hit_exactly() -> None:
    found = invert(lambda x: x / 10, np.array([0.3, 0.31, 0.0, 1.0]), -1.0, 10.0, whole=True)
    np.testing.assert_array_equal(found, [3, 4, 0, 10])
