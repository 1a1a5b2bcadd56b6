"""`ode` -> the paths of its states at the times, by scipy's solver with tight tolerances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import solve_ivp

from ppl.language import syntax as s
from tests.interpreter.arrays import Array, array, common, one
from tests.interpreter.expressions import NOWHERE, Scope, read

if TYPE_CHECKING:
    from tests.interpreter.program import World


def solved(world: World, ode: s.Ode) -> dict[str, Array]:
    """One array for each state: over the times, and then over the axes of the state itself."""
    given = read(world, ode.times, NOWHERE)
    times = given.numpy().reshape(-1)
    origin = float(read(world, ode.origin, NOWHERE).number())
    starts = [read(world, state.start, NOWHERE) for state in ode.states]
    for _ in range(len(starts) + 1):  # a state has the axes of its slope as well, and of what this is made of
        bound = {state.name.name: start for state, start in zip(ode.states, starts, strict=True)}
        scope = Scope({**bound, ode.time.name: one(origin)})
        slopes_there = [read(world, state.slope, scope) for state in ode.states]
        together = [common(pair) for pair in zip(starts, slopes_there, strict=True)]
        starts = [Array(*both, start.aligned) for both, start in zip(together, starts, strict=True)]
    shapes = [start.shape for start in starts]
    ends = np.cumsum([0, *(math.prod(shape) for shape in shapes)])

    def slopes(time: float, flat: np.ndarray) -> np.ndarray:
        bound = {ode.time.name: one(time)}
        for i, state in enumerate(ode.states):
            bound[state.name.name] = array(flat[ends[i] : ends[i + 1]].reshape(shapes[i]), starts[i].axes)
        found = [
            np.broadcast_to(read(world, state.slope, Scope(bound)).numpy(), shape)
            for state, shape in zip(ode.states, shapes, strict=True)
        ]
        return np.concatenate([x.reshape(-1) for x in found])

    first = np.concatenate([start.numpy().reshape(-1) for start in starts])
    paths = np.tile(first, (len(times), 1))
    later = times > origin
    if later.any():
        path = solve_ivp(
            slopes, (origin, times.max()), first, "DOP853", np.unique(times[later]), rtol=1e-10, atol=1e-12
        )
        assert path.success, path.message
        paths[later] = path.y.T[np.searchsorted(path.t, times[later])]
    found = {}
    for i, state in enumerate(ode.states):
        values = paths[:, ends[i] : ends[i + 1]].reshape((len(times), *shapes[i]))
        found[state.name.name] = array(values.reshape((*given.shape, *shapes[i])), (*given.axes, *starts[i].axes))
    return found
