"""The functions of the language: one row each, from name to what it does with arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np

from ppl.data.column import Kind
from ppl.language.mistakes import MANY
from ppl.model.terms import Op
from ppl.numeric import reduce, special
from ppl.numeric.linear import apply_to_vectors
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """A row of the table.

    `sort` says how a call is built: "elementwise"; "reduction" takes axes away, "running" keeps the axis, "shorter"
    takes one element off it (the axis is the optional second argument, the last one unless given); "either" reduces
    one argument and works elementwise on two; "columns" reads the table; what is "built" has its own way.
    """

    name: str
    sort: str
    least: int
    most: int
    apply: Callable[..., Any] | None = None
    kind: Kind = Kind.REAL
    pairwise: Callable[..., Any] | None = None  # for "either": the elementwise version
    takes_by: bool = False


def _elementwise(name: str, apply: Callable[..., Any], arity: int = 1, kind: Kind = Kind.REAL) -> Function:
    return Function(name, "elementwise", arity, arity, apply, kind)


def _built(name: str, least: int, most: int | None = None) -> Function:
    return Function(name, "built", least, least if most is None else most)


def _reduction(name: str, apply: Callable[..., Any], takes_by: bool = False) -> Function:
    return Function(name, "reduction", 1, 2, apply, takes_by=takes_by)


FUNCTIONS: dict[str, Function] = {
    row.name: row
    for row in (
        _elementwise("exp", special.exp),
        _elementwise("log", special.log),
        _elementwise("log10", special.log10),
        _elementwise("log1p", special.log1p),
        _elementwise("expm1", special.expm1),
        _elementwise("sqrt", special.sqrt),
        _elementwise("abs", special.absolute),
        _elementwise("floor", special.floor, kind=Kind.INTEGER),
        _elementwise("sin", special.sin),
        _elementwise("cos", special.cos),
        _elementwise("tan", special.tan),
        _elementwise("tanh", special.tanh),
        _elementwise("inv_logit", special.inv_logit),
        _elementwise("logit", special.logit),
        _elementwise("softplus", special.softplus),
        _elementwise("relu", special.relu),
        _elementwise("erf", special.erf),
        _elementwise("Phi", special.Phi),
        _elementwise("lgamma", special.lgamma),
        _elementwise("digamma", special.digamma),
        _elementwise("lbeta", special.lbeta, arity=2),
        _elementwise("lchoose", special.lchoose, arity=2),
        Function("min", "either", 1, 2, reduce.smallest, pairwise=special.smaller),
        Function("max", "either", 1, 2, reduce.largest, pairwise=special.larger),
        _reduction("sum", reduce.total, takes_by=True),
        _reduction("mean", reduce.mean, takes_by=True),
        _reduction("sd", reduce.standard_deviation, takes_by=True),
        _reduction("var", reduce.variance, takes_by=True),
        _reduction("prod", reduce.product),
        _reduction("logsumexp", reduce.logsumexp),
        Function("cumsum", "running", 1, 2, reduce.running_total),
        Function("cumprod", "running", 1, 2, reduce.running_product),
        Function("softmax", "running", 1, 2, reduce.softmax),
        Function("log_softmax", "running", 1, 2, reduce.log_softmax),
        Function("diff", "shorter", 1, 2, reduce.differences),
        Function("columns", "columns", 1, MANY),
        _built("transpose", 1),
        _built("diag", 1),
        _built("inv", 1),
        _built("det", 1),
        _built("logdet", 1),
        _built("cholesky", 1),
        _built("solve", 2),
        _built("kron", 2),
        _built("outer", 2),
        _built("zeros", 1, MANY),
        _built("ones", 1, MANY),
        _built("eye", 1),
        _built("seq", 2, 3),
        _built("concat", 1, MANY),
        _built("hcat", 1, MANY),
        _built("vcat", 1, MANY),
        _built("repeat", 2),
        _built("flatten", 1),
        _built("onehot", 1, 2),
        _built("exp_quad", 3, 4),
        _built("matern32", 3, 4),
        _built("matern52", 3, 4),
        _built("periodic", 4, 5),
        _built("center", 1),
        _built("standardize", 1),
        _built("poly", 2),
        _built("bspline", 2, 3),
    )
}

OF_NOTHING = ("sum", "prod", "cumsum", "cumprod", "diff")  # what has a value for no elements at all
NEUTRAL = {"sum": 0.0, "prod": 1.0, "logsumexp": -float("inf"), "max": -float("inf"), "min": float("inf")}
_MOST_OF_A_PATTERN = 1_000_000  # entries: larger products are followed as a whole
CONSTANTS = {"pi": float(np.pi), "inf": float("inf")}

ADD = Op("+", np.add)
SUBTRACT = Op("-", np.subtract)
MULTIPLY = Op("*", np.multiply)
DIVIDE = Op("/", special.divide)
POWER = Op("^", special.power)
NEGATE = Op("neg", np.negative)
SQUARE = Op("square", special.square)
SQRT = Op("sqrt", special.sqrt)
RECIPROCAL = Op("reciprocal", special.reciprocal)
CHOOSE = Op("if", special.choose)
AND = Op("and", lambda x, y: np.logical_and(x != 0, y != 0) * 1.0)
OR = Op("or", lambda x, y: np.logical_or(x != 0, y != 0) * 1.0)
NOT = Op("not", lambda x: (x == 0) * 1.0)
COMPARISONS = {
    "==": Op("==", lambda x, y: (x == y) * 1.0),
    "!=": Op("!=", lambda x, y: (x != y) * 1.0),
    "<": Op("<", lambda x, y: (x < y) * 1.0),
    "<=": Op("<=", lambda x, y: (x <= y) * 1.0),
    ">": Op(">", lambda x, y: (x > y) * 1.0),
    ">=": Op(">=", lambda x, y: (x >= y) * 1.0),
}
ARITHMETIC = {"+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE, "^": POWER, "and": AND, "or": OR}
POWERS = {2.0: SQUARE, 0.5: SQRT, -1.0: RECIPROCAL}


def along(function: Function, rank: int, axis: int) -> Op:
    """The operation of a row along axis `axis` (from 0) of an argument with `rank` axes."""
    place = axis - rank
    apply = function.apply
    assert apply is not None
    return Op(function.name, lambda x: apply(x, place), (-place,), (place,))


def over_all(function: Function, rank: int) -> Op:
    """The reduction of a row over all `rank` axes of its argument."""
    apply = function.apply
    assert apply is not None

    def reduce_all(x: Any) -> Any:
        shape = np.shape(x)
        return apply(np.reshape(x, (*shape[: len(shape) - rank], -1)), -1) if rank > 1 else apply(x, -1)

    return Op(function.name, reduce_all, (rank,), ("all",))


def matmul(left: int, right: int, lengths: tuple[int, int, int] | None = None) -> Op:
    """The matrix product for arguments with so many axes (1 or 2 each); `lengths` n, m, p of two small matrices."""

    def apply(x: Any, y: Any) -> Any:
        if right == 1:
            if left == 1:
                return np.sum(x * y, axis=-1)
            return apply_to_vectors(x, y)
        if left == 1:
            return apply_to_vectors(np.swapaxes(y, -1, -2), x)
        return np.matmul(x, y)

    return Op("@", apply, (left, right), core_patterns=_rows_and_columns(*lengths) if lengths else ())


def _rows_and_columns(n: int, m: int, p: int) -> tuple[np.ndarray, ...]:
    """Which elements of two matrices (n, m) and (m, p) each element of their product is made of."""
    if n * p * (n * m + m * p) > _MOST_OF_A_PATTERN:
        return ()
    return np.kron(np.eye(n), np.ones((p, m))) != 0, np.kron(np.ones((n, m)), np.eye(p)) != 0
