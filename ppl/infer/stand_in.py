"""draws of a posterior -> a Gaussian stand-in for what the data say of the image of a latent.

The rest of the log density, as a function of the image t, has gradients q and curvatures -W. Averaged over draws they
give the Gaussian that a variational fit of t would put in place of the rest (Khan, Lin 2017): precision E[W], the
diagonal alone, and pull E[q] + E[W] E[t]. A Gaussian likelihood is its own stand-in whatever the draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp

from ppl.compile.conditional import StandIn
from ppl.compile.images import Image, put_apart
from ppl.compile.joint import LogJoint, images
from ppl.infer import curvature
from ppl.infer.curvature import Directions
from ppl.model.dependence import TooDense, dependences, ones, size_of
from ppl.model.graph import Model
from ppl.model.program import compile_terms, evaluate

_MOST_ROWS = 1500  # of an image whose elements some part of the density ties together
_MOST_DIRECTIONS = 100  # that show the curvatures
_MOST_SUMMED = 100  # the same, where discrete latents are summed out


def stand_ins(model: Model, joint: LogJoint, values: Mapping[str, np.ndarray]) -> dict[str, StandIn]:
    """By name, for all latents that can have conditional coordinates and are worth it, from draws (S, *shape) of all.

    Worth it are those whose distribution depends on other latents, and vectors that are multiplied by others.
    """
    names = [latent.name for latent in model.latents]
    found = {}
    for name, image in images(model, joint.parts, names).items():
        if image.has_random_parents or (image.scaled and size_of(image.latent.shape) > 1):
            stand_in = _stand_in(joint, image, values)
            if stand_in is not None:
                found[name] = stand_in
    return found


def _stand_in(joint: LogJoint, image: Image, values: Mapping[str, np.ndarray]) -> StandIn | None:
    """None where it would take too much, or the draws show no curvature anywhere."""
    parts = [part for part in joint.parts if not part.is_prior_of(image.latent)]
    names, roots = put_apart(image, [part.log_prob for part in parts])
    rest = replace(
        joint,
        parts=tuple(replace(part, log_prob=root) for part, root in zip(parts, roots, strict=True)),
        program=compile_terms(roots),
    )
    directions = _directions(image, names, rest)
    if directions is None:
        return None
    draws = len(next(iter(values.values())))
    found = evaluate(compile_terms(image.terms), values, draws)
    t = np.concatenate([one.reshape(draws, -1) for one in found], axis=1)

    def gradient(points: np.ndarray) -> np.ndarray:
        return _slopes(rest, image, names, values, points)

    with np.errstate(all="ignore"):
        slopes = gradient(t)
        shown = curvature.second_differences(gradient, t, t.std(axis=0) + 1e-6, directions, 1)
        curvatures = np.zeros_like(t)
        for row, column, entries in zip(directions.rows, directions.columns, shown, strict=True):
            on = row == column
            curvatures[:, row[on]] = -entries[:, on]
        precision = np.maximum(np.nan_to_num(curvatures.mean(axis=0), nan=0.0, posinf=0.0, neginf=0.0), 0.0)
        pull = np.nan_to_num(slopes.mean(axis=0) + precision * t.mean(axis=0), nan=0.0, posinf=0.0, neginf=0.0)
    if not precision.any():
        return None
    return StandIn(precision, np.where(precision > 0, pull, 0.0), {name: v.mean(axis=0) for name, v in values.items()})


def _slopes(
    rest: LogJoint, image: Image, names: Sequence[str], values: Mapping[str, np.ndarray], points: np.ndarray
) -> np.ndarray:
    """The gradient of the rest by its image at points (copies of S draws, R), the other latents as in the draws."""
    copies = len(points) // len(next(iter(values.values())))
    wide = {name: np.tile(value, (copies, *[1] * (value.ndim - 1))) for name, value in values.items()}
    sizes = np.cumsum([0, *(size_of(term.shape) for term in image.terms)])

    def total(t: Any) -> Any:
        own = {
            name: anp.reshape(t[:, first:last], (len(points), *term.shape))
            for name, term, first, last in zip(names, image.terms, sizes[:-1], sizes[1:], strict=True)
        }
        return rest.sum_of_parts({**wide, **own})

    backward, value = make_vjp(total, points)
    return np.asarray(backward(np.ones(len(value))))


def _directions(image: Image, names: Sequence[str], rest: LogJoint) -> Directions | None:
    """Directions that show the curvatures by each element of the image: one, where no part ties two of them."""
    sizes = np.cumsum([0, *(size_of(term.shape) for term in image.terms)])
    size = int(sizes[-1])
    inputs = {
        name: ones(np.arange(last - first), np.arange(first, last), (int(last - first), size))
        for name, first, last in zip(names, sizes[:-1], sizes[1:], strict=True)
    }
    try:
        found = dependences([part.log_prob for part in rest.parts], inputs)
    except TooDense:
        return None
    matrices = [found[id(part.log_prob)] for part in rest.parts]
    tied = [matrix for matrix in matrices if matrix is not None and matrix.sum(axis=1).max(initial=0) > 1]
    everything = np.arange(size)
    if not tied and rest.elimination is None:
        return Directions(size, (everything,), (everything,), (everything,))
    if size > (_MOST_ROWS if rest.elimination is None else _MOST_SUMMED):
        return None
    pattern = np.full((size, size), rest.elimination is not None) | np.eye(size, dtype=bool)
    for matrix in tied:
        pattern |= np.asarray((matrix.T @ matrix).todense()) != 0
    planned = curvature.plan(pattern)
    return planned if len(planned) <= _MOST_DIRECTIONS else None
