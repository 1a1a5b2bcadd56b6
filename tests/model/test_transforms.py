"""Every transform there and back, and its log Jacobian beside the determinant of a numerical one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ppl.model import transforms
from ppl.model.transforms import Transform
from tests.witness import assert_close, assert_gradients

N = 5  # elements of an event, or of a plate
LOWER = np.array([-3.0, 0.0, 0.5, 1.0, 100.0])
UPPER = np.array([-2.0, 1.0, 9.0, 1.001, 300.0])

ALL = {value.name: value for value in vars(transforms).values() if isinstance(value, Transform)}

BOUNDS: dict[str, tuple[Any, Any]] = {  # lower and upper, for each transform
    "real": (None, None),
    "above": (LOWER, None),
    "below": (None, UPPER),
    "between": (LOWER, UPPER),
    "simplex": (None, None),
    "ordered": (None, None),
}


def first(theta: np.ndarray) -> np.ndarray:
    """All but the last element: what a simplex is measured by."""
    return theta[..., :-1]


def numerical_jacobian(function: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """Columns are derivatives by the elements of a vector z, by five points."""
    step = 1e-3
    moves = step * np.eye(len(z))
    columns = [
        8 * (function(z + move) - function(z - move)) - (function(z + 2 * move) - function(z - 2 * move))
        for move in moves
    ]
    return np.stack(columns, axis=-1) / (12 * step)


@pytest.fixture
def z(request: pytest.FixtureRequest) -> np.ndarray:
    """Draws (4, 3, coordinates): two leading axes."""
    transform = ALL[request.getfixturevalue("name")]
    return 2 * np.random.default_rng(2).standard_normal((4, 3, transform.free(N)))


def test_all_are_here() -> None:
    assert set(BOUNDS) == set(ALL)


@pytest.mark.parametrize("name", BOUNDS)
def test_there_and_back(name: str, z: np.ndarray) -> None:
    theta = ALL[name].constrain(z, *BOUNDS[name])
    assert theta.shape == (4, 3, N)
    assert_close(ALL[name].constrain(ALL[name].unconstrain(theta, *BOUNDS[name]), *BOUNDS[name]), theta, 1e-12, 0)


@pytest.mark.parametrize("name", BOUNDS)
def test_back_and_there(name: str, z: np.ndarray) -> None:
    """Between bounds of order 1: beside a large bound theta cannot hold what z says."""
    lower, upper = BOUNDS[name]
    near = (None if lower is None else -1.0, None if upper is None else 2.0)
    theta = ALL[name].constrain(z, *near)
    assert_close(ALL[name].unconstrain(theta, *near), z, 1e-12, 1e-12)


@pytest.mark.parametrize("name", BOUNDS)
def test_values_lie_in_the_support(name: str, z: np.ndarray) -> None:
    theta = ALL[name].constrain(z, *BOUNDS[name])
    lower, upper = BOUNDS[name]
    assert lower is None or (theta > lower).all()
    assert upper is None or (theta < upper).all()
    if name == "simplex":
        assert (theta > 0).all()
        assert_close(theta.sum(axis=-1), np.ones((4, 3)), 1e-14)
    if name == "ordered":
        assert (np.diff(theta, axis=-1) > 0).all()


@pytest.mark.parametrize("name", BOUNDS)
def test_log_jacobian(name: str, z: np.ndarray) -> None:
    transform, bounds = ALL[name], BOUNDS[name]
    found = transform.log_jacobian(z, *bounds)
    assert found.shape == (z.shape if transform.event_rank == 0 else z.shape[:-1])

    def constrained(vector: np.ndarray) -> np.ndarray:
        theta = transform.constrain(vector, *bounds)
        return first(theta) if name == "simplex" else theta

    for place in np.ndindex(4, 3):
        sign, expected = np.linalg.slogdet(numerical_jacobian(constrained, z[place]))
        assert abs(sign) == 1
        assert_close(np.sum(found[place]), expected, 1e-6, 1e-6)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("what", ["constrain", "log_jacobian"])
def test_gradients(name: str, z: np.ndarray, what: str) -> None:
    """By z and by the bounds, which may be latent."""
    bounds = BOUNDS[name]
    by = [0] + [i + 1 for i, bound in enumerate(bounds) if bound is not None]
    assert_gradients(getattr(ALL[name], what), z, *bounds, by=by)


@pytest.mark.parametrize("name", ["simplex", "ordered"])
def test_event_of_one_element(name: str) -> None:
    transform = ALL[name]
    z = np.ones((4, transform.free(1)))
    assert_close(transform.constrain(z, None, None), np.ones((4, 1)))
    assert_close(transform.log_jacobian(z, None, None), np.zeros(4))


@pytest.mark.parametrize("name", ["above", "below", "between"])
def test_far_out(name: str) -> None:
    """Neither value nor log Jacobian overflows where the constrained value has reached its bound."""
    lower, upper = (None if bound is None else bound[1] for bound in BOUNDS[name])
    z = np.array([-700.0, 700.0])
    assert np.isfinite(ALL[name].constrain(z, lower, upper)).all()
    assert np.isfinite(ALL[name].log_jacobian(z, lower, upper)).all()
