"""an image, a Gaussian stand-in for what the data say of it -> conditional coordinates of the latent behind it.

Let e be the standard values of a latent, theta = location + scale e, and t = t0 + A e its image, where t0 and A depend
on other latents. With the stand-in exp(pull t - precision t^2 / 2) for the rest of the density, e given the others is
Gaussian, of precision P = 1 + A' W A = L L' and mean P^-1 A' (pull - W t0), W the precisions on a diagonal. The
coordinates u are e less its mean in units of its sd: e = L'^-1 (u + L^-1 A' (pull - W t0)). Where the data say nothing
these are non-centred coordinates, where they say all, those of the image; and whatever scales become in between. The
stand-in changes what the coordinates are, not the density. For a Gaussian likelihood u is independent of all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import autograd.numpy as np
import numpy

from ppl.compile.images import Image
from ppl.model import transforms
from ppl.model.transforms import Transform
from ppl.numeric.gather import Positions, add_up, gather, pick
from ppl.numeric.linear import apply_to_vectors, cholesky, inverse_lower, transpose
from ppl.numeric.shape import join
from ppl.numeric.special import log, sqrt
from ppl.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class StandIn:
    """A Gaussian in place of what the data say of an image: `precision` and `pull`, which is precision times mean, of
    each of its R elements. `typical` are values of all latents, for where some are not known yet.
    """

    precision: numpy.ndarray
    pull: numpy.ndarray
    typical: Mapping[str, numpy.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """At S draws of the other latents: `root` L (S or 1, B, K, K), its inverse, and `centre` L^-1 A' (...) (S, B, K).

    With one element a group the last axis of both matrices is left out.
    """

    owner: Conditional
    root: Any
    inverse: Any
    centre: Any


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """How the N standard values of a latent stand in B groups of K, and how the stand-in becomes their posterior.

    `groups` picks from the flattened values, where some groups are not full with one 0 added at their end, `back` from
    the flattened groups; `owners` are the groups of the elements of the image.
    """

    stand_in: StandIn
    members: numpy.ndarray  # as in the image
    groups: Positions
    back: Positions
    owners: Positions
    shape: tuple[int, ...]

    @property
    def together(self) -> int:
        return int(self.groups.index.shape[1])

    def at(self, images: Sequence[Any]) -> Given:
        """From the parts of the image at the probes: arrays (S, K + 1, of the part), S left out where all are equal."""
        batched = [image if np.ndim(image) == 3 else np.expand_dims(image, 0) for image in images]
        found = join(-1, *batched) if len(batched) > 1 else batched[0]
        base = pick(found, (slice(None), slice(0, 1)))
        moved = pick(found, (slice(None), slice(1, None))) - base
        pull = self.stand_in.pull - self.stand_in.precision * base
        weighted = self.stand_in.precision * moved
        if self.together == 1:
            return self._by_element(moved, weighted, pull)
        if self.groups.index.shape[0] == 1:
            information = np.expand_dims(np.matmul(weighted, transpose(moved)), 1)
            force = np.expand_dims(np.matmul(moved, transpose(pull))[..., 0], 1)
        else:
            products = np.expand_dims(weighted, 2) * np.expand_dims(moved, 1)
            information = np.moveaxis(add_up(products, self.owners, -1), -1, 1)
            force = np.moveaxis(add_up(moved * pull, self.owners, -1), -1, 1)
        root = cholesky(information + numpy.eye(self.together))
        inverse = inverse_lower(root)
        return Given(self, root, inverse, apply_to_vectors(inverse, force))

    def _by_element(self, moved: Any, weighted: Any, pull: Any) -> Given:
        root = sqrt(1.0 + np.swapaxes(add_up(weighted * moved, self.owners, -1), -1, -2))
        return Given(self, root, 1.0 / root, np.swapaxes(add_up(moved * pull, self.owners, -1), -1, -2) / root)


def conditional(image: Image, stand_in: StandIn) -> Conditional:
    members = image.members
    size = int(members.max()) + 1
    groups = Positions(numpy.where(members < 0, size, members), size + int((members < 0).any()))
    place = numpy.argsort(members[members >= 0])
    back = numpy.flatnonzero(members.reshape(-1) >= 0)[place].reshape(image.piece.shape)
    return Conditional(
        stand_in,
        members,
        groups,
        Positions(back, members.size),
        Positions(image.owner, len(members)),
        image.piece.shape,
    )


def _standard(u: Any, given: Given) -> Any:
    """Coordinates (S, *shape) -> standard values (S, *shape)."""
    moved = _grouped(u, given.owner) + given.centre
    if given.owner.together == 1:
        e = moved * given.inverse
    else:
        e = np.sum(given.inverse * np.expand_dims(moved, -1), axis=-2)  # L'^-1, a vector each
    return gather(np.reshape(e, (len(e), -1)), given.owner.back, -1)


def _coordinates(e: Any, given: Given) -> Any:
    """Standard values (S, *shape) -> coordinates (S, *shape)."""
    grouped = _grouped(e, given.owner)
    if given.owner.together == 1:
        u = grouped * given.root - given.centre
    else:
        u = (given.root * grouped[..., None]).sum(axis=-2) - given.centre
    return gather(numpy.reshape(u, (len(u), -1)), given.owner.back, -1)


def _grouped(values: Any, owner: Conditional) -> Any:
    flat = np.reshape(values, (len(values), -1))
    if owner.groups.length > np.shape(flat)[-1]:
        flat = join(-1, flat, numpy.zeros((1, 1)))
    return gather(flat, owner.groups, -1)


def _log_volume(given: Given) -> Any:
    """The sum of log |de / du| (S or 1,)."""
    diagonal = given.inverse if given.owner.together == 1 else np.diagonal(given.inverse, axis1=-1, axis2=-2)
    return np.sum(log(diagonal), axis=(-1, -2))


def _on(base: Transform) -> Transform:
    """A transform that takes location and scale for its lower, and what is `Given` for its upper bound."""

    def log_jacobian(u: Any, lower: Any, upper: Any) -> Any:
        own = base.log_jacobian(u, *lower)  # depends on scales alone
        return np.sum(own, axis=tuple(range(1, np.ndim(own)))) + _log_volume(upper)

    return Transform(
        f"conditional on {base.name}",
        lambda u, lower, upper: base.constrain(_standard(u, upper), *lower),
        lambda theta, lower, upper: _coordinates(base.unconstrain(theta, *lower), upper),
        log_jacobian,
        event_rank=base.event_rank,
        free=base.free,
    )


OF_NUMBERS = _on(transforms.NONCENTRED)
OF_VECTORS = _on(transforms.NONCENTRED_VECTOR)
CONDITIONAL = {transforms.NONCENTRED.name: OF_NUMBERS, transforms.NONCENTRED_VECTOR.name: OF_VECTORS}
