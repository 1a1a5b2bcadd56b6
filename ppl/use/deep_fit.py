"""model, what is asked for -> record of a stochastic fit: trained, judged, with draws of all names."""

from __future__ import annotations

import time

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.compile.nowhere import why_not_finite
from ppl.infer import watch
from ppl.infer.ladder import Attempt, Found, Nowhere
from ppl.infer.stochastic.fit import Fitted, fit
from ppl.infer.stochastic.train import REASONS
from ppl.infer.stochastic.wish import Wish
from ppl.infer.verdict import judge
from ppl.language.errors import ModelError
from ppl.model.graph import Model
from ppl.report.deep import Deep
from ppl.report.given import Given
from ppl.report.quantities import left_out
from ppl.report.record import Record
from ppl.report.recorded import Climbed, recorded_in_time

_MOST_NUMBERS = 5_000_000  # of the draws of all coordinates
_FEWEST = 100


def fitted(
    model: Model, joint: LogJoint, wish: Wish, seed: int, draws: int, keep_all: bool, given: Given, why: str
) -> Record:  # fmt: skip
    """`why` says that nobody asked for stochastic gradients. Raises `UsageError` and `ModelError`."""
    start = time.perf_counter()
    kept = min(draws, max(_FEWEST, _MOST_NUMBERS // max(1, joint.dimension)))
    out = left_out(model, kept, keep_all)
    thinned = f"{kept:,} draws are kept, not {draws:,}: there are {joint.dimension:,} coordinates"
    notes: tuple[str, ...] = () if kept == draws else (thinned,)
    now = watch.current()
    assert now is not None
    now.inferring = True
    try:
        found = fit(model, joint, wish, seed, kept)
    except Nowhere as error:
        raise ModelError(model.source, [why_not_finite(model, error.joint, error.z)]) from None
    finally:
        now.inferring = False
    verdict, seconds = judge(found.approximation.evidence)[0], time.perf_counter() - start
    attempt = Attempt("stochastic", Found(joint, found.approximation, wish.amortise), verdict, seconds)
    climbed = Climbed(attempt, (attempt,), seed, seconds, given, deep=deep_of(model, found, why, notes))
    return recorded_in_time(model, climbed, kept, out)


def deep_of(model: Model, found: Fitted, why: str, notes: tuple[str, ...]) -> Deep:
    built, plan = found.built, found.built.plan
    layout, wish = built.layout, built.wish
    none = np.zeros(0)
    return Deep(
        guide=wish.guide if plan.sizes()[0] or plan.sizes()[1] or (wish.guide == "point" and plan.points) else "",
        amortise=wish.amortise,
        hidden=wish.hidden if wish.amortise else (),
        activation=wish.activation,
        batch=0 if plan.batch is None else plan.batch.count,
        rows=plan.rows,
        cells=cells_of(model),
        epochs=found.epochs,
        steps=found.trained.steps,
        rate=found.trained.rate,
        rows_a_second=found.rate,
        ended=REASONS[found.trained.reason],
        why=why,
        notes=(*drawn_of(found), *notes),
        likelihood=found.bound.likelihood,
        divergence=found.bound.divergence,
        others=found.bound.others,
        axes=found.bound.axes,
        phi=found.trained.phi,
        gaps=none if layout is None else np.array(layout.gaps),
        kept=none if layout is None else layout.kept,
        mean=none if layout is None else layout.mean,
        scale=none if layout is None else layout.scale,
    )


def drawn_of(found: Fitted) -> tuple[str, ...]:
    """Which products had their results drawn, in words."""
    batch = found.built.plan.batch
    if batch is None or not batch.products:
        return ()
    return (f"products by {', '.join(batch.products)} were drawn by row (local reparameterisation)",)


def cells_of(model: Model) -> int:
    """How many numbers are observed."""
    total = 0
    for factor in model.observed:
        size = int(np.prod(factor.value.shape)) if factor.value is not None else 0
        if factor.missing is not None and factor.missing.size:
            size -= int(factor.missing.sum()) * (size // factor.missing.size)
        total += size
    return total
