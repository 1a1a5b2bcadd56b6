"""model -> the best approximation that a list of rungs gives: each is tried only while the verdict is not good.

A rung may also ask for a lower Pareto k than a good verdict does: between 0.5, where the weights cease to have a
variance, and 0.7 a funnel that was cut off can look good, and other coordinates cost little.

A rung is a name and a function `run(problem, best)`. It gets the problem and the best attempt so far, None on the first
rung, and gives what it found in the coordinates of a joint of its choice, or None where it has nothing to try.
`GUIDES` says which rungs each choice of the user tries, in order: another kind of inference is one more row of both.

Rungs share the random streams of `pipeline.py`: the same seed gives the same bits whatever was tried before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from importlib import import_module

import numpy as np

from ppl.compile.blocks import Centring, candidates
from ppl.compile.conditional import StandIn
from ppl.compile.joint import LogJoint, compile_joint
from ppl.infer import pipeline, stored, watch
from ppl.infer.centring import centrings, is_new, typical_draws
from ppl.infer.doubts import listed
from ppl.infer.draws import generator
from ppl.infer.pipeline import Approximation, approximate
from ppl.infer.proposals import HEAVY_TAILED_BELOW
from ppl.infer.search import NoStart
from ppl.infer.stand_in import stand_ins
from ppl.infer.verdict import Verdict, could_help, judge
from ppl.model.graph import Model
from ppl.rewrite.sum_out import SummedOut
from ppl.values import dataclass

_FINITE_VARIANCE = 0.5
_ORDER = (Verdict.GOOD, Verdict.USABLE, Verdict.DO_NOT_USE)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A model, its log joint in centred coordinates, and what the user asked for; `adapts` where a rung is to come that
    adapts proposals, so that others need not make many of uneven weights.
    """

    model: Model
    summed: SummedOut | None
    joint: LogJoint
    seed: int
    draws: int
    adapts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a rung found, in the coordinates of `joint`; `about` are the latents it treats in another way."""

    joint: LogJoint
    approximation: Approximation
    about: tuple[str, ...] = ()
    sampled: bool = False  # by chains: no weights
    centring: Mapping[str, Centring | StandIn] = field(default_factory=dict)  # of latents that are centred in part


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A rung that was tried, judged, with the seconds it took."""

    rung: str
    found: Found
    verdict: Verdict
    seconds: float

    @property
    def rank(self) -> tuple[float, ...]:
        """Smaller is better: by verdict; then, of good ones, by Pareto k, where it is positive, and effective draws; of
        others chains, then, as weights tell little, by the ELBO: all bound the same evidence. What chains are asked to
        look at again stands no higher than usable ones.
        """
        found = self.found.approximation
        if self.verdict == Verdict.GOOD and (self.found.sampled or CHAINS.is_content(self)):
            return (0.0, max(found.weights.pareto_k, 0.0), -found.weights.effective)
        bound = -found.elbo if np.isfinite(found.elbo) else np.inf
        return (max(1, _ORDER.index(self.verdict)), -float(self.found.sampled), bound)

    @property
    def title(self) -> str:
        """The rung, with the latents it is about: "non-centred (`a` and `b`)"."""
        return f"{self.rung} ({listed(self.found.about)})" if self.found.about else self.rung


@dataclass(frozen=True, slots=True)
class Rung:
    """It is not tried where the fit is good and, in few coordinates, its Pareto k at most `content`; that is asked of
    the rungs of the names in `wary_of` alone, where there are any.
    """

    name: str
    run: Callable[[Problem, Attempt | None], Found | None]
    content: float = np.inf
    wary_of: tuple[str, ...] = ()

    def is_content(self, best: Attempt) -> bool:
        many = best.found.joint.dimension > HEAVY_TAILED_BELOW  # the verdict then asks how far moments moved, too
        trusted = many or (bool(self.wary_of) and best.rung not in self.wary_of)
        small = best.found.approximation.weights.pareto_k <= self.content
        return best.verdict == Verdict.GOOD and (trusted or small)


class Nowhere(Exception):
    """The log joint is finite at no starting point of the first rung; `z` is one, in the coordinates of `joint`."""

    def __init__(self, joint: LogJoint, z: np.ndarray):
        super().__init__()
        self.joint, self.z = joint, z


