"""Families of categories. They count from 0 here; the language counts them from 1."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast

from ppl.model.distributions.family import INCREASING, SIMPLEX, Family, Form, Parameter, Support
from ppl.model.distributions.real_line import HALF_LOG_TWO_PI
from ppl.numeric.reduce import logsumexp
from ppl.numeric.special import log1mexp, weigh
from ppl.numeric.ufuncs import special as scipy_special


def _own_axis(x: Any, table: Any) -> int | None:
    """The axis (negative, of x) along which alone the codes vary, where the table does not: all values of a discrete
    latent stand so. Then each code picks one column of the table for everything else.
    """
    shape = numpy.shape(x)
    wide = [i - len(shape) for i, n in enumerate(shape) if n > 1]
    if len(wide) != 1:
        return None
    axis = wide[0]
    return axis if table.ndim - 1 < -axis or table.shape[axis - 1] == 1 else None


def _codes(x: Any, count: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Codes along one axis as whole numbers, and which of them are categories."""
    flat = numpy.asarray(x).reshape(-1)
    inside = (flat >= 0) & (flat < count) & (flat == numpy.floor(flat))
    return numpy.where(inside, flat, 0).astype(numpy.int64), inside


def _columns(x: Any, table: Any, axis: int) -> Any:
    """`_chosen` where the codes have an axis of their own."""
    codes, inside = _codes(x, table.shape[-1])
    columns = numpy.where(inside, table[..., codes], numpy.nan)
    plates = columns.shape[:-1]
    if len(plates) >= -axis:
        columns = numpy.squeeze(columns, axis=axis - 1)
    else:
        columns = columns.reshape((*([1] * (-axis - 1 - len(plates))), *columns.shape))
    found = numpy.moveaxis(columns, -1, axis)
    return found.reshape((*([1] * max(0, numpy.ndim(x) - found.ndim)), *found.shape))


def _into_columns(g: Any, x: Any, table: Any, axis: int) -> Any:
    """The adjoint of `_columns`."""
    codes, inside = _codes(x, table.shape[-1])
    by_code = numpy.moveaxis(g, axis, -1).reshape((*table.shape[:-1], len(codes))) * inside
    found = numpy.zeros(table.shape)
    for i, code in enumerate(codes):  # two that are no categories may share one
        found[..., code] += by_code[..., i]
    return found


def _chosen(x: Any, table: Any) -> Any:
    """`table[..., x]`, the last axis of the table picked by codes, the axes before it broadcast against those of x."""
    axis = _own_axis(x, table)
    if axis is not None:
        return _columns(x, table, axis)
    codes = numpy.asarray(x)
    plates = numpy.broadcast_shapes(codes.shape, table.shape[:-1])
    wide = numpy.broadcast_to(table, (*plates, table.shape[-1]))
    inside = (codes >= 0) & (codes < table.shape[-1]) & (codes == numpy.floor(codes))
    safe = numpy.broadcast_to(numpy.where(inside, codes, 0).astype(numpy.int64), plates)
    picked = numpy.take_along_axis(wide, safe[..., None], axis=-1)[..., 0]
    return numpy.where(inside, picked, numpy.nan)


def _is_category(x: Any, count: int) -> Any:
    return (numpy.asarray(x)[..., None] == numpy.arange(count)).astype(float)


def _total_over(g: Any, axis: int, table: Any) -> Any:
    return numpy.sum(g, axis=axis).reshape(table.shape[:-1])


@primitive
def categorical(x: Any, p: Any) -> Any:
    with numpy.errstate(all="ignore"):
        return numpy.nan_to_num(numpy.log(_chosen(x, p)), nan=-numpy.inf, posinf=numpy.inf, neginf=-numpy.inf)


def _categorical_backward(answer: Any, x: Any, p: Any) -> Any:
    axis = _own_axis(x, p)
    if axis is not None:
        return lambda g: weigh(_into_columns(g, x, p, axis), 1.0 / numpy.where(p > 0, p, 1.0))
    meta = np.metadata(p)
    hit = _is_category(x, p.shape[-1])
    return lambda g: unbroadcast(weigh(g[..., None], hit / np.where(hit > 0, p, 1.0)), meta)


defvjp(categorical, _categorical_backward, argnums=[1])


@primitive
def categorical_logit(x: Any, logit: Any) -> Any:
    with numpy.errstate(all="ignore"):
        value = _chosen(x, logit) - logsumexp.fun(logit, -1)
        return numpy.nan_to_num(value, nan=-numpy.inf, posinf=numpy.inf, neginf=-numpy.inf)


def softmax(x: Any) -> Any:
    """exp(x) / sum(exp(x)) over the last axis."""
    weights = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True)


def _categorical_logit_backward(answer: Any, x: Any, logit: Any) -> Any:
    axis = _own_axis(x, logit)
    if axis is not None:
        return lambda g: _into_columns(g, x, logit, axis) - softmax(logit) * _total_over(g, axis, logit)[..., None]
    meta = np.metadata(logit)
    hit = _is_category(x, logit.shape[-1])
    return lambda g: unbroadcast(g[..., None] * (hit - softmax(logit)), meta)


defvjp(categorical_logit, _categorical_logit_backward, argnums=[1])


# -- ordered categories: 0 below the first cutpoint, ..., K - 1 above the last ----------------------------------------


