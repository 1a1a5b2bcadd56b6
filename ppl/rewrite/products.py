"""term -> the same, products of matrices with discrete latents in their rows done row by row: each row has its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import autograd.numpy as np

from ppl.model import terms
from ppl.model.terms import Op, Term, inputs


def products_by_row(term: Term, names: Collection[str]) -> Term:
    """A product `X @ W`, rows of X depending on latents of these names and W not, is broadcast over the rows."""

    def change(each: Term, args: tuple[Term, ...]) -> Term | None:
        if each.op is None or each.op.name != "@" or len(args[0].axes) != 2:
            return None
        if not set(names) & set(inputs(args[:1])) or set(names) & set(inputs(args[1:])):
            return None
        vector = len(args[1].axes) == 1
        op = Op("@ by row", _times_vector if vector else _times_matrix, (1, 1 if vector else 2))
        return terms.apply(op, args, () if vector else args[1].axes[1:], each.span, each.kind)

    return terms.rebuild([term], change)[0]


def _times_vector(x: Any, y: Any) -> Any:
    return np.sum(x * y, axis=-1)


def _times_matrix(x: Any, y: Any) -> Any:
    """x (..., R, H), and y (..., 1, H, K), or (H, K) -> (..., R, K)."""
    if np.ndim(y) < 3:
        return np.matmul(x, y)
    return np.matmul(x, y[..., 0, :, :])
