"""log density of a known value -> a term that gives the same with less work: what the value alone decides is data.

The value was found to lie in the support when the model met its data, so nothing is left to check for each draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model import terms
from ppl.model.terms import Op, Term
from ppl.numeric.special import elementwise, inv_logit, lgamma

_LOWEST = -1.7976931348623157e308  # times 0 it is 0, which minus infinity is not

bernoulli_of_turned = elementwise(
    lambda turn, logit: -numpy.logaddexp(0.0, turn * logit),
    None,
    lambda turn, logit: -turn * inv_logit(turn * logit),
    name="bernoulli_of_turned",
)  # turn is 1 - 2 x
poisson_of_known = elementwise(
    lambda x, log: x * numpy.maximum(log, _LOWEST) - numpy.exp(log),
    None,
    lambda x, log: x - np.exp(log),
    name="poisson_of_known",
)  # without log(x!)


def _op(name: str, apply: Callable[..., Any]) -> Op:
    return Op(f"{name} of known", apply)


def _bernoulli(x: Term, logit: Term) -> Term:
    turn = terms.apply(_op("turn", lambda x: 1.0 - 2.0 * x), (x,), (), x.span)
    return terms.apply(_op("Bernoulli", bernoulli_of_turned), (turn, logit), (), x.span)


def _poisson(x: Term, log: Term) -> Term:
    constant = terms.apply(_op("log x!", lambda x: lgamma(x + 1.0)), (x,), (), x.span)
    varying = terms.apply(_op("Poisson", poisson_of_known), (x, log), (), x.span)
    return terms.apply(Op("-", np.subtract), (varying, constant), (), x.span)


_FORMS: dict[tuple[str, tuple[str, ...]], Callable[..., Term]] = {
    ("Bernoulli.log_prob", ("logit",)): _bernoulli,
    ("Poisson.log_prob", ("log",)): _poisson,
}


def quicker(term: Term) -> Term:
    """The term with densities of known values written in the quicker way of the table, where it has one."""

    def change(term: Term, args: tuple[Term, ...]) -> Term | None:
        key = None if term.op is None else (term.op.name, term.op.options)
        build = _FORMS.get(key) if key is not None and args and args[0].known else None
        found = None if build is None else build(*args)
        return found if found is not None and (found.plates, found.axes) == (term.plates, term.axes) else None

    return terms.rebuild([term], change)[0]