def climb(problem: Problem, rungs: tuple[Rung, ...]) -> tuple[Attempt, tuple[Attempt, ...]]:
    """The best attempt, and all in order; where the fit was interrupted, of what there is.

    Raises `Nowhere` and `pipeline.TooLarge`, and `KeyboardInterrupt` where there is nothing yet.
    """
    tried: list[Attempt] = []
    problem = replace(problem, adapts=ADAPTED in rungs)
    try:
        _up(problem, rungs, tried)
    except KeyboardInterrupt:
        if not watch.is_stopped():
            raise
    if watch.is_stopped():
        return _interrupted(problem, tried)
    if not tried:  # the one rung that was asked for has nothing to try
        return climb(problem, (MEAN_FIELD,))
    return _best(tried), tuple(tried)


def _up(problem: Problem, rungs: tuple[Rung, ...], tried: list[Attempt]) -> None:
    for rung in rungs:
        best = _best(tried) if tried else None
        if watch.is_stopped() or (best is not None and rung.is_content(best)):
            continue
        attempt = _attempt(problem, rung, best)
        if attempt is not None:
            tried.append(attempt)


def _best(tried: list[Attempt]) -> Attempt:
    return min(tried, key=lambda attempt: attempt.rank)


def _attempt(problem: Problem, rung: Rung, best: Attempt | None) -> Attempt | None:
    """A rung, tried or read from a store where the fit goes on."""
    if watch.holds(rung.name):
        return watch.recall(rung.name, lambda piece: _recalled(problem, rung, piece))
    start = time.perf_counter()
    watch.enter(rung.name)
    try:
        known = None if best is None else replace(best, found=replace(best.found, joint=_afresh(best.found.joint)))
        found = rung.run(replace(problem, joint=_afresh(problem.joint)), known)
    except Nowhere:
        if best is None:
            raise
        found = None  # an earlier rung stands
    attempt = None
    if found is not None:
        found = replace(found, approximation=stored.in_order(found.approximation))
        verdict, _ = judge(found.approximation.evidence)
        attempt = Attempt(rung.name, found, verdict, time.perf_counter() - start)
    if not watch.is_stopped():
        watch.keep(rung.name, lambda: _as_piece(attempt))
    return attempt


def _afresh(joint: LogJoint) -> LogJoint:
    """One that has staged nothing yet: a rung gives the same bits whatever ran before it, or was read from a store."""
    return replace(joint)


def _as_piece(attempt: Attempt | None) -> watch.Piece:
    if attempt is None:
        return watch.Piece({"found": None}, {})
    found = attempt.found
    words = {"about": list(found.about), "sampled": found.sampled, "seconds": attempt.seconds}
    return stored.as_piece(found.approximation, found.centring, words)


def _recalled(problem: Problem, rung: Rung, piece: watch.Piece) -> Attempt | None:
    """Raises `KeyError` and `TypeError` where the piece is not that of a rung."""
    if piece.words["found"] is None:
        return None
    about, centring = tuple(piece.words["about"]), stored.centring(piece)
    joint = compile_joint(problem.model, problem.summed, about, centring or None) if about else problem.joint
    found = Found(joint, stored.approximation(piece), about, bool(piece.words["sampled"]), centring)
    return Attempt(rung.name, found, judge(found.approximation.evidence)[0], float(piece.words["seconds"]))


def _interrupted(problem: Problem, tried: list[Attempt]) -> tuple[Attempt, tuple[Attempt, ...]]:
    """The best of what there is, which is at best usable; where that is no attempt, the best guide that was seen."""
    from ppl.infer import unfinished

    now = watch.current()
    assert now is not None
    if not tried:
        if now.seen is None or now.joint is None:
            raise KeyboardInterrupt
        begun = unfinished.approximation(now.seen, problem.seed, problem.draws, now.evaluations)
        about = tuple(dict.fromkeys(block.name for block in now.joint.blocks if block.noncentred))
        tried = [Attempt(now.phase, Found(now.joint, begun, about), Verdict.DO_NOT_USE, 0.0)]
    best = _best(tried)
    evidence = best.found.approximation.evidence
    evidence = replace(evidence, interrupted=max(evidence.interrupted, 1))
    found = replace(best.found, approximation=replace(best.found.approximation, evidence=evidence))
    marked = replace(best, found=found, verdict=judge(evidence)[0])
    return marked, tuple(marked if attempt is best else attempt for attempt in tried)


