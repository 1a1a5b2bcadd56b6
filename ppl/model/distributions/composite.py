"""Distributions put together from others -> families: mixtures, inflated zeros, hurdles, censoring.

The parameters of such a family are its own and then, for each part, those of its form and its bounds, all in one list;
a part takes its share of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import SIMPLEX, UNIT, Family, Form, Parameter, Requirement, Support, canonical
from ppl.model.distributions.mass import log_mass
from ppl.model.distributions.means import mean_between
from ppl.model.distributions.truncated import draw_between
from ppl.numeric import reduce
from ppl.numeric.shape import stack
from ppl.numeric.special import log, log1mexp, log1p
from ppl.values import dataclass

LIMIT = Requirement("a number, infinite where there is no limit", lambda x: ~numpy.isnan(x), infinite=True)


@dataclass(frozen=True, slots=True)
class Part:
    """A family in one of its forms, with a lower and an upper bound or without."""

    family: Family
    form: Form
    sides: tuple[bool, bool] = (False, False)

    @property
    def size(self) -> int:
        """How many of the parameters are this part's."""
        return len(self.form.parameters) + sum(self.sides)

    def parameters(self, prefix: str, deeper: int = 0) -> tuple[Parameter, ...]:
        """Its parameters and bounds; `deeper` adds an axis on which the parts of a mixture stand side by side."""
        bounds = [Parameter(side, LIMIT) for side, given in zip(("lower", "upper"), self.sides, strict=True) if given]
        return tuple(
            replace(p, name=f"{prefix}{p.name}", event_rank=p.event_rank + deeper)
            for p in (*self.form.parameters, *bounds)
        )

    def log_prob(self, x: Any, given: Sequence[Any]) -> Any:
        """Its log density, bounds and their normalising constant included."""
        parameters, lower, upper = self.split(given)
        density = self.form.log_prob(x, *given[: len(self.form.parameters)])
        if lower is None and upper is None:
            return density
        if self.family.renormalised:
            density = density - log_mass(self.family, parameters, lower, upper)
        outside = (False if lower is None else x < lower) | (False if upper is None else x > upper)
        return np.where(outside, -numpy.inf, density)

    def log_cdf(self, x: Any, given: Sequence[Any]) -> Any:
        """log P(X <= x), without bounds."""
        assert self.family.log_cdf is not None
        return self.family.log_cdf(x, *self.split(given)[0])

    def log_sf(self, x: Any, given: Sequence[Any]) -> Any:
        """log P(X > x), without bounds."""
        assert self.family.log_sf is not None
        return self.family.log_sf(x, *self.split(given)[0])

    def draw(self, rng: numpy.random.Generator, shape: tuple[int, ...], given: Sequence[Any]) -> numpy.ndarray:
        parameters, lower, upper = self.split(given)
        if lower is None and upper is None:
            return self.family.draw(rng, shape, *parameters)
        return draw_between(self.family, shape, parameters, lower, upper, rng)

    def mean(self, given: Sequence[Any], above: Any = None) -> Any:
        """Its mean, bounds included; of counts from `above` on alone, where that is given. No number for none."""
        parameters, lower, upper = self.split(given)
        if above is not None:
            lower = above if lower is None else numpy.maximum(lower, above)
        if lower is None and upper is None:
            return numpy.nan if self.family.mean is None else self.family.mean(*parameters)
        shape = numpy.broadcast_shapes(*(numpy.shape(p) for p in (*parameters, lower, upper) if p is not None))
        return mean_between(self.family, shape, parameters, lower, upper)

    def split(self, given: Sequence[Any]) -> tuple[tuple[Any, ...], Any, Any]:
        """The canonical parameters, and the bounds, each or None."""
        count = len(self.form.parameters)
        rest = list(given[count:])
        lower, upper = (rest.pop(0) if side else None for side in self.sides)
        return canonical(self.form, tuple(given[:count])), lower, upper


def _numbered(parts: Sequence[Part]) -> tuple[Parameter, ...]:
    prefixes = [f"{i + 1}." if len(parts) > 1 else "" for i in range(len(parts))]
    return tuple(p for part, prefix in zip(parts, prefixes, strict=True) for p in part.parameters(prefix))


