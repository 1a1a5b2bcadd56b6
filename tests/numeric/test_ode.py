"""Differential equations against closed forms, scipy's solvers and finite differences."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.core import make_vjp
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from ppl.numeric import ode, ode_adjoint
from ppl.numeric.ode import State, System, integrate, solve
from ppl.numeric.ode_adjoint import Grouped
from ppl.numeric.tableaus import DOP853

Slopes = Callable[[Any, Mapping[str, Any]], list[Any]]


def system(slopes: Slopes, states: str, times: Sequence[float], origin: float = 0.0, names: str = "p") -> System:
    """A system of single numbers; `slopes` takes the array library and the values by name."""
    times = np.asarray(times, dtype=float)
    stops = np.unique(times[times > origin])
    every = Grouped.of(np.ones((len(states.split()),) * 2, dtype=bool))
    return System(
        origin, stops, np.searchsorted(stops, times, side="right"),
        tuple(State(name, i, i + 1, ()) for i, name in enumerate(states.split())), tuple(names.split()),
        lambda v: np.array(slopes(np, v)), lambda v: anp.array(slopes(anp, v)), every, every,
    )  # fmt: skip


def decay(times: Sequence[float]) -> System:
    return system(lambda _, v: [-v["p"] * v["y"]], "y", times)


def predator(times: Sequence[float]) -> System:
    def slopes(_: Any, v: Mapping[str, Any]) -> list[Any]:
        return [(v["a"] - v["b"] * v["y"]) * v["x"], (v["d"] * v["x"] - v["c"]) * v["y"]]

    return system(slopes, "x y", times, names="a b c d")


def predators(draws: int, spread: float = 0.1) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(1)
    start = np.array([33.0, 6.0]) * np.exp(spread * rng.normal(size=(draws, 2)))
    rates = np.array([0.55, 0.028, 0.8, 0.024]) * np.exp(spread * rng.normal(size=(draws, 4)))
    return start, list(rates.T)


def test_coefficients_fit_together() -> None:
    np.testing.assert_allclose(DOP853.a.sum(axis=1), DOP853.c, atol=1e-14)
    for power in range(8):  # quadrature conditions of order 8
        assert DOP853.b @ DOP853.c**power == pytest.approx(1 / (power + 1), abs=1e-14)
    for weights in DOP853.errors:
        assert weights.sum() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("size", [1.0, 1e-12, 1e15])
def test_decay_is_right_relative_to_what_is_left(size: float) -> None:
    times = np.array([0.1, 1.0, 5.0, 20.0])
    found = solve(decay(times), np.array([[size], [3 * size]]), np.array([1.0, 0.5]))[..., 0]
    expected = np.array([[size], [3 * size]]) * np.exp(-np.outer([1.0, 0.5], times))
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * size)


def test_logistic_growth() -> None:
    times = np.linspace(0.5, 12, 7)
    found = solve(
        system(lambda _, v: [v["p"] * v["y"] * (1 - v["y"])], "y", times), np.array([[0.01]]), np.array([1.3])
    )
    np.testing.assert_allclose(found[0, :, 0], 1 / (1 + 99 * np.exp(-1.3 * times)), rtol=1e-10)


def test_hundred_periods_of_an_oscillator() -> None:
    times = 2 * np.pi * np.array([1.0, 10.25, 100.0])
    found = solve(
        system(lambda _, v: [v["v"], -v["p"] * v["x"]], "x v", times), np.array([[1.0, 0.0]]), np.array([1.0])
    )
    np.testing.assert_allclose(found[0], np.stack([np.cos(times), -np.sin(times)], axis=1), atol=1e-8)


def test_time_in_the_slopes_and_a_late_origin() -> None:
    times = [2.0, 3.0, 7.0]
    found = solve(
        system(lambda np_, v: [v["p"] * np_.cos(v["time"])], "y", times, 2.0), np.array([[5.0]]), np.array([2.0])
    )
    np.testing.assert_allclose(found[0, :, 0], 5 + 2 * (np.sin(times) - np.sin(2)), rtol=1e-10)


def test_scipy_agrees_to_ten_digits() -> None:
    times = np.arange(1.0, 21.0)
    start, rates = predators(3)
    found = solve(predator(times), start, *rates)
    for draw in range(3):
        a, b, c, d = (rate[draw] for rate in rates)

        def slopes(_: float, y: np.ndarray, a: float = a, b: float = b, c: float = c, d: float = d) -> list[float]:
            return [(a - b * y[1]) * y[0], (d * y[0] - c) * y[1]]

        expected = solve_ivp(slopes, (0, 20), start[draw], "LSODA", t_eval=times, rtol=1e-13, atol=1e-13).y.T
        np.testing.assert_allclose(found[draw], expected, rtol=1e-10)


def test_times_may_repeat_and_be_the_start() -> None:
    found = solve(decay([0, 0, 1, 1, 2]), np.array([[2.0]]), np.array([0.3]))
    np.testing.assert_allclose(found[0, :, 0], 2 * np.exp(-0.3 * np.array([0, 0, 1, 1, 2])), rtol=1e-10)
    backward, _ = make_vjp(lambda y: solve(decay([0, 0, 1, 1, 2]), y, np.array([0.3])), np.array([[2.0]]))
    expected = 1 + 10 + 100 * np.exp(-0.3) + 1000 * np.exp(-0.3) + 10000 * np.exp(-0.6)
    np.testing.assert_allclose(backward(10.0 ** np.arange(5).reshape(1, 5, 1)), [[expected]], rtol=1e-9)
    assert solve(decay([0, 0]), np.array([[2.0]]), np.array([0.3])).tolist() == [[[2.0], [2.0]]]
    backward, _ = make_vjp(lambda p: solve(decay([0]), np.array([[2.0]]), p), np.array([0.3]))
    assert backward(np.ones((1, 1, 1))).tolist() == [0.0]


def test_gradient_of_a_linear_system() -> None:
    """By the start, that of exp(t A) y is exp(t A); by the rate of a decay, -t y."""
    matrix = np.array([[0.1, -1.0], [0.8, -0.3]])
    slopes = [[matrix[i, 0], matrix[i, 1]] for i in range(2)]
    turning = system(lambda _, v: [r[0] * v["x"] + r[1] * v["y"] + 0 * v["p"] for r in slopes], "x y", [1.0, 3.0])
    backward, _ = make_vjp(lambda y: solve(turning, y, np.zeros(1)), np.array([[1.0, 2.0]]))
    for place, time in enumerate([1.0, 3.0]):
        for column in range(2):
            unit = np.zeros((1, 2, 2))
            unit[0, place, column] = 1.0
            np.testing.assert_allclose(backward(unit)[0], expm(time * matrix)[column], rtol=1e-9)
    rates = np.array([0.3, 2.0, 40.0])
    backward, value = make_vjp(lambda p: solve(decay([0.5]), np.ones((3, 1)), p), rates)
    np.testing.assert_allclose(backward(np.ones((3, 1, 1))), -0.5 * value[:, 0, 0], rtol=1e-8)


def all_gradients(start: np.ndarray, rates: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Values, and the gradients of sums of squares by start and rates, for each draw."""
    draws = len(start)
    backward, value = make_vjp(
        lambda z: solve(predator(np.arange(1.0, 21.0)), z[:, :2], *(z[:, i] for i in range(2, 6))),
        np.concatenate([start, np.stack(rates, axis=1)], axis=1),
    )
    return value, np.asarray(backward(2 * value)).reshape(draws, 6)


