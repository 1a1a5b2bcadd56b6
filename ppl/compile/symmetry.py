"""log joint -> warnings of components that can change places and signs that can flip, by trying it at a few points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.peaks import peaks
from ppl.compile.replicate import draw_prior, without_proper_prior
from ppl.model.graph import Latent, Model
from ppl.model.ode_terms import Trajectory
from ppl.model.terms import Term, ancestors, inputs

Values = dict[str, np.ndarray]  # by name, each with a leading axis of points
Change = Callable[[Values], Values]  # the latents that change

_SPREADS = np.repeat([0.7, 3.0, 10.0], [4, 6, 4])  # of the points, in unconstrained coordinates
_FROM_PRIOR = 20
_MOST_ELEMENTS = 20_000_000  # of all that is evaluated for one warning
_MOST_COMPONENTS = 30
_MOST_TOGETHER = 6  # latents of which all subsets are tried
_MOST_FLIPPED = 24  # latents of which all pairs are tried
_MOST_ALIKE = 8  # latents of one shape of which all pairs, and pairs of pairs, are tried
_STRETCH = 1.7
_FEW = 4  # coordinates among which the points lie close enough to see where a density rises
_STEPS = (0.03, 0.3, 1.0)  # shares of the way from halfway between a point and its image to the point
_DEEP = 0.5  # nats by which the density falls between a peak and its image, if these are two


def points(joint: LogJoint) -> Values:
    """Values (S, *shape) of all latents at which the log density is finite, always the same: near ones and far ones,
    so that what lies close together for some of the data lies apart for others. Far out an `ode` may take for ever.
    """
    z = _coordinates(joint, _SPREADS[:4] if _is_hard(joint) else _SPREADS)
    values = joint.constrain(z)
    held = np.isfinite(joint.log_density(values))
    return {name: value[held] for name, value in values.items()}


def _coordinates(joint: LogJoint, spreads: np.ndarray) -> np.ndarray:
    return np.asarray(
        spreads[:, None] * np.random.default_rng(1).normal(0.0, 1.0, (len(spreads), joint.dimension)), dtype=np.float64
    )


def _is_hard(joint: LogJoint) -> bool:
    """Whether a system of differential equations is in it."""
    nodes = ancestors([part.log_prob for part in joint.parts])
    return any(node.op is not None and isinstance(node.op.apply, Trajectory) for node in nodes)


def _with_prior(model: Model, joint: LogJoint, values: Values) -> Values:
    """The same and some draws from the prior, where it has any: these lie where the modeller expects the latents."""
    if without_proper_prior(model):
        return values
    drawn = draw_prior(model, _FROM_PRIOR, np.random.default_rng(2))
    held = np.isfinite(joint.log_density({name: drawn[name] for name in values}))
    return {name: np.concatenate([value, drawn[name][held]]) for name, value in values.items()}


def label_switching(model: Model, joint: LogJoint) -> list[str]:
    """Latents over the components of a mixture, or over the values of a discrete latent, of which two may change
    places without any change in density.
    """
    if not any(part.summand or _mixes(part.log_prob) for part in joint.parts):
        return []
    base = _with_prior(model, joint, points(joint))
    mixed = {name for part in joint.parts if part.summand or _mixes(part.log_prob) for name in inputs([part.log_prob])}
    latents = [latent for latent in model.latents if latent.name in mixed and _matters(joint, base, latent.name)]
    found = []
    for length, together in _by_length(latents).items():
        axes = {latent.name: [i for i, axis in enumerate(latent.axes) if axis.length == length] for latent in together}
        sets = list(_subsets([latent.name for latent in together]))
        changes = [partial(_swap_elements, {name: axes[name] for name in names}) for names in sets]
        for names in _smallest(sets, _unchanged(joint, base, changes)):
            what = f"the {length} elements of {listed(names)} can change places"
            found.append(f"{what} {_WITHOUT} (label switching): {_order([x for x in together if x.name in names])}")
    return found + _components_by_name(joint, base, latents)


def _components_by_name(joint: LogJoint, base: Values, latents: Sequence[Latent]) -> list[str]:
    """The same of components that have a name each: `m1` and `m2`, or these and `s1` and `s2`."""
    pairs = [
        (first.name, second.name)
        for first, second in combinations(latents[:_MOST_ALIKE], 2)
        if first.shape == second.shape and first.family.support == second.family.support
    ]
    sets = [*(pair for pair in pairs), *((*one, *other) for one, other in combinations(pairs, 2))]
    sets = [names for names in sets if len(set(names)) == len(names)]
    return [
        f"{listed(names)} can change places {_WITHOUT} (label switching):"
        f" bound one by the other, as in `{names[1]} ~ ... > {names[0]}`"
        for names in _smallest(sets, _unchanged(joint, base, [partial(_swap_names, names) for names in sets]))
    ]


def _order(latents: Sequence[Latent]) -> str:
    for latent in latents:
        if len(latent.axes) == 1 and latent.family.support.kind in ("real", "interval"):
            return f"order one of them, as in `{latent.name}[{latent.shape[0]}] ~ Ordered(...)`"
    return "give the components priors that differ"


def sign_flips(model: Model, joint: LogJoint) -> list[str]:
    """Latents, and pairs of them, whose signs may flip without any change in density, though it depends on them."""
    base = points(joint)
    free = [latent.name for latent in model.latents if latent.name not in model.data.columns and _unbounded(latent)]
    free = [name for name in free[:_MOST_FLIPPED] if _matters(joint, base, name)]
    sets = [*((name,) for name in free), *combinations(free, 2)]
    found = []
    for names in _smallest(sets, _with_twins(joint, base, [partial(_flip, names) for names in sets])):
        signs, together = ("the sign of", "") if len(names) == 1 else ("the signs of", " together")
        found.append(
            f"{signs} {listed(names)} can flip{together} {_WITHOUT}, so that a mode away from 0 has a twin:"
            f" bound one below by 0, as in `{names[0]} ~ ... > 0`, or one of its elements"
        )
    return found


_WITHOUT = "without any change in density"


def _unchanged(joint: LogJoint, base: Values, changes: Sequence[Change]) -> list[bool]:
    """Whether the log density stays the same, at all points, under each change of some latents. Of few latents it must
    rise as well somewhere from what the change leaves as it is: else there is one mode, its own image.
    """
    count = len(next(iter(base.values())))
    if count == 0 or _widest(joint) * count * len(changes) > _MOST_ELEMENTS:
        return [False] * len(changes)
    before = joint.log_density(base)
    held = 1e-9 + 1e-12 * np.abs(before)
    found = []
    for change in changes:
        image = change(base)
        same = bool((np.abs(joint.log_density({**base, **image}) - before) <= held).all())
        found.append(same and (joint.dimension > _FEW or _rises(joint, base, image, held)))
    return found


def _rises(joint: LogJoint, base: Values, image: Values, held: np.ndarray) -> bool:
    """Whether the log density rises anywhere from halfway between a point and its image, near it or farther out."""
    half = {name: 0.5 * (base[name] + value) for name, value in image.items()}
    at_half = joint.log_density({**base, **half})
    for step in _STEPS:
        there = {name: half[name] + step * (base[name] - half[name]) for name in half}
        if (joint.log_density({**base, **there}) > at_half + held).any():
            return True
    return False


def _with_twins(joint: LogJoint, base: Values, changes: Sequence[Change]) -> list[bool]:
    """Which changes leave the density as it is, and a peak not: a peak that is its own image, as the mouth of a funnel
    or the bend of a banana, is the only one, however the density rises beside it.
    """
    same = _unchanged(joint, base, changes)
    if not any(same):
        return same
    near = _coordinates(joint, _SPREADS[:4])
    near = near[np.isfinite(joint.value(near))]
    ends = peaks(joint, near, _widest(joint), _is_hard(joint))
    if ends is None:
        return same
    tops = joint.constrain(ends)
    return [holds and _have_twins(joint, tops, change(tops)) for holds, change in zip(same, changes, strict=True)]


def _have_twins(joint: LogJoint, tops: Values, image: Values) -> bool:
    """Whether any of the peaks is not its own image: the density falls on the way from the one to the other."""
    half = {name: 0.5 * (tops[name] + value) for name, value in image.items()}
    fall = joint.log_density(tops) - joint.log_density({**tops, **half})
    return not bool((fall <= _DEEP).all())  # what is no number, or endless, is no single peak


def _swap_elements(axes: Mapping[str, Sequence[int]], values: Values) -> Values:
    """The first two elements along some axes in each other's place."""
    return {name: _swapped(values[name], places) for name, places in axes.items()}


