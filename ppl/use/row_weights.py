"""fit, new rows, draws of what is shared -> log weights of each row at each value of its discrete latents.

The latents of a row are drawn from the encoder's guide where there is one, else from their prior: log p(row, latents |
shared) - log q(latents). The mean of the weights estimates the likelihood of the row (Burda et al. 2016), their shares
the probabilities of the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ppl.compile.by_value import expanded
from ppl.compile.extend import CannotExtend, Known, extended, in_order
from ppl.compile.joint import compile_joint
from ppl.compile.rowwise import Rowwise, rowwise
from ppl.language.errors import UsageError
from ppl.model.graph import Model
from ppl.model.terms import inputs
from ppl.report.record import Record
from ppl.rewrite.by_value import at_value
from ppl.rewrite.sum_out import sum_out
from ppl.use.reopened import Joined, Reopened

_AT_ONCE = 4_000_000  # elements
_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True, slots=True, eq=False)
class RowWeights:
    """`numbers` says of parts of the split's joint at which value of discrete latents they are."""

    record: Record
    joined: Joined
    again: Reopened | None
    split: Rowwise
    numbers: Mapping[int, int]

    def parts(self, draws: int, rng: np.random.Generator, some_rows: slice | None = None) -> Iterator[np.ndarray]:
        """Log weights (S, count, values) in nats of all new rows or a slice of them, some draws of what is shared after
        others, `draws` in all; minus infinity at values that a row does not have.
        """
        model, joined, split = self.joined.model, self.joined, self.split
        first_row, stop_row, _ = (some_rows or slice(None)).indices(joined.count)
        count, again = stop_row - first_row, None if self.again is None else self.again.at(slice(first_row, stop_row))
        wide = max([1, *(int(np.prod(split.joint.parts[i].log_prob.shape)) for i in split.parts)])
        per_row = max(1, wide // joined.axis.length)
        step = max(1, _AT_ONCE // max(per_row * count, *(int(np.prod(x.shape)) for x in model.latents), 1))
        held = {name: q for name, q in self.record.quantities.items() if q.role != "derived"}
        chosen = np.arange(draws) % len(self.record.chosen)
        rows = np.arange(joined.fitted + first_row, joined.fitted + stop_row)
        with np.errstate(all="ignore"):
            at = split.at(slice(joined.fitted + first_row, joined.fitted + stop_row))
            for first in range(0, draws, step):
                some = chosen[first : first + step]
                known = {name: Known(q.axes, q.draws[some]) for name, q in held.items()}
                values = _shared(model, self.again, known, len(some), rng)
                for name in values.keys() & split.local.keys():
                    values[name] = np.take(values[name], rows, axis=1 + split.local[name])
                log_q = np.zeros((1, 1, 1)) if again is None else _encoded(again, values, len(some), rng)
                tables = self._tables(at.log_probs(values), at.program.outputs, at.program.over_draws)
                whole = [np.broadcast_to(table, (len(some), count)) for table in tables]
                found = np.stack(whole, axis=2) - log_q
                if again is not None:
                    found = np.where(again.counts, found, -np.inf)
                yield np.where(np.isnan(found), -np.inf, found)

    def _tables(self, log_probs: list[Any], outputs: Any, over: Any) -> list[Any]:
        """Log densities of what is observed of each row and of its encoded latents (S, count), at each value."""
        encoded = set() if self.again is None else set(self.again.local)
        total: Any = 0.0
        by_value: dict[int, Any] = {}
        for number, (term, slot) in enumerate(zip(log_probs, outputs, strict=True)):
            part = self.split.joint.parts[self.split.parts[number]]
            place_of_value = self.numbers.get(self.split.parts[number])
            if place_of_value is None and not part.observed and part.name not in encoded:
                continue
            over_draws = slot in over
            place = self.split.templates.places[id(self.split.templates.wanted[number])] + int(over_draws)
            axes = tuple(k for k in range(int(over_draws), np.ndim(term)) if k != place)
            own = np.sum(term, axis=axes)
            own = own if over_draws else own[None]
            if place_of_value is None:
                total = total + own
            else:
                by_value[place_of_value] = by_value.get(place_of_value, 0.0) + own
        return [total + by_value[number] for number in sorted(by_value)] or [total]


def row_weights(record: Record, joined: Joined, again: Reopened | None) -> RowWeights:
    """Raises `UsageError` where rows have no likelihood of their own."""
    model = joined.model
    joint = compile_joint(model, sum_out(model))
    labelled = again is not None and again.values is not None
    more = expanded(model, joint, joined.axis, tuple(again.local) if again is not None and labelled else ())
    split = rowwise(joint if more is None else more.joint, joined.axis)
    if split is None:
        raise UsageError("nothing that is observed in this model goes by rows: there is nothing to evaluate by row")
    mixed = [split.joint.parts[i] for i in split.others if split.joint.parts[i].observed]
    if mixed:
        raise UsageError(f"`{mixed[0].name}` depends on several rows at once: no row stands alone")
    return RowWeights(record, joined, again, split, {} if more is None else more.numbers)


def _shared(
    model: Model, again: Reopened | None, known: Mapping[str, Known], draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:  # fmt: skip
    """Draws of all latents but the encoded ones; elements that the fit has not seen come from their priors."""
    encoded = set() if again is None else set(again.local)
    wanted = set(inputs([factor.log_prob for factor in model.observed]))
    values: dict[str, np.ndarray] = {}
    try:
        summed = {latent.name for latent in model.discrete}
        for latent in in_order(model, wanted):
            if latent.name not in encoded and latent.name not in summed:
                own = known.get(latent.name)
                values[latent.name] = extended(latent, own, values, draws, rng)
    except CannotExtend as error:
        raise UsageError(f"new rows cannot be evaluated: {error.why}") from None
    return values


def _encoded(again: Reopened, values: dict[str, np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Puts draws of the encoded latents at the new rows into `values`; log q - log Jacobian of each row (S, count,
    values), at each value of discrete latents.
    """
    found = []
    for number in range(again.mean.shape[1]):
        mean, sd = again.mean[:, number], again.sd[:, number]
        eps = rng.standard_normal((draws, *mean.shape))
        rows = mean + sd * eps
        log_q = (-0.5 * eps**2 - np.log(sd) - _HALF_LOG_TWO_PI).sum(axis=2)
        for name, local in again.local.items():
            called = name if again.values is None else at_value(name, number)
            values[called] = np.moveaxis(again.constrained(local, rows), 1, 1 + local.place)
            log_q -= again.log_jacobian(local, rows)
        found.append(log_q)
    return np.stack(found, axis=2)


def shares(weights: RowWeights, draws: int, rng: np.random.Generator) -> np.ndarray:
    """The probability of each value of discrete latents (count, values), over all draws."""
    whole = np.concatenate([logsumexp(part, axis=0)[None] for part in weights.parts(draws, rng)])
    total = logsumexp(whole, axis=0)
    return np.asarray(np.exp(total - logsumexp(total, axis=1, keepdims=True)))
