"""an approximation -> how centred each element of a hierarchy should be: by what the data say of it beside its prior.

Where the data hold an element, theta itself is nearly independent of location and scale; where the prior does, its
distance from the location in scales is. Between the two the share of the information that comes from the data is the
centring that unties a Gaussian hierarchy (Papaspiliopoulos, Roberts, Sköld 2003). It is averaged over draws of the
posterior as found so far, so that scales that are hardly known count with all their values. Elements that the data say
little of are not centred at all: where a scale goes to zero only that leaves no neck.

For what can have no conditional coordinates (`stand_in.py`): the logarithms of LogNormals, and latents piece by piece.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ppl.compile.blocks import Block, Centring
from ppl.compile.joint import LogJoint
from ppl.compile.sparsity import interactions
from ppl.infer import curvature, importance
from ppl.model import transforms

_DRAWS = 64
_FROM_PRIOR = 0.3  # share of the information from the data below which an element is not centred at all
_DIFFERS = 0.1  # of a share: less than this from what was tried is nothing new
_ELEMENTWISE = (transforms.NONCENTRED, transforms.NONCENTRED_LOG)


def centrings(centred: LogJoint, noncentred: LogJoint, values: dict[str, np.ndarray]) -> dict[str, Centring]:
    """By name, for all latents that are elementwise non-centred, from draws (S, *shape) of all latents.

    `centred` and `noncentred` are the same log joint in other coordinates.
    """
    z = centred.unconstrain(values)
    information = _information(centred, z)
    own = {(block.name, id(block.piece)): block for block in centred.blocks}
    found: dict[str, list[tuple[Block, np.ndarray, np.ndarray, np.ndarray]]] = {}
    for block in noncentred.blocks:
        if not block.noncentred or block.transform not in _ELEMENTWISE:
            continue
        shape = (len(z), *block.piece.shape)
        location, scale = (np.broadcast_to(bound, shape) for bound in block.bounds_at(values))
        plain = own[block.name, id(block.piece)]
        total = information[:, plain.start : plain.stop].reshape(shape)
        from_data = np.maximum(total - scale**-2, 0.0)
        share = np.nan_to_num((from_data / (from_data + scale**-2)).mean(axis=0))
        share = np.maximum(share - _FROM_PRIOR, 0.0) / (1 - _FROM_PRIOR)
        typical = np.exp(np.log(scale).mean(axis=0))
        found.setdefault(block.name, []).append((block, share, location.mean(axis=0), typical))
    return {name: _assembled(noncentred, parts) for name, parts in found.items()}


def typical_draws(
    joint: LogJoint, z: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """A few equally weighted draws of all latents, out of proposals z (P, D)."""
    return joint.constrain(z[importance.resample(weights, _DRAWS, rng)])


def _information(joint: LogJoint, z: np.ndarray) -> np.ndarray:
    """The diagonals (S, D) of minus the Hessians at points z (S, D)."""
    directions = curvature.plan(interactions(joint))
    shown = curvature.second_differences(
        lambda points: joint.value_and_gradient(points)[1], z, z.std(axis=0) + 1e-6, directions, joint.draws_at_once
    )
    diagonals = np.zeros(z.shape)
    for row, column, entries in zip(directions.rows, directions.columns, shown, strict=True):
        on = row == column
        diagonals[:, row[on]] = -entries[:, on]
    return diagonals


def _assembled(joint: LogJoint, parts: list[tuple[Block, np.ndarray, np.ndarray, np.ndarray]]) -> Centring:
    """Of the pieces of a latent, one after another; pieces without random parents count as centred."""
    latent = parts[0][0].latent
    share, location, scale = np.ones(latent.shape), np.zeros(latent.shape), np.ones(latent.shape)
    for block, *values in parts:
        positions = latent.positions(block.piece)
        for whole, part in zip((share, location, scale), values, strict=True):
            if positions is None:
                whole[...] = part
            else:
                inner = latent.shape[len(block.piece.place.positions) :] if block.piece.place else ()
                whole.reshape(-1, *inner)[positions] = part.reshape(-1, *inner)
    return Centring(share, location, scale)


def is_new(found: Collection[Centring], before: float) -> bool:
    """Whether any share differs from what was tried: `before` is 0 for non-centred, 1 for centred coordinates."""
    return any(np.abs(one.share - before).max(initial=0.0) > _DIFFERS for one in found)
