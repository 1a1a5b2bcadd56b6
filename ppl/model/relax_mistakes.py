"""One constructor per mistake about discrete latents that are relaxed: of them there are weights, not values."""

from __future__ import annotations

from ppl.language.errors import Mistake
from ppl.language.source import Span


def bound(span: Span, name: str) -> Mistake:
    mend = f"let a parameter depend on `{name}` in place of the bound"
    return Mistake("relaxed-bound", f"a bound depends on `{name}`, which is relaxed", span, mend)


def index(span: Span, name: str) -> Mistake:
    message = f"this index is a whole number, and what `{name}`, which is relaxed, gives here is a mean"
    return Mistake(
        "relaxed-index",
        message,
        span,
        f"let the index depend on few single elements of `{name}`, such as `m[{name}[1]]`",
    )


def together(span: Span, name: str, combinations: int) -> Mistake:
    message = f"this depends on {combinations:,} combinations of values of elements of `{name}`, which is relaxed"
    return Mistake("relaxed-together", message, span, "use fewer elements in one condition or index")


def whole(span: Span, name: str, family: str) -> Mistake:
    message = f"`{family}` takes whole numbers here, and `{name}`, which is relaxed, gives means of its values"
    return Mistake("relaxed-whole", message, span, f"use `{name}` in a parameter that may be any number")


def step(span: Span, name: str) -> Mistake:
    message = f"this compares what several elements of `{name}` give together, and `{name}` is relaxed"
    return Mistake("relaxed-step", message, span, f"compare single elements, such as `{name}[1] == 1`")


def too_many_values(span: Span, name: str, values: int, most: int) -> Mistake:
    message = f"`{name}` has {values:,} values, and at most {most:,} can be relaxed"
    return Mistake("too-many-values", message, span, "narrow its range")
