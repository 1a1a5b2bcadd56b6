"""fit, its model with new rows -> whether vectors go on over these, and the new elements of those observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ppl.compile.extend import CannotExtend, Known, check_same_margin, extended, goes_on, random_names, where_kept
from ppl.compile.replicate import piece_of
from ppl.compile.simulate import canonical_of
from ppl.infer.draws import generator
from ppl.model.graph import Factor, Latent, Model, Piece


def check(before: Model, model: Model, needed: Sequence[Latent], known: dict[str, Known], together: set[str]) -> None:
    """Raises `CannotExtend` where vectors with more elements would not be those of the fit with some added."""
    longer = [one for one in needed if one.name in known and goes_on(one) and _is_longer(one, known[one.name])]
    if not longer and not together:
        return
    latents = {latent.name: latent for latent in random_names(before)}
    rng, values = generator(0), dict[str, np.ndarray]()
    for latent in needed:
        old = known.get(latent.name)
        if latent in longer and old is not None:
            kept = where_kept(latent.axes[-1], old.axes[-1])
            check_same_margin(latent.pieces[0], latents[latent.name].pieces[0], kept, values, known, latent.name)
        one = None if old is None else replace(old, draws=old.draws[:1])
        values[latent.name] = extended(latent, one, values, 1, rng)
    for name in sorted(together):
        here, first = (next(factor for factor in one.observed if factor.name == name) for one in (model, before))
        kept = np.arange(first.axes[0].length)
        check_same_margin(piece_of(here), piece_of(first), kept, values, known, name)


def _is_longer(latent: Latent, known: Known) -> bool:
    return latent.shape[-1] != known.axes[-1].length


def is_one(model: Model, name: str) -> bool:
    """Whether all rows of an observed name are one vector, to which elements can be added given the others."""
    factor = next((factor for factor in model.observed if factor.name == name), None)
    if factor is None or factor.distribution is None or factor.missing is not None or len(factor.axes) != 1:
        return False
    return factor.distribution.event_rank == 1 and factor.distribution.family.go_on is not None


def given(
    factor: Factor, piece: Piece, values: dict[str, np.ndarray], draws: int, fitted: int, kind: str,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draws (S, rows) of the new elements of one observed vector, given those observed."""
    assert factor.distribution is not None and factor.value is not None
    if kind == "mean":
        raise CannotExtend(f"the rows of `{factor.name}` hang together; predict the response")
    go_on = factor.distribution.family.go_on
    observed = np.asarray(factor.value.value, dtype=np.float64)
    if go_on is None or observed.ndim != 1:
        raise CannotExtend(f"the rows of `{factor.name}` have one distribution together")
    new = np.arange(len(observed)) >= fitted
    with np.errstate(all="ignore"):
        parameters, _, _ = canonical_of(piece, values, draws)
        whole = go_on(rng, np.broadcast_to(observed, (draws, len(observed))), new, *parameters)
    return np.asarray(whole[:, fitted:])
