"""problem, rungs -> record of a fit by the ladder: points estimated, rungs climbed, judged, with draws of all names."""

from __future__ import annotations

import time

from ppl.compile.blocks import candidates
from ppl.infer import held, ladder, pipeline, watch
from ppl.language.errors import ModelError, UsageError
from ppl.model.graph import Model
from ppl.report.given import Given
from ppl.report.record import Record
from ppl.report.recorded import Climbed, recorded_in_time


def rungs_of(model: Model, guide: str) -> tuple[ladder.Rung, ...]:
    """Raises `UsageError` where there is no such guide, or this model has nothing for it."""
    if guide not in ladder.GUIDES:
        raise UsageError(f"guide must be one of {', '.join(ladder.GUIDES)}, not {guide!r}")
    if guide == "noncentred" and not candidates(model.latents):
        raise UsageError(
            "guide noncentred: no latent of this model has a location or scale that is itself inferred; use auto"
        )
    return ladder.GUIDES[guide]


def fitted(
    problem: ladder.Problem, rungs: tuple[ladder.Rung, ...], out: tuple[str, ...], given: Given, standard_errors: bool,
    em: bool,
) -> Record:  # fmt: skip
    """Without draws of the names `out`. Raises `ModelError`, `UsageError`."""
    start, joint = time.perf_counter(), problem.joint
    now = watch.current()
    assert now is not None
    now.inferring = True
    try:
        best, tried, points = held.climb(problem, rungs, em)
    except pipeline.TooLarge:
        most = pipeline.MOST_ELEMENTS // joint.dimension
        fewer = f"at most {most:,} draws of so many fit into memory" if most >= 100 else "that is too many"
        if joint.dimension > pipeline.MOST_COORDINATES:
            fewer = f"a fit takes up to {pipeline.MOST_COORDINATES:,}"
        raise UsageError(f"the latents have {joint.dimension:,} unknown numbers: {fewer}") from None
    except ladder.Nowhere as error:
        from ppl.compile.nowhere import why_not_finite

        raise ModelError(problem.model.source, [why_not_finite(problem.model, error.joint, error.z)]) from None
    finally:
        now.inferring = False
    climbed = Climbed(best, tried, problem.seed, time.perf_counter() - start, given, points, standard_errors)
    return recorded_in_time(problem.model, climbed, problem.draws, out)
