"""Shares of the von Mises law beside numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special

from ppl.numeric.circle import log_von_mises, mean_cosine, von_mises_share
from tests.witness import assert_close, assert_gradients

CONCENTRATIONS = np.array([0.0, 0.01, 1.3, 30.0, 4000.0])


def density(angle: float, concentration: float) -> float:
    return float(np.exp(concentration * (np.cos(angle) - 1)) / (2 * np.pi * special.ive(0, concentration)))


@pytest.mark.parametrize("concentration", CONCENTRATIONS)
@pytest.mark.parametrize("angle", [-3.1, -0.3, 0.01, 0.9, 2.5, np.pi])
def test_share(angle: float, concentration: float) -> None:
    near = min(abs(angle), 0.3) * np.sign(angle)  # where narrow ones have their peak
    expected = integrate.quad(density, 0, near, (concentration,), epsabs=1e-14, epsrel=1e-13, limit=200)[0]
    expected += integrate.quad(density, near, angle, (concentration,), epsabs=1e-14, epsrel=1e-13, limit=200)[0]
    assert von_mises_share(angle, concentration) == pytest.approx(expected, rel=1e-11, abs=1e-14)
    assert np.exp(log_von_mises(angle, concentration)) == pytest.approx(density(angle, concentration), rel=1e-11)


def test_every_turn_adds_one() -> None:
    angle = np.linspace(-3, 3, 7)[:, None]
    for turns in (-2, 1, 5):
        moved = von_mises_share(angle + 2 * np.pi * turns, CONCENTRATIONS)
        assert_close(moved, von_mises_share(angle, CONCENTRATIONS) + turns, 1e-12, 1e-12)


def test_gradients() -> None:
    angle = np.array([-9.0, -2.0, -0.4, 0.7, 2.9])[:, None]
    assert_gradients(von_mises_share, angle, CONCENTRATIONS[1:4])
    assert_gradients(log_von_mises, angle, CONCENTRATIONS[1:4])
    assert_gradients(mean_cosine, CONCENTRATIONS[1:])
