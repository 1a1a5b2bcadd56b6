"""Guards around densities -> only those that are needed.

Every density of unknown parameters is built with a guard that makes it minus infinity where a parameter is none, such
as a negative scale. Where the parameter cannot leave its range, the guard goes.
"""

from __future__ import annotations

from dataclasses import replace

from ppl.model import terms
from ppl.model.density import Guarded
from ppl.model.distributions.family import SIMPLEX
from ppl.model.graph import Factor, Latent, Model, Piece
from ppl.model.terms import Term
from ppl.rewrite.intervals import Intervals


def without_needless_guards(model: Model) -> Model:
    latents = {latent.name: latent for latent in (*model.latents, *model.discrete, *model.simulated)}
    intervals = Intervals(latents)
    pieces = [piece for latent in latents.values() for piece in latent.pieces]
    old: list[Piece | Factor] = [*pieces, *model.factors]
    densities = dict(zip(map(id, old), terms.rebuild([x.log_prob for x in old], _opener(intervals)), strict=True))

    def of_latent(latent: Latent) -> Latent:
        return replace(latent, pieces=tuple(replace(p, log_prob=densities[id(p)]) for p in latent.pieces))

    return replace(
        model,
        latents=tuple(map(of_latent, model.latents)),
        discrete=tuple(map(of_latent, model.discrete)),
        simulated=tuple(map(of_latent, model.simulated)),
        factors=tuple(replace(factor, log_prob=densities[id(factor)]) for factor in model.factors),
    )


def _opener(intervals: Intervals) -> terms.Change:
    def change(term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.op is None or not isinstance(term.op.apply, Guarded):
            return None
        guard = term.op.apply
        needed = [
            i
            for i, (requirement, parameter) in enumerate(zip(guard.requirements, term.args[1:], strict=True))
            if not (
                requirement.holds_within(*intervals.of(parameter))
                or (requirement is SIMPLEX and intervals.are_simplexes(parameter))
            )
        ]
        if not needed:
            return args[0]
        fewer = Guarded(tuple(guard.requirements[i] for i in needed), tuple(guard.ranks[i] for i in needed))
        return fewer.around(args[0], [args[1 + i] for i in needed])

    return change
