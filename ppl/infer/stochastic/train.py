"""stochastic objective, first parameters -> trained ones: Adam until the smoothed ELBO is flat, then at falling rates.

The random numbers of step t are a stream of its own, and a state is a frozen value of plain arrays: what follows from
one is the same bits, whether the process went on or another took it up from a checkpoint. The rate comes from a short
search; iterates are averaged from where the ELBO flattens (Polyak and Juditsky 1992).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from ppl.infer import watch
from ppl.infer.draws import Streams, generator
from ppl.infer.stochastic import adam
from ppl.infer.stochastic import state as states
from ppl.infer.stochastic.adam import Moments
from ppl.infer.stochastic.state import DECAY, STEADY, State
from ppl.values import dataclass

_STEPS, _JUDGING, _VALIDATING = range(3)  # streams of random numbers
_DIVERGED = 20  # steps in a row without a gradient
_FALLEN = 3  # windows in a row, far below the best
_FAR = (20.0, 10.0)  # nats, and sds of a step's ELBO
_JUDGED = 40  # evaluations of the objective that decide between the last iterate and their average
_LAST_RATE = 0.01  # of the steady one

FLAT, LIMIT, INTERRUPTED, NO_NUMBERS, FELL = "flat", "limit", "interrupted", "no numbers", "fell"
REASONS = {
    FLAT: "the smoothed ELBO was flat",
    LIMIT: "the largest number of steps was reached",
    INTERRUPTED: "it was interrupted",
    NO_NUMBERS: f"it diverged: {_DIVERGED} steps in a row had no finite ELBO and gradient",
    FELL: "it diverged: the ELBO fell far below its best",
}


class Objective(Protocol):
    """The negative ELBO in nats, estimated without bias, and its gradient by phi (P,), at one step.

    The estimate depends on nothing but its arguments. Infinite or NaN where there is none.
    """

    def __call__(self, phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]: ...


Validate = Callable[[np.ndarray, np.random.Generator], float]  # phi -> ELBO, with the same random numbers each time


@dataclass(frozen=True, slots=True)
class Options:
    """Steps are counted in windows, at the end of each of which the ELBO is looked at.

    It is flat where the mean of the last `smooth` windows is not above that of as many before by more than `tolerance`
    nats and by more than chance, `patience` looks in a row. `least` and `most` are steps. Where what is validated
    are data that steps do not see, `by_chance` are the nats by which it may fall without saying anything; from a fall
    below that the best that was looked at is taken.
    """

    seed: int
    stream: int
    rates: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001)
    search: int = 60  # steps that each rate is tried for, where there are several
    window: int = 50
    smooth: int = 8
    patience: int = 4
    tolerance: float = 0.005
    least: int = 0
    most: int = 20_000
    decay: float = 0.5  # steps at falling rates, as a share of those before
    by_chance: float = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The parameters found (P,), their ELBO in nats with its standard error, and why the training ended.

    Where it `diverged` these are the last good ones. `history` (windows,) are the ELBOs on the way.
    """

    phi: np.ndarray
    elbo: float
    error: float
    reason: str
    rate: float
    steps: int
    history: np.ndarray

    @property
    def diverged(self) -> bool:
        return self.reason in (NO_NUMBERS, FELL)


def train(
    objective: Objective,
    phi: np.ndarray,
    options: Options,
    validate: Validate | None = None,
    key: str = "",
    say: Callable[[int], str] = "step {:,}".format,
) -> Trained:
    """Trained from phi (P,), or from the state that the watch's store holds under the key.

    Numbers are as long as those of phi. `validate` gives the ELBO that is looked at instead of that of the steps; `say`
    what the watch shows at a step.
    An interruption ends the training with what there is, where the watch was stopped.
    """
    now = states.begin(phi, options.rates[0])
    walk, reason = None, ""
    try:
        resumed = watch.recall(key, states.of) if key and watch.holds(key) else None
        now = resumed or _with_best_rate(objective, phi, options)
        while not reason:
            if _is_due(now, options):  # which an interruption may have come before
                now = _look(now, options, validate)
                watch.step(say(now.step))
                watch.note(_latest(now))
                if key:
                    watch.keep(key, partial(states.as_piece, now), eager=False)
            reason = _reason(now, options)
            if not reason:
                walk = _Walk(objective, now, options)
                now = walk.window()
    except KeyboardInterrupt:
        if not watch.is_stopped():
            raise
        now = now if walk is None or walk.is_over else walk.state()
        if key:
            watch.keep(key, partial(states.as_piece, now))
        return Trained(now.phi, _latest(now), np.nan, INTERRUPTED, now.rate, now.step, now.history[:, 0])
    if key:
        watch.forget(key)
    return _finished(objective, now, options, reason, validate)


