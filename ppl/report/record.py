"""What a fit leaves behind: numbers and labels, without the model's code. Made by a fit, or read from its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import numpy as np

from ppl.data.axes import Axis
from ppl.report.deep import Deep
from ppl.report.given import Given
from ppl.values import dataclass


def label_all(name: str, axes: tuple[Axis, ...]) -> list[str]:
    """What each element of a name is called, in C order: `theta[Choate]`, `A[1,2]`."""
    if not axes:
        return [name]
    shape = tuple(axis.length for axis in axes)
    return [
        f"{name}[{','.join(axis.label(i) for axis, i in zip(axes, index, strict=True))}]"
        for index in np.ndindex(*shape)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One name of the posterior.

    `draws` (S, *shape) are equally weighted. `mean`, `sd`, `mcse` (the Monte Carlo standard error of the mean) come
    from all weighted proposals, the quantiles from `draws`; each has the name's shape. So has `behind_sd`,
    the effective number of draws that the sd rests on. A point estimate has equal draws, its value for a mean, and for
    an sd its standard error, where that was asked for; all else of it is NaN.
    """

    name: str
    role: str  # "latent", "point", "derived" or "simulated"
    axes: tuple[Axis, ...]
    draws: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    q5: np.ndarray
    q50: np.ndarray
    q95: np.ndarray
    mcse: np.ndarray
    behind_sd: np.ndarray

    def labels(self) -> list[str]:
        return label_all(self.name, self.axes)

    @property
    def size(self) -> int:
        return int(np.prod([axis.length for axis in self.axes])) if self.axes else 1

    @property
    def row_long(self) -> bool:
        """Whether it has a value for every row of the data, or very many: shown only when asked."""
        over_rows = any((axis.identity or "").startswith("rows:") and axis.length > 20 for axis in self.axes)
        return over_rows or self.size > 200


@dataclass(frozen=True, slots=True, eq=False)
class Probabilities:
    """The posterior probability of each value of a discrete latent: `values` as texts, `probability` (K, *shape)."""

    name: str
    axes: tuple[Axis, ...]
    values: tuple[str, ...]
    probability: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    name: str
    axes: tuple[Axis, ...]
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class Tried:
    """A rung of the ladder that was tried: `rung` is what it is called, `taken` the one that the fit comes from."""

    rung: str
    verdict: str
    pareto_k: float
    elbo: float
    evaluations: int
    seconds: float
    taken: bool
    path: tuple[float, ...] = ()  # the ELBO after each step of the optimiser


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule of the verdict, the number that this fit gave it (None: nothing to look at), and what it says of it.

    The number is good up to `good`, usable up to `usable`; `names` are those it blames, as a message lists them.
    """

    name: str
    number: float | None
    good: float
    usable: float
    verdict: str
    names: str
    sentence: str
    remedy: str
    edges: str = ""  # between these names, along which one depends on the other: "`tau -> theta`"


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A fit in full. ELBO in nats; `draw_error` and `newton_step` in posterior sds; `evaluations` counts gradients of
    the ELBO over 64 draws, or their equivalent, on all the rungs that were `tried`. `log_weights` (P,) are those of the
    proposals, normalised; `chosen` (S,) says which of them each draw is.
    """

    model: str
    model_text: str
    sources: tuple[str, ...]
    seed: int
    verdict: str
    reasons: tuple[str, ...]
    pareto_k: float
    elbo: float
    evaluations: int
    seconds: float
    newton_step: float
    draw_error: float
    effective_draws: float
    version: str
    quantities: Mapping[str, Quantity] = field(repr=False)
    observed: Mapping[str, Observed] = field(repr=False)
    log_weights: np.ndarray = field(repr=False)
    chosen: np.ndarray = field(repr=False)
    given: Given = field(repr=False)
    left_out: tuple[str, ...] = ()  # names too long to keep unasked
    probabilities: Mapping[str, Probabilities] = field(default_factory=dict, repr=False)
    tried: tuple[Tried, ...] = ()
    rules: tuple[Checked, ...] = ()  # none in files of before rules were kept
    deep: Deep | None = field(default=None, repr=False)  # of a stochastic fit

    def shown(self, everything: bool = False) -> list[Quantity]:
        """The quantities a summary shows: latents first; row-long derived and simulated ones only when asked."""
        found = [q for q in self.quantities.values() if everything or q.role in INFERRED or not q.row_long]
        return sorted(found, key=lambda q: q.role not in INFERRED)


STATISTICS = ("mean", "sd", "q5", "q50", "q95", "mcse")
INFERRED = ("latent", "point")  # roles