def _kind(parts: Sequence[Part]) -> str:
    kinds = {part.family.support.kind for part in parts}
    if "mixed" in kinds:
        return "mixed"
    return "integer" if kinds == {"integer"} else "real"


def _name(wrapper: str, parts: Sequence[Part]) -> str:
    return f"{wrapper}({', '.join(part.family.name for part in parts)})"


def mixture(parts: Sequence[Part]) -> Family:
    """`Mixture(weights, d1, d2, ...)`: the density is sum_k weights_k f_k(x)."""
    sizes = numpy.cumsum([0, *(part.size for part in parts)])

    def each(given: Sequence[Any]) -> list[tuple[Part, Sequence[Any]]]:
        return [(part, given[sizes[i] : sizes[i + 1]]) for i, part in enumerate(parts)]

    def log_prob(x: Any, weights: Any, *given: Any) -> Any:
        total = None
        for k, (part, own) in enumerate(each(given)):
            one = log(weights[..., k]) + part.log_prob(x, own)
            total = one if total is None else _log_add(total, one)
        return total

    def draw(rng: numpy.random.Generator, shape: tuple[int, ...], weights: Any, *given: Any) -> numpy.ndarray:
        chosen = _draw_part(rng, shape, weights)
        drawn = [numpy.broadcast_to(part.draw(rng, shape, own), shape) for part, own in each(given)]
        return numpy.take_along_axis(numpy.stack(drawn), chosen[None], axis=0)[0]

    def mean(weights: Any, *given: Any) -> Any:
        return sum(weights[..., k] * part.mean(own) for k, (part, own) in enumerate(each(given)))

    parameters = (Parameter("weights", SIMPLEX, event_rank=1), *_numbered(parts))
    return Family(_name("Mixture", parts), (Form(parameters, log_prob),), Support(_kind(parts)), draw, mean)


def mixture_of_one(part: Part) -> Family:
    """`Mixture(weights, d)`: the parts stand side by side on the last axis of the parameters."""

    def log_prob(x: Any, weights: Any, *given: Any) -> Any:
        return reduce.logsumexp(log(weights) + part.log_prob(np.expand_dims(x, -1), given), -1)

    def draw(rng: numpy.random.Generator, shape: tuple[int, ...], weights: Any, *given: Any) -> numpy.ndarray:
        count = numpy.shape(weights)[-1]
        chosen = _draw_part(rng, shape, weights)
        drawn = numpy.broadcast_to(part.draw(rng, (*shape, count), given), (*shape, count))
        return numpy.take_along_axis(drawn, chosen[..., None], axis=-1)[..., 0]

    def mean(weights: Any, *given: Any) -> Any:
        return numpy.sum(weights * part.mean(given), axis=-1)

    parameters = (Parameter("weights", SIMPLEX, event_rank=1), *part.parameters("", 1))
    return Family(_name("Mixture", [part]), (Form(parameters, log_prob),), Support(_kind([part])), draw, mean)


def zero_inflated(part: Part) -> Family:
    """`ZeroInflated(p, d)`: 0 with probability p, else from d, which may give zeros of its own."""
    if not part.family.discrete:
        return replace(hurdle(part), name=_name("ZeroInflated", [part]))

    def log_prob(x: Any, p: Any, *given: Any) -> Any:
        inside = log1p(-p) + part.log_prob(x, given)
        return np.where(x == 0, _log_add(log(p), inside), inside)

    def draw(rng: numpy.random.Generator, shape: tuple[int, ...], p: Any, *given: Any) -> numpy.ndarray:
        return numpy.where(rng.random(shape) < p, 0, part.draw(rng, shape, given))

    parameters = (Parameter("p", UNIT), *_numbered([part]))
    return Family(
        _name("ZeroInflated", [part]), (Form(parameters, log_prob),), Support("integer"), draw,
        mean=lambda p, *given: (1 - p) * part.mean(given),
    )  # fmt: skip


