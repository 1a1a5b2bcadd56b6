"""One constructor per mistake about missing cells."""

from __future__ import annotations

from ppl.language.errors import Mistake
from ppl.language.source import Span


def partly_missing(span: Span, name: str, family: str, where: str) -> Mistake:
    message = f"`{name}` has a value of `{family}` of which only a part is missing: {where}"
    return Mistake("partly-missing", message, span, "leave all of it empty, or fill it in", in_data=True)


def nothing_said(span: Span, name: str, element: str) -> Mistake:
    message = f"`{name}[{element}]` is missing in the data, and no statement gives it a distribution"
    mend = f"let the statements on `{name}` cover it, or fill it in"
    return Mistake("nothing-said", message, span, mend, in_data=True)
