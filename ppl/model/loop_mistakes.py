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
