"""One constructor per mistake that the text of a model can hold by itself; each gives message and mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ppl.language import foreign
from ppl.language.errors import Mistake, nearest
from ppl.language.source import Span


def too_long(characters: int, most: int) -> Mistake:
    mend = "a model is a page; is this the data?"
    return Mistake("too-long", f"{characters:,} characters, more than the {most:,} that a model may have", None, mend)


def unexpected_text(span: Span, text: str, mend: str | None = None) -> Mistake:
    return Mistake("unexpected-text", f"`{text}` does not belong here", span, mend or foreign.SIGNS.get(text))


def foreign_turn(span: Span, text: str, mend: str) -> Mistake:
    return Mistake("foreign-turn", f"`{text}` is not understood", span, mend)


def looks_like_data(span: Span) -> Mistake:
    mend = "the model comes first, then its data: ppl fit MODEL DATA"
    return Mistake("looks-like-data", "this looks like data, not like a model", span, mend)


def statement_breaks_off(span: Span, mend: str | None = None) -> Mistake:
    return Mistake("statement-breaks-off", "the statement breaks off here", span, mend)


def line_begins_with_operator(span: Span, text: str) -> Mistake:
    mend = f"put the `{text}` at the end of the line above, or the whole expression into parentheses"
    return Mistake("line-begins-with-operator", f"a statement cannot begin with `{text}`", span, mend)


def nothing_after_comma(span: Span, in_index: bool) -> Mistake:
    mend = "a whole axis is written `:`, as in `x[1, :]`" if in_index else "delete it, or write what is missing"
    return Mistake("nothing-after-comma", "nothing follows this comma", span, mend)


def empty_bracket(span: Span) -> Mistake:
    mend = "on the left it holds a count or a column, `beta[3]`, `theta[school]`; on the right an index"
    return Mistake("empty-bracket", "this bracket is empty", span, mend)


def operator_missing(span: Span, text: str, mend: str) -> Mistake:
    return Mistake("operator-missing", f"`{text}` follows a complete expression", span, mend)


def assignment_in_expression(span: Span) -> Mistake:
    mend = "two values are compared with `==`; a named argument stands directly inside the parentheses of its call"
    return Mistake("assignment-in-expression", "`=` cannot stand inside an expression", span, mend)


def bracket_never_closed(span: Span, text: str) -> Mistake:
    closing = {"(": ")", "[": "]", "{": "}"}[text]
    return Mistake("bracket-never-closed", f"this `{text}` is never closed", span, f"add the `{closing}`")


def bracket_closed_wrongly(span: Span, opening: str, closing: str, line: int) -> Mistake:
    mend = f"write `{')' if opening == '(' else ']'}`, or close the `{opening}` before it"
    return Mistake("bracket-closed-wrongly", f"`{closing}` cannot close the `{opening}` of line {line}", span, mend)


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


def number_not_exact(span: Span, text: str, rounded: str) -> Mistake:
    mend = f"numbers are held in 64 bits; write it rounded: {rounded}"
    return Mistake("number-not-exact", f"{text} cannot be held exactly", span, mend)


def number_out_of_reach(span: Span, text: str) -> Mistake:
    mend = "numbers are held in 64 bits and lie between 2.2e-308 and 1.8e308; infinity is written `inf`"
    return Mistake("number-out-of-reach", f"{text} is too large or too small", span, mend)


def family_in_lower_case(span: Span, name: str) -> Mistake:
    written = foreign.FAMILIES.get(name, f"`{_camel(name)}(...)`")
    mend = f"a distribution begins with a capital, {written}; a derived name is written with `=`"
    if name in foreign.FAMILIES:
        mend = f"write {written}"
    return Mistake("family-in-lower-case", f"`{name}` is not a distribution", span, mend)


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def family_without_arguments(span: Span, name: str) -> Mistake:
    mend = f"write its arguments, `{name}(...)`, or `{name}()` where it takes none"
    return Mistake("family-without-arguments", f"`{name}` stands without parentheses", span, mend)


def not_a_distribution(span: Span, text: str) -> Mistake:
    mend = "right of `~` stands a family, `Normal(0, 1)`, maybe with bounds, `0 < Normal(0, 1) < 2`; or write `=`"
    return Mistake("not-a-distribution", f"`{text}` is not a distribution", span, mend)


def strange_bounds(span: Span) -> Mistake:
    mend = "write `D > a`, `D < b` or `a < D < b`"
    return Mistake("strange-bounds", "bounds that cannot be read", span, mend)


def not_assignable(span: Span, text: str) -> Mistake:
    mend = "left of `=` stands a name, `x` or `x[n]`, or a function with its parameters, `f(x, y)`"
    return Mistake("not-assignable", f"`{text}` cannot be defined", span, mend)


def bare_expression(span: Span, text: str, mend: str | None = None) -> Mistake:
    mend = mend or "a statement is `name ~ Family(...)` or `name = expression`"
    return Mistake("bare-expression", f"`{text}` says nothing about any name", span, mend)


def half_an_equation(span: Span, name: str, has_start: bool) -> Mistake:
    lacking = f"`{name}' = ...`, its slope" if has_start else f"`{name} = ...`, its value at the start"
    return Mistake("half-an-equation", f"the state `{name}` has only one of its two equations", span, f"add {lacking}")


def equation_twice(span: Span, name: str, kind: str) -> Mistake:
    what = {"start": "value at the start", "slope": "slope"}[kind]
    return Mistake(
        "equation-twice", f"the {what} of the state `{name}` is given twice", span, "leave one of the two out"
    )


# -- definitions and calls ---------------------------------------------------------------------------------------------


def unknown_function(span: Span, name: str, candidates: Iterable[str]) -> Mistake:
    close = nearest(name, candidates)
    mend = f"did you mean `{close}`?" if close else "see the list of functions in docs/functions.md"
    if name in foreign.FUNCTIONS:
        mend = f"write {foreign.FUNCTIONS[name]}"
    return Mistake("unknown-function", f"there is no function `{name}`", span, mend)


def unknown_family(span: Span, name: str, candidates: Iterable[str]) -> Mistake:
    close = nearest(name, candidates)
    mend = f"did you mean `{close}`?" if close else "see the list of families in docs/families.md"
    return Mistake("unknown-family", f"there is no distribution `{name}`", span, mend)


def defined_twice(span: Span, name: str, line: int) -> Mistake:
    mend = "a name has one definition; give one of the two another name"
    return Mistake("defined-twice", f"`{name}` is already defined on line {line}", span, mend)


def function_defined(span: Span, name: str) -> Mistake:
    return Mistake("function-defined", f"`{name}` is a function already", span, "choose another name")


def function_in_capitals(span: Span, name: str) -> Mistake:
    mend = f"a capital letter makes a distribution; call it `{name.lower()}`"
    return Mistake("function-in-capitals", f"`{name}` cannot be the name of a function", span, mend)


def function_calls_itself(span: Span, name: str) -> Mistake:
    return Mistake(
        "function-calls-itself", f"`{name}` calls itself", span, "a function is one expression, put in where it is used"
    )


def repeated_parameter(span: Span, name: str) -> Mistake:
    return Mistake("repeated-parameter", f"two parameters are called `{name}`", span, "rename one of them")


def family_in_expression(span: Span, name: str) -> Mistake:
    mend = f"a random name is written with `~`: `x ~ {name}(...)`; then `x` can be used"
    return Mistake("family-in-expression", f"`{name}(...)` is a distribution, not a value", span, mend)


def factor_with_tilde(span: Span) -> Mistake:
    mend = "a `~` stands by itself, `x ~ Normal(0, 1)`; `factor` takes its log density, `factor logp(x ~ Normal(0, 1))`"
    return Mistake("factor-with-tilde", "`factor` adds a number to the log density", span, mend)


def tilde_in_expression(span: Span) -> Mistake:
    mend = "inside an expression it stands in `logp(y ~ Normal(mu, sigma))`, which is a log density"
    return Mistake("tilde-in-expression", "`~` cannot stand here", span, mend)


def logp_without_tilde(span: Span) -> Mistake:
    mend = "it takes a value and its distribution: `logp(y ~ Normal(mu, sigma))`"
    return Mistake("logp-without-tilde", "this is no log density of anything", span, mend)


def range_as_value(span: Span, text: str) -> Mistake:
    low, _, high = text.partition("..")
    mend = f"it stands in an index, `x[{text}]`, or after `in`; the numbers themselves are `seq({low}, {high})`"
    return Mistake("range-as-value", f"the range `{text}` is no value", span, mend)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


MANY = 10_000  # arguments of a function that takes any number


def wrong_arity(span: Span, name: str, least: int, most: int, found: int) -> Mistake:
    takes = _counted(least, "argument") if least == most else f"{least} to {_counted(most, 'argument')}"
    if most >= MANY:
        takes = f"{_counted(least, 'argument')} or more"
    return Mistake("wrong-arity", f"`{name}` takes {takes}, not {found}", span)


def no_loop(span: Span, name: str) -> Mistake:
    mend = "`... for i in a..b` is the one argument of sum, mean, prod, min, max, sd, var or logsumexp"
    return Mistake("no-loop", f"`{name}` does not run over an index", span, mend)


def no_keywords(span: Span, function: str, keyword: str) -> Mistake:
    mend = "the arguments of functions stand in order, without names"
    return Mistake("no-keywords", f"`{function}` has no argument called `{keyword}`", span, mend)


def unknown_parameter(span: Span, family: str, keyword: str, parameters: Sequence[str]) -> Mistake:
    elsewhere = [parameter for parameter in foreign.PARAMETERS.get(keyword, ()) if parameter in parameters]
    close = elsewhere[0] if elsewhere else nearest(keyword, parameters)
    known = ", ".join(parameters)
    mend = f"did you mean `{close} =`?" if close else f"its parameters are {known}"
    return Mistake("unknown-parameter", f"`{family}` has no parameter `{keyword}`", span, mend)


def parameter_twice(span: Span, family: str, keyword: str) -> Mistake:
    return Mistake("parameter-twice", f"`{family}` is given `{keyword}` twice", span, "delete one of the two")


def parameters_clash(span: Span, family: str, keywords: Sequence[str], forms: Sequence[str]) -> Mistake:
    shown = " and ".join(f"`{keyword}`" for keyword in keywords)
    return Mistake("parameters-clash", f"`{family}` cannot take {shown} together", span, _forms(forms))


def missing_parameter(span: Span, family: str, name: str, forms: Sequence[str]) -> Mistake:
    return Mistake("missing-parameter", f"`{family}` lacks its parameter `{name}`", span, _forms(forms))


def too_many_parameters(span: Span, family: str, takes: int, found: int, forms: Sequence[str]) -> Mistake:
    takes_words = _counted(takes, "parameter") if takes else "no parameters"
    return Mistake("too-many-parameters", f"`{family}` takes {takes_words}, not {found}", span, _forms(forms))


def _forms(forms: Sequence[str]) -> str:
    return "write " + " or ".join(f"`{form}`" for form in forms)


def no_wrapper(span: Span, family: str, inner: str) -> Mistake:
    mend = f"give it a name, `x ~ {inner}(...)`, and write `x` here"
    return Mistake("no-wrapper", f"`{family}` takes numbers, and `{inner}(...)` is a distribution", span, mend)


def wrapper_needs_distribution(span: Span, wrapper: str) -> Mistake:
    mend = f"write the distribution of its elements: `{wrapper}(Normal(0, 1))`"
    return Mistake("wrapper-needs-distribution", f"`{wrapper}` takes one distribution", span, mend)


def no_random_names(span: Span | None) -> Mistake:
    return Mistake("no-random-names", "the model has no random name", span, "write one: `mu ~ Normal(0, 10)`")
