"""`Wrapper(arguments, distributions)` -> its arguments told apart, and the family that it makes of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ppl.language import syntax as s
from ppl.language.errors import Mistake
from ppl.model import wrapper_mistakes
from ppl.model.distributions import composite
from ppl.model.distributions.composite import Part
from ppl.model.distributions.family import Family
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A distribution made of others.

    own       its own parameters that must be given, in order; by position they stand before the distributions
    optional  those that may be given, by keyword
    scales    keywords on another scale, and the parameter they stand for
    parts     the least and the most distributions in it
    usage     how it is written, for messages
    build     the family, from the parts and the names of what was given
    """

    own: tuple[str, ...]
    optional: tuple[str, ...]
    scales: dict[str, str]
    parts: tuple[int, int]
    usage: str
    build: Callable[[Sequence[Part], frozenset[str]], Family]

    @property
    def keywords(self) -> list[str]:
        return [*self.own, *self.optional, *self.scales]


def _mixture(parts: Sequence[Part], given: frozenset[str]) -> Family:
    return composite.mixture_of_one(parts[0]) if len(parts) == 1 else composite.mixture(parts)


WRAPPERS = {
    "Mixture": Wrapper(
        ("weights",), (), {}, (1, 1000), "Mixture([0.3, 0.7], Normal(0, 1), Normal(5, 1))", _mixture
    ),
    "ZeroInflated": Wrapper(
        ("p",), (), {"logit": "p"}, (1, 1), "ZeroInflated(p, Poisson(3))",
        lambda parts, given: composite.zero_inflated(parts[0]),
    ),
    "Hurdle": Wrapper(
        ("p",), (), {"logit": "p"}, (1, 1), "Hurdle(p, Poisson(3))", lambda parts, given: composite.hurdle(parts[0])
    ),
    "Censored": Wrapper(
        (), ("lower", "upper"), {}, (1, 1), "Censored(Normal(0, 1), upper = 10)",
        lambda parts, given: composite.censored(parts[0], ("lower" in given, "upper" in given)),
    ),
}  # fmt: skip


def told_apart(node: s.Dist) -> tuple[dict[str, s.Expr], list[s.Dist], list[Mistake]]:
    """The wrapper's own arguments by keyword, the distributions in it, and what is wrong with them."""
    name = node.family.name
    wrapper = WRAPPERS[name]
    own: dict[str, s.Expr] = {}
    inner: list[s.Dist] = []
    positional: list[s.Expr] = []
    for argument in node.arguments:
        value, keyword = argument.value, argument.keyword
        if keyword is not None:
            if keyword.name not in wrapper.keywords:
                found = wrapper_mistakes.unknown_keyword(keyword.span, name, keyword.name, wrapper.keywords)
                return own, inner, [found]
            parameter = wrapper.scales.get(keyword.name, keyword.name)
            if parameter in {wrapper.scales.get(given, given) for given in own} or isinstance(value, s.Dist):
                return own, inner, [wrapper_mistakes.wrong_arguments(node.span, name, wrapper.usage)]
            own[keyword.name] = value  # type: ignore[assignment]
        elif isinstance(value, s.Dist):
            inner.append(value)
        else:
            positional.append(value)  # type: ignore[arg-type]
    taken = {wrapper.scales.get(given, given) for given in own}
    free = [parameter for parameter in wrapper.own if parameter not in taken]
    least, most = wrapper.parts
    bare = not wrapper.own and not own
    if len(positional) != len(free) or not least <= len(inner) <= most or bare:
        return own, inner, [wrapper_mistakes.wrong_arguments(node.span, name, wrapper.usage)]
    return {**own, **dict(zip(free, positional, strict=True))}, inner, []


def family_of_parts(name: str, given: Sequence[str], parts: Sequence[Part]) -> Family:
    return WRAPPERS[name].build(parts, frozenset(given))
