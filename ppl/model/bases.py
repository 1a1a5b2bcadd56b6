"""Calls that make predictors out of columns -> terms: centred and scaled ones, polynomials, splines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import autograd.numpy as anp
import numpy as np

from ppl.data import axes as axes_of
from ppl.language import syntax as s
from ppl.model import array_mistakes as mistakes
from ppl.model import fitted, predict_mistakes, terms
from ppl.model import functions as fn
from ppl.model.assembly import checked, columns_axis
from ppl.model.mistakes import needs_an_axis, nothing_to_reduce
from ppl.model.scope import Failed, as_scalar
from ppl.model.terms import Op, Term
from ppl.numeric import bases, reduce

if TYPE_CHECKING:
    from ppl.model.expressions import Reader

_MOST_DEGREE = 100


def centred(reader: Reader, node: s.Call) -> Term:
    """`center(x)`, `standardize(x)`: of a vector, or of every column of a matrix."""
    name, argument = node.function.name, node.arguments[0].value
    term = reader.number(argument)
    rank = len(term.axes)
    if rank == 0:
        raise Failed(needs_an_axis(node.span, name))
    if term.axes[0].length == 0:
        raise Failed(nothing_to_reduce(node.span, name))

    def center(x: np.ndarray) -> np.ndarray:
        return x - anp.expand_dims(reduce.mean(x, -rank), -rank)

    def standardize(x: np.ndarray) -> np.ndarray:
        return center(x) / anp.expand_dims(reduce.standard_deviation(x, -rank), -rank)

    if fitted.are_rows(reader.env.data, term.axes[0]):
        found = _centred_as_fitted(reader, term, name, node)
    else:
        op = Op(name, center if name == "center" else standardize, (rank,), (rank,))
        found = reader.apply(op, [term], term.axes, node.span)
    if found.known and not np.isfinite(np.asarray(found.value)).all():
        raise Failed(mistakes.all_the_same(argument.span, name, reader.text(argument)))
    return found


def _centred_as_fitted(reader: Reader, term: Term, name: str, node: s.Call) -> Term:
    """By the mean and the sd of the fit's rows."""
    rank = len(term.axes)
    given = fitted.rows_of_fit(reader, term, [0], node.span)
    mean = Op("mean of fit", lambda x: reduce.mean(x, -rank), (rank,), (rank,))
    sd = Op("sd of fit", lambda x: reduce.standard_deviation(x, -rank), (rank,), (rank,))
    found = reader.apply(fn.SUBTRACT, [term, reader.apply(mean, [given], term.axes[1:], node.span)], (), node.span)
    if name == "center":
        return found
    return reader.apply(fn.DIVIDE, [found, reader.apply(sd, [given], term.axes[1:], node.span)], (), node.span)


def poly(reader: Reader, node: s.Call) -> Term:
    """`poly(x, degree)`: orthogonal polynomials, as R's."""
    what, degree_node = (argument.value for argument in node.arguments)
    x = _data(reader, node, what)
    degree = _degree(reader, "poly", degree_node)
    _check_distinct(reader, node, what, x, degree + 1)
    return _columns(
        reader, node, what, x, degree, lambda: bases.polynomials(terms.numeric(x), degree, _first(reader, x))
    )


def bspline(reader: Reader, node: s.Call) -> Term:
    """`bspline(x, df)` with knots at quantiles, `bspline(x, [k1, k2])` with those inner knots; a degree may follow."""
    what, second = node.arguments[0].value, node.arguments[1].value
    x = _data(reader, node, what)
    values = terms.numeric(x)
    seen = values[: _first(reader, x)]
    low, high = float(seen.min(initial=np.inf)), float(seen.max(initial=-np.inf))
    degree = _degree(reader, "bspline", node.arguments[2].value) if len(node.arguments) == 3 else 3
    given = reader.number(second)
    if not given.known:
        raise Failed(mistakes.basis_not_known(second.span, "bspline", reader.text(second)))
    _check_distinct(reader, node, what, x, 2)
    if given.axes:
        knots = terms.numeric(given).reshape(-1)
        for knot in knots:
            if not low < knot < high:
                raise Failed(mistakes.knot_outside(second.span, float(knot), low, high))
    else:
        count = given.number() if not given.plates else np.nan
        if not count >= degree or not count.is_integer():
            raise Failed(mistakes.bad_df(second.span, f"{count:g}", degree))
        _check_distinct(reader, node, what, x, int(count) - degree + 2)
        knots = bases.knots_for(seen, int(count) - degree)
    for value in values[(values < low) | (values > high)][:1]:
        raise Failed(predict_mistakes.outside_knots(what.span, reader.text(what), float(value), low, high))
    return _columns(
        reader, node, what, x, len(knots) + degree, lambda: bases.splines(values, knots, degree, (low, high))
    )


def _first(reader: Reader, x: Term) -> int | None:
    """How many elements are those of a fit; None for all."""
    return reader.env.data.fitted if fitted.are_rows(reader.env.data, x.axes[0]) else None


def _data(reader: Reader, node: s.Call, what: s.Node) -> Term:
    """A vector that is known, and no part of it in a loop."""
    term, name, text = reader.number(what), node.function.name, reader.text(what)
    if not term.known:
        raise Failed(mistakes.basis_not_known(what.span, name, text))
    if term.plates:
        raise Failed(mistakes.basis_in_loop(what.span, name, text))
    if len(term.axes) != 1:
        raise Failed(mistakes.not_a_matrix(what.span, name, text, term.axes, "a vector"))
    return term


def _degree(reader: Reader, function: str, node: s.Node) -> int:
    term, text = as_scalar(reader.number(node)), reader.text(node)
    if not term.known:
        raise Failed(mistakes.basis_not_known(node.span, function, text))
    if term.axes or term.plates:
        raise Failed(mistakes.bad_degree(node.span, function, "no single number", _MOST_DEGREE))
    if not term.number().is_integer() or not 1 <= term.number() <= _MOST_DEGREE:
        raise Failed(mistakes.bad_degree(node.span, function, f"{term.number():g}", _MOST_DEGREE))
    return int(term.number())


def _check_distinct(reader: Reader, node: s.Call, what: s.Node, x: Term, needed: int) -> None:
    found = len(np.unique(np.asarray(x.value)))
    if found < needed:
        raise Failed(mistakes.too_few_values(what.span, node.function.name, needed, reader.text(what), found))


def _columns(reader: Reader, node: s.Call, what: s.Node, x: Term, count: int, values: Callable[[], np.ndarray]) -> Term:
    """The columns over an axis of their own, as `columns(...)` has it: `beta[B]` declares one number for each."""
    name = f"{node.function.name}({reader.text(what)})"
    axes = checked((x.axes[0], axes_of.plain(count)), node.span)
    labelled = columns_axis([f"{name}.{i + 1}" for i in range(count)])
    return terms.constant(values(), (axes[0], labelled), node.span)


BUILD = {"center": centred, "standardize": centred, "poly": poly, "bspline": bspline}