def _mean_field(problem: Problem, best: Attempt | None) -> Found | None:
    return _approximated(problem, problem.joint, ())


def _noncentred(problem: Problem, best: Attempt | None) -> Found | None:
    """All latents that can be, at once. Among too many coordinates for linear response a better map shows nothing."""
    names = candidates(problem.model.latents)
    if not names or problem.joint.dimension > pipeline.MOST_SEEN:
        return None
    return _approximated(problem, compile_joint(problem.model, problem.summed, names), names, best)


def _partly_centred(problem: Problem, best: Attempt | None) -> Found | None:
    """Everything as centred as the data make it, by the best attempt so far."""
    if problem.joint.dimension > pipeline.MOST_SEEN:
        return None
    if best is not None:
        return _partly_centred_from(problem, best.found, best)
    first = climb(problem, (MEAN_FIELD,))[0].found
    return _from(first, PARTLY_CENTRED.name, lambda: _partly_centred_from(problem, first, None))


def _partly_centred_from(problem: Problem, found: Found, best: Attempt | None) -> Found | None:
    """Conditional coordinates where there can be any; other latents in part, or as what was found has them."""
    names = candidates(problem.model.latents)
    rng = generator(problem.seed, pipeline.FRESH)
    draws = typical_draws(found.joint, found.approximation.z, found.approximation.weights.weights, rng)
    conditional = stand_ins(problem.model, problem.joint, draws)
    others = [name for name in names if name not in conditional]
    partly = centrings(problem.joint, compile_joint(problem.model, problem.summed, others), draws) if others else {}
    if not (conditional or is_new(partly.values(), 0.0 if found.about else 1.0)):
        return None
    centring: dict[str, Centring | StandIn] = {**partly, **conditional}
    about = {*centring, *(name for name in others if name in found.about)}
    names = tuple(latent.name for latent in problem.model.latents if latent.name in about)
    joint = compile_joint(problem.model, problem.summed, names, centring)
    return replace(_approximated(problem, joint, names, best), centring=centring)


def _nested(problem: Problem, best: Attempt | None) -> Found | None:
    """In the model's own coordinates, in which what hangs together hangs together with its neighbours alone."""
    if best is not None:
        return _nested_from(problem, best.found)
    first = climb(problem, (MEAN_FIELD,))[0].found
    return _from(first, NESTED.name, lambda: _nested_from(problem, first))


def _nested_from(problem: Problem, found: Found) -> Found | None:
    begun = found.approximation
    if found.about:
        begun = replace(begun, z=problem.joint.unconstrain(found.joint.constrain(begun.z)))
    made = _later("nested", "nested")(problem.joint, begun, problem.seed, problem.draws)
    return None if made is None else Found(problem.joint, made)


def _from(first: Found, name: str, run: Callable[[], Found | None]) -> Found | None:
    """What a rung finds that begins from another's result; where it is interrupted, that result."""
    if watch.is_stopped():
        return first
    watch.enter(name)
    try:
        return run()
    except KeyboardInterrupt:
        if not watch.is_stopped():
            raise
        return first


def _approximated(problem: Problem, joint: LogJoint, about: tuple[str, ...], best: Attempt | None = None) -> Found:
    """The pipeline in other coordinates; it also starts where the best attempt ended, so as not to miss its modes."""
    watch.coordinates(joint)
    also = np.zeros((0, joint.dimension))
    if best is not None:
        also = joint.unconstrain(best.found.joint.constrain(best.found.approximation.modes))
        also = also[np.isfinite(also).all(axis=1)]
    try:
        hasty = problem.adapts and joint.dimension <= HEAVY_TAILED_BELOW
        return Found(joint, approximate(joint, problem.seed, problem.draws, also, hasty), about)
    except NoStart as error:
        raise Nowhere(joint, error.z) from None


def _chains(problem: Problem, best: Attempt | None) -> Found | None:
    """From where the best attempt ended, in its coordinates; not where far modes are all that is wrong, or are weighed
    already: chains do not travel between them.
    """
    assert best is not None
    if best.rung == MIXTURE.name or not could_help(best.found.approximation.evidence):
        return None
    return _sampled(problem, best.found)


