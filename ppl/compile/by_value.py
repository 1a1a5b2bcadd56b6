"""model, log joint -> the log joint with a part for each value of discrete latents of rows, which a split adds up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ppl.compile.joint import LogJoint, Part
from ppl.data.axes import Axis
from ppl.model.graph import Factor, Model, Piece
from ppl.model.program import compile_terms
from ppl.model.terms import inputs
from ppl.rewrite.by_value import Values, by_value


@dataclass(frozen=True, slots=True, eq=False)
class Expanded:
    """`numbers` says of each part of the joint that is there once for each value, which value it is at; `priors` which
    parts are the priors of an encoded latent.
    """

    joint: LogJoint
    numbers: Mapping[int, int]
    found: Values
    priors: Mapping[str, tuple[int, ...]]


def expanded(model: Model, joint: LogJoint, axis: Axis, encoded: Collection[str] = ()) -> Expanded | None:
    """None where nothing is summed out, or not by rows. `encoded` latents are there once for each value too."""
    if joint.elimination is None:
        return None
    values = {latent.name: joint.elimination.values_of(latent.name) for latent in model.discrete}
    found = by_value(model, values, axis, encoded)
    if found is None:
        return None
    plain = [part for part in joint.parts if part.summand is None and not set(encoded) & set(inputs([part.log_prob]))]
    numbers = {}
    priors: dict[str, tuple[int, ...]] = {}
    parts = list(plain)
    for one in found.densities:
        numbers[len(parts)] = one.number
        if one.name in encoded and isinstance(one.said, Piece):
            priors[one.name] = (*priors.get(one.name, ()), len(parts))
        value = one.said.value if isinstance(one.said, Factor) else None
        observed = isinstance(one.said, Factor) and one.said.observed
        parts.append(Part(one.name, one.log_prob, one.said.distribution, value, one.said.span, observed))
    program = compile_terms(part.log_prob for part in parts)
    whole = replace(joint, parts=tuple(parts), program=program, elimination=None)
    return Expanded(whole, numbers, found.of, priors)
