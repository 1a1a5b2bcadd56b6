"""fits, their models -> leave-one-out cross-validation of each, and their differences."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np

from ppl.compile.likelihood import LogLikelihood, NoLikelihood, log_likelihood
from ppl.data.row_groups import RowStream
from ppl.infer.draws import generator
from ppl.infer.loo import Loo, Sample, error_of_sum, joined, loo, thinned
from ppl.language.errors import UsageError
from ppl.model.graph import Model
from ppl.report.record import Record, label_all
from ppl.use.again import check_draws, count_of, draws_of
from ppl.use.loo_stream import loo_of_stream
from ppl.values import dataclass

_MOST_LISTED = 8
_THINNING = 240  # a stream of random numbers
_MOST_NUMBERS, _FEWEST_DRAWS = 200_000_000, 1000  # log likelihoods of all elements at all draws
_SMALL = 4.0  # nats of a difference below which its standard error says little (Sivula, Magnusson, Vehtari 2020)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One fit with its cross-validation; `labels` name the N elements that were left out in turn, `points` what was
    estimated once, from all of them.
    """

    name: str
    labels: Sequence[str]
    loo: Loo
    verdict: str
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A fit among others: how much less it is worth than the best, in nats, and the standard error of that."""

    held: Held
    difference: float
    se: float


def hold_out(record: Record, model: Model, name: str, rows: RowStream | None = None) -> Held:
    """`rows` are all those of a fit that read them as a stream, in place of the few that it holds.

    Raises `UsageError` where elements have no likelihood of their own, and where rows are needed.
    """
    if not model.observed:
        raise UsageError(f"{name}: no name is observed; a `factor` cannot be left out")
    check_draws(record, model, name)
    share = 1.0
    if record.given.of_rows:
        if rows is None:
            told = (
                f"{name} holds {record.given.sampled} of the stream that it is a fit of, and all are left out in turn"
            )
            raise UsageError(f"{told}: give them again, --data FILE ({', '.join(record.sources)})")
        assert rows.data.rows is not None
        share = rows.groups.rows / rows.data.rows.length
    first, sample = thinned(record.log_weights, record.chosen)
    elements = int(share * sum(int(np.prod(factor.log_prob.shape)) for factor in model.observed))
    affordable = max(_FEWEST_DRAWS, _MOST_NUMBERS // max(elements, 1))
    if affordable < len(first):
        some, sample = sample.thinned(affordable, generator(record.seed, _THINNING))
        first = first[some]
    draws = {latent: values[first] for latent, values in draws_of(record).items()}
    try:
        if rows is None or not record.given.of_rows:
            labels, whole = _of_all(log_likelihood(model, draws, len(first)), sample)
        else:
            labels, whole = loo_of_stream(record, rows, draws, sample, elements)
    except NoLikelihood as error:
        raise UsageError(f"{name}: nothing can be left out: {error.why}") from None
    points = tuple(quantity.name for quantity in record.quantities.values() if quantity.role == "point")
    return Held(name, labels, whole, record.verdict, points)


def _of_all(found: Sequence[LogLikelihood], sample: Sample) -> tuple[Sequence[str], Loo]:
    labels: list[str] = []
    parts = []
    for one in found:
        counts = one.counts.reshape(-1)
        labels += [label for label, counted in zip(label_all(one.name, one.axes), counts, strict=True) if counted]
        parts.append(loo(one.by_element, sample))
    return tuple(labels), joined(parts)


def log_likelihoods(record: Record, model: Model) -> dict[str, np.ndarray]:
    """The log density (S, *shape) of each observed element, in nats, at all draws. Raises `UsageError`."""
    if record.given.of_rows:
        told = f"{record.model} is a fit of a stream, of which it holds {record.given.sampled}"
        raise UsageError(f"{told}: `fit.loo()` and `fit.evaluate(DATA)` go through all, a few at a time")
    check_draws(record, model, record.model)
    try:
        found = log_likelihood(model, draws_of(record), count_of(record))
    except NoLikelihood as error:
        raise UsageError(f"there is no log likelihood by element: {error.why}") from None
    return {one.name: one.values for one in found}


def check_comparable(fits: Sequence[tuple[str, Record]]) -> None:
    """Raises `UsageError` for fits that observe different names, or different values of them.

    Of streams the values are not looked at: that they are those of one file is seen where all rows are read.
    """
    (first_name, first), *others = fits
    for name, record in others:
        mine, theirs = record.observed, first.observed
        if mine.keys() != theirs.keys():
            shown = [", ".join(f"`{key}`" for key in sorted(observed)) for observed in (theirs, mine)]
            raise UsageError(
                f"{first_name} observes {shown[0]}, and {name} {shown[1]}: only fits of the same are compared"
            )
        for key, found in mine.items():
            other = theirs[key].values
            if record.given.of_rows or first.given.of_rows:
                continue
            kind = found.values.dtype.kind
            if (kind == "U") != (other.dtype.kind == "U") or not np.array_equal(found.values, other, kind != "U"):
                raise UsageError(f"{first_name} and {name} are fits of different data: `{key}` differs")


def compare(held: Sequence[Held]) -> tuple[Place, ...]:
    """The fits from best to worst. Raises `UsageError` where they do not leave out the same elements."""
    for other in held[1:]:
        if len(other.labels) != len(held[0].labels):
            raise UsageError(
                f"{held[0].name} has {len(held[0].labels):,} observed elements, and {other.name}"
                f" {len(other.labels):,}: only fits of the same are compared"
            )
    ordered = sorted(held, key=lambda one: -one.loo.total)
    best = ordered[0].loo.elpd
    return tuple(Place(one, float((one.loo.elpd - best).sum()), error_of_sum(one.loo.elpd - best)) for one in ordered)


def as_text(found: Held) -> str:
    """What one fit is worth."""
    own = found.loo
    rows = [
        ("elpd", f"{own.total:.1f}", f"{own.se:.1f}"),
        ("p_loo", f"{own.effective_parameters:.1f}", ""),
    ]
    lines = [f"{'':8}{'estimate':>10}{'se':>8}", *(f"{name:8}{a:>10}{b:>8}".rstrip() for name, a, b in rows)]
    lines.append(f"\n{len(found.labels):,} observed elements, the largest Pareto k {own.k.max():.2f}")
    return "\n".join([*lines, *_doubts([found])])


def compared_as_text(places: Sequence[Place]) -> str:
    width = max(len(place.held.name) for place in places)
    head = f"{''.ljust(width)}{'elpd':>10}{'se':>8}{'difference':>12}{'its se':>8}{'p_loo':>8}{'bad k':>9}"
    lines = [head]
    for place in places:
        own, difference = place.held.loo, round(place.difference, 1) + 0.0  # no minus before a zero
        lines.append(
            f"{place.held.name.ljust(width)}{own.total:10.1f}{own.se:8.1f}{difference:12.1f}{place.se:8.1f}"
            f"{own.effective_parameters:8.1f}{own.bad:9d}"
        )
    small = [place.held.name for place in places[1:] if abs(place.difference) < _SMALL]
    if small:
        lines.append(f"\n{', '.join(small)}: less than {_SMALL:g} nats from the best, which is hardly any difference")
    return "\n".join([*lines, *_doubts([place.held for place in places])])


def _doubts(held: Sequence[Held]) -> list[str]:
    """What speaks against the numbers."""
    lines = []
    for one in held:
        worst = np.flatnonzero(one.loo.k > one.loo.good)
        if len(worst):
            worst = worst[np.argsort(-one.loo.k[worst], kind="stable")]
            shown = ", ".join(f"{one.labels[i]} ({one.loo.k[i]:.2f})" for i in worst[:_MOST_LISTED])
            more = f" and {len(worst) - _MOST_LISTED} more" if len(worst) > _MOST_LISTED else ""
            lines.append(f"{one.name}: not to be relied on where Pareto k is above {one.loo.good:.2g}: {shown}{more}")
        if one.points:
            names = ", ".join(one.points)
            lines.append(f"{one.name}: {names} stay as estimated from all elements: elpd is too high, p_loo too low")
        if one.verdict == "do not use":
            lines.append(f"{one.name}: the verdict of this fit is `do not use`, and so is what follows from it")
    return lines


def as_json(places: Sequence[Place]) -> str:
    """Every fit with its total and its elements, from best to worst."""
    return json.dumps([_told(place) for place in places], ensure_ascii=False, indent=1)


def _told(place: Place) -> dict[str, object]:
    own = place.held.loo
    elements = {
        label: {"elpd": _plain(elpd), "pareto_k": _plain(k)}
        for label, elpd, k in zip(place.held.labels, own.elpd, own.k, strict=True)
    }
    return {
        "fit": place.held.name, "verdict": place.held.verdict, "elpd": _plain(own.total), "se": _plain(own.se),
        "p_loo": _plain(own.effective_parameters), "difference": _plain(place.difference),
        "se_difference": _plain(place.se), "good_k": own.good, "bad_k": own.bad, "elements": elements,
    }  # fmt: skip


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
