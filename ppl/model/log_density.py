"""`logp(value ~ distribution)` -> the term of the elementwise log density, in nats."""

from __future__ import annotations

from ppl.language import syntax as s
from ppl.model import density, mends, point_mistakes, read_distribution, terms
from ppl.model import distribution as dist
from ppl.model.expressions import Reader
from ppl.model.scope import Failed, as_scalar
from ppl.model.terms import Misaligned, Term


def read(reader: Reader, node: s.LogDensityOf) -> Term:
    """The density of each value, bounds and their normalising constant included; minus infinity outside the support.

    Value and parameters align as those of any operation do, so that one value can meet many distributions.
    Raises `Failed`, `Skipped`.
    """
    found = read_distribution.read(reader, node.dist)
    if found.family.name == "Param":
        raise Failed(point_mistakes.no_density(node.dist.span))
    text = reader.text(node.value)
    value = reader.read(node.value)
    if found.kind != "category":
        value = reader.env.as_number(value, text, node.value.span)
    value = density.categories(reader, value if found.event_rank else as_scalar(value), found)
    dist.check_events(found, text, value.axes, node.value.span)
    try:
        terms.align(value.axes[: len(value.axes) - found.family.event_rank], found.element_axes())
    except Misaligned as error:
        bounds = [(bound, end) for bound, end in ((found.lower, node.dist.lower), (found.upper, node.dist.upper))]
        given = [(term, end) for term, end in bounds if term is not None and end is not None]
        operands = [(value, node.value), *zip(found.parameters, found.nodes, strict=True), *given]
        args, nodes = [term for term, _ in operands], [part for _, part in operands]
        raise Failed(mends.misaligned(reader, error, args, nodes, node.span)) from None  # type: ignore[arg-type]
    return density.log_prob(reader, found, value, node.span)