def test_gradient_by_differences() -> None:
    start, rates = predators(4)
    z = np.concatenate([start, np.stack(rates, axis=1)], axis=1)

    def total(z: np.ndarray) -> np.ndarray:
        return (solve(predator(np.arange(1.0, 21.0)), z[:, :2], *z[:, 2:].T) ** 2).sum(axis=(1, 2))

    _, found = all_gradients(start, rates)
    for k in range(6):
        step = 1e-4 * z * np.eye(6)[k]
        near = (total(z + step) - total(z - step)) / (2 * step[:, k])
        wide = (total(z + 2 * step) - total(z - 2 * step)) / (4 * step[:, k])
        expected = (4 * near - wide) / 3
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-6)


def test_companions_change_nothing() -> None:
    start, rates = predators(40, spread=0.4)
    together, gradients = all_gradients(start, rates)
    for draw in range(0, 40, 7):
        alone, gradient = all_gradients(start[[draw]], [rate[[draw]] for rate in rates])
        np.testing.assert_allclose(together[draw], alone[0], rtol=1e-12)
        np.testing.assert_allclose(gradients[draw], gradient[0], rtol=1e-10)


def test_a_way_gone_back_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    start, rates = predators(5)
    _, whole = all_gradients(start, rates)
    monkeypatch.setattr(ode_adjoint, "_ELEMENTS_AT_ONCE", 5 * 12 * 2 * 3 * 7)
    _, pieces = all_gradients(start, rates)
    np.testing.assert_allclose(pieces, whole, rtol=1e-11)


