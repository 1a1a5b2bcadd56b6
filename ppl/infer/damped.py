"""function with its Hessian, start -> minimum: damped Newton steps, also where the function is not convex."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ppl.infer.optimise import Minimum, Objective

_FIRST, _LEAST, _MOST = 1e-3, 1e-10, 1e8  # damping, added to a Hessian scaled to unit diagonal
_HARDER, _EASIER = 8.0, 0.2

Hessian = Callable[[np.ndarray], np.ndarray]


def damped_newton(objective: Objective, start: Minimum, hessian: Hessian, tolerance: float, most_steps: int) -> Minimum:
    """Levenberg and Marquardt's steps: so much damping that the Hessian is positive definite and that the function
    falls about as its quadratic model foretells (Nocedal and Wright 2006, section 4.3).

    Stops when a step promises a decrease below `tolerance`, in the unit of the objective, or none can be had.
    """
    x, value, gradient = start.x, start.value, start.gradient
    trace, damping = list(start.trace), _FIRST
    for _ in range(most_steps):
        shape = hessian(x)
        if not np.isfinite(shape).all():
            break
        unit = np.sqrt(np.maximum(np.abs(np.diag(shape)), 1e-12))
        scaled, downhill = shape / unit / unit[:, None], -gradient / unit
        moved = False
        while not moved and damping <= _MOST:
            along = _solve(scaled, damping, downhill)
            if along is None:
                damping *= _HARDER
                continue
            promised = float(downhill @ along - 0.5 * along @ scaled @ along)
            if promised < tolerance:
                return Minimum(x, value, gradient, tuple(trace))
            trial = x + along / unit
            trial_value, trial_gradient = objective(trial)
            kept = (value - trial_value) / promised if np.isfinite(trial_value) else -np.inf
            if kept > 1e-4:
                x, value, gradient, moved = trial, trial_value, trial_gradient, True
                trace.append(value)
            if kept < 0.25:
                damping *= _HARDER
            elif kept > 0.75:
                damping = max(_LEAST, _EASIER * damping)
        if not moved:
            break
    return Minimum(x, value, gradient, tuple(trace))


def _solve(scaled: np.ndarray, damping: float, right: np.ndarray) -> np.ndarray | None:
    """None where the damped matrix is not positive definite."""
    try:
        root = np.linalg.cholesky(scaled + damping * np.eye(len(scaled)))
    except np.linalg.LinAlgError:
        return None
    return np.linalg.solve(root.T, np.linalg.solve(root, right))
