"""Arguments of a distribution -> which of them is which parameter."""

from __future__ import annotations

from ppl.language import mistakes
from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.model.distributions.family import Family


def match_parameters(node: s.Dist, family: Family) -> tuple[dict[str, s.Argument], list[Mistake]]:
    """Which argument is which parameter: keywords first, the others fill what is left of the form, in order."""
    found: list[Mistake] = []
    given: dict[str, s.Argument] = {}
    forms = [show_form(family, i) for i in range(len(family.forms))]
    for argument in node.arguments:
        if argument.keyword is None:
            continue
        keyword = argument.keyword.name
        if keyword not in family.parameter_names():
            span = argument.keyword.span
            found.append(mistakes.unknown_parameter(span, family.name, keyword, family.parameter_names()))
        elif keyword in given:
            found.append(mistakes.parameter_twice(argument.keyword.span, family.name, keyword))
        given[keyword] = argument
    if found:
        return given, found
    form = family.form_with(frozenset(given))
    if form is None:
        return given, [mistakes.parameters_clash(node.span, family.name, list(given), forms)]
    free = [parameter.name for parameter in form.parameters if parameter.name not in given]
    positional = [argument for argument in node.arguments if argument.keyword is None]
    if len(positional) > len(free):
        count = len(node.arguments)
        return given, [mistakes.too_many_parameters(node.span, family.name, len(form.parameters), count, forms)]
    given.update(zip(free, positional, strict=False))
    for parameter in form.parameters:
        if parameter.name not in given and parameter.default is not None:
            given[parameter.name] = s.Argument(s.Number(parameter.default, False, node.span))
    lacking = next((name for name in free if name not in given), None)
    if lacking is not None:
        found.append(mistakes.missing_parameter(node.span, family.name, lacking, forms))
    return given, found


def show_form(family: Family, number: int) -> str:
    """One way to write a family: `Binomial(n, logit = ...)`."""
    first = {parameter.name for parameter in family.forms[0].parameters}
    shown = []
    for parameter in family.forms[number].parameters:
        if parameter.default is not None and parameter.default != parameter.default:  # no number: may be left out
            shown.append(f"{parameter.name} = ...")
        elif parameter.default is not None:
            shown.append(f"{parameter.name} = {parameter.default:g}")
        else:
            shown.append(parameter.name if parameter.name in first else f"{parameter.name} = ...")
    return f"{family.name}({', '.join(shown)})"
