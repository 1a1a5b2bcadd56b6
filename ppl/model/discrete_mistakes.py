"""One constructor per mistake about discrete latents, which are summed out."""

from __future__ import annotations

from ppl.language.errors import Mistake
from ppl.language.source import Span


def in_a_recurrence(span: Span, name: str) -> Mistake:
    mend = f"make `{name}` observed, or the recurrence random: `x[t] ~ ...`"
    return Mistake("in-a-recurrence", f"a recurrence depends on the discrete latent `{name}`", span, mend)


def too_tangled(span: Span, name: str) -> Mistake:
    mend = "write the statement with one index for each element that it needs"
    return Mistake("too-tangled", f"the elements of the discrete latent `{name}` cannot be told apart here", span, mend)


def all_at_once(span: Span, name: str, values: int, elements: int) -> Mistake:
    shown = f"{values}^{elements}"
    message = f"this depends on {elements} elements of the discrete latent `{name}` at once: a sum of {shown} terms"
    return Mistake("all-at-once", message, span, "let each observed element depend on few discrete ones")


def too_many_terms(span: Span, name: str, terms: int, most: int) -> Mistake:
    message = f"summing out `{name}` takes {terms:,} terms for each draw, more than the {most:,} that are allowed"
    return Mistake("too-many-terms", message, span, "let each discrete element be tied to fewer others")


def endless(span: Span, name: str, family: str, done: str) -> Mistake:
    mend = f"bound it from above: `{name} ~ {family}(...) < 200`"
    return Mistake("endless", f"`{name}` has endlessly many values and cannot be {done}", span, mend)


def not_countable(span: Span, name: str, family: str, done: str) -> Mistake:
    mend = f"`{name}` must be in the data, or nothing observed may depend on it"
    return Mistake("not-countable", f"`{family}` is discrete, and cannot be {done}", span, mend)


def support_not_known(span: Span, name: str) -> Mistake:
    mend = "how many values a discrete latent has must follow from the data"
    return Mistake("support-not-known", f"the range of the discrete latent `{name}` depends on a latent", span, mend)


def too_many_values(span: Span, name: str, values: int, most: int) -> Mistake:
    message = f"`{name}` has {values:,} values, and at most {most:,} can be summed over"
    return Mistake("too-many-values", message, span, "narrow its range")


def range_depends(span: Span, name: str, other: str) -> Mistake:
    mend = f"let the distribution of `{name}` depend on `{other}` by its parameters, and give it bounds that are known"
    return Mistake("range-depends", f"the range of `{name}` depends on the discrete latent `{other}`", span, mend)


def index_outside(span: Span, name: str, low: int, high: int, length: int) -> Mistake:
    message = f"with `{name}` this index runs from {low} to {high}, and the axis has {length} elements"
    return Mistake("index-outside", message, span, f"let the values of `{name}` be the positions 1 to {length}")
