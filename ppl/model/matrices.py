"""Calls of linear algebra -> terms; a matrix is the last two axes of a term, what lies before them are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ppl.data.axes import Axis
from ppl.language import syntax as s
from ppl.model import array_mistakes as mistakes
from ppl.model import loops, terms
from ppl.model.scope import Failed
from ppl.model.terms import Op, Term
from ppl.numeric import linear, shape

if TYPE_CHECKING:
    from ppl.model.expressions import Reader

_INVERTIBLE = "a matrix that has an inverse"
_NEEDS = {
    "inv": _INVERTIBLE,
    "solve": _INVERTIBLE,
    "logdet": "a matrix with a positive determinant",
    "cholesky": "a symmetric positive definite matrix",
}


def transpose(reader: Reader, node: s.Call) -> Term:
    term = _matrix(reader, node)
    rank = len(term.axes)
    order = (*range(rank - 2), rank - 1, rank - 2)
    return loops.arranged(reader, term, order, tuple(term.axes[i] for i in order), node.span)


def diag(reader: Reader, node: s.Call) -> Term:
    """The matrix with a vector on its diagonal; of a matrix the diagonal."""
    text = node.arguments[0].value
    term = reader.number(text)
    if not term.axes:
        raise Failed(mistakes.not_a_matrix(node.span, "diag", reader.text(text), (), "a vector or a matrix"))
    if len(term.axes) == 1:
        zero = terms.constant(0.0, (), node.span)
        op = Op("diag", shape.to_diagonal, (1, 0), moves=True)
        return reader.apply(op, [term, zero], (term.axes[0], term.axes[0]), node.span, term.kind)
    _check_square(reader, node, term)
    return reader.apply(Op("diagonal", shape.diagonal, (2,), moves=True), [term], term.axes[-1:], node.span, term.kind)


def inv(reader: Reader, node: s.Call) -> Term:
    term = _square(reader, node)
    found = reader.apply(Op("inv", linear.inverse, (2,)), [term], (term.axes[-1], term.axes[-2]), node.span)
    return _checked(reader, node, found)


def det(reader: Reader, node: s.Call) -> Term:
    return reader.apply(Op("det", linear.determinant, (2,)), [_square(reader, node)], (), node.span)


def logdet(reader: Reader, node: s.Call) -> Term:
    op = Op("logdet", linear.log_determinant, (2,))
    return _checked(reader, node, reader.apply(op, [_square(reader, node)], (), node.span))


def cholesky(reader: Reader, node: s.Call) -> Term:
    term = _square(reader, node)
    if term.known and not np.allclose(value := np.asarray(term.value), np.swapaxes(value, -1, -2), rtol=1e-8):
        raise _unfit(reader, node)
    op = Op("cholesky", linear.cholesky, (2,))
    return _checked(reader, node, reader.apply(op, [term], term.axes[-2:], node.span))


def solve(reader: Reader, node: s.Call) -> Term:
    left, right = (argument.value for argument in node.arguments)
    matrix, other = _square(reader, node), reader.number(right)
    rank = len(other.axes)
    if not 1 <= rank <= 2 or not other.axes[0].aligns(matrix.axes[-2]):
        texts = reader.text(left), reader.text(right)
        raise Failed(mistakes.solve_lengths(node.span, texts[0], matrix.axes, texts[1], other.axes))
    if matrix.known:
        _checked(reader, node, reader.apply(Op("inv", linear.inverse, (2,)), [matrix], matrix.axes[-2:], node.span))
    op = Op("solve", linear.solve if rank == 2 else linear.solve_vectors, (2, rank))
    return reader.apply(op, [matrix, other], (matrix.axes[-1], *other.axes[1:]), node.span)


def kron(reader: Reader, node: s.Call) -> Term:
    left, right = (reader.number(argument.value) for argument in node.arguments)
    rank = len(left.axes)
    if rank != len(right.axes) or not 1 <= rank <= 2:
        texts = [reader.text(argument.value) for argument in node.arguments]
        raise Failed(mistakes.kron_ranks(node.span, texts[0], left.axes, texts[1], right.axes))
    lengths = [a.length * b.length for a, b in zip(left.axes, right.axes, strict=True)]
    op = Op("kron", linear.kron if rank == 2 else linear.kron_vectors, (rank, rank))
    return reader.apply(op, [left, right], tuple(Axis(str(n), n) for n in lengths), node.span)


def outer(reader: Reader, node: s.Call) -> Term:
    vectors = [reader.number(argument.value) for argument in node.arguments]
    for argument, vector in zip(node.arguments, vectors, strict=True):
        if len(vector.axes) != 1:
            text = reader.text(argument.value)
            raise Failed(mistakes.not_a_matrix(argument.value.span, "outer", text, vector.axes, "two vectors"))
    axes = (vectors[0].axes[0], vectors[1].axes[0])
    return reader.apply(Op("outer", linear.outer, (1, 1)), vectors, axes, node.span)


def _matrix(reader: Reader, node: s.Call) -> Term:
    """The first argument, if it has the axes of a matrix."""
    name, argument = node.function.name, node.arguments[0].value
    term = reader.number(argument)
    if len(term.axes) < 2:
        raise Failed(mistakes.not_a_matrix(argument.span, name, reader.text(argument), term.axes, "a matrix"))
    return term


def _square(reader: Reader, node: s.Call) -> Term:
    term = _matrix(reader, node)
    _check_square(reader, node, term)
    return term


def _check_square(reader: Reader, node: s.Call, term: Term) -> None:
    if term.axes[-1].length != term.axes[-2].length:
        argument = node.arguments[0].value
        raise Failed(mistakes.not_square(argument.span, node.function.name, reader.text(argument), term.axes))


def _checked(reader: Reader, node: s.Call, term: Term) -> Term:
    """What is known must be a number: that of a latent matrix shows at each draw alone."""
    if term.known and not np.isfinite(np.asarray(term.value)).all():
        raise _unfit(reader, node)
    return term


def _unfit(reader: Reader, node: s.Call) -> Failed:
    argument, name = node.arguments[0].value, node.function.name
    return Failed(mistakes.unfit_matrix(argument.span, name, reader.text(argument), _NEEDS[name]))


BUILD = {
    "transpose": transpose, "diag": diag, "inv": inv, "det": det, "logdet": logdet, "cholesky": cholesky,
    "solve": solve, "kron": kron, "outer": outer,
}  # fmt: skip
