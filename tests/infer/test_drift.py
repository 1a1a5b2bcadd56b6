"""Reversible moves carry draws of a posterior nowhere on average, and others to where the posterior is."""

from __future__ import annotations

import numpy as np
import pytest

import ppl
from ppl.infer.drift import drift

BANANA = "x ~ Flat()\ny ~ Flat()\nfactor -x^2/2\nfactor -0.5*(y + x^2)^2"


def drawn(count: int, seed: int) -> np.ndarray:
    """Exact draws of the banana."""
    x, e = np.random.default_rng(seed).normal(size=(2, count))
    return np.column_stack([x, e - x**2])


def carried(z: np.ndarray, seed: int, weights: np.ndarray | None = None) -> float:
    joint = ppl.from_text(BANANA, "test.ppl").condition({}).joint
    even = np.full(len(z), 1 / len(z)) if weights is None else weights
    everywhere = lambda points: np.ones(len(points), dtype=bool)  # noqa: E731
    return drift(joint, z, even, everywhere, 1, np.random.default_rng(seed))[0]


@pytest.mark.parametrize("seed", range(5))
def test_exact_draws_stay(seed: int) -> None:
    assert carried(drawn(4000, seed), seed) == 0.0


def test_weighted_draws_stay() -> None:
    """Draws of twice the width, weighed by the density they should have."""
    rng = np.random.default_rng(1)
    x = 2 * rng.normal(size=20_000)
    weights = np.exp(-0.5 * x**2 + 0.125 * x**2)
    z = np.column_stack([x, rng.normal(size=20_000) - x**2])
    assert carried(z, 1, weights / weights.sum()) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_draws_of_a_part_are_carried_to_the_rest(seed: int) -> None:
    """One arm of the banana alone; a part as small as a tenth of the mode."""
    z = drawn(20_000, seed)
    assert carried(z[z[:, 0] > 0], seed) > 0.3
    assert carried(z[z[:, 0] > 1.28], seed) > 0.3


def test_draws_that_leave_a_mode_do_not_count() -> None:
    """A border through the middle: as many cross it one way as the other, and those that stay show no drift."""
    joint = ppl.from_text("x ~ Flat()\nfactor -x^2/2", "test.ppl").condition({}).joint
    z = np.random.default_rng(2).normal(size=(8000, 1))
    right = lambda points: points[:, 0] > 0  # noqa: E731
    length, share = drift(joint, z, np.where(right(z), 1 / 8000, 0.0), right, 2, np.random.default_rng(3))
    assert length == 0.0 and share.shape == (1,)
