"""model, log joint -> the log joint with a part for each value of discrete latents of rows, which a split adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ppl.compile.joint import LogJoint, Part
from ppl.data.axes import Axis
from ppl.model.graph import Factor, Model
from ppl.model.program import compile_terms
from ppl.rewrite.by_value import ByValue, by_value


@dataclass(frozen=True, slots=True, eq=False)
class Expanded:
    """`numbers` says of each part of the joint that is there once for each value, which value it is at."""

    joint: LogJoint
    numbers: Mapping[int, int]
    found: ByValue

    @property
    def count(self) -> int:
        return len(self.found.values)


def expanded(model: Model, joint: LogJoint, axis: Axis) -> Expanded | None:
    """None where nothing is summed out, or not by rows."""
    if joint.elimination is None:
        return None
    values = {latent.name: joint.elimination.values_of(latent.name) for latent in model.discrete}
    found = by_value(model, values, axis)
    if found is None:
        return None
    plain = [part for part in joint.parts if part.summand is None]
    numbers = {}
    parts = list(plain)
    for one in found.densities:
        numbers[len(parts)] = one.number
        value = one.said.value if isinstance(one.said, Factor) else None
        observed = isinstance(one.said, Factor) and one.said.observed
        parts.append(Part(one.name, one.log_prob, one.said.distribution, value, one.said.span, observed))
    program = compile_terms(part.log_prob for part in parts)
    whole = replace(joint, parts=tuple(parts), program=program, elimination=None)
    return Expanded(whole, numbers, found)


def combined(found: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Probabilities (values, N) of one latent out of several, from those of all combinations (C, N); `numbers` (C,)
    are the places of its values.
    """
    result = np.zeros((int(numbers.max()) + 1, found.shape[1]))
    np.add.at(result, numbers, found)
    return result
