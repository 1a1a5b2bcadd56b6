"""latents -> what is wrong with those that are points: `Param`."""

from __future__ import annotations

from collections.abc import Sequence

from ppl.language.errors import Mistake
from ppl.model import point_mistakes as mistakes
from ppl.model.bounds import bound_terms
from ppl.model.graph import Latent
from ppl.model.terms import inputs


def check(latents: Sequence[Latent]) -> list[Mistake]:
    """A point starts at a known value, lies between known bounds or points, and is one in all its elements."""
    points = {latent.name for latent in latents if latent.is_point}
    return [mistake for latent in latents for mistake in _check(latent, points)]


def _check(latent: Latent, points: set[str]) -> list[Mistake]:
    families = [piece.distribution.family.name for piece in latent.pieces]
    if "Param" not in families:
        return []
    for piece, family in zip(latent.pieces, families, strict=True):
        if family != "Param":
            return [mistakes.half_a_point(piece.span, latent.name, family)]
        for other in inputs(piece.distribution.parameters):
            return [mistakes.init_not_known(piece.distribution.span, latent.name, other)]
        for other in inputs(bound_terms(piece)):
            if other not in points:
                return [mistakes.bound_not_a_point(piece.distribution.span, latent.name, other)]
    return []
