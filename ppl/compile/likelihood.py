"""model, draws of its latents -> the log likelihood of every observed element, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ppl.compile.joint import compile_joint
from ppl.compile.rowwise import rowwise
from ppl.compile.summed_likelihood import Shared, summed_over_own
from ppl.data.axes import Axis
from ppl.model.graph import Factor, Model
from ppl.model.program import compile_terms, evaluate
from ppl.model.terms import ancestors, inputs
from ppl.rewrite.sum_out import sum_out
from ppl.values import dataclass

_AT_ONCE = 1 << 20  # elements of the widest array while draws are evaluated together
_MOST_IN_MEMORY = 100_000_000  # numbers; more are kept in a temporary file


class NoLikelihood(Exception):
    """Why observed elements have no likelihood of their own, in words."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, eq=False)
class LogLikelihood:
    """The log density of what one statement observes, in nats: `values` (S, *axes), one number for an event.

    `counts` (*axes) is false for missing elements, and those outside the rounds of a ragged loop: they are 0 there.
    """

    name: str
    axes: tuple[Axis, ...]
    values: np.ndarray
    counts: np.ndarray

    @property
    def by_element(self) -> np.ndarray:
        """(S, elements), those alone that count."""
        flat = self.values.reshape(len(self.values), -1)
        return flat if self.counts.all() else flat[:, self.counts.reshape(-1)]


def log_likelihood(model: Model, values: Mapping[str, np.ndarray], draws: int) -> tuple[LogLikelihood, ...]:
    """Of every observed statement, from S draws (S, *shape) of all latents. Raises `NoLikelihood`."""
    found = []
    mixed = _mixed(model, values, draws)
    for name, factor in _named(model):
        whole = mixed.get(id(factor))
        if whole is None:
            whole = _evaluated(factor, values, draws)
        found.append(_with_counts(factor, name, whole))
    return tuple(found)


def log_likelihood_of_last(
    model: Model, values: Mapping[str, np.ndarray], draws: int, axis: Axis, first: int
) -> tuple[LogLikelihood, ...]:  # fmt: skip
    """The same of the elements from number `first` on along an axis, of which others are not worked out if possible.

    Raises `NoLikelihood`, also for what is observed and does not go by the axis.
    """
    joint = compile_joint(model, sum_out(model))
    split = None if model.discrete else rowwise(joint, axis)
    if split is None:
        return tuple(_last(one, axis, first) for one in log_likelihood(model, values, draws))
    factors = dict(enumerate(model.factors, start=len(joint.parts) - len(model.factors)))
    places = {id(factors[i]): number for number, i in enumerate(split.parts) if i in factors}
    rows = range(first, axis.length)
    wide = sum(int(np.prod(joint.parts[i].log_prob.shape)) for i in split.parts) // axis.length
    step = max(1, _AT_ONCE // max(1, wide * len(rows)))
    parts: list[list[np.ndarray]] = []
    at = split.at(slice(first, axis.length))
    outputs = at.program.outputs
    for start in range(0, draws, step):
        some = {key: value[start : start + step] for key, value in values.items()}
        size = min(step, draws - start)
        each = zip(at.log_probs(some), outputs, strict=True)
        parts.append([x if s in at.program.over_draws else np.broadcast_to(x, (size, *np.shape(x))) for x, s in each])
    found = []
    for name, factor in _named(model):
        if id(factor) not in places:
            raise NoLikelihood(f"`{name}` does not go by {axis.name} alone")
        whole = np.concatenate([part[places[id(factor)]] for part in parts])
        found.append(_with_counts(factor, name, whole, (axis, first)))
    return tuple(found)


def _named(model: Model) -> Iterator[tuple[str, Factor]]:
    """What is observed, and what each is called where a name is observed twice."""
    names: dict[str, int] = {}
    for factor in model.observed:
        names[factor.name] = number = names.get(factor.name, 0) + 1
        yield factor.name if number == 1 else f"{factor.name} #{number}", factor


def _last(one: LogLikelihood, axis: Axis, first: int) -> LogLikelihood:
    place = _place(one.name, one.axes, axis)
    rows = range(first, axis.length)
    values, counts = np.take(one.values, rows, axis=1 + place), np.take(one.counts, rows, axis=place)
    return LogLikelihood(one.name, _shorter(one.axes, place, len(rows)), values, counts)


def _place(name: str, axes: tuple[Axis, ...], axis: Axis) -> int:
    if axis not in axes:
        raise NoLikelihood(f"`{name}` does not go by {axis.name}")
    return axes.index(axis)


def _shorter(axes: tuple[Axis, ...], place: int, count: int) -> tuple[Axis, ...]:
    return (*axes[:place], replace(axes[place], length=count), *axes[place + 1 :])


def _mixed(model: Model, values: Mapping[str, np.ndarray], draws: int) -> dict[int, np.ndarray]:
    """By the id of the factor, for those that depend on discrete latents."""
    discrete = {latent.name for latent in model.discrete}
    mixed = [factor for factor in model.observed if discrete & set(inputs([factor.log_prob]))]
    if not mixed:
        return {}
    joint = compile_joint(model, sum_out(model))
    try:
        found = summed_over_own(joint, {name: v for name, v in values.items() if name not in discrete}, draws)
    except Shared:
        shared = sorted(discrete & set(inputs([mixed[0].log_prob])))[0]
        raise NoLikelihood(
            f"`{mixed[0].name}` depends on the discrete `{shared}`, which was summed out over several elements together"
        ) from None
    first = len(joint.parts) - len(model.factors)
    factors = {first + i: factor for i, factor in enumerate(model.factors)}
    return {id(factors[i]): value.reshape(draws, *factors[i].log_prob.shape) for i, value in found.items()}


def _evaluated(factor: Factor, values: Mapping[str, np.ndarray], draws: int) -> np.ndarray:
    term = factor.log_prob
    program = compile_terms([term])
    size = max(1, int(np.prod(term.shape)))
    widest = max([size, *(int(np.prod(part.shape)) for part in ancestors([term]) if not part.known)])
    step = max(1, _AT_ONCE // widest)
    found = _room(draws, term.shape, size)
    for first in range(0, draws, step):
        some = {key: value[first : first + step] for key, value in values.items() if key in program.inputs}
        found[first : first + step] = evaluate(program, some, min(step, draws - first))[0]
    return found


def _with_counts(
    factor: Factor, name: str, found: np.ndarray, last: tuple[Axis, int] | None = None
) -> LogLikelihood:  # fmt: skip
    """`last` says along which axis, and from which place on, elements were found."""
    term = factor.log_prob
    counts, axes = np.ones(term.shape, dtype=bool), (*term.plates, *term.axes)
    if factor.missing is not None:
        event = np.ndim(factor.missing) - len(term.shape)
        counts &= ~np.asarray(factor.missing).any(axis=tuple(range(-event, 0)) if event else ())
    if last is not None:
        axis, first = last
        place = _place(name, axes, axis)
        counts, axes = (
            np.take(counts, range(first, axis.length), axis=place),
            _shorter(axes, place, axis.length - first),
        )
    counts &= (found != 0).any(axis=0)
    return LogLikelihood(name, axes, found, counts)


def _room(draws: int, shape: tuple[int, ...], size: int) -> np.ndarray:
    """An array (S, *shape); in a file without a name, where memory is too short."""
    if draws * size <= _MOST_IN_MEMORY:
        return np.empty((draws, *shape))
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.float64, mode="w+", shape=(draws, *shape))
