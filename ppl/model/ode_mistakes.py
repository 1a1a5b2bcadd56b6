"""One constructor per mistake about `ode`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ppl.data.axes import Axis
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model.mistakes import axes_words

# -- what shows without data -------------------------------------------------------------------------------------------


def of_equations(statement: s.Ode, inside: bool) -> list[Mistake]:
    """Mistakes in how a system is written down."""
    found = []
    if inside:
        found.append(in_loop(statement.span))
    if not statement.states:
        found.append(no_states(statement.span))
    found += [time_is_state(x.name.span, x.name.name) for x in statement.states if x.name.name == statement.time.name]
    return found


def in_loop(span: Span) -> Mistake:
    mend = "write it once, outside: a state whose start or slope has an axis stands for one solution per element"
    return Mistake("ode-in-loop", "an `ode` cannot stand inside a loop", span, mend)


def no_states(span: Span) -> Mistake:
    mend = "give each state its value at the start and its slope: `y = y0; y' = -k*y`"
    return Mistake("ode-without-states", "the `ode` has no equations", span, mend)


def time_is_state(span: Span, name: str) -> Mistake:
    return Mistake("time-is-state", f"`{name}` is the time of this `ode`, and no state", span, "give one another name")


def start_reads_state(span: Span, name: str) -> Mistake:
    mend = f"write out the value that `{name}` starts from"
    message = f"`{name}` is a state, and the values at the start cannot depend on it"
    return Mistake("start-reads-state", message, span, mend)


# -- times -------------------------------------------------------------------------------------------------------------


def times_not_known(span: Span, text: str) -> Mistake:
    mend = "the times and the start are made of data"
    return Mistake("times-not-known", f"`{text}` depends on latents", span, mend)


def times_not_a_list(span: Span, text: str, axes: tuple[Axis, ...]) -> Mistake:
    return Mistake("times-not-a-list", f"the times, `{text}`, are {axes_words(axes)}", span, "give a list of numbers")


def origin_not_a_number(span: Span, text: str, axes: tuple[Axis, ...]) -> Mistake:
    mend = "all states start at the same time; give one number"
    return Mistake("origin-not-a-number", f"the start, `{text}`, is {axes_words(axes)}", span, mend)


def times_decrease(span: Span, text: str, where: str, time: str, before: str) -> Mistake:
    mend = "give every time once, in order, and pick from the states by index: `y[visit]`"
    return Mistake("times-decrease", f"`{text}` must not decrease: {where} is {time}, after {before}", span, mend)


def time_before_start(span: Span, text: str, where: str, time: str, origin: str) -> Mistake:
    mend = f"start earlier: `from` a time not after {time}"
    return Mistake("time-before-start", f"{where} is {time}, before the start at {origin}", span, mend)


# -- shapes ------------------------------------------------------------------------------------------------------------


def slope_of_other_shape(span: Span, name: str, slope: tuple[Axis, ...], start: tuple[Axis, ...]) -> Mistake:
    message = f"the slope of `{name}` is {axes_words(slope)}, and its start {axes_words(start)}"
    return Mistake("slope-of-other-shape", message, span, "a state and its slope have the same axes")


# -- solutions that break off ------------------------------------------------------------------------------------------


def no_start(span: Span, name: str, value: str) -> Mistake:
    message = f"the `ode` has no solution: `{name}` starts from {value}"
    return Mistake("ode-not-finite", message, span, "check the values at the start")


def no_slope(span: Span, name: str, time: str, values: Mapping[str, str]) -> Mistake:
    message = f"the `ode` has no solution: the slope of `{name}` is not finite at {_at(time, values)}"
    return Mistake("ode-not-finite", message, span, "check where the slopes are defined")


def breaks_off(span: Span, time: str, values: Mapping[str, str]) -> Mistake:
    message = f"the solution of the `ode` breaks off at {_at(time, values)}"
    mend = "it runs away, or its slopes jump there: check the equations, or give priors under which it stays finite"
    return Mistake("ode-not-finite", message, span, mend)


def too_many_steps(span: Span, steps: int, time: str, values: Mapping[str, str]) -> Mistake:
    message = f"the `ode` takes more than {steps} steps, and gets no further than {_at(time, values)}"
    mend = "it moves much faster than the times asked for: check the units of rates and times"
    return Mistake("ode-too-fast", message, span, mend)


def stiff(span: Span, steps: int, time: str, rate: str) -> Mistake:
    message = f"the `ode` looks stiff: {steps} steps lead only to {time}"
    mend = f"something in it decays at a rate of {rate}, far faster than the rest moves: put it at its equilibrium"
    return Mistake("ode-stiff", message, span, mend)


def at_start_of_fit(mistake: Mistake, latents: Mapping[str, float]) -> Mistake:
    """The same, with the values of some latents that the solution depends on."""
    if not latents:
        return mistake
    shown = ", ".join(f"{name} = {value:.4g}" for name, value in latents.items())
    return replace(mistake, message=f"{mistake.message}; the fit starts from {shown}")


def _at(time: str, values: Mapping[str, str]) -> str:
    """The words for a time and the states then."""
    return f"{time}, where " + ", ".join(f"{name} = {value}" for name, value in values.items())
