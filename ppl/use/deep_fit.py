"""model, what is asked for -> record of a stochastic fit: trained, judged, with draws of all names."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ppl.compile.joint import LogJoint, compile_joint
from ppl.compile.nowhere import why_not_finite
from ppl.data.axes import Axis
from ppl.data.dataset import Dataset
from ppl.infer import watch
from ppl.infer.ladder import Attempt, Found, Nowhere
from ppl.infer.stochastic.fit import Fitted, fit
from ppl.infer.stochastic.hard import Hard
from ppl.infer.stochastic.train import REASONS
from ppl.infer.stochastic.wish import Wish
from ppl.infer.verdict import judge
from ppl.language.errors import ModelError, UsageError
from ppl.model.behind import Behind
from ppl.model.graph import Model
from ppl.model.terms import inputs
from ppl.report.deep import Deep
from ppl.report.given import Given
from ppl.report.quantities import left_out, sizes
from ppl.report.record import Record
from ppl.report.recorded import Climbed, recorded_in_time
from ppl.rewrite.relax import Relaxed
from ppl.rewrite.sum_out import sum_out

_MOST_NUMBERS = 5_000_000  # of the draws of all coordinates
_FEWEST = 100
_MOST_OF_ROWS = 50_000_000  # of the draws of an encoded latent


def fitted(
    model: Model, joint: LogJoint, wish: Wish, seed: int, draws: int, keep_all: bool, given: Given, why: str,
    behind: Behind | None = None, relaxed: Relaxed | None = None,
) -> Record:  # fmt: skip
    """`why` says that nobody asked for stochastic gradients. What is `relaxed` is drawn in model and joint. Raises
    `UsageError` and `ModelError`.
    """
    start = time.perf_counter()
    whole, notes = model, []
    soft, of_soft, hard = model, joint, None
    if relaxed is not None:
        if behind is not None:
            raise UsageError("relax: not of data that are read as a stream")
        soft, of_soft = relaxed.model, compile_joint(relaxed.model, sum_out(relaxed.model))
        hard = Hard(relaxed, joint)
    long = tuple(name for name in wish.amortise if _FEWEST * sizes(model).get(name, 0) > _MOST_OF_ROWS)
    if behind is not None:
        long = wish.amortise
        model = _without_rows(model, behind.rows.data)
    if long:
        model = without(model, long)
        why_not = "too long" if behind is None else "the data are a stream"
        notes.append(f"draws of {', '.join(long)} are not kept, because {why_not}: `ppl encode` gives them")
    recorded_joint = of_shared(joint, long) if long else joint
    dimension = recorded_joint.dimension
    kept = min(draws, max(_FEWEST, _MOST_NUMBERS // max(1, dimension)))
    out = left_out(model, kept, keep_all)
    if kept < draws:
        notes.append(f"{kept:,} draws are kept, not {draws:,}: there are {dimension:,} coordinates")
    now = watch.current()
    assert now is not None
    now.inferring = True
    try:
        found = fit(soft, of_soft, wish, seed, kept, not long, behind, hard)
    except Nowhere as error:
        raise ModelError(whole.source, [why_not_finite(whole, error.joint, error.z)]) from None
    finally:
        now.inferring = False
    notes += weighed(found)
    verdict, seconds = judge(found.approximation.evidence)[0], time.perf_counter() - start
    attempt = Attempt("stochastic", Found(recorded_joint, found.approximation, wish.amortise), verdict, seconds)
    climbed = Climbed(attempt, (attempt,), seed, seconds, given, deep=deep_of(whole, found, why, tuple(notes)))
    return recorded_in_time(model, climbed, kept, out)


def _without_rows(model: Model, data: Dataset) -> Model:
    """Without simulated and derived names over the rows, of which few are in memory, nor cells that are missing."""

    def has(axes: tuple[Axis, ...]) -> bool:
        return data.rows is not None and any(axis.identity == data.rows.identity for axis in axes)

    derived = {name: term for name, term in model.derived.items() if not has((*term.plates, *term.axes))}
    simulated = tuple(x for x in model.simulated if not has(x.axes) and x.name not in data.columns)
    return replace(model, simulated=simulated, derived=derived)


def without(model: Model, names: Collection[str]) -> Model:
    """The model as a record sees it that holds no draws of these latents, nor of what depends on them."""
    gone = set(names) | {latent.name for latent in model.discrete}
    before = -1
    while len(gone) > before:
        before = len(gone)
        for latent in model.simulated:
            terms = [term for piece in latent.pieces for term in piece.distribution.all_terms]
            gone |= {latent.name} if gone & set(inputs(terms)) else set()
    derived = {name: term for name, term in model.derived.items() if not gone & set(inputs([term]))}
    latents, simulated = (tuple(x for x in own if x.name not in gone) for own in (model.latents, model.simulated))
    return replace(model, latents=latents, discrete=(), simulated=simulated, derived=derived)


def of_shared(joint: LogJoint, names: Collection[str]) -> LogJoint:
    """The blocks of all other latents, one after the other; nothing is left but the way from coordinates to values."""
    blocks, at = [], 0
    for block in joint.blocks:
        if block.name not in names:
            blocks.append(replace(block, start=at, stop=at + block.stop - block.start))
            at = blocks[-1].stop
    return replace(joint, blocks=tuple(blocks), dimension=at, elimination=None)


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
        rows=plan.total,
        cells=cells_of(model) * plan.total // max(1, plan.rows),
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
        labels=built.labels,
        values=0 if plan.encoder is None else plan.encoder.values,
        label_weight=plan.label_weight,
        relax=tuple(soft.name for soft in plan.soft),
        temperature=plan.temperature if plan.soft else 0.0,
        **_held_out(found),
    )


def weighed(found: Fitted) -> list[str]:
    """That draws of relaxed latents have weights, in words, where they have."""
    evidence, z = found.approximation.evidence, found.approximation.z
    if evidence.relaxed is None or not np.isfinite(evidence.effective):
        return []
    names = ", ".join(soft.name for soft in found.built.plan.soft)
    told = f"{len(z):,} draws of {names} and all else were weighed by the density as it is written"
    return [f"{told}: Pareto k {evidence.relaxed_k or 0.0:.2f}, {evidence.effective:,.0f} effective"]


def _held_out(found: Fitted) -> dict[str, Any]:
    rows, by_row = found.built.plan.held_out, found.bound.by_row
    if not len(rows):
        return {}
    others = float(np.delete(by_row, rows).mean())
    return {"held_out": len(rows), "elbo_held_out": float(by_row[rows].mean()), "elbo_of_others": others}


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