def hurdle(part: Part) -> Family:
    """`Hurdle(p, d)`: 0 with probability p, else from d without its zeros."""
    discrete = part.family.discrete

    def log_prob(x: Any, p: Any, *given: Any) -> Any:
        positive = np.where(x == 0, 1.0, x)
        inside = log1p(-p) + part.log_prob(positive, given)
        if discrete:
            inside = inside - log1mexp(part.log_prob(0.0 * positive, given))
        return np.where(x == 0, log(p), inside)

    def draw(rng: numpy.random.Generator, shape: tuple[int, ...], p: Any, *given: Any) -> numpy.ndarray:
        zero = rng.random(shape) < p
        if discrete:
            parameters, lower, upper = part.split(given)
            one = numpy.ones(()) if lower is None else numpy.maximum(lower, 1)
            drawn = draw_between(part.family, shape, parameters, one, upper, rng)
        else:
            drawn = part.draw(rng, shape, given)
        return numpy.where(zero, 0, drawn)

    parameters = (Parameter("p", UNIT), *_numbered([part]))
    support = Support("integer" if discrete else "mixed")
    return Family(
        _name("Hurdle", [part]), (Form(parameters, log_prob),), support, draw,
        mean=lambda p, *given: (1 - p) * part.mean(given, 1.0 if discrete else None),
    )  # fmt: skip


def censored(part: Part, sides: tuple[bool, bool]) -> Family:
    """`Censored(d, lower = a, upper = b)`: values beyond a limit are seen as the limit itself."""
    given_sides = [side for side, there in zip(("lower", "upper"), sides, strict=True) if there]
    discrete = part.family.discrete

    def limits(given: Sequence[Any]) -> tuple[Any, Any, Sequence[Any]]:
        rest = list(given[: len(given_sides)])
        lower, upper = (rest.pop(0) if side else None for side in sides)
        return lower, upper, given[len(given_sides) :]

    def log_prob(x: Any, *given: Any) -> Any:
        lower, upper, own = limits(given)
        density = part.log_prob(x, own)
        if lower is not None:
            tail = part.log_cdf(np.where(numpy.isfinite(lower), lower, 0.0), own)
            density = np.where(x == lower, tail, np.where(x < lower, -numpy.inf, density))
        if upper is not None:
            at = np.where(numpy.isfinite(upper), upper, 0.0)
            tail = part.log_sf(at - 1 if discrete else at, own)
            density = np.where(x == upper, tail, np.where(x > upper, -numpy.inf, density))
        return density

    def draw(rng: numpy.random.Generator, shape: tuple[int, ...], *given: Any) -> numpy.ndarray:
        lower, upper, own = limits(given)
        drawn = part.draw(rng, shape, own)
        return numpy.clip(drawn, lower, upper) if given_sides else drawn

    def mean(*given: Any) -> Any:
        """Each limit with the probability beyond it, and the mean of what lies between them."""
        lower, upper, own = limits(given)
        own_parameters = part.split(own)[0]
        shape = numpy.broadcast_shapes(*(numpy.shape(p) for p in given))
        below, above = numpy.zeros(shape), numpy.zeros(shape)
        if lower is not None:
            below = numpy.broadcast_to(numpy.exp(part.log_cdf(lower - 1 if discrete else lower, own)), shape)
        if upper is not None:
            above = numpy.broadcast_to(numpy.exp(part.log_sf(upper, own)), shape)
        between = 1 - below - above
        inside = mean_between(part.family, shape, own_parameters, lower, upper)
        total = numpy.where(between > 0, between * inside, 0.0)
        for limit, share in ((lower, below), (upper, above)):
            total = total if limit is None else total + numpy.where(share > 0, share * limit, 0.0)
        return total

    parameters = (*(Parameter(side, LIMIT) for side in given_sides), *_numbered([part]))
    support = Support("integer" if discrete else "mixed")
    return Family(_name("Censored", [part]), (Form(parameters, log_prob),), support, draw, mean)


def _log_add(a: Any, b: Any) -> Any:
    return reduce.logsumexp(stack(-1, a, b), -1)


def _draw_part(rng: numpy.random.Generator, shape: tuple[int, ...], weights: Any) -> numpy.ndarray:
    cumulated = numpy.cumsum(numpy.broadcast_to(weights, (*shape, weights.shape[-1])), axis=-1)
    return numpy.asarray((rng.random(shape)[..., None] * cumulated[..., -1:] >= cumulated).sum(axis=-1))
