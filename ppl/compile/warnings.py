"""model + log joint -> all that can be seen to go wrong before anything is fitted, a sentence each."""

from __future__ import annotations

import numpy as np

from ppl.compile.improper import too_few_observations, unbounded_directions
from ppl.compile.joint import LogJoint
from ppl.compile.predictors import same_predictors, separation
from ppl.compile.symmetry import label_switching, sign_flips
from ppl.model.graph import Model


def warnings_of(model: Model, joint: LogJoint) -> tuple[str, ...]:
    """The warnings, those of improper posteriors first."""
    if joint.dimension == 0:
        return ()
    with np.errstate(all="ignore"):
        of_joint = [f(model, joint) for f in (unbounded_directions, too_few_observations, label_switching, sign_flips)]
    found = [*of_joint, same_predictors(model), separation(model)]
    return tuple(message for messages in found for message in messages)
