"""log joint, draws of its latents -> the log likelihood of elements that have a discrete latent each, summed over it.

Where an observed element alone tells of its discrete latent, its likelihood is the sum over that latent of the latent's
prior times the density given it: a mixture. Elements that share one, or whose latents form a chain, have none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ppl.compile.joint import LogJoint, Part
from ppl.numeric.reduce import logsumexp


class Shared(Exception):
    """Elements share a discrete latent, or their latents depend on each other."""


def summed_over_own(joint: LogJoint, values: Mapping[str, np.ndarray], draws: int) -> dict[int, np.ndarray]:
    """For each observed part with a discrete latent an element, by its number among the parts: (S, rows).

    Raises `Shared`.
    """
    parts = [(i, part) for i, part in enumerate(joint.parts) if part.summand is not None]
    observed = [(i, _own(part)) for i, part in parts if part.observed]
    priors = [(i, _own(part)) for i, part in parts if not part.observed]
    for group in (observed, priors):
        together = np.concatenate([elements for _, elements in group])
        if len(np.unique(together)) < len(together):
            raise Shared
    places = {int(element): (i, row) for i, elements in priors for row, element in enumerate(elements)}
    found: dict[int, list[np.ndarray]] = {i: [] for i, _ in observed}
    order = [i for i, _ in parts]
    for first in range(0, draws, joint.draws_at_once):
        some = {name: value[first : first + joint.draws_at_once] for name, value in values.items()}
        tables = dict(zip(order, joint.tables(some, min(joint.draws_at_once, draws - first)), strict=True))
        for i, elements in observed:
            total = np.empty((len(tables[i]), len(elements)))
            for source in {places[int(element)][0] for element in elements}:
                rows = np.array([places[int(element)] for element in elements])
                mine = rows[:, 0] == source
                prior = tables[source][:, :, rows[mine, 1]]
                with np.errstate(all="ignore"):
                    total[:, mine] = logsumexp(prior + tables[i][:, :, mine], 1)
            found[i].append(total)
    return {i: np.concatenate(pieces) for i, pieces in found.items()}


def _own(part: Part) -> np.ndarray:
    """The one discrete element that each row of a table is over. Raises `Shared`."""
    assert part.summand is not None
    scope = part.summand.scope
    if scope.shape[1] != 1 or (scope < 0).any():
        raise Shared
    return np.asarray(scope[:, 0])
