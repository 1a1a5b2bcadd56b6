"""model + log joint -> all that can be seen to go wrong before anything is fitted, a sentence each."""

from __future__ import annotations

import numpy as np

from ppl.compile.improper import too_few_observations, unbounded_directions
from ppl.compile.joint import LogJoint
from ppl.compile.predictors import same_predictors, separation
from ppl.compile.symmetry import label_switching, sign_flips
from ppl.model.graph import Model

_ROWS = 2000


def warnings_of(model: Model, joint: LogJoint) -> tuple[str, ...]:
    """The warnings, those of improper posteriors first."""
    if joint.dimension == 0:
        return ()
    of_whole, of_some = (unbounded_directions, too_few_observations), (label_switching, sign_flips)
    with np.errstate(all="ignore"):
        of_joint = [f(model, joint) for f in of_whole]
        short = joint.with_fewest_rows()
        some = _some_rows(short)
        of_joint += [f(model, short) if some is None or f(model, some) else [] for f in of_some]
    found = [*of_joint, same_predictors(model), separation(model)]
    return tuple(message for messages in found for message in messages)


def _some_rows(joint: LogJoint) -> LogJoint | None:
    """A joint of evenly spaced rows, where there are very many: what keeps the density of all keeps that of these."""
    blocks = joint.blocks_of_rows
    if blocks is None:
        return None
    return blocks.split.subset(np.linspace(0, blocks.split.axis.length - 1, _ROWS).astype(int))
