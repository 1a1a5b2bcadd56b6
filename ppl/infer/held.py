"""model with points -> these estimated, then a ladder for the rest, given them: attempts, judged with the estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ppl.compile.blocks import candidates
from ppl.compile.joint import LogJoint, compile_joint
from ppl.infer import ladder, pipeline, watch
from ppl.infer.ladder import Attempt, Problem, Rung
from ppl.infer.search import NoStart
from ppl.infer.verdict import Evidence, judge
from ppl.language.errors import UsageError
from ppl.model import transforms
from ppl.model.graph import Model
from ppl.model.terms import inputs

if TYPE_CHECKING:
    from ppl.infer.em import Estimate

NAME = "point estimates"


def climb(
    problem: Problem, rungs: tuple[Rung, ...], alternate: bool = False
) -> tuple[Attempt, tuple[Attempt, ...], Estimate | None]:
    """The best attempt and all in order, and the estimate of points, if there are any; raises what `ladder.climb` does.

    `UsageError` where there are points and more coordinates than have a dense Hessian.

    `alternate` finds the points by steps of expectation and maximisation in turn.
    """
    if not problem.model.points:
        return (*ladder.climb(problem, rungs), None)
    from ppl.infer import em

    mode = rungs == ladder.GUIDES["point"]  # which depends on the coordinates: those of the rung
    joint = problem.joint
    if not mode:
        joint = compile_joint(problem.model, problem.summed, _shifted_by_points(problem.model))
    watch.enter(NAME)
    watch.coordinates(joint)
    try:
        found = em.estimate(joint, problem.seed, alternate, mode)
    except pipeline.TooLarge:
        raise UsageError(
            f"points and latents have {joint.dimension:,} unknown numbers together, and `Param` takes up to"
            f" {pipeline.MOST_SEEN:,}"
        ) from None
    except NoStart as error:
        raise ladder.Nowhere(joint, error.z) from None
    model = replace(problem.model, held=found.values)
    given: LogJoint = compile_joint(model, problem.summed)
    best, tried = ladder.climb(replace(problem, model=model, joint=given), rungs)
    judged = [_with(attempt, found) for attempt in tried]
    return judged[tried.index(best)], tuple(judged), found


def _shifted_by_points(model: Model) -> tuple[str, ...]:
    """The latents whose location and scale follow from points alone: non-centred, they have the same mean-field guides,
    and no neck where a scale goes to zero.
    """
    points = {latent.name for latent in model.points}
    able = candidates(model.latents)
    found = []
    for latent in model.latents:
        distributions = [piece.distribution for piece in latent.pieces]
        known = [transforms.LOCATION_SCALE.get(one.family.name) for one in distributions]
        by_element = all(one is not None and one.transform.event_rank == 0 for one in known)
        parents = {name for one in distributions for name in inputs(one.parameters)}
        if latent.name in able and by_element and parents <= points:
            found.append(latent.name)
    return tuple(found)


def _with(attempt: Attempt, estimate: Estimate) -> Attempt:
    """The attempt, judged by what is to be said of the points too."""
    found = attempt.found.approximation
    evidence = _joined(found.evidence, estimate)
    judged = replace(attempt.found, approximation=replace(found, evidence=evidence))
    return replace(attempt, found=judged, verdict=judge(evidence)[0])


def _joined(evidence: Evidence, estimate: Estimate) -> Evidence:
    where = dict(evidence.where)
    for key in ("unbounded", "tied"):
        where[key] = estimate.where[key]
    for key, counts in (("not_definite", estimate.not_definite), ("rivals", bool(estimate.rivals))):
        if counts:
            where[key] = tuple(
                dict.fromkeys((*estimate.where[key], *(where.get(key, ()) if getattr(evidence, key) else ())))
            )
    return replace(
        evidence,
        newton_step=max(evidence.newton_step, estimate.newton_step),
        not_definite=max(evidence.not_definite, float(estimate.not_definite)),
        draw_error=max(evidence.draw_error, estimate.draw_error),
        rivals=evidence.rivals + estimate.rivals,
        unbounded=int(estimate.unbounded),
        tied=int(estimate.tied),
        where=where,
    )