def _log_logistic_between(below: Any, above: Any) -> Any:
    """log(F(above) - F(below)) for the logistic function F."""
    between = log1mexp(below - above)
    return -numpy.logaddexp(0.0, -above) - numpy.logaddexp(0.0, below) + between


def _logistic_slope(at: Any, below: Any, above: Any) -> Any:
    """F'(at) / (F(above) - F(below))."""
    return scipy_special.expit(at) * scipy_special.expit(-at) * numpy.exp(-_log_logistic_between(below, above))


def _log_normal_between(below: Any, above: Any) -> Any:
    """log(Phi(above) - Phi(below)), from the tail in which both are small."""
    flip = below + above > 0
    low, high = numpy.where(flip, -above, below), numpy.where(flip, -below, above)
    log_high = scipy_special.log_ndtr(high)
    return log_high + log1mexp(numpy.minimum(scipy_special.log_ndtr(low) - log_high, -1e-300))


def _normal_slope(at: Any, below: Any, above: Any) -> Any:
    return numpy.exp(-0.5 * at * at - HALF_LOG_TWO_PI - _log_normal_between(below, above))


def _ends(x: Any, eta: Any, cutpoints: Any) -> tuple[Any, Any]:
    """How far from eta the cutpoints below and above a category lie; NaN for what is none."""
    end = numpy.full((*cutpoints.shape[:-1], 1), numpy.inf)
    below = _chosen(x, numpy.concatenate([-end, cutpoints], axis=-1))
    above = _chosen(x, numpy.concatenate([cutpoints, end], axis=-1))
    return below - eta, above - eta


def _ordered(name: str, log_between: Any, slope: Any) -> Any:
    """The log density log(F(c[x] - eta) - F(c[x - 1] - eta)), with an infinite cutpoint at either end.

    A category between two infinite cutpoints has probability 0.
    """

    def value(x: Any, eta: Any, cutpoints: Any) -> Any:
        with numpy.errstate(all="ignore"):
            below, above = _ends(x, eta, cutpoints)
            return numpy.where(below < above, log_between(below, above), -numpy.inf)

    def slopes(x: Any, eta: Any, cutpoints: Any) -> tuple[Any, Any]:
        """The derivatives by the cutpoint below, and by that above."""
        with numpy.errstate(all="ignore"):
            below, above = _ends(x, eta, cutpoints)
            by_below, by_above = -slope(below, below, above), slope(above, below, above)
        possible = below < above
        finite = numpy.isfinite(below), numpy.isfinite(above)
        return numpy.where(possible & finite[0], by_below, 0.0), numpy.where(possible & finite[1], by_above, 0.0)

    def by_eta(answer: Any, x: Any, eta: Any, cutpoints: Any) -> Any:
        meta = np.metadata(eta)
        by_below, by_above = slopes(x, eta, cutpoints)
        return lambda g: unbroadcast(weigh(g, -by_below - by_above), meta)

    def by_cutpoints(answer: Any, x: Any, eta: Any, cutpoints: Any) -> Any:
        meta = np.metadata(cutpoints)
        by_below, by_above = slopes(x, eta, cutpoints)
        x, count = numpy.asarray(x), cutpoints.shape[-1]
        slope = by_below[..., None] * _is_category(x - 1, count) + by_above[..., None] * _is_category(x, count)
        return lambda g: unbroadcast(weigh(g[..., None], slope), meta)

    value.__name__ = name
    wrapped = primitive(value)
    defvjp(wrapped, by_eta, by_cutpoints, argnums=[1, 2])
    return wrapped


ordered_logistic = _ordered("ordered_logistic", _log_logistic_between, _logistic_slope)
ordered_probit = _ordered("ordered_probit", _log_normal_between, _normal_slope)


def _draw_ordered(noise: Any) -> Any:
    """The category of eta plus noise."""

    def draw(rng: numpy.random.Generator, shape: tuple[int, ...], eta: Any, cutpoints: Any) -> Any:
        return (numpy.asarray(eta + noise(rng, shape))[..., None] > cutpoints).sum(axis=-1)

    return draw


def _draw_category(rng: numpy.random.Generator, shape: tuple[int, ...], p: Any) -> Any:
    cumulated = numpy.cumsum(numpy.broadcast_to(p, (*shape, p.shape[-1])), axis=-1)
    uniform = rng.random(shape)[..., None] * cumulated[..., -1:]
    return (uniform >= cumulated).sum(axis=-1)


CATEGORICAL = Family(
    "Categorical",
    (
        Form((Parameter("p", SIMPLEX, event_rank=1),), categorical),
        Form((Parameter("logit", event_rank=1),), categorical_logit, lambda logit: (softmax(logit),)),
    ),
    Support("category"),
    draw=_draw_category,
)

ORDERED_LOGISTIC = Family(
    "OrderedLogistic",
    (Form((Parameter("eta"), Parameter("cutpoints", INCREASING, event_rank=1)), ordered_logistic),),
    Support("category", spare=1),
    draw=_draw_ordered(lambda rng, shape: rng.logistic(size=shape)),
)
ORDERED_PROBIT = Family(
    "OrderedProbit",
    (Form((Parameter("eta"), Parameter("cutpoints", INCREASING, event_rank=1)), ordered_probit),),
    Support("category", spare=1),
    draw=_draw_ordered(lambda rng, shape: rng.standard_normal(shape)),
)

FAMILIES = (CATEGORICAL, ORDERED_LOGISTIC, ORDERED_PROBIT)
