"""One constructor per mistake that the text of a model can hold by itself; each gives message and mend."""

from __future__ import annotations

from ppl.language.errors import Mistake
from ppl.language.source import Span

# Words of other languages, and what to write here.
FOREIGN = {
    "'": 'text stands in double quotes: "Aitkin"',
    "!": "write `not x`, or `!=` between two values",
    "&": "write `and`",
    "|": "write `or`",
    "%": "a matrix product is `x @ y`; a remainder does not exist here",
    "$": "columns are named directly: `height`, not `data$height`",
    "**": "a power is written `x^2`",
    "//": "a comment starts with `#`",
    "&&": "write `and`",
    "||": "write `or`",
    "<-": "a derived name is written `name = expression`, a random one `name ~ Family(...)`",
    "->": "a derived name is written `name = expression`",
    ":=": "a derived name is written `name = expression`",
    "%*%": "a matrix product is `x @ y`",
}


def too_long(characters: int, most: int) -> Mistake:
    mend = "a model is a page; is this the data?"
    return Mistake("too-long", f"{characters:,} characters, more than the {most:,} that a model may have", None, mend)


def unexpected_text(span: Span, text: str, mend: str | None = None) -> Mistake:
    return Mistake("unexpected-text", f"`{text}` does not belong here", span, mend or FOREIGN.get(text))


def statement_breaks_off(span: Span, mend: str | None = None) -> Mistake:
    return Mistake("statement-breaks-off", "the statement breaks off here", span, mend)


def operator_missing(span: Span, text: str) -> Mistake:
    mend = "put an operator or a comma before it, or begin a new line"
    return Mistake("operator-missing", f"`{text}` follows a complete expression", span, mend)


def assignment_in_expression(span: Span) -> Mistake:
    mend = "two values are compared with `==`; a named argument stands directly inside the parentheses of its call"
    return Mistake("assignment-in-expression", "`=` cannot stand inside an expression", span, mend)


def bracket_never_closed(span: Span, text: str) -> Mistake:
    closing = {"(": ")", "[": "]", "{": "}"}[text]
    return Mistake("bracket-never-closed", f"this `{text}` is never closed", span, f"add the `{closing}`")


def bracket_never_opened(span: Span, text: str) -> Mistake:
    return Mistake("bracket-never-opened", f"this `{text}` closes nothing", span, "delete it, or open it before")


def quote_never_closed(span: Span, quote: str) -> Mistake:
    return Mistake("quote-never-closed", f"this {quote} has no partner on its line", span, f"add the closing {quote}")


def keyword_as_name(span: Span, word: str) -> Mistake:
    mend = f"choose another name; a column that is called so is written in backticks: `{word}`"
    return Mistake("keyword-as-name", f"`{word}` is a word of the language", span, mend)


def nested_too_deeply(span: Span, most: int) -> Mistake:
    mend = "give the inner parts names of their own"
    return Mistake("nested-too-deeply", f"expressions nest more than {most} levels deep", span, mend)


def number_not_exact(span: Span, text: str) -> Mistake:
    return Mistake("number-not-exact", f"{text} cannot be held exactly in 64 bits", span, "write it as 1.2e20, rounded")


def family_in_lower_case(span: Span, name: str) -> Mistake:
    mend = f"a distribution begins with a capital: `{_camel(name)}(...)`; a derived name is written with `=`"
    return Mistake("family-in-lower-case", f"`{name}` is not a distribution", span, mend)


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def not_a_distribution(span: Span, text: str) -> Mistake:
    mend = "right of `~` stands a family, `Normal(0, 1)`, maybe with bounds, `0 < Normal(0, 1) < 2`; or write `=`"
    return Mistake("not-a-distribution", f"`{text}` is not a distribution", span, mend)


def strange_bounds(span: Span) -> Mistake:
    mend = "write `D > a`, `D < b` or `a < D < b`"
    return Mistake("strange-bounds", "bounds that cannot be read", span, mend)


def not_assignable(span: Span, text: str) -> Mistake:
    mend = "left of `=` stands a name, `x` or `x[n]`, or a function with its parameters, `f(x, y)`"
    return Mistake("not-assignable", f"`{text}` cannot be defined", span, mend)


def bare_expression(span: Span, text: str) -> Mistake:
    mend = "a statement is `name ~ Family(...)`, `name = expression`, or begins with for, data, levels, factor or ode"
    return Mistake("bare-expression", f"`{text}` says nothing about any name", span, mend)


def half_an_equation(span: Span, name: str, has_start: bool) -> Mistake:
    lacking = f"`{name}' = ...`, its slope" if has_start else f"`{name} = ...`, its value at the start"
    return Mistake("half-an-equation", f"the state `{name}` has only one of its two equations", span, f"add {lacking}")
