"""a training under way <-> a piece that can be kept: plain arrays and numbers, to the last bit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from ppl.infer.stochastic.adam import Moments
from ppl.infer.watch import Piece
from ppl.values import dataclass

STEADY, DECAY = "steady", "decay"  # the stages: at one rate until the ELBO is flat, then at falling ones


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Where a training is, after `step` steps. ELBOs are in nats, NaN where a step had none.

    `average` is the mean of phi over the `averaged` steps since the rate began to fall, after `turned` steps; `good`
    the phi after the window with the best ELBO so far; `skipped` steps in a row had no gradient.
    """

    step: int
    stage: str
    rate: float
    phi: np.ndarray  # (P,)
    moments: Moments
    average: np.ndarray  # (P,)
    averaged: int
    turned: int
    skipped: int
    flat: int  # windows in a row
    recent: np.ndarray  # ELBOs of the steps of this window
    history: np.ndarray  # (windows, 3): the ELBO of each, the sd of a step's within it, and the mean of its steps
    good: np.ndarray  # (P,)


def begin(phi: np.ndarray, rate: float) -> State:
    return State(
        step=0,
        stage=STEADY,
        rate=rate,
        phi=phi,
        moments=Moments.none(phi),
        average=phi,
        averaged=0,
        turned=0,
        skipped=0,
        flat=0,
        recent=np.zeros(0),
        history=np.zeros((0, 3)),
        good=phi,
    )


_ARRAYS = ("phi", "average", "recent", "history", "good")


def as_piece(state: State) -> Piece:
    words = {f.name: getattr(state, f.name) for f in fields(State) if f.name not in (*_ARRAYS, "moments")}
    words |= {"norm": state.moments.norm, "moved": state.moments.steps}
    arrays = {name: getattr(state, name) for name in _ARRAYS}
    return Piece(words, {**arrays, "first": state.moments.first, "second": state.moments.second})


def of(piece: Piece) -> State:
    """Raises `KeyError` and `TypeError` where the piece is not that of a training."""
    words, arrays = piece.words, piece.arrays
    moments = Moments(arrays["first"], arrays["second"], float(words["norm"]), int(words["moved"]))
    known: dict[str, Any] = {f.name: words[f.name] for f in fields(State) if f.name not in (*_ARRAYS, "moments")}
    known |= {name: arrays[name] for name in _ARRAYS}
    return State(**known, moments=moments)
