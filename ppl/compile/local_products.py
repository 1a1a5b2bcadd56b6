"""split by rows, Normal-guided matrices -> which products by them may draw their results, row by row, and how.

x @ W with independent Normal elements of W is itself Normal, independent from row to row as far as each row's own
density goes: drawing it has less noise than drawing W, and the same mean (Kingma, Salimans, Welling 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import autograd.numpy as np

from ppl.compile.rowwise import Rowwise
from ppl.model import terms
from ppl.model.terms import Op, Term, ancestors, inputs

MEAN, SD, NOISE = "{} mean", "{} sd", "{} noise"  # inputs that stand for such a matrix
_LEAST = 1e-30  # of a variance: the slope of its root is infinite at 0


def local_products(split: Rowwise, names: Collection[str]) -> dict[str, Term]:
    """Of the latents of these names those that are used in one product `x @ W` alone, its rows those of the axis."""
    used: dict[str, list[Term]] = {name: [] for name in names}
    own = [split.joint.parts[i].name in names for i in split.parts]  # their priors
    for term in ancestors(t for t, prior in zip(split.templates.wanted, own, strict=True) if not prior):
        for arg in term.args:
            if arg.source in used:
                used[arg.source].append(term)
    elsewhere = [split.joint.parts[i] for i in split.others if split.joint.parts[i].name not in names]
    taken = set(inputs(part.log_prob for part in elsewhere))
    found = {name: users[0] for name, users in used.items() if len(users) == 1 and name not in taken}
    return {name: term for name, term in found.items() if _is_local(term, split.templates.places)}


def _is_local(term: Term, places: Mapping[int, int]) -> bool:
    """Whether it is a product of rows by the latent, outside of loops."""
    if term.op is None or term.op.name != "@" or term.plates or term.args[1].source is None:
        return False
    left, right = term.args
    return len(left.axes) == 2 and places.get(id(left)) == 0 and id(right) not in places and not left.plates


def changed(products: Mapping[str, Term]) -> Callable[[Term, Term], Term]:
    """What a term becomes at the rows of a batch, from the one it was and the one made of it."""

    def change(old: Term, new: Term) -> Term:
        name = next((name for name, term in products.items() if term is old), None)
        if name is None:
            return new
        left, right = new.args
        rank = len(right.axes)
        own = [terms.latent(word.format(name), right.axes, new.span) for word in (MEAN, SD)]
        noise = terms.latent(NOISE.format(name), new.axes, new.span)
        op = Op("@ drawn", _drawn_vector if rank == 1 else _drawn_matrix, (2, rank, rank, rank))
        return Term(op, (left, *own, noise), new.axes, new.kind, new.span)

    return change


def _drawn_matrix(x: Any, mean: Any, sd: Any, noise: Any) -> Any:
    return np.matmul(x, mean) + np.sqrt(np.matmul(x * x, sd * sd) + _LEAST) * noise


def _drawn_vector(x: Any, mean: Any, sd: Any, noise: Any) -> Any:
    """x (..., M, P), mean and sd (..., P) -> (..., M)."""
    by_mean, by_variance = (np.matmul(*pair)[..., 0] for pair in ((x, mean[..., None]), (x * x, (sd * sd)[..., None])))
    return by_mean + np.sqrt(by_variance + _LEAST) * noise
