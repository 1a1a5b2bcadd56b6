"""function and start -> minimum: quasi-Newton steps in whitened coordinates, with no step size to choose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ppl.values import dataclass

_MEMORY = 20
_ENOUGH_DECREASE = 1e-4  # Armijo's constant
_MOST_HALVINGS = 30

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where a minimisation ended. `trace` holds the value after every step."""

    x: np.ndarray
    value: float
    gradient: np.ndarray
    trace: tuple[float, ...]


def lbfgs(
    objective: Objective,
    start: np.ndarray,
    precondition: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
    most_evaluations: int,
) -> Minimum:
    """L-BFGS (Nocedal and Wright 2006, algorithm 7.4) whose first inverse Hessian is `precondition`.

    Stops when the decrease that a full step promises, half of g' P g, is below `tolerance` (the unit of the objective),
    or when no step along the search direction lowers it.
    """
    x = start
    value, gradient = objective(x)
    evaluations = 1
    trace = [value]
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    while evaluations < most_evaluations:
        direction = -_two_loop(gradient, pairs, precondition)
        slope = float(gradient @ direction)
        if slope >= 0:  # the memory misleads: begin afresh from the preconditioner
            pairs.clear()
            direction = -precondition(gradient)
            slope = float(gradient @ direction)
        if -0.5 * slope < tolerance or not np.isfinite(slope):
            break
        length = 1.0
        for _ in range(_MOST_HALVINGS):
            trial = x + length * direction
            trial_value, trial_gradient = objective(trial)
            evaluations += 1
            if trial_value <= value + _ENOUGH_DECREASE * length * slope:
                break
            length *= _shorten(value, slope, length, trial_value)
        else:
            break
        step, change = trial - x, trial_gradient - gradient
        if step @ change > 1e-10 * np.sqrt((step @ step) * (change @ change)):
            pairs.append((step, change))
            del pairs[:-_MEMORY]
        x, value, gradient = trial, trial_value, trial_gradient
        trace.append(value)
    return Minimum(x, value, gradient, tuple(trace))


def _two_loop(
    gradient: np.ndarray,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    precondition: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    q = gradient
    weights = []
    for step, change in reversed(pairs):
        weight = (step @ q) / (step @ change)
        weights.append(weight)
        q = q - weight * change
    r = precondition(q)
    for (step, change), weight in zip(pairs, reversed(weights), strict=True):
        r = r + step * (weight - (change @ r) / (step @ change))
    return r


def _shorten(value: float, slope: float, length: float, trial_value: float) -> float:
    """The factor that leads to the minimum of the parabola through what is known, within 0.1 and 0.5."""
    if not np.isfinite(trial_value):
        return 0.2
    curvature = (trial_value - value - slope * length) / length**2
    return float(np.clip(-slope / (2 * curvature * length), 0.1, 0.5)) if curvature > 0 else 0.5
