"""What a distribution family is: a row of functions. The families themselves stand in the files beside this one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from ppl.values import dataclass

Array = Any  # an ndarray, or autograd's box around one


@dataclass(frozen=True, slots=True)
class Requirement:
    """What values a parameter must have: a test over an array, and words for a message.

    `lower` and `upper` are the interval they lie in; `says_it_all` where lying in it is all that is required. While a
    model is fitted, `quick_test` takes the place of a test that costs too much, or finds what shows anyhow. `infinite`
    says that infinite values may hold.
    """

    words: str
    holds: Callable[[np.ndarray], np.ndarray]
    lower: float = -np.inf
    upper: float = np.inf
    says_it_all: bool = False
    quick_test: Callable[[np.ndarray], np.ndarray] | None = None
    infinite: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _with_words, (self.holds.__module__, self.words)

    def holds_quickly(self, x: np.ndarray, event_rank: int) -> np.ndarray:
        """Whether the values hold, a truth value for each event."""
        held = np.asarray((self.quick_test or self.holds)(x))
        return np.asarray(held.all(axis=tuple(range(-event_rank, 0)))) if event_rank else held

    def holds_within(self, low: float, high: float) -> bool:
        """Whether it holds for all values of an interval."""
        return self.says_it_all and self.lower <= low and high <= self.upper


REAL = Requirement("a number", lambda x: np.isfinite(x), says_it_all=True)
POSITIVE = Requirement("positive", lambda x: x > 0, 0.0, says_it_all=True)
NONNEGATIVE = Requirement("zero or positive", lambda x: x >= 0, 0.0, says_it_all=True)
UNIT = Requirement("between 0 and 1", lambda x: (x >= 0) & (x <= 1), 0.0, 1.0, says_it_all=True)
WHOLE = Requirement("a whole number", lambda x: np.isfinite(x) & (x == np.floor(x)))
COUNT = Requirement("a whole number, zero or more", lambda x: (x >= 0) & (x == np.floor(x)), 0.0)
SIMPLEX = Requirement(
    "probabilities that sum to 1",
    lambda x: (x >= 0) & (np.abs(x.sum(axis=-1, keepdims=True) - 1) < 1e-6),
    0.0,
    1.0,
)
INCREASING = Requirement("increasing numbers, of which the last may be inf", lambda x: _increases(x), infinite=True)
SYMMETRIC = Requirement(
    "a symmetric positive definite matrix",
    lambda x: np.broadcast_to(_is_positive_definite(x)[..., None, None], x.shape),
    quick_test=lambda x: _is_symmetric(x)[..., None, None],  # that it is not definite shows in its Cholesky factor
)
KERNEL = Requirement(
    "a symmetric matrix without negative eigenvalues",
    lambda x: np.broadcast_to(_is_semidefinite(x)[..., None, None], x.shape),
    quick_test=lambda x: _is_symmetric(x)[..., None, None],
)
TRIANGULAR = Requirement(
    "a lower triangular matrix with a positive diagonal",
    lambda x: (np.triu(x, 1) == 0) & _has_positive_diagonal(x)[..., None, None],
)


def _with_words(module: str, words: str) -> Requirement:
    """The requirement of a module that says so."""
    known = vars(import_module(module)).values()
    return next(each for each in known if isinstance(each, Requirement) and each.words == words)


def _increases(x: np.ndarray) -> np.ndarray:
    """Whether each element lies above that before it, or is plus infinity."""
    before = np.concatenate([np.full((*x.shape[:-1], 1), -np.inf), x[..., :-1]], axis=-1)
    return np.asarray((x > before) | (x == np.inf))


def _has_positive_diagonal(x: np.ndarray) -> np.ndarray:
    return np.asarray((np.diagonal(x, axis1=-2, axis2=-1) > 0).all(axis=-1))


def _is_symmetric(x: np.ndarray) -> np.ndarray:
    if (x == np.swapaxes(x, -1, -2)).all():  # as most are, to the last bit
        return np.ones(x.shape[:-2], dtype=bool)
    return np.asarray(np.isclose(x, np.swapaxes(x, -1, -2), rtol=1e-8, atol=1e-12).all(axis=(-1, -2)))


def _is_positive_definite(x: np.ndarray) -> np.ndarray:
    symmetric = _is_symmetric(x)
    smallest = np.linalg.eigvalsh(np.where(np.isfinite(x), x, 0.0))[..., 0]
    return np.asarray(symmetric & (smallest > 0))


def _is_semidefinite(x: np.ndarray) -> np.ndarray:
    """Up to rounding."""
    eigenvalues = np.linalg.eigvalsh(np.where(np.isfinite(x), x, 0.0))
    return np.asarray(_is_symmetric(x) & (eigenvalues[..., 0] > -1e-9 * eigenvalues[..., -1]))


@dataclass(frozen=True, slots=True)
class Parameter:
    """`event_rank` counts the trailing axes that belong to one value: 0 a number, 1 a vector, 2 a matrix.

    In a family of vectors these axes are as long as the event, unless they have a length of their own. `default` is
    what stands for a parameter that is not given.
    """

    name: str
    requirement: Requirement = REAL
    event_rank: int = 0
    own_length: bool = False
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One way to give a family's parameters.

    `log_prob(x, *parameters)` is elementwise over plates, differentiable by autograd, in nats, with all constants:
    minus infinity outside the support. `canonical(*parameters)` gives the family's canonical parameters, those of the
    form that has no such function. `misfit(n, *values)` looks at parameters, None where their values are not known,
    beside the length of an event: the name of one that cannot be, and what it must be.
    """

    parameters: tuple[Parameter, ...]
    log_prob: Callable[..., Array]
    canonical: Callable[..., tuple[Array, ...]] | None = None
    misfit: Callable[..., tuple[str, str] | None] | None = None


