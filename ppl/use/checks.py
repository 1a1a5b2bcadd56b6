"""fit, model, data -> replicated data, and how test statistics of the observed ones stand among theirs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from ppl.compile.replicate import CannotReplicate, check_replicable, column_of, replicate
from ppl.data.axes import Axis
from ppl.data.dataset import Dataset
from ppl.infer.draws import generator
from ppl.language.errors import UsageError
from ppl.model.graph import Factor, Model
from ppl.report.record import Record
from ppl.report.tables import aligned, decimals, number
from ppl.use.again import check_draws, count_of, draws_of
from ppl.use.series import Series, own_past, series_of
from ppl.values import dataclass

_REPLICATES = 220  # a stream of random numbers
_AT_ONCE = 4_000_000  # numbers that are replicated together
_MOST_CATEGORIES = 12  # whose shares are statistics of their own

Statistic = Callable[[np.ndarray], np.ndarray]  # (S, elements) -> (S,)
OF_NUMBERS: dict[str, Statistic] = {
    "mean": lambda y: y.mean(axis=1),
    "sd": lambda y: y.std(axis=1, ddof=1) if y.shape[1] > 1 else np.zeros(len(y)),
    "min": lambda y: y.min(axis=1),
    "median": lambda y: np.median(y, axis=1),
    "max": lambda y: y.max(axis=1),
}
OF_COUNTS: dict[str, Statistic] = {**OF_NUMBERS, "share of zeros": lambda y: (y == 0).mean(axis=1)}
OF_TRUTHS: dict[str, Statistic] = {"share of ones": lambda y: y.mean(axis=1)}


@dataclass(frozen=True, slots=True)
class Check:
    """One test statistic: its `observed` value, its mean and its 5 % and 95 % quantiles over replicated data.

    `p` is the share of replicated data whose statistic is larger, of those equal to it one half. `rows` says so where
    all of this is about some rows of a stream: `10,003 of 2,000,000 rows`.
    """

    name: str
    statistic: str
    observed: float
    mean: float
    q5: float
    q95: float
    p: float
    rows: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """An observed name, its `values` (elements,) without the missing ones, which `kept` tells from the others over its
    `axes`; categories count from 1. A `series` is drawn forward.
    """

    factor: Factor
    values: np.ndarray
    axes: tuple[Axis, ...]
    kept: np.ndarray
    series: Series | None


def outcomes(model: Model, data: Dataset) -> dict[str, Outcome]:
    """What can be replicated, by name. Raises `UsageError`."""
    try:
        series = {name: series_of(model, data, name) for name in own_past(model)}
        check_replicable(model, data, beside_observed=True, leave=series)
    except CannotReplicate as error:
        raise UsageError(f"the data cannot be replicated, because {error.why}") from None
    found = {}
    for factor in model.observed:
        name = column_of(factor)
        one = series.get(name)
        if one is not None:
            found[name] = Outcome(factor, one.seen, one.column.axes, one.drawn, one)
            continue
        assert factor.value is not None and factor.distribution is not None
        values = np.asarray(factor.value.value, dtype=np.float64)
        kept = np.ones(values.shape, dtype=bool) if factor.missing is None else ~np.asarray(factor.missing)
        categories = factor.distribution.family.support.kind == "category"
        found[name] = Outcome(factor, (values + 1 if categories else values)[kept], factor.axes, kept, None)
    return found


def replicated(
    model: Model, data: Dataset, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator,
    found: Mapping[str, Outcome],
) -> Iterator[dict[str, np.ndarray]]:  # fmt: skip
    """Replicated data (some of S, elements) by name, the missing left out, in bounded pieces. Of long series fewer than
    S are drawn. Raises `UsageError`.
    """
    series = {name: outcome.series for name, outcome in found.items() if outcome.series is not None}
    draws = min([draws, *(one.most_draws(draws) for one in series.values())])
    step = max(1, _AT_ONCE // max(outcome.kept.size for outcome in found.values()))
    for first in range(0, draws, step):
        some = {name: value[first : first + step] for name, value in values.items()}
        count = min(step, draws - first)
        made = replicate(model, data, some, count, rng, beside_observed=True, leave=series)
        flat = {name: y.reshape(count, -1)[:, found[name].kept.reshape(-1)] for name, y in made.items()}
        try:
            yield flat | {name: one.replicates(some, count, rng) for name, one in series.items()}
        except CannotReplicate as error:
            raise UsageError(f"the data cannot be replicated, because {error.why}") from None


def statistics_for(outcome: Outcome) -> dict[str, Statistic]:
    """Which statistics tell of what a statement observes."""
    factor = outcome.factor
    assert factor.distribution is not None
    family = factor.distribution.family
    if family.support.kind == "category":
        return _of_categories(factor, outcome.values)
    if family.name == "Bernoulli":
        return OF_TRUTHS
    own = OF_COUNTS if family.discrete else OF_NUMBERS
    in_order = outcome.series is not None or factor.distribution.event_rank == 1
    return {**own, **OF_SERIES} if in_order and len(outcome.axes) == 1 else own


def _lagged(y: np.ndarray) -> np.ndarray:
    """The correlation of each element with the one before."""
    if y.shape[1] < 3:
        return np.zeros(len(y))
    centred = y - y.mean(axis=1, keepdims=True)
    return np.asarray((centred[:, 1:] * centred[:, :-1]).sum(axis=1) / (centred**2).sum(axis=1))


OF_SERIES: dict[str, Statistic] = {"correlation at lag 1": _lagged}


def _of_categories(factor: Factor, observed: np.ndarray) -> dict[str, Statistic]:
    assert factor.value is not None and factor.distribution is not None
    levels = factor.value.levels
    count = max(factor.distribution.categories, int(observed.max(initial=1)))

    def share(category: int) -> Statistic:
        return lambda y: (y == category).mean(axis=1)

    names = levels if levels is not None and len(levels) == count else tuple(str(i + 1) for i in range(count))
    return {f"share of {names[i]}": share(i + 1) for i in range(min(count, _MOST_CATEGORIES))}


def check(
    model: Model, data: Dataset, values: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator
) -> tuple[Check, ...]:
    """Every statistic of every observed name, over S draws (S, *shape) of the latents. Raises `UsageError`."""
    known = outcomes(model, data)
    asked = {name: statistics_for(outcome) for name, outcome in known.items()}
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for piece in replicated(model, data, values, draws, rng, known):
        for name, y in piece.items():
            for title, statistic in asked[name].items():
                with np.errstate(all="ignore"):
                    found.setdefault((name, title), []).append(statistic(y))
    checks = []
    for (name, title), parts in found.items():
        observed = float(asked[name][title](known[name].values[None])[0])
        checks.append(_judged(name, title, observed, np.concatenate(parts)))
    return tuple(checks)


def _judged(name: str, title: str, observed: float, over_draws: np.ndarray) -> Check:
    q5, q95 = np.quantile(over_draws, [0.05, 0.95], method="inverted_cdf")
    near = np.isclose(over_draws, observed, rtol=1e-9, atol=0.0)
    p = ((over_draws > observed) & ~near).mean() + 0.5 * near.mean()
    with np.errstate(invalid="ignore"):
        return Check(name, title, observed, float(over_draws.mean()), float(q5), float(q95), float(p))


def as_text(checks: tuple[Check, ...]) -> str:
    rows: list[tuple[str, ...]] = [("", "statistic", "observed", "mean", "5%", "95%", "p")]
    for one in checks:
        digits = decimals((one.q95 - one.q5) / 3.3)
        told = [number(value, digits) for value in (one.observed, one.mean, one.q5, one.q95)]
        rows.append((one.name, one.statistic, *told, f"{one.p:.3f}"))
    width = max(len(row[1]) for row in rows)
    notes = [
        f"\nof {known}: those that the fit holds of its stream"
        for known in sorted({one.rows for one in checks})
        if known
    ]
    return "\n".join([*aligned([(row[0], row[1].ljust(width), *row[2:]) for row in rows]), *notes])


def as_json(checks: tuple[Check, ...]) -> str:
    return json.dumps(told(checks), ensure_ascii=False, indent=1)


def told(checks: tuple[Check, ...]) -> dict[str, dict[str, dict[str, float | str | None]]]:
    """By name and statistic; a number that JSON cannot hold is None."""
    found: dict[str, dict[str, dict[str, float | str | None]]] = {}
    for one in checks:
        numbers = {key: getattr(one, key) for key in ("observed", "mean", "q5", "q95", "p")}
        plain = {key: value if math.isfinite(value) else None for key, value in numbers.items()}
        found.setdefault(one.name, {})[one.statistic] = {**plain, **({"rows": one.rows} if one.rows else {})}
    return found


def of_fit(record: Record, model: Model, data: Dataset, seed: int) -> tuple[Check, ...]:
    """The checks of a fit, over all its draws; of a stream those of the rows that it holds. Raises `UsageError`."""
    check_draws(record, model, record.model)
    found = check(model, data, draws_of(record), count_of(record), generator(seed, _REPLICATES))
    return tuple(replace(one, rows=record.given.sampled) for one in found)


def replicates(record: Record, model: Model, data: Dataset, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Replicated data (S, elements) of every observed name, the missing left out; S is at most that of the fit."""
    check_draws(record, model, record.model)
    draws = min(draws, count_of(record))
    values = {name: value[:draws] for name, value in draws_of(record).items()}
    known = outcomes(model, data)
    pieces = list(replicated(model, data, values, draws, generator(seed, _REPLICATES), known))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
