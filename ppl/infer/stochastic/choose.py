"""model, log joint -> why it is fitted by stochastic gradients unless something else is asked for, if so."""

from __future__ import annotations

from ppl.compile.joint import LogJoint
from ppl.infer import pipeline
from ppl.model.terms import Term, ancestors

_FEWEST_WEIGHTS = 200  # of a network: fewer are within reach of the deterministic path
_MOST_TERMS = 30_000_000  # of the log density: a gradient over 64 draws takes a minute


def reason(joint: LogJoint) -> str:
    """A sentence; empty where the deterministic path fits."""
    dimension = joint.dimension
    if dimension > pipeline.MOST_COORDINATES:
        return f"{dimension:,} coordinates are too many for a fit over fixed draws: fitted by stochastic gradients"
    if dimension >= _FEWEST_WEIGHTS and is_network(joint):
        return f"a network with {dimension:,} weights and latents: fitted by stochastic gradients"
    elements = sum(_size(part.log_prob) for part in joint.parts)
    if dimension and elements > _MOST_TERMS:
        return f"{elements:,} terms with {dimension:,} coordinates: fitted by stochastic gradients"
    return ""


def is_network(joint: LogJoint) -> bool:
    """Whether one matrix of unknown numbers is multiplied by what another one, through a function, gave."""
    inside: dict[int, bool] = {}  # by term: whether a product by unknown numbers is behind it
    for term in ancestors(part.log_prob for part in joint.parts):
        behind = [inside.get(id(arg), False) for arg in term.args]
        product = _is_product(term)
        if product and any(behind):
            return True
        inside[id(term)] = product or any(behind)
    return False


def _is_product(term: Term) -> bool:
    """By a matrix of unknown numbers."""
    matrices = [arg for arg in term.args if len(arg.axes) == 2 and not arg.known]
    return term.op is not None and term.op.name == "@" and bool(matrices)


def _size(term: Term) -> int:
    size = 1
    for axis in (*term.plates, *term.axes):
        size *= axis.length
    return size
