"""model, draws of its latents -> the log likelihood of every observed element, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ppl.data.axes import Axis
from ppl.model.graph import Factor, Model
from ppl.model.program import compile_terms, evaluate
from ppl.model.terms import ancestors, inputs

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
    names: dict[str, int] = {}
    found = []
    for factor in model.observed:
        _check(model, factor)
        names[factor.name] = number = names.get(factor.name, 0) + 1
        name = factor.name if number == 1 else f"{factor.name} #{number}"
        found.append(_of_one(factor, name, values, draws))
    return tuple(found)


def _check(model: Model, factor: Factor) -> None:
    unknown = sorted({latent.name for latent in model.discrete} & set(inputs([factor.log_prob])))
    if unknown:
        raise NoLikelihood(
            f"`{factor.name}` depends on the discrete `{unknown[0]}`, which was summed out over all rows together"
        )


def _of_one(factor: Factor, name: str, values: Mapping[str, np.ndarray], draws: int) -> LogLikelihood:
    term = factor.log_prob
    program = compile_terms([term])
    size = max(1, int(np.prod(term.shape)))
    widest = max([size, *(int(np.prod(part.shape)) for part in ancestors([term]) if not part.known)])
    step = max(1, _AT_ONCE // widest)
    found = _room(draws, term.shape, size)
    for first in range(0, draws, step):
        some = {key: value[first : first + step] for key, value in values.items() if key in program.inputs}
        found[first : first + step] = evaluate(program, some, min(step, draws - first))[0]
    counts = np.ones(term.shape, dtype=bool)
    if factor.missing is not None:
        event = np.ndim(factor.missing) - len(term.shape)
        counts &= ~np.asarray(factor.missing).any(axis=tuple(range(-event, 0)) if event else ())
    counts &= (found != 0).any(axis=0)
    return LogLikelihood(name, (*term.plates, *term.axes), found, counts)


def _room(draws: int, shape: tuple[int, ...], size: int) -> np.ndarray:
    """An array (S, *shape); in a file without a name, where memory is too short."""
    if draws * size <= _MOST_IN_MEMORY:
        return np.empty((draws, *shape))
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.float64, mode="w+", shape=(draws, *shape))
