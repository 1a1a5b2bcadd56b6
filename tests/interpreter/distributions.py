"""`Family(arguments)`, bounds and wrappers -> the log density of one value at one place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from ppl.language import syntax as s
from tests.interpreter.arrays import Array, Axis, Place, common, one
from tests.interpreter.expressions import Scope, read
from tests.interpreter.families import DISCRETE, LAWS, Law, law_of, names_of
from tests.interpreter.vectors import DEFAULTS, RANKS, VECTORS

if TYPE_CHECKING:
    from tests.interpreter.program import World

WRAPPERS = ("Ordered", "ZeroSum", "Censored", "Mixture", "ZeroInflated", "Hurdle")


@dataclass(frozen=True)
class Distribution:
    """`arguments` by name with how many of their last axes belong to one value; `inner` are those of a wrapper."""

    family: str
    arguments: dict[str, tuple[Array, int]]
    inner: tuple[Distribution, ...]
    strict: tuple[bool, bool]  # whether the bounds that were written, "from" and "to", are left out themselves

    @property
    def event_rank(self) -> int:
        if self.family in ("Ordered", "ZeroSum"):
            return 1
        if self.family in VECTORS:
            return VECTORS[self.family][0]
        return max((inner.event_rank for inner in self.inner), default=0)

    @property
    def discrete(self) -> bool:
        return self.family in DISCRETE or any(inner.discrete for inner in self.inner)

    def plates(self) -> tuple[tuple[int, ...], tuple[Axis, ...]]:
        """Over what the arguments vary besides the event."""
        found = [_trimmed(a, rank) for a, rank in self.arguments.values()]
        for inner in self.inner:
            shape, axes = inner.plates()
            vectorised = self.family in ("Ordered", "ZeroSum") or (self.family == "Mixture" and len(self.inner) == 1)
            drop = 1 if vectorised and shape else 0
            found.append(Array(shape[: len(shape) - drop], axes[: len(axes) - drop], lambda place: None))
        return common(found)

    def numbers(self, place: Place) -> dict[str, Any]:
        return {
            name: a.aligned(place) if rank == 0 else a.last(place, rank).numpy()
            for name, (a, rank) in self.arguments.items()
        }

    # -- single numbers -----------------------------------------------------------------------------------------------

    def law(self, place: Place) -> Law:
        """The law of the number at a place."""
        p = self.numbers(place)
        if self.family in WRAPPERS:
            law = _WRAPPED[self.family](self, p, place)
        elif self.family == "Param":
            law = LAWS["Flat"]({})
        else:
            own = {name: x for name, x in p.items() if name not in ("from", "to")}
            law = _law(self.family, tuple((k, tuple(v) if isinstance(v, np.ndarray) else v) for k, v in own.items()))
        if "from" in p or "to" in p:
            flat = self.family in ("Flat", "Param")
            return _cut(law, p.get("from", -math.inf), p.get("to", math.inf), self.strict, flat)
        return law

    def log_density(self, x: Any, place: Place) -> float:
        """Of a number, or of an array for a vector."""
        if self.event_rank == 0:
            return self.law(place).log_density(x)
        if self.family in VECTORS:
            return VECTORS[self.family][1](np.asarray(x, dtype=float), self.numbers(place))
        if self.family == "Mixture":
            weights = np.log(self.numbers(place)["weights"])
            return float(
                np.logaddexp.reduce([w + d.log_density(x, place) for w, d in zip(weights, self.inner, strict=True)])
            )
        if self.family == "Ordered" and not (np.diff(x) > 0).all():
            return -math.inf
        if self.family == "ZeroSum" and abs(np.sum(x)) > 1e-8 * max(1.0, np.abs(x).max()):
            return -math.inf
        inner = self.inner[0]
        if inner.event_rank:
            return inner.log_density(x, place)
        total = sum(inner.log_density(value, (*place, k)) for k, value in enumerate(x))
        if self.family == "ZeroSum" and inner.family == "Normal":  # given that the sum, which is normal too, is 0
            each = [inner.numbers((*place, k)) for k in range(len(x))]
            total -= stats.norm(sum(p["mean"] for p in each), math.sqrt(sum(p["sd"] ** 2 for p in each))).logpdf(0)
            total += -0.5 * math.log(len(x))  # by the area of the plane: its distance from 0 is sum/sqrt(n)
        return total


def _trimmed(a: Array, rank: int) -> Array:
    plates = max(0, a.rank - rank)
    if a.shape == (1,):  # a list of one number
        plates = 0
    return Array(a.shape[:plates], a.axes[:plates], lambda place: None)


@cache
def _law(family: str, parameters: tuple[tuple[str, Any], ...]) -> Law:
    return law_of(family, {k: np.array(v) if isinstance(v, tuple) else v for k, v in parameters})


def distribution(world: World, node: s.Dist, scope: Scope) -> Distribution:
    family = node.family.name
    inner = tuple(distribution(world, a.value, scope) for a in node.arguments if isinstance(a.value, s.Dist))
    keywords = {a.keyword.name for a in node.arguments if a.keyword is not None}
    plain = [a for a in node.arguments if not isinstance(a.value, s.Dist)]
    positional = [a for a in plain if a.keyword is None]
    if family in WRAPPERS:
        names = {"Mixture": ["weights"], "ZeroInflated": ["p"], "Hurdle": ["p"]}.get(family, [])
        names = [] if "logit" in keywords else names
    else:
        names = names_of(family, keywords)[: len(positional)]
    given = dict(zip(names, positional, strict=True)) | {a.keyword.name: a for a in plain if a.keyword is not None}
    arguments = {name: (read(world, a.value, scope), RANKS.get((family, name), 0)) for name, a in given.items()}
    for name, default in DEFAULTS.get(family, {}).items():
        arguments.setdefault(name, (one(default), 0))
    if family == "Mixture":
        arguments["weights"] = (arguments["weights"][0], 1)
    for name, bound in (("from", node.lower), ("to", node.upper)):
        if bound is not None:
            arguments[name] = (read(world, bound, scope), 0)
    strict = "lower" in node.excludes, "upper" in node.excludes
    return Distribution(family, arguments, inner, strict)


# -- laws made of laws ------------------------------------------------------------------------------------------------


def _cut(law: Law, low: float, high: float, strict: tuple[bool, bool], flat: bool) -> Law:
    """A law between bounds, renormalised unless it is flat. Whole numbers may lie on a bound where it is not strict."""
    if law.steps:
        low = math.floor(low) + 1 if strict[0] and math.isfinite(low) else low if math.isinf(low) else math.ceil(low)
        high = (
            math.ceil(high) - 1 if strict[1] and math.isfinite(high) else high if math.isinf(high) else math.floor(high)
        )
    support = (max(low, law.support[0]), min(high, law.support[1]))
    if flat:
        return Law(lambda x: 0.0 if low <= x <= high else -math.inf, law.below, law.above, support)
    step = 1 if law.steps else 0

    def mass(a: float, b: float) -> float:
        """P(a <= X <= b), from the side where it is not a difference of numbers near one."""
        if a > b:
            return 0.0
        under = law.below(a - step)
        return law.above(a - step) - law.above(b) if under > 0.5 else law.below(b) - under

    whole = mass(low, high)

    def log_density(x: float) -> float:
        found = law.log_density(x) if low <= x <= high else -math.inf
        return found - math.log(whole) if found > -math.inf else found

    return Law(
        log_density, lambda x: mass(low, min(x, high)) / whole, lambda x: mass(max(x + step, low), high) / whole,
        support, law.steps,
    )  # fmt: skip


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _censored(d: Distribution, p: dict[str, Any], place: Place) -> Law:
    """A value at a bound says only that the true one lies there or beyond."""
    law = d.inner[0].law(place)
    low, high = p.get("lower", -math.inf), p.get("upper", math.inf)
    step = 1 if law.steps else 0

    def log_density(x: float) -> float:
        if x <= low:
            return _log(law.below(low))
        return _log(law.above(high - step)) if x >= high else law.log_density(x)

    return Law(log_density, law.below, law.above, (max(low, law.support[0]), min(high, law.support[1])), law.steps)


def _mixture(d: Distribution, p: dict[str, Any], place: Place) -> Law:
    weights = p["weights"]
    laws = (
        [d.inner[0].law((*place, k)) for k in range(len(weights))]
        if len(d.inner) == 1
        else [x.law(place) for x in d.inner]
    )
    pairs = list(zip(weights, laws, strict=True))
    return Law(
        lambda x: float(np.logaddexp.reduce([_log(w) + law.log_density(x) for w, law in pairs])),
        lambda x: sum(w * law.below(x) for w, law in pairs),
        lambda x: sum(w * law.above(x) for w, law in pairs),
        (min(law.support[0] for law in laws), max(law.support[1] for law in laws)),
        laws[0].steps,
    )


def _chance(p: dict[str, Any]) -> float:
    return float(p["p"]) if "p" in p else 1 / (1 + math.exp(-p["logit"]))


def _zero_inflated(d: Distribution, p: dict[str, Any], place: Place) -> Law:
    law, zero = d.inner[0].law(place), _chance(p)
    return Law(
        lambda x: float(np.logaddexp(_log(zero) if x == 0 else -math.inf, _log(1 - zero) + law.log_density(x))),
        lambda x: zero * (x >= 0) + (1 - zero) * law.below(x),
        lambda x: zero * (x < 0) + (1 - zero) * law.above(x),
        (min(0, law.support[0]), law.support[1]),
        law.steps,
    )


def _hurdle(d: Distribution, p: dict[str, Any], place: Place) -> Law:
    """Zero with chance p; else the law cut to what lies above zero."""
    law, zero = d.inner[0].law(place), _chance(p)
    beyond = law.above(0)
    return Law(
        lambda x: _log(zero) if x == 0 else _log(1 - zero) + law.log_density(x) - _log(beyond) if x > 0 else -math.inf,
        lambda x: 0.0 if x < 0 else zero + (1 - zero) * (1 - law.above(x) / beyond),
        lambda x: 1.0 if x < 0 else (1 - zero) * law.above(x) / beyond,
        (0, law.support[1]),
        law.steps,
    )


_WRAPPED: dict[str, Callable[[Distribution, dict[str, Any], Place], Law]] = {
    "Censored": _censored, "Mixture": _mixture, "ZeroInflated": _zero_inflated, "Hurdle": _hurdle,
}  # fmt: skip