def _swap_names(names: Sequence[str], values: Values) -> Values:
    pairs = zip(names[::2], names[1::2], strict=True)
    return {one: values[other] for pair in pairs for one, other in (pair, pair[::-1])}


def _flip(names: Sequence[str], values: Values) -> Values:
    return {name: -values[name] for name in names}


def _widest(joint: LogJoint) -> int:
    return max([1, joint.dimension, *(int(np.prod(part.log_prob.shape)) for part in joint.parts)])


def _swapped(value: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    for axis in axes:
        order = np.arange(value.shape[axis + 1])
        order[:2] = 1, 0
        value = np.take(value, order, axis=axis + 1)
    return value


def _matters(joint: LogJoint, base: Values, name: str) -> bool:
    """Whether anything but a latent's own prior changes as it is stretched."""
    others = [i for i, part in enumerate(joint.parts) if part.name != name and name in inputs([part.log_prob])]
    before = joint.program.run(base)
    after = joint.program.run({**base, name: _STRETCH * base[name]})
    return any(not np.allclose(before[i], after[i], rtol=1e-9, atol=1e-12, equal_nan=True) for i in others)


def _mixes(term: Term) -> bool:
    """Whether a density is a sum over components."""
    names = [found.op.name for found in ancestors([term]) if found.op is not None]
    return any(name.startswith(("Mixture", "logsumexp")) for name in names)


def _unbounded(latent: Latent) -> bool:
    """Whether all numbers are values of a latent."""
    return all(
        piece.distribution.family.support.kind == "real"
        and piece.distribution.support_lower is None
        and piece.distribution.support_upper is None
        and piece.distribution.constraint is None
        for piece in latent.pieces
    )


def _by_length(latents: Iterable[Latent]) -> dict[int, list[Latent]]:
    """Latents by the lengths of their axes, those left out whose elements stand in an order."""
    found: dict[int, list[Latent]] = {}
    for latent in latents:
        if latent.pieces[0].distribution.constraint != "ordered":
            for length in dict.fromkeys(axis.length for axis in latent.axes if 1 < axis.length <= _MOST_COMPONENTS):
                found.setdefault(length, []).append(latent)
    return found


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All subsets, small ones first; of many names, only the smallest ones and the largest."""
    sizes = range(1, len(names) + 1) if len(names) <= _MOST_TOGETHER else (1, 2, len(names))
    for size in sizes:
        yield from combinations(names, size)


def _smallest(sets: Sequence[tuple[str, ...]], hold: Sequence[bool]) -> list[tuple[str, ...]]:
    """Of the sets that hold, those that contain no other."""
    found: list[tuple[str, ...]] = []
    for names, holds in zip(sets, hold, strict=True):
        if holds and not any(set(smaller) <= set(names) for smaller in found):
            found.append(names)
    return found


def listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
