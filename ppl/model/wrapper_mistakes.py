"""One constructor per mistake about distributions that are made of others."""

from __future__ import annotations

from collections.abc import Sequence

from ppl.language.errors import Mistake, nearest
from ppl.language.source import Span


def unknown_keyword(span: Span, wrapper: str, keyword: str, known: Sequence[str]) -> Mistake:
    close = nearest(keyword, known)
    mend = f"did you mean `{close}`?" if close else f"it has {', '.join(f'`{name}`' for name in known)}"
    return Mistake("unknown-keyword", f"`{wrapper}` has no parameter `{keyword}`", span, mend)


def wrong_arguments(span: Span, wrapper: str, usage: str) -> Mistake:
    return Mistake("wrong-arguments", f"these are not the arguments of `{wrapper}`", span, f"it is written `{usage}`")


def not_a_part(span: Span, wrapper: str, family: str, why: str) -> Mistake:
    mend = "it takes families of single numbers that sum or integrate to one"
    return Mistake("not-a-part", f"`{wrapper}` cannot hold `{family}`: {why}", span, mend)


def parts_differ(span: Span, wrapper: str, discrete: str, continuous: str) -> Mistake:
    message = f"`{discrete}` gives whole numbers and `{continuous}` real ones: `{wrapper}` cannot mix them"
    mend = "zeros beside real numbers are `Hurdle(p, ...)`; values at a limit are `Censored(..., lower = ...)`"
    return Mistake("parts-differ", message, span, mend)


def weights_differ(span: Span, weights: int, parts: int) -> Mistake:
    message = f"`Mixture` has {weights} weights and {parts} distributions"
    mend = "one weight for each; with a single distribution its parameters have one element for each"
    return Mistake("weights-differ", message, span, mend)


def not_along_weights(span: Span, family: str, parameter: str, length: str, weights: int) -> Mistake:
    message = f"`{parameter}` of `{family}` in `Mixture` has {length}, and there are {weights} weights"
    mend = "within one distribution, the last axis of its parameters runs over the parts of the mixture"
    return Mistake("not-along-weights", message, span, mend)


def cannot_infer_mixed(span: Span, name: str, family: str) -> Mistake:
    message = f"`{name}` would have to be inferred, and some values of `{family}` have a probability, others a density"
    mend = f"use the distribution without its limits or zeros for `{name}`; it is for what is observed"
    return Mistake("cannot-infer-mixed", message, span, mend)