def test_inputs_that_all_draws_share() -> None:
    start, rates = predators(3)
    shared = [rate[:1] for rate in rates]
    backward, _ = make_vjp(lambda a: solve(predator([1.0, 2.0]), start, a, *shared[1:]), shared[0])
    wide = [np.repeat(rate, 3) for rate in shared]
    each, _ = make_vjp(lambda a: solve(predator([1.0, 2.0]), start, a, *wide[1:]), wide[0])
    ones = np.ones((3, 2, 2))
    np.testing.assert_allclose(backward(ones), [each(ones).sum()], rtol=1e-12)


def test_a_solution_that_runs_away_takes_nobody_along() -> None:
    """y' = p y^2 from 1 is 1/(1 - p t): it ends at 1/p."""
    growth = system(lambda _, v: [v["p"] * v["y"] ** 2], "y", [0.5, 2.0])
    rates = np.array([0.1, 1.0, 0.3, np.nan])
    solution = integrate(growth, np.ones((4, 1)), [rates])
    assert sorted(solution.ends) == [1, 3]
    assert solution.ends[1].time == pytest.approx(1.0, abs=1e-8) and not solution.ends[1].too_many
    backward, value = make_vjp(lambda p: solve(growth, np.ones((4, 1)), p), rates)
    np.testing.assert_allclose(value[[0, 2], :, 0], 1 / (1 - np.outer([0.1, 0.3], [0.5, 2.0])), rtol=1e-10)
    assert value[1, 0, 0] == pytest.approx(2.0) and np.isnan(value[1, 1, 0]) and np.isnan(value[3]).all()
    expected = 0.5 / (1 - 0.1 * 0.5) ** 2 + 2.0 / (1 - 0.1 * 2) ** 2
    assert backward(np.ones((4, 2, 1)))[0] == pytest.approx(expected, rel=1e-9)


def test_steps_may_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ode, "MOST_STEPS", 50)
    start, rates = predators(1)
    solution = integrate(predator([1.0, 300.0]), start, rates)
    assert solution.ends[0].too_many and 1.0 < solution.ends[0].time < 300.0
    assert np.isfinite(solution.states[0, 1]).all() and np.isnan(solution.states[0, 2]).all()


def test_slopes_that_jump() -> None:
    jump = system(lambda np_, v: [np_.where(v["time"] < 0.7, v["p"], -v["p"])], "y", [0.5, 2.0])
    found = solve(jump, np.zeros((1, 1)), np.array([2.0]))
    np.testing.assert_allclose(found[0, :, 0], [1.0, 1.4 - 2.6], rtol=1e-8)


def test_memory_is_modest() -> None:
    start, rates = predators(200)
    all_gradients(start, rates)
    tracemalloc.start()
    all_gradients(start, rates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_grouped_matrices() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        pattern = rng.random((7, 7)) < 0.3
        matrix = pattern * rng.normal(size=(7, 7))
        grouped = Grouped.of(pattern)
        rows = [unit @ matrix for unit in grouped.units((7,))]
        vector = rng.normal(size=7)
        np.testing.assert_allclose(grouped.transposed(rows, vector), matrix.T @ vector, atol=1e-14)
    assert len(Grouped.of(np.kron(np.eye(50), np.ones((3, 3))) > 0).sets) == 3


def test_one_long_way_among_short_ones_costs_no_room() -> None:
    """Draws with few steps are not kept, or gone back, as if they had as many as the longest."""
    turning = system(lambda _, v: [v["v"], -(v["p"] ** 2) * v["x"]], "x v", [10.0])
    rates = np.append(np.linspace(0.5, 1.0, 400), 60.0)
    start = np.tile([1.0, 0.0], (401, 1))
    tracemalloc.start()
    backward, value = make_vjp(lambda p: solve(turning, start, p), rates)
    gradient = backward(np.tile([1.0, 0.0], (401, 1, 1)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(value[:, 0, 0], np.cos(10 * rates), atol=1e-7)
    np.testing.assert_allclose(gradient, -10 * np.sin(10 * rates), atol=1e-5)
    assert peak < 20e6
