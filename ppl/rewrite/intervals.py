"""terms -> intervals that their values cannot leave, as far as can be seen without any values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product

import numpy as np

from ppl.model import terms
from ppl.model.distribution import Distribution
from ppl.model.graph import Latent
from ppl.model.terms import Term

Interval = tuple[float, float]

ANYTHING: Interval = (-np.inf, np.inf)
NOT_NEGATIVE: Interval = (0.0, np.inf)
UNIT: Interval = (0.0, 1.0)


def union(intervals: Iterable[Interval]) -> Interval:
    found = list(intervals)
    return (min(low for low, _ in found), max(high for _, high in found)) if found else ANYTHING


class Intervals:
    """The intervals of terms over some latents; each is worked out once."""

    def __init__(self, latents: Mapping[str, Latent]):
        self._latents = latents
        self._of_latents: dict[str, Interval] = {}
        self._of_terms: dict[int, Interval] = {}
        self._kept: list[Term] = []  # so that no id is used twice

    def of(self, wanted: Term) -> Interval:
        for term in terms.ancestors([wanted]):
            if id(term) not in self._of_terms:
                self._of_terms[id(term)] = self._one(term)
                self._kept.append(term)
        return self._of_terms[id(wanted)]

    def are_simplexes(self, term: Term) -> bool:
        """Whether the last axis of a term holds probabilities that sum to 1, whatever the values."""
        while True:
            if term.source is not None:
                latent = self._latents.get(term.source)
                return latent is not None and latent.family.support.kind == "simplex"
            if term.op is None:
                return False
            if term.op.name == "softmax":
                return term.op.options == (-1,) or (term.op.options == ("all",) and len(term.args[0].axes) == 1)
            if not _keeps_last_axis(term):
                return False
            term = term.args[0]

    def _one(self, term: Term) -> Interval:
        if term.known:
            values = np.asarray(term.value, dtype=np.float64)
            return _checked(float(values.min(initial=np.inf)), float(values.max(initial=-np.inf)))
        if term.source is not None:
            return self._latent(term.source)
        assert term.op is not None
        given = [self._of_terms[id(arg)] for arg in term.args]
        if term.op.name == "take":
            return given[0]
        if term.op.moves:
            return union(given)
        rule = _RULES.get(term.op.name.removesuffix(" over").removesuffix(" by"))
        return ANYTHING if rule is None else _checked(*rule(*given))

    def _latent(self, name: str) -> Interval:
        if name not in self._of_latents:
            latent = self._latents.get(name)
            pieces = () if latent is None else latent.pieces
            self._of_latents[name] = union(self._support(piece.distribution) for piece in pieces)
        return self._of_latents[name]

    def _support(self, distribution: Distribution) -> Interval:
        if distribution.kind == "simplex":
            return UNIT
        if distribution.kind in ("correlation", "cholesky_correlation"):
            return (-1.0, 1.0)
        lower, upper = distribution.support_lower, distribution.support_upper
        return (-np.inf if lower is None else self.of(lower)[0], np.inf if upper is None else self.of(upper)[1])


def _keeps_last_axis(term: Term) -> bool:
    """Whether an operation only picks along other axes than the last."""
    op, rank = term.op, len(term.args[0].axes)
    assert op is not None
    match op.name:
        case "gather":
            return rank - 1 not in op.options[4:]
        case "take":
            return rank - 1 not in op.options[0]
        case "pick":
            return op.options[-1] == (None, None)
        case "repeat" | "as":
            return rank > 0
    return False


def _checked(low: float, high: float) -> Interval:
    return (-np.inf if np.isnan(low) else low, np.inf if np.isnan(high) else high)


def _corners(operation: Callable[[float, float], float]) -> Callable[[Interval, Interval], Interval]:
    """The range of an operation that is monotone in each argument: that over the corners."""

    def rule(first: Interval, second: Interval) -> Interval:
        with np.errstate(all="ignore"):
            found = [float(operation(np.float64(a), np.float64(b))) for a, b in product(first, second)]
        return (-np.inf, np.inf) if any(np.isnan(found)) else (min(found), max(found))

    return rule


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _divided(x: Interval, y: Interval) -> Interval:
    if y[0] < 0:
        return ANYTHING
    return (0.0 if x[0] >= 0 else -np.inf, 0.0 if x[1] <= 0 else np.inf)


def _rising(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    def rule(x: Interval) -> Interval:
        with np.errstate(all="ignore"):
            return float(function(np.float64(x[0]))), float(function(np.float64(x[1])))

    return rule


def _square(x: Interval) -> Interval:
    ends = sorted(abs(end) for end in x)
    return (0.0 if x[0] <= 0 <= x[1] else ends[0] ** 2), ends[1] ** 2


def _absolute(x: Interval) -> Interval:
    ends = sorted(abs(end) for end in x)
    return (0.0 if x[0] <= 0 <= x[1] else ends[0]), ends[1]


def _power(x: Interval, y: Interval) -> Interval:
    return NOT_NEGATIVE if x[0] >= 0 else ANYTHING


def _sign_kept(*args: Interval) -> Interval:
    """For sums and products of many elements: not negative where they are not."""
    return NOT_NEGATIVE if all(low >= 0 for low, _ in args) else ANYTHING


def _itself(x: Interval) -> Interval:
    return x


_RULES: dict[str, Callable[..., Interval]] = {
    "+": _corners(lambda a, b: a + b),
    "-": _corners(lambda a, b: a - b),
    "*": _corners(_times),
    "/": _divided,
    "^": _power,
    "neg": lambda x: (-x[1], -x[0]),
    "square": _square,
    "abs": _absolute,
    "sqrt": lambda x: NOT_NEGATIVE,
    "reciprocal": lambda x: NOT_NEGATIVE if x[0] >= 0 else ANYTHING,
    "exp": _rising(np.exp),
    "expm1": _rising(np.expm1),
    "log": lambda x: _rising(np.log)((max(x[0], 0.0), max(x[1], 0.0))),
    "log1p": lambda x: _rising(np.log1p)((max(x[0], -1.0), max(x[1], -1.0))),
    "floor": _rising(np.floor),
    "tanh": lambda x: (-1.0, 1.0),
    "sin": lambda x: (-1.0, 1.0),
    "cos": lambda x: (-1.0, 1.0),
    "erf": lambda x: (-1.0, 1.0),
    "inv_logit": lambda x: UNIT,
    "Phi": lambda x: UNIT,
    "softmax": lambda x: UNIT,
    "softplus": lambda x: NOT_NEGATIVE,
    "relu": lambda x: NOT_NEGATIVE,
    "if": lambda test, x, y: union([x, y]),
    "min": lambda x, y=None: x if y is None else (min(x[0], y[0]), min(x[1], y[1])),
    "max": lambda x, y=None: x if y is None else (max(x[0], y[0]), max(x[1], y[1])),
    "tighter": lambda x, y: union([x, y]),
    "list": lambda *args: union(args),
    "mean": _itself,
    "sum": _sign_kept,
    "prod": _sign_kept,
    "cumsum": _sign_kept,
    "cumprod": _sign_kept,
    "@": _sign_kept,
    "outer": _sign_kept,
    "kron": _sign_kept,
    "onehot": lambda x: UNIT,
    "sd": lambda x: NOT_NEGATIVE,
    "var": lambda x: NOT_NEGATIVE,
    **{name: lambda *args: NOT_NEGATIVE for name in ("exp_quad", "matern32", "matern52", "periodic")},
    **{name: lambda *args: UNIT for name in ("==", "!=", "<", "<=", ">", ">=", "and", "or", "not")},
}