@dataclass(frozen=True, slots=True)
class Support:
    """Where values lie. `lower` and `upper` are numbers, or the name of the parameter that is the bound.

    `kind` is "real", "interval", "integer" (a range of whole numbers), "category" (1..K), "circle" (all numbers; the
    density repeats every 2 pi), "counts" (vectors of whole numbers with the sum `upper`), "mixed" (numbers some of
    which have a probability, others a density), or one of `EVENTS`. Of categories there are `spare` more than the
    vector parameter has elements.
    """

    kind: str
    lower: float | str = -np.inf
    upper: float | str = np.inf
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """One family of distributions; its functions take the canonical parameters. Parameters without keywords fill the
    first form.

    `draw(rng, shape, *parameters)` gives an array of that shape (event axes included). `mean` is None where there is
    none. `log_cdf` and `log_sf` are log P(X <= x) and log P(X > x), differentiable; None for families of vectors and
    of categories, which cannot be bounded. `quantile(u, *parameters)` is the inverse of the first for continuous
    families. On the circle `log_between(lower, upper, *parameters)` stands for them: the log of the integral.
    `go_on(rng, x, new, *parameters)` are vectors x (..., n) with those elements drawn given the others that `new` (n,)
    marks; None where a vector with more elements is another vector. Raises `ValueError` where they cannot be.
    """

    name: str
    forms: tuple[Form, ...]
    support: Support
    draw: Callable[..., np.ndarray]
    mean: Callable[..., Array] | None = None
    log_cdf: Callable[..., Array] | None = None
    log_sf: Callable[..., Array] | None = None
    quantile: Callable[..., np.ndarray] | None = None
    log_between: Callable[..., Array] | None = None
    go_on: Callable[..., np.ndarray] | None = None
    event_rank: int = 0
    renormalised: bool = True  # whether bounds cut and renormalise; Flat is only cut

    @property
    def discrete(self) -> bool:
        return self.support.kind in ("integer", "category", "counts")

    @property
    def can_be_bounded(self) -> bool:
        ends = self.log_cdf is not None or self.log_between is not None or not self.renormalised
        return self.event_rank == 0 and self.support.kind != "category" and ends

    def form_with(self, names: frozenset[str]) -> Form | None:
        """The first form that has all these parameters."""
        return next((f for f in self.forms if names <= {p.name for p in f.parameters}), None)

    def parameter_names(self) -> list[str]:
        """All names a parameter may be given by, in order."""
        return list(dict.fromkeys(p.name for form in self.forms for p in form.parameters))


def canonical(form: Form, parameters: tuple[Array, ...]) -> tuple[Array, ...]:
    """The family's canonical parameters, from those of any form."""
    return parameters if form.canonical is None else form.canonical(*parameters)
