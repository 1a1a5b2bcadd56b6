"""Every transform there and back, and its log Jacobian beside the determinant of a numerical one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ppl.model import matrix_transforms, transforms
from ppl.model.events import EVENTS
from ppl.model.transforms import Transform
from tests.witness import assert_close, assert_gradients

N = 5  # elements of an event, or of a plate
LOWER = np.array([-3.0, 0.0, 0.5, 1.0, 100.0])
UPPER = np.array([-2.0, 1.0, 9.0, 1.001, 300.0])

MODULES = (transforms, matrix_transforms)
ALL = {value.name: value for module in MODULES for value in vars(module).values() if isinstance(value, Transform)}

BOUNDS: dict[str, tuple[Any, Any]] = {  # lower and upper, for each transform
    "real": (None, None),
    "above": (LOWER, None),
    "below": (None, UPPER),
    "between": (LOWER, UPPER),
    "simplex": (None, None),
    "ordered": (None, None),
    "ordered above": (LOWER[:3, None], None),
    "ordered below": (None, UPPER[:3, None]),
    "ordered between": (LOWER[:3, None], UPPER[:3, None]),
    "zero sum": (None, None),
    "Cholesky factor of a correlation": (None, None),
    "correlation": (None, None),
    "covariance": (None, None),
}
EVENT_OF = {"zero sum": "zero_sum", "Cholesky factor of a correlation": "cholesky_correlation"}


def strictly_below(theta: np.ndarray) -> np.ndarray:
    rows, columns = np.tril_indices(N, -1)
    return theta[..., rows, columns]


def below(theta: np.ndarray) -> np.ndarray:
    rows, columns = np.tril_indices(N)
    return theta[..., rows, columns]


def in_the_plane(theta: np.ndarray) -> np.ndarray:
    """Vectors that sum to 0 in an orthonormal basis."""
    basis = np.linalg.svd(np.ones((1, N)))[2][1:]
    return theta @ basis.T


MEASURED_BY: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # the elements that densities are by; all, if not here
    "simplex": lambda theta: theta[..., :-1],
    "zero sum": in_the_plane,
    "Cholesky factor of a correlation": strictly_below,
    "correlation": strictly_below,
    "covariance": below,
}


def event_shape(name: str) -> tuple[int, ...]:
    return (N,) * max(1, ALL[name].event_rank)


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
    relative = {name for name in ALL if name.startswith("non-centred")}  # tests/compile/test_noncentred.py has these
    assert set(BOUNDS) == set(ALL) - relative


@pytest.mark.parametrize("name", BOUNDS)
def test_there_and_back(name: str, z: np.ndarray) -> None:
    theta = ALL[name].constrain(z, *BOUNDS[name])
    assert theta.shape == (4, 3, *event_shape(name))
    again = ALL[name].constrain(ALL[name].unconstrain(theta, *BOUNDS[name]), *BOUNDS[name])
    assert_close(again, theta, 1e-12, 1e-14 if name in MEASURED_BY else 0)


@pytest.mark.parametrize("name", BOUNDS)
def test_back_and_there(name: str, z: np.ndarray) -> None:
    """Between bounds of order 1: beside a large bound theta cannot hold what z says. A Cholesky factor loses digits."""
    lower, upper = BOUNDS[name]
    near = (None if lower is None else -1.0, None if upper is None else 2.0)
    theta = ALL[name].constrain(z, *near)
    exact = 1e-6 if name in ("correlation", "covariance") else 1e-12
    assert_close(ALL[name].unconstrain(theta, *near), z, exact, exact)


@pytest.mark.parametrize("name", BOUNDS)
def test_values_lie_in_the_support(name: str, z: np.ndarray) -> None:
    theta = ALL[name].constrain(z, *BOUNDS[name])
    lower, upper = BOUNDS[name]
    assert lower is None or (theta > lower).all()
    assert upper is None or (theta < upper).all()
    event = EVENTS.get(EVENT_OF.get(name, name.split()[0]))
    assert (event is not None) == (ALL[name].event_rank > 0)
    if event is not None:
        assert event.rank == ALL[name].event_rank
        assert event.holds(theta).shape == (4, 3)
        assert event.holds(theta).all()
        assert not event.holds(theta + 0.01).any() or name.startswith(("ordered", "covariance"))
        assert not event.holds(theta[..., ::-1]).any() or name in ("simplex", "zero sum")


@pytest.mark.parametrize("name", BOUNDS)
def test_log_jacobian(name: str, z: np.ndarray) -> None:
    transform, bounds = ALL[name], BOUNDS[name]
    found = transform.log_jacobian(z, *bounds)
    assert found.shape == (z.shape if transform.event_rank == 0 else z.shape[:-1])

    def constrained(vector: np.ndarray) -> np.ndarray:
        given = [bound if bound is None or bound.ndim == 1 else bound[place[1]] for bound in bounds]
        theta = transform.constrain(vector, *given)
        return MEASURED_BY.get(name, lambda theta: theta)(theta)

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


@pytest.mark.parametrize(
    ("name", "expected", "log_jacobian"),
    [
        ("simplex", 1, 0),
        ("ordered", 1, 0),
        ("zero sum", 0, 0),
        ("Cholesky factor of a correlation", 1, 0),
        ("correlation", 1, 0),
        ("covariance", np.exp(2), np.log(2) + 2),
    ],
)
def test_event_of_one_element(name: str, expected: float, log_jacobian: float) -> None:
    transform = ALL[name]
    z = np.ones((4, transform.free(1)))
    assert_close(transform.constrain(z, None, None), np.full((4, *(1,) * transform.event_rank), expected))
    assert_close(transform.log_jacobian(z, None, None), np.full(4, log_jacobian))


@pytest.mark.parametrize("name", ["above", "below", "between"])
def test_far_out(name: str) -> None:
    """Neither value nor log Jacobian overflows where the constrained value has reached its bound."""
    lower, upper = (None if bound is None else bound[1] for bound in BOUNDS[name])
    z = np.array([-700.0, 700.0])
    assert np.isfinite(ALL[name].constrain(z, lower, upper)).all()
    assert np.isfinite(ALL[name].log_jacobian(z, lower, upper)).all()
