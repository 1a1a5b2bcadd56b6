"""A point where the log joint is not finite -> the statement, the element and the values that make it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import autograd.numpy as autograd_np
import numpy as np
from autograd.core import make_vjp

from ppl.compile.joint import LogJoint, Part
from ppl.language.errors import Mistake
from ppl.model import mistakes, ode_mistakes
from ppl.model.graph import Model
from ppl.model.ode_terms import Trajectory
from ppl.model.program import behind, compile_terms, evaluate
from ppl.model.terms import ancestors, inputs

_MOST_SHOWN = 6  # latents in one message


def why_not_finite(model: Model, joint: LogJoint, z: np.ndarray) -> Mistake:
    """The first statement whose log density at z (D,) is infinite or no number, or else its gradient."""
    values = joint.constrain(z[None])
    for part, elementwise in zip(joint.parts, joint.by_part(z[None]), strict=True):
        bad = _bad(part, elementwise[0])
        if bad.any():
            broken = _broken_off(part, values)
            if broken is not None:
                return broken
            place = tuple(int(i) for i in np.argwhere(bad)[0]) if bad.ndim else ()
            return mistakes.not_finite(part.span, part.name, _show(model, part, place, values))
    for i, part in enumerate(joint.parts):
        if not np.isfinite(_gradient_of_part(joint, i, z)).all():
            place = tuple(0 for _ in part.log_prob.shape)
            return mistakes.not_finite(
                part.span, part.name, "its gradient is not: " + _show(model, part, place, values)
            )
    return mistakes.not_finite(joint.parts[0].span, joint.parts[0].name, "its gradient is not finite")


def _gradient_of_part(joint: LogJoint, i: int, z: np.ndarray) -> np.ndarray:
    def total(at: Any) -> Any:
        values, _ = joint.constrain_with_jacobian(at)
        return autograd_np.sum(joint.program.run(values)[i]) + autograd_np.sum(0.0 * at)

    with np.errstate(all="ignore"):
        backward, _ = make_vjp(total, z[None])
        return np.asarray(backward(1.0))


def _bad(part: Part, elementwise: np.ndarray) -> np.ndarray:
    """Which elements over a part's plates are not finite; of a table, those that are so for all discrete values."""
    if part.summand is None:
        return ~np.isfinite(elementwise)
    values = tuple(range(len(part.summand.values)))
    nowhere = (elementwise == -np.inf).all(axis=values) | (np.isnan(elementwise) | (elementwise == np.inf)).any(
        axis=values
    )
    return np.asarray(nowhere)


def _broken_off(part: Part, values: Mapping[str, np.ndarray]) -> Mistake | None:
    """What goes wrong in the first `ode` without a solution that a part depends on."""
    for term in ancestors([part.log_prob]):
        if term.op is not None and isinstance(term.op.apply, Trajectory):
            found = evaluate(compile_terms(term.args), values, 1)
            if all(len(arg.plates) == 0 for arg in term.args):
                mistake = term.op.apply.why_not([array[0] for array in found])
                if mistake is not None:
                    return ode_mistakes.at_start_of_fit(mistake, _some_of(inputs([term]), values))
    return None


def _some_of(names: Iterable[str], values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The first elements of some latents, as many as a message has room for."""
    found = {}
    for name in names:
        for place, value in np.ndenumerate(values[name][0]):
            index = ", ".join(str(i + 1) for i in place)
            found[f"{name}[{index}]" if place else name] = float(value)
            if len(found) == _MOST_SHOWN:
                return found
    return found


def _show(model: Model, part: Part, place: tuple[int, ...], values: Mapping[str, np.ndarray]) -> str:
    """Where the element stands in the data, and the value and the parameters of one element of a factor."""
    if part.summand is not None:
        return f"in element {', '.join(str(i + 1) for i in place)}, whatever its discrete latents are" if place else ""
    if part.distribution is None:
        terms, names, ranks = [part.log_prob], ["value"], [0]
    else:
        distribution = part.distribution
        terms = list(distribution.parameters)
        names = [parameter.name for parameter in distribution.form.parameters]
        ranks = [int(distribution.by_element) or parameter.event_rank for parameter in distribution.form.parameters]
        if part.value is not None:
            terms, names, ranks = [part.value, *terms], [part.name, *names], [distribution.event_rank, *ranks]
    shown = []
    for term, name, rank, found in zip(terms, names, ranks, evaluate(compile_terms(terms), values, 1), strict=True):
        shape = behind(term, part.log_prob.plates, len(part.log_prob.axes), rank)
        lined_up = np.broadcast_to(found[0].reshape(shape), (*part.log_prob.shape, *shape[len(shape) - rank :]))
        shown.append(f"{name} = {float(lined_up[place].reshape(-1)[0]):.6g}")
    column = model.data.columns.get(part.name)
    if column is not None:
        where = f"{column.where(place)}: "
    else:
        rows = len(place) == 1 and (part.plates[0].identity or "").startswith("rows:")
        where = f"in {'row' if rows else 'element'} {', '.join(str(i + 1) for i in place)}: " if place else ""
    return where + ", ".join(shown)