def _with_best_rate(objective: Objective, phi: np.ndarray, options: Options) -> State:
    """The state after a few steps with the rate that led highest; the lowest rate where none led anywhere."""
    if len(options.rates) == 1:
        return states.begin(phi, options.rates[0])
    best, highest = None, -np.inf
    for rate in options.rates:
        watch.step(f"rate {rate:g}")
        now = _Walk(objective, states.begin(phi, rate), options).to(options.search, 1)
        reached = float(now.recent[now.step // 2 :].mean())
        if not now.skipped and reached > highest:
            best, highest = now, reached
    found = best or states.begin(phi, options.rates[-1])
    return replace(found, recent=found.recent[len(found.recent) // options.window * options.window :])


class _Place(NamedTuple):
    """What a step changes: see `State`."""

    step: int
    phi: np.ndarray
    moments: Moments
    average: np.ndarray
    averaged: int
    skipped: int


class _Walk:
    """The steps between two looks. `state()` is what there is after the last whole step."""

    def __init__(self, objective: Objective, begun: State, options: Options):
        self._objective, self._begun, self._options = objective, begun, options
        self._streams = Streams(options.seed, options.stream, _STEPS)
        self._now = _Place(begun.step, begun.phi, begun.moments, begun.average, begun.averaged, begun.skipped)
        self._elbos: list[float] = []
        self.is_over = False

    def window(self) -> State:
        """To the end of a window, or until too many steps had no gradient, or the rates have fallen."""
        begun, window = self._begun, self._options.window
        last = (begun.step // window + 1) * window
        if begun.stage == DECAY:
            last = min(last, begun.turned + _falling(begun, self._options))
        elif begun.step < _latest_turn(self._options):
            last = min(last, _latest_turn(self._options))
        found = self.to(last, _DIVERGED)
        self.is_over = True
        return found

    def to(self, last: int, most_skipped: int) -> State:
        with np.errstate(all="ignore"):
            while self._now.step < last and self._now.skipped < most_skipped:
                self._now = self._after()
        return self.state()

    def state(self) -> State:
        now, begun = self._now, self._begun
        recent = np.concatenate([begun.recent, self._elbos[: now.step - begun.step]])
        return replace(begun, recent=recent, **now._asdict())

    def _after(self) -> _Place:
        """One step further; without a finite gradient phi stays where it is."""
        step, phi, moments, average, averaged, skipped = self._now
        value, gradient = self._objective(phi, step, self._streams(step))
        self._elbos.append(-value)
        norm = float(np.sqrt(gradient @ gradient))  # neither infinite nor NaN if no element is
        if not (np.isfinite(value) and np.isfinite(norm)):
            return self._now._replace(step=step + 1, skipped=skipped + 1)
        begun, rate = self._begun, self._begun.rate
        if begun.stage == DECAY:
            rate *= _LAST_RATE ** min(1.0, (step - begun.turned) / _falling(begun, self._options))
            averaged += 1
            average = average + (phi - average) / averaged
        phi, moments = adam.step(phi, gradient, norm, moments, rate)
        return _Place(step + 1, phi, moments, average, averaged, 0)


def _falling(now: State, options: Options) -> int:
    """The steps at falling rates."""
    return min(max(1, round(options.decay * now.turned)), options.most - now.turned)


def _look(now: State, options: Options, validate: Validate | None) -> State:
    """At the end of a window: its ELBO, and whether it is time for the next stage."""
    finite = now.recent[np.isfinite(now.recent)]
    own, spread = (float(finite.mean()), float(finite.std())) if len(finite) else (-np.inf, 0.0)
    elbo = own
    if validate is not None:
        elbo = validate(now.phi, generator(options.seed, options.stream, _VALIDATING))
    best = now.history[:, 0].max(initial=-np.inf)
    history = np.concatenate([now.history, [[elbo, spread, own]]])
    now = replace(now, recent=np.zeros(0), history=history, good=now.phi if elbo >= best else now.good)
    flat = now.flat + 1 if _is_flat(history, options) and now.step >= options.least else 0
    if now.stage == STEADY and (flat >= options.patience or now.step >= _latest_turn(options)):
        past = history[:, 0].max() - elbo > options.by_chance  # it learns by heart
        phi = now.good if past else now.phi
        return replace(now, stage=DECAY, turned=now.step, phi=phi, average=phi, flat=flat)
    return replace(now, flat=flat)


def _is_due(now: State, options: Options) -> bool:
    """Whether a window has ended that was not looked at."""
    ended = now.step % options.window == 0 or (now.stage == STEADY and now.step == _latest_turn(options))
    return ended and len(now.recent) > 0


def _latest_turn(options: Options) -> int:
    """The step after which the falling rates end with the largest number of steps."""
    return max(1, int(options.most / (1 + options.decay)))


def _is_flat(history: np.ndarray, options: Options) -> bool:
    smooth = options.smooth
    if len(history) < 2 * smooth:
        return False
    last, before = history[-smooth:, 0], history[-2 * smooth : -smooth, 0]
    noise = np.sqrt((last.var(ddof=1) + before.var(ddof=1)) / smooth)
    return not last.mean() - before.mean() > max(options.tolerance, noise)


def _reason(now: State, options: Options) -> str:
    """Why the training ends here; empty where it does not."""
    if now.skipped >= _DIVERGED:
        return NO_NUMBERS
    elbos, spreads, own = now.history.T
    if np.isfinite(options.by_chance):  # which may fall while the steps gain
        elbos = own[options.least // options.window :]
    if len(elbos) > _FALLEN and not len(now.recent):
        far = max(_FAR[0], _FAR[1] * float(np.median(spreads)))
        if elbos[-_FALLEN:].max() < elbos.max() - far:
            return FELL
    if now.stage == DECAY and now.step - now.turned >= _falling(now, options):
        return LIMIT if not now.flat and now.turned >= _latest_turn(options) else FLAT
    return ""


def _latest(now: State) -> float:
    return float(now.history[-1, 0]) if len(now.history) else np.nan


def _finished(objective: Objective, now: State, options: Options, reason: str, validate: Validate | None) -> Trained:
    """The last iterate or the average, whichever has the higher ELBO; the last good one after a divergence, and where
    rows are held out if it is the best.
    """
    last = replace(now, step=now.turned or now.step)
    candidates = [now.good] if reason in (NO_NUMBERS, FELL) else [now.phi, now.average][: 1 + (now.averaged > 0)]
    candidates += [now.good] if np.isfinite(options.by_chance) else []
    judged = [_judged(objective, phi, last, options, validate) for phi in candidates]
    elbos = [elbo for elbo, _ in judged]
    if np.isfinite(options.by_chance):
        elbos[-1] -= options.by_chance
    best = int(np.argmax(elbos))
    elbo, error = judged[best]
    return Trained(candidates[best], elbo, error, reason, now.rate, now.step, now.history[:, 0])


def _judged(
    objective: Objective, phi: np.ndarray, now: State, options: Options, validate: Validate | None
) -> tuple[float, float]:
    """The ELBO and its standard error, over the same random numbers for all phi."""
    if validate is not None:
        return validate(phi, generator(options.seed, options.stream, _VALIDATING)), 0.0
    rngs = (generator(options.seed, options.stream, _JUDGING, i) for i in range(_JUDGED))
    elbos = np.array([-objective(phi, now.step + i, rng)[0] for i, rng in enumerate(rngs)])
    if not np.isfinite(elbos).all():
        return -np.inf, np.inf
    return float(elbos.mean()), float(elbos.std(ddof=1) / np.sqrt(_JUDGED))
