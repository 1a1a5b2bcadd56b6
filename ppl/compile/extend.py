"""draws of the latents of a fit -> draws of the same model with more rows or levels.

What was inferred stays as it is; new elements are drawn from their distributions given it, parents first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ppl.compile.simulate import canonical_of, draw, indexed_axes, is_at_once, parameters_of, positions_of, rounds_of
from ppl.data.axes import Axis
from ppl.model.distributions.means import TooManyCounts, mean_between
from ppl.model.graph import Latent, Model, Piece
from ppl.model.terms import inputs
from ppl.values import dataclass


class CannotExtend(Exception):
    """Why new elements cannot be drawn, in words."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The draws (S, *shape) of a name, over the axes it had in the fit."""

    axes: tuple[Axis, ...]
    draws: np.ndarray


def random_names(model: Model) -> tuple[Latent, ...]:
    return (*model.latents, *model.discrete, *model.simulated)


def in_order(model: Model, wanted: set[str]) -> list[Latent]:
    """Those random names that the wanted ones are drawn from, and themselves, parents first. Raises `CannotExtend`."""
    latents = {latent.name: latent for latent in random_names(model)}
    done: dict[str, Latent] = {}
    waiting = [latents[name] for name in latents if name in _behind(latents, wanted)]
    while waiting:
        ready = next((latent for latent in waiting if parents(latent) <= done.keys()), None)
        if ready is None:
            names = ", ".join(f"`{latent.name}`" for latent in waiting)
            raise CannotExtend(f"{names} depend on each other")
        done[ready.name] = ready
        waiting.remove(ready)
    return list(done.values())


def _behind(latents: Mapping[str, Latent], wanted: set[str]) -> set[str]:
    found, waiting = set(wanted), list(wanted)
    while waiting:
        for parent in parents(latents[waiting.pop()]) - found:
            found.add(parent)
            waiting.append(parent)
    return found


def parents(latent: Latent) -> set[str]:
    """The random names that its distributions depend on, itself left out."""
    terms = [term for piece in latent.pieces for term in piece.distribution.all_terms]
    return set(inputs(terms)) - {latent.name}


def places_of(latent: Latent, known: Known | None) -> np.ndarray | None:
    """For each element of a name its place among those that were inferred, -1 where it is new; None where all are
    where they were. Raises `CannotExtend` where only a part of an event is new.
    """
    size = int(np.prod(latent.shape))
    if known is None:
        return np.full(latent.shape, -1)
    event = 0 if goes_on(latent) else max(piece.distribution.event_rank for piece in latent.pieces)
    along = []
    for i, (axis, old) in enumerate(zip(latent.axes, known.axes, strict=True)):
        places = _along(axis, old)
        if i >= len(latent.axes) - event and not np.array_equal(places, np.arange(old.length)):
            raise CannotExtend(
                f"the elements of `{latent.name}` along {axis.name} have one distribution together, and some are new"
            )
        along.append(places)
    if all(np.array_equal(places, np.arange(old.length)) for places, old in zip(along, known.axes, strict=True)):
        return None
    lengths = [axis.length for axis in known.axes]
    grid = np.meshgrid(*along, indexing="ij")
    new = np.any([places < 0 for places in grid], axis=0)
    flat = np.ravel_multi_index([np.maximum(places, 0) for places in grid], lengths)
    assert flat.size == size
    return np.where(new, -1, flat)


def goes_on(latent: Latent) -> bool:
    """Whether more elements of its vectors can be drawn given those it has."""
    distribution = latent.pieces[0].distribution
    return is_at_once(latent) and distribution.family.go_on is not None and distribution.constraint is None


def _along(axis: Axis, old: Axis) -> np.ndarray:
    """For each element along an axis its place in the fit, -1 for a new one: by label, else by position."""
    if axis.labels is not None and old.labels is not None:
        known = {label: i for i, label in enumerate(old.labels)}
        return np.array([known.get(label, -1) for label in axis.labels])
    return np.where(np.arange(axis.length) < old.length, np.arange(axis.length), -1)


