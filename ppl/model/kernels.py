"""Calls of covariance functions -> terms: squared distances between points, once where the points are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ppl.language import syntax as s
from ppl.model import array_mistakes as mistakes
from ppl.model import functions as fn
from ppl.model import terms
from ppl.model.scope import Failed, as_scalar
from ppl.model.terms import Op, Term
from ppl.numeric import kernels

if TYPE_CHECKING:
    from ppl.model.expressions import Reader

_NUMBERS: dict[str, tuple[str, ...]] = {
    "exp_quad": ("alpha", "rho"),
    "matern32": ("alpha", "rho"),
    "matern52": ("alpha", "rho"),
    "periodic": ("alpha", "rho", "period"),
}
_KERNELS: dict[str, Callable[..., Any]] = {
    "exp_quad": kernels.exp_quad,
    "matern32": kernels.matern32,
    "matern52": kernels.matern52,
    "periodic": kernels.periodic,
}


def kernel(reader: Reader, node: s.Call) -> Term:
    """`exp_quad(x, alpha, rho)`, or with a second set of points, `exp_quad(x, x2, alpha, rho)`."""
    name = node.function.name
    roles = _NUMBERS[name]
    given = [argument.value for argument in node.arguments]
    point_nodes, number_nodes = given[: -len(roles)], given[-len(roles) :]
    points = [_points(reader, name, point) for point in point_nodes]
    numbers = [as_scalar(reader.number(number)) for number in number_nodes]
    for i, (role, number) in enumerate(zip(roles, numbers, strict=True)):
        if role == "rho" and name != "periodic" and _is_a_scale_each(number, points):
            points = [reader.apply(fn.DIVIDE, [point, number], (), node.span) for point in points]
            numbers[i] = terms.constant(1.0, (), node.span)
        elif number.axes:
            text = reader.text(number_nodes[i])
            raise Failed(mistakes.not_one_number(number_nodes[i].span, name, role, text, number.axes))
    distances = _distances(reader, node, points, [reader.text(point) for point in point_nodes])
    return reader.apply(Op(name, _KERNELS[name]), [distances, *numbers], (), node.span)


def _points(reader: Reader, name: str, node: s.Node) -> Term:
    term = reader.number(node)
    if not 1 <= len(term.axes) <= 2:
        raise Failed(mistakes.not_points(node.span, name, reader.text(node), term.axes))
    return term


def _is_a_scale_each(number: Term, points: list[Term]) -> bool:
    """Whether there is one length-scale for every coordinate of the points."""
    return len(number.axes) == 1 and all(len(p.axes) == 2 and p.axes[1].aligns(number.axes[0]) for p in points)


def _distances(reader: Reader, node: s.Call, points: list[Term], texts: list[str]) -> Term:
    x, y = points[0], points[-1]
    rank = len(x.axes)
    if len(y.axes) != rank or (rank == 2 and not x.axes[1].aligns(y.axes[1])):
        raise Failed(mistakes.points_differ(node.span, node.function.name, texts[0], x.axes, texts[-1], y.axes))
    apply = kernels.squared_distances if rank == 2 else kernels.squared_distances_on_line
    return reader.apply(Op("squared distances", apply, (rank, rank)), [x, y], (x.axes[0], y.axes[0]), node.span)


BUILD = dict.fromkeys(_NUMBERS, kernel)
