"""log joint, points -> where the density leads from each: peaks, or as far as a few steps reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ppl.compile.joint import LogJoint

_MOST_STEPS, _FEWEST_STEPS = 150, 30
_STEPS_OF_ODE = 40
_MOST_ELEMENTS = 20_000_000  # of all that is evaluated on the way up
_BOTTOM = -1e100


def peaks(joint: LogJoint, z: np.ndarray, widest: int, hard: bool) -> np.ndarray | None:
    """Points z (S, D) -> ends (S, D) of ascents of the log joint from there, all at once; None where that takes long.

    `widest` is the number of elements of its widest term, and `hard` says that far points may take for ever.
    """
    from scipy.optimize import minimize

    steps = min(_MOST_ELEMENTS // max(1, widest * len(z)), _STEPS_OF_ODE if hard else _MOST_STEPS)
    if steps < _FEWEST_STEPS or not len(z):
        return None
    own = replace(joint)  # what it stages is not that of a fit

    def downhill(flat: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            value, gradient = own.value_and_gradient(flat.reshape(z.shape))
        held = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
        return -float(np.where(held, value, _BOTTOM).sum()), -np.where(held[:, None], gradient, 0.0).reshape(-1)

    with np.errstate(all="ignore"):
        found = minimize(downhill, z.reshape(-1), jac=True, method="L-BFGS-B", options={"maxfun": steps})
    return np.asarray(found.x).reshape(z.shape)