def extended(
    latent: Latent, known: Known | None, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws (S, *shape) of a name, what was inferred in its place, given those it depends on. Raises `CannotExtend`."""
    places = places_of(latent, known)
    if places is None:
        assert known is not None
        return known.draws
    if not all(piece.distribution.can_draw for piece in latent.pieces):
        raise CannotExtend(f"new elements of `{latent.name}` cannot be drawn: its distribution is not a proper one")
    shape = (draws, *latent.shape)
    old = np.zeros(shape)
    if known is not None:
        flat = known.draws.reshape(draws, -1)
        old = np.where(places < 0, 0.0, flat[:, np.maximum(places, 0)])
    if goes_on(latent) and known is not None and latent.shape[-1] != known.axes[-1].length:
        return _gone_on(latent, old, places < 0, values, draws, rng)
    if is_at_once(latent):
        return np.where(places < 0, draw(latent.pieces[0], values, draws, rng), old)
    return _piecewise(latent, old, places < 0, values, draws, rng)


def _gone_on(
    latent: Latent, old: np.ndarray, new: np.ndarray, values: Mapping[str, np.ndarray], draws: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Vectors with more elements given those known; those of which nothing is known are drawn whole."""
    piece = latent.pieces[0]
    go_on = piece.distribution.family.go_on
    assert go_on is not None
    whole = np.asarray(new.all(axis=-1))
    behind = new[~whole][0]  # the same of all vectors that are known
    with np.errstate(all="ignore"):
        parameters, _, _ = canonical_of(piece, values, draws)
        try:
            found = go_on(rng, old, behind, *parameters)
        except ValueError as error:
            raise CannotExtend(f"`{latent.name}`: {error}") from None
    if whole.any():
        found = np.where(whole[..., None], draw(piece, values, draws, rng), found)
    return np.asarray(found)


def check_same_margin(
    piece: Piece, before: Piece, kept: np.ndarray, values: Mapping[str, np.ndarray], known: Mapping[str, Known],
    name: str,
) -> None:  # fmt: skip
    """Raises `CannotExtend` where the elements that were there have another covariance beside the new ones.

    `before` is the piece as it was fitted, and `kept` where its elements now stand; `values` are one draw of what the
    piece depends on, with the new elements, and `known` all draws without.
    """
    if not any(parameter.event_rank == 2 for parameter in piece.distribution.form.parameters):
        return
    first = {name: one.draws[:1] for name, one in known.items()}
    roots = [canonical_of(one, own, 1)[0][-1] for one, own in ((piece, values), (before, first))]
    cov, old_cov = (root @ np.swapaxes(root, -1, -2) for root in roots)
    cov = cov[..., kept, :][..., kept]
    if cov.shape[-2:] != old_cov.shape[-2:] or not np.allclose(cov, old_cov, rtol=1e-5, atol=1e-6 * old_cov.max()):
        raise CannotExtend(
            f"the elements of `{name}` along {piece.axes[-1].name} have one distribution together, and the covariance"
            " of those in the fit would change with new ones, as that of a kernel of a column would not"
        )


def where_kept(axis: Axis, old: Axis) -> np.ndarray:
    """Where the elements of an axis now stand, in their order."""
    places = _along(axis, old)
    return np.asarray(np.argsort(places, kind="stable")[len(places) - old.length :])


def _piecewise(
    latent: Latent, old: np.ndarray, new: np.ndarray, values: Mapping[str, np.ndarray], draws: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    indexed = indexed_axes(latent)
    count, event = int(np.prod(latent.shape[:indexed])), latent.shape[indexed:]
    found, fresh = old.reshape(draws, count, *event), new.reshape(count, -1).any(axis=1)
    for piece in latent.pieces:
        positions = positions_of(latent, piece)
        for chosen in rounds_of(latent, piece, positions):
            wanted = chosen[np.asarray(fresh)[positions[chosen]]]
            if not len(wanted):
                continue
            so_far = {**values, latent.name: found.reshape(draws, *latent.shape)}
            drawn = draw(piece, so_far, draws, rng).reshape(draws, len(positions), *event)
            found[:, positions[wanted]] = drawn[:, wanted]
    return found.reshape(draws, *latent.shape)


def means(piece: Piece, values: Mapping[str, np.ndarray], draws: int) -> np.ndarray:
    """The means (S, *shape of the piece) of its distributions, bounds included. Raises `CannotExtend` where there are
    none.
    """
    distribution = piece.distribution
    family = distribution.family
    if family.support.kind == "category":
        raise CannotExtend(f"`{distribution.name}` gives categories, which have no mean; predict the response")
    cut = distribution.lower is not None or distribution.upper is not None
    if distribution.constraint is not None or (cut and not family.renormalised) or (not cut and family.mean is None):
        raise CannotExtend(f"`{distribution.name}` has no mean; predict the response")
    with np.errstate(all="ignore"):
        parameters, lower, upper = canonical_of(piece, values, draws)
        full = (draws, *piece.shape)
        try:
            found = mean_between(family, full, parameters, lower, upper) if cut else family.mean(*parameters)  # type: ignore[misc]
        except TooManyCounts:
            raise CannotExtend(f"the mean of a bounded `{distribution.name}` is a sum of too many terms") from None
    found = np.asarray(found, dtype=np.float64)
    if np.isnan(found).any():
        none = f"{np.isnan(found).reshape(len(found), -1).any(axis=1).mean():.1%} of the draws"
        raise CannotExtend(f"`{distribution.name}` has no mean in {none}; predict the response")
    return np.broadcast_to(found, full)


def probabilities(piece: Piece, values: Mapping[str, np.ndarray], draws: int) -> np.ndarray:
    """The probability (S, *shape of the piece, K) of each category, or of 0 and of 1. Raises `CannotExtend` for what
    has no categories.
    """
    distribution = piece.distribution
    family = distribution.family
    categories = family.support.kind == "category"
    if not categories and family.name != "Bernoulli":
        raise CannotExtend(f"`{distribution.name}` gives no categories: it has no probability of each")
    with np.errstate(all="ignore"):
        parameters = parameters_of(piece, values, draws)
        found = [
            np.exp(distribution.form.log_prob(np.full((draws, *piece.shape), float(k)), *parameters))
            for k in range(distribution.categories if categories else 2)
        ]
    return np.stack([np.broadcast_to(one, (draws, *piece.shape)) for one in found], axis=-1)
