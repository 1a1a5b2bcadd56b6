"""One constructor per mistake about `Param`, names that are estimated as points."""

from __future__ import annotations

from ppl.language.errors import Mistake
from ppl.language.source import Span


def not_a_latent(span: Span, text: str, known: bool) -> Mistake:
    found = "is in the data" if known else "is an expression"
    mend = f"give `{text}` the distribution that it comes from; what is to be estimated is a name that the data lack"
    return Mistake("not-a-latent", f"`{text}` {found}, and `Param` says that a name is to be estimated", span, mend)


def no_density(span: Span) -> Mistake:
    mend = "inside `logp` stands the distribution of a value"
    return Mistake("no-density", "`Param` has no density: it says that a name is to be estimated", span, mend)


def nothing_tells(span: Span, name: str) -> Mistake:
    mend = f"use `{name}` in the distribution of something observed, or leave it out"
    return Mistake(
        "nothing-tells", f"nothing observed depends on `{name}`: there is nothing to estimate it from", span, mend
    )


def init_not_known(span: Span, name: str, other: str) -> Mistake:
    mend = "the optimiser starts there: write a number, or data"
    return Mistake("init-not-known", f"the start of `{name}` depends on `{other}`, which is itself unknown", span, mend)


def bound_not_a_point(span: Span, name: str, other: str) -> Mistake:
    mend = f"bound `{name}` by data or by another `Param`, or give `{name}` a prior"
    message = f"the bounds of `{name}` depend on `{other}`, which is integrated over: `{name}` would be no single point"
    return Mistake("bound-not-a-point", message, span, mend)


def half_a_point(span: Span, name: str, family: str) -> Mistake:
    mend = "give the elements that are estimated a name of their own"
    return Mistake("half-a-point", f"some elements of `{name}` are `Param`, others have `{family}`", span, mend)
