"""model, approximation of its posterior -> record: what a fit leaves behind."""

from __future__ import annotations

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Column
from ppl.infer import importance, pipeline
from ppl.infer.doubts import listed
from ppl.infer.draws import generator
from ppl.infer.ladder import Attempt
from ppl.infer.verdict import Finding, Verdict, judge
from ppl.model.graph import Model, edges_between
from ppl.report import given
from ppl.report.quantities import Streams, probabilities, quantities
from ppl.report.record import Checked, Observed, Record, Tried
from ppl.report.summarise import with_tails
from ppl.version import VERSION


def recorded(
    model: Model, best: Attempt, tried: tuple[Attempt, ...], seed: int, draws: int, out: tuple[str, ...],
    seconds: float, data: given.Given,
) -> Record:  # fmt: skip
    """The record of the best attempt, with as many equally weighted draws as were asked for."""
    found, joint = best.found.approximation, best.found.joint
    weights = found.weights.weights
    counting = np.flatnonzero(weights > 0)
    resampled = importance.resample(weights[counting], draws, generator(seed, pipeline.RESAMPLING))
    streams = Streams(pipeline.SIMULATION, pipeline.DISCRETE)
    shown, behind_sds = quantities(model, joint, found.z[counting], weights[counting], resampled, seed, streams, out)
    verdict, findings = judge(with_tails(found.evidence, behind_sds))
    reasons = tuple(
        f"{finding.sentence}; {finding.rule.remedy}" for finding in findings if finding.verdict != Verdict.GOOD
    )
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    return Record(
        model=model.source.name, model_text=model.source.text, sources=model.data.sources,
        seed=seed, verdict=verdict.value, reasons=reasons, pareto_k=found.weights.pareto_k, elbo=found.elbo,
        evaluations=sum(attempt.found.approximation.evaluations for attempt in tried), seconds=seconds,
        newton_step=found.evidence.newton_step, draw_error=found.evidence.draw_error,
        effective_draws=found.weights.effective, version=VERSION, quantities=shown,
        observed=_observed(model), log_weights=log_weights, chosen=counting[resampled], left_out=out,
        probabilities=probabilities(model, joint, found.z, weights),
        tried=tuple(_tried(attempt, attempt is best) for attempt in tried),
        rules=tuple(_checked(finding, model) for finding in findings), given=data,
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
