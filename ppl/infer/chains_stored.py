"""chains under way <-> a piece that can be kept: where they are, their tuning, the random stream, the draws so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

import numpy as np

from ppl.infer.hamiltonian import Move, Points
from ppl.infer.watch import Piece
from ppl.values import dataclass

_NOTHING = np.zeros((0, 0))
_KEPT = ("acceptance", "energy", "diverged", "step")  # of each move
_PLACES = ("z", "value")


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """Step size and trajectory length in coordinates whitened by `root`, (D, D) or its diagonal (D,)."""

    root: np.ndarray
    step: float
    length: float
    longest: int  # leapfrog steps


@dataclass(frozen=True, slots=True, eq=False)
class Iteration:
    """A move of so many leapfrog steps, and the state of the random stream after it."""

    move: Move
    steps: int
    stream: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Sampling:
    """Chains: `windows` of the warm-up are done, and the iterations `kept` after it.

    `begin` and `stream` are the points and the random stream where the warm-up has come to, `spent` its gradients; at
    `look` draws chains are judged.
    """

    tuning: Tuning
    begin: Points
    spent: int
    look: int
    stream: Mapping[str, Any]
    windows: int = 0
    kept: list[Iteration] = field(default_factory=list)

    @property
    def points(self) -> Points:
        return self.kept[-1].move.points if self.kept else self.begin

    @property
    def steps(self) -> int:
        """Leapfrog steps since the warm-up."""
        return sum(iteration.steps for iteration in self.kept)

    def keep(self, made: Move, steps: int, stream: Mapping[str, Any]) -> None:
        """All of a move but what only the warm-up looks at; in one go, as an interruption may come at any time."""
        self.kept.append(Iteration(replace(made, proposed=_NOTHING, velocity=_NOTHING), steps, stream))

    def as_piece(self) -> Piece:
        kept, points = self.kept[:], self.points
        stream = kept[-1].stream if kept else self.stream
        words = {"spent": self.spent, "look": self.look, "windows": self.windows, "stream": stream}
        words |= {name: getattr(self.tuning, name) for name in ("step", "length", "longest")}
        words["steps"] = [iteration.steps for iteration in kept]
        arrays = {"root": self.tuning.root}
        arrays |= {name: getattr(points, name) for name in ("z", "value", "gradient")}
        if kept:
            moves = [iteration.move for iteration in kept]
            arrays |= {f"kept_{name}": np.stack([getattr(made, name) for made in moves]) for name in _KEPT}
            arrays |= {f"kept_{name}": np.stack([getattr(made.points, name) for made in moves]) for name in _PLACES}
        return Piece(words, arrays)

    @staticmethod
    def of(piece: Piece) -> Sampling:
        """Raises `KeyError`, `TypeError` and `ValueError` where the piece is not that of chains."""
        words, arrays = piece.words, piece.arrays
        tuning = Tuning(arrays["root"], float(words["step"]), float(words["length"]), int(words["longest"]))
        begin = Points(arrays["z"], arrays["value"], arrays["gradient"])
        stream: Mapping[str, Any] = words["stream"]
        now = Sampling(tuning, begin, int(words["spent"]), int(words["look"]), stream, int(words["windows"]))
        last = len(words["steps"]) - 1
        for t, steps in enumerate(words["steps"]):
            z, value = (arrays[f"kept_{name}"][t] for name in _PLACES)
            points = begin if t == last else Points(z, value, _NOTHING)
            judged = (arrays[f"kept_{name}"][t] for name in _KEPT)
            now.kept.append(Iteration(Move(points, _NOTHING, _NOTHING, *judged), int(steps), stream))
        return now
