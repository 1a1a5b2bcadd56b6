"""model, approximation of its posterior -> record: what a fit leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Column
from ppl.infer import importance, pipeline, propriety
from ppl.infer.doubts import listed
from ppl.infer.draws import generator
from ppl.infer.ladder import Attempt
from ppl.infer.verdict import Finding, Verdict, judge
from ppl.infer.watch import Late, current
from ppl.model.graph import Model, edges_between
from ppl.report import given
from ppl.report.deep import Deep
from ppl.report.quantities import Streams, probabilities, quantities
from ppl.report.record import Checked, Observed, Record, Tried
from ppl.report.summarise import as_point, with_tails
from ppl.values import dataclass
from ppl.version import VERSION

if TYPE_CHECKING:
    from ppl.infer.em import Estimate

_FEW, _FEWEST, _NUMBERS = 1000, 100, 2_000_000  # draws in a record that must be made at once, and their numbers


@dataclass(frozen=True, slots=True, eq=False)
class Climbed:
    """What the ladder gave, in so many seconds, from a seed and data; before it the `points` were estimated, if there
    are any, and their standard errors may be `wanted`.
    """

    best: Attempt
    tried: tuple[Attempt, ...]
    seed: int
    seconds: float
    data: given.Given
    points: Estimate | None = None
    wanted: bool = False
    deep: Deep | None = None  # of a stochastic fit, which has found the points with all the rest


def recorded_in_time(model: Model, climbed: Climbed, draws: int, out: tuple[str, ...]) -> Record:
    """The record; one in haste where the fit was interrupted and that takes too long."""
    watch = current()
    if watch is None:
        return recorded(model, climbed, draws, out)
    watch.finishing = True
    try:
        return recorded(model, climbed, draws, out)
    except Late:
        return in_haste(model, climbed, draws)
    finally:
        watch.finishing = False


def in_haste(model: Model, climbed: Climbed, draws: int) -> Record:
    """The record of a few draws, without simulated and derived names."""
    best = climbed.best
    found = best.found.approximation
    few = min(draws, int(np.clip(_NUMBERS // max(1, found.z.shape[1]), _FEWEST, _FEW)))
    chosen = importance.resample(found.weights.weights, few, generator(climbed.seed, pipeline.RESAMPLING))
    weights = replace(found.weights, weights=np.full(few, 1 / few))
    thinned = replace(best, found=replace(best.found, approximation=replace(found, z=found.z[chosen], weights=weights)))
    tried = tuple(thinned if attempt is best else attempt for attempt in climbed.tried)
    out = (*(latent.name for latent in model.simulated), *model.derived)
    return recorded(model, replace(climbed, best=thinned, tried=tried), few, out)


def recorded(model: Model, climbed: Climbed, draws: int, out: tuple[str, ...]) -> Record:
    """The best attempt with as many equally weighted draws as were asked for, without the names `out`."""
    best, tried, seed = climbed.best, climbed.tried, climbed.seed
    found, joint = best.found.approximation, best.found.joint
    weights = found.weights.weights
    counting = np.flatnonzero(weights > 0)
    resampled = importance.resample(weights[counting], draws, generator(seed, pipeline.RESAMPLING))
    streams = Streams(pipeline.SIMULATION, pipeline.DISCRETE)
    shown, behind_sds = quantities(model, joint, found.z[counting], weights[counting], resampled, seed, streams, out)
    if climbed.points is not None:
        shown |= {
            name: as_point(shown[name], error if climbed.wanted else None)
            for name, error in climbed.points.standard_errors.items()
        }
    elif climbed.deep is not None:
        shown |= {latent.name: as_point(shown[latent.name], None) for latent in model.points}
    evidence = propriety.of_all(found.evidence, [attempt.found.approximation.evidence for attempt in tried])
    verdict, findings = judge(with_tails(evidence, behind_sds))
    reasons = tuple(
        f"{finding.sentence}; {finding.rule.remedy}" for finding in findings if finding.verdict != Verdict.GOOD
    )
    spent = sum(attempt.found.approximation.evaluations for attempt in tried)
    spent += 0 if climbed.points is None else climbed.points.evaluations
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    return Record(
        model=model.source.name, model_text=model.source.text, sources=model.data.sources,
        seed=seed, verdict=verdict.value, reasons=reasons, pareto_k=found.weights.pareto_k, elbo=found.elbo,
        evaluations=spent, seconds=climbed.seconds,
        newton_step=found.evidence.newton_step, draw_error=found.evidence.draw_error,
        effective_draws=found.weights.effective, version=VERSION, quantities=shown,
        observed=_observed(model), log_weights=log_weights, chosen=counting[resampled], left_out=out,
        probabilities=probabilities(model, joint, found.z, weights),
        tried=tuple(_tried(attempt, attempt is best) for attempt in tried),
        rules=tuple(_checked(finding, model) for finding in findings), given=climbed.data,
        deep=climbed.deep,
    )  # fmt: skip


def _observed(model: Model) -> dict[str, Observed]:
    """What was observed, as it was given: whole columns, with their levels; and the values of expressions."""
    found: dict[str, Observed] = {}
    for factor in model.observed:
        value, distribution = factor.value, factor.distribution
        assert value is not None and distribution is not None
        column = model.data.columns.get(factor.name.split("[")[0].strip("`"))
        if column is not None:
            found.setdefault(column.name, Observed(column.name, column.axes, _as_given(column)))
            continue
        plates = tuple(Axis(plate.name, plate.length) for plate in value.plates)
        values = np.asarray(value.value)
        if distribution.family.support.kind == "category":
            values = values + 1
        found[factor.name] = Observed(factor.name, (*plates, *value.axes), values)
    return found


def _as_given(column: Column) -> np.ndarray:
    """A column's values: texts for levels, and for missing cells NaN or an empty text."""
    if column.levels is not None:
        texts = np.array([*column.levels, ""])
        return np.asarray(texts[column.values])  # a missing one is at -1
    return column.values if column.missing is None else np.where(column.missing, np.nan, column.values)


def _tried(attempt: Attempt, taken: bool) -> Tried:
    found = attempt.found.approximation
    return Tried(
        attempt.title, attempt.verdict.value, found.weights.pareto_k, found.elbo, found.evaluations, attempt.seconds,
        taken, found.path,
    )  # fmt: skip


def _checked(finding: Finding, model: Model) -> Checked:
    rule, verdict = finding.rule, finding.verdict
    number = None if finding.value is None else float(finding.value)
    sentence = "" if verdict == Verdict.GOOD else finding.sentence
    blamed = () if verdict == Verdict.GOOD else finding.where
    names = listed(blamed) if blamed else ""
    edges = ", ".join(f"`{parent} -> {child}`" for parent, child in edges_between(model, blamed))
    return Checked(rule.name, number, rule.good, rule.usable, verdict.value, names, sentence, rule.remedy, edges)