def _chains_whatever(problem: Problem, best: Attempt | None) -> Found | None:
    """After the rungs that cost little, whatever these are worth; what they found, where there is nothing to sample."""
    first, _ = climb(problem, (MEAN_FIELD, NONCENTRED))
    return _from(first.found, CHAINS.name, lambda: _sampled(problem, first.found) or first.found)


def _sampled(problem: Problem, found: Found) -> Found | None:
    from ppl.infer import chains_rung

    sampled = chains_rung.approximate(found.joint, found.approximation, problem.seed, problem.draws)
    return None if sampled is None else replace(found, approximation=sampled, sampled=True)


Refine = Callable[[LogJoint, Approximation, int, int], Approximation | None]


def _refined(name: str, refine: Refine, before: tuple[Rung, ...], content: float = np.inf) -> Rung:
    """A rung that starts from the best attempt, in its coordinates; alone, from that of the rungs `before`."""

    def run(problem: Problem, best: Attempt | None) -> Found | None:
        if best is not None:
            return refined(problem, best.found)
        first = climb(problem, before)[0].found
        return _from(first, name, lambda: refined(problem, first))

    def refined(problem: Problem, found: Found) -> Found | None:
        made = refine(found.joint, found.approximation, problem.seed, problem.draws)
        return None if made is None else replace(found, approximation=made)

    return Rung(name, run, content)


def _later(module: str, name: str) -> Refine:
    """Its module is imported where it runs."""

    def refine(joint: LogJoint, found: Approximation, seed: int, draws: int) -> Approximation | None:
        made: Refine = getattr(import_module(f"ppl.infer.{module}"), name)
        return made(joint, found, seed, draws)

    return refine


def _flow(name: str, guide: str) -> Rung:  # not in auto: training takes thousands of steps, and chains are as dear
    def refine(joint: LogJoint, so_far: Approximation, seed: int, draws: int) -> Approximation | None:
        from ppl.infer import flows

        return flows.approximate(joint, so_far, seed, draws, guide)

    return _refined(name, refine, (MEAN_FIELD, NONCENTRED, FULL_RANK))


def _point(problem: Problem, best: Attempt | None) -> Found | None:
    from ppl.infer import point

    watch.coordinates(problem.joint)
    try:
        found = point.mode(problem.joint, problem.seed, problem.draws)
    except NoStart as error:
        raise Nowhere(problem.joint, error.z) from None
    return None if found is None else Found(problem.joint, found)


MEAN_FIELD = Rung("mean field", _mean_field)
NONCENTRED = Rung("non-centred", _noncentred, content=_FINITE_VARIANCE)
PARTLY_CENTRED = Rung("partly centred", _partly_centred)
NESTED = Rung("nested Laplace", _nested)
ADAPTED = _refined("adapted mixture", _later("adapted", "adapted"), (MEAN_FIELD, NONCENTRED), _FINITE_VARIANCE)
FULL_RANK = _refined("full rank", _later("fullrank", "full_rank"), (MEAN_FIELD,))
LOW_RANK = _refined("low rank", _later("fullrank", "low_rank"), (MEAN_FIELD,))
MIXTURE = _refined("mixture over modes", _later("mixture", "mixture"), (MEAN_FIELD,))
CHAINS = Rung("chains", _chains, content=_FINITE_VARIANCE, wary_of=(FULL_RANK.name,))
POINT = Rung("posterior mode", _point)
REAL_NVP = _flow("RealNVP flow", "realnvp")
GUIDES: dict[str, tuple[Rung, ...]] = {
    "auto": (MEAN_FIELD, NONCENTRED, PARTLY_CENTRED, NESTED, ADAPTED, FULL_RANK, MIXTURE, CHAINS),
    "meanfield": (MEAN_FIELD,),
    "noncentred": (NONCENTRED,),
    "partial": (PARTLY_CENTRED,),
    "nested": (NESTED,),
    "adapted": (ADAPTED,),
    "fullrank": (FULL_RANK,),
    "lowrank": (LOW_RANK,),
    "mixture": (MIXTURE,),
    "planar": (_flow("planar flow", "planar"),),
    "realnvp": (REAL_NVP,),
    "iaf": (_flow("inverse autoregressive flow", "iaf"),),
    "flow": (REAL_NVP,),
    "point": (POINT,),
    "chains": (Rung("chains", _chains_whatever),),
}
