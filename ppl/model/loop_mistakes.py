"""One constructor per mistake about loops, and about names that are defined piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

from ppl.data.axes import Axis
from ppl.language.errors import Mistake
from ppl.language.source import Span
from ppl.model.mistakes import axes_words


def whole_in_piece(span: Span, name: str) -> Mistake:
    mend = "write the range out, `1..n`"
    return Mistake("whole-in-piece", f"`:` does not tell how long `{name}` is", span, mend)


def piece_not_by_number(span: Span, name: str, text: str) -> Mistake:
    mend = f"define all of `{name}` at once, `{name}[column] ~ ...`, or number its elements"
    return Mistake("piece-not-by-number", f"pieces of `{name}` are told by number, and `{text}` is none", span, mend)


def piece_twice(span: Span, name: str, element: str) -> Mistake:
    return Mistake("piece-twice", f"`{name}[{element}]` is defined twice", span, "the pieces of a name cover 1..n once")


def piece_missing(span: Span, name: str, element: str) -> Mistake:
    return Mistake(
        "piece-missing", f"`{name}[{element}]` is defined nowhere", span, "the pieces of a name cover 1..n once"
    )


def pieces_differ(span: Span, name: str, found: int, expected: int) -> Mistake:
    message = f"`{name}` has {found} indices here and {expected} in another statement"
    return Mistake("pieces-differ", message, span, "give all pieces of a name equally many indices")


def pieces_of_other_shape(span: Span, name: str, found: tuple[Axis, ...], expected: tuple[Axis, ...]) -> Mistake:
    message = f"the elements of `{name}` have {axes_words(found)} here and {axes_words(expected)} in another statement"
    return Mistake("pieces-of-other-shape", message, span)


def pieces_of_two_sorts(span: Span, name: str) -> Mistake:
    mend = f"give the random elements a name of their own, `{name}_free[n] ~ ...`, and put them in place: "
    mend += f"`{name} = concat(0, {name}_free)`; a discrete state that is known is `{name}[1] ~ Bernoulli(1)`"
    message = f"some elements of `{name}` are derived with `=`, and these are random"
    return Mistake("pieces-of-two-sorts", message, span, mend)


def ragged_definition(span: Span, name: str) -> Mistake:
    mend = f"let the loops run over a whole rectangle, or number the elements of `{name}` in one row"
    return Mistake("ragged-definition", f"`{name}` is defined over loops of which one depends on the other", span, mend)


def latent_in_loop(span: Span, name: str, variables: Sequence[str]) -> Mistake:
    index = ", ".join(variables)
    mend = f"write `{name}[{index}] ~ ...`, one for each round, or move the statement out of the loop"
    return Mistake("latent-in-loop", f"`{name}` is one name for all rounds of the loop", span, mend)


def used_outside_loop(span: Span, name: str, variables: Sequence[str]) -> Mistake:
    index = ", ".join(variables)
    mend = f"define it as `{name}[{index}] = ...` to use it elsewhere"
    return Mistake(
        "used-outside-loop", f"`{name}` has a value for each round of its loop, and this stands outside", span, mend
    )


# -- recurrences ------------------------------------------------------------------------------------------------------


def not_yet_defined(span: Span, text: str) -> Mistake:
    mend = "within one round, define a name before it is used; or use the round before, `[t-1]`"
    return Mistake("not-yet-defined", f"`{text}` is not defined yet in this round of the loop", span, mend)


def whole_past(span: Span, name: str) -> Mistake:
    mend = f"say which elements: `{name}[t-1]`, `{name}[t-3..t-1]`, `sum({name}[t-k] for k in 1..t-1)`"
    return Mistake("whole-past", f"`{name}` is being defined round by round, and is not there as a whole", span, mend)


def lag_moves(span: Span, text: str, variable: str) -> Mistake:
    mend = f"count back from the round: `{variable}-1`, `{variable}-k` for k in a range"
    return Mistake("lag-moves", f"`{text}` does not stay equally far behind `{variable}`", span, mend)


def from_the_future(span: Span, text: str, variable: str) -> Mistake:
    mend = f"a recurrence reads what lies before `{variable}`"
    return Mistake("from-the-future", f"`{text}` lies ahead of the round that uses it", span, mend)


def before_the_first(span: Span, text: str, name: str) -> Mistake:
    mend = "begin the loop later, or leave those terms out with a range that depends on the round"
    return Mistake("before-the-first", f"`{text}` reaches back before the first element of `{name}`", span, mend)


def two_directions(span: Span, name: str) -> Mistake:
    mend = "let one loop alone lead from what is defined to what is next"
    return Mistake("two-directions", f"`{name}` depends on itself along two loops, or none", span, mend)


def other_loops(span: Span, name: str) -> Mistake:
    mend = "put all names that depend on each other's past into one `for`"
    return Mistake("other-loops", f"`{name}` is defined in another loop than the names it depends on", span, mend)


def time_not_outermost(span: Span, variable: str) -> Mistake:
    mend = f"write the loop over `{variable}` first: `for {variable} in ..., i in ...`"
    return Mistake("time-not-outermost", f"the recurrence runs over `{variable}`, which is an inner loop", span, mend)


def two_steps(span: Span, name: str) -> Mistake:
    mend = "write the round as one statement, with an index of its own for what differs"
    return Mistake("two-steps", f"two statements of the loop define elements of `{name}`", span, mend)
