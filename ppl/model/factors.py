"""`factor expression` -> a term of the log joint."""

from __future__ import annotations

import numpy as np

from ppl.language import syntax as s
from ppl.model import loops, mistakes
from ppl.model.expressions import Reader
from ppl.model.graph import Factor
from ppl.model.scope import Failed, show_value


def read(reader: Reader, statement: s.FactorOf, notes: list[str]) -> Factor:
    """What a `factor` adds to the log density, summed over its axes and over the rounds of its loops.

    Raises `Failed` where it is known and minus infinity or no number: then nothing could be inferred.
    """
    text, span = reader.env.source.cut(statement.span), statement.span
    term = reader.number(statement.value)
    term = loops.over_plates(reader, term, reader.scope.plates, span)
    term = loops.masked(reader, term, 0.0, span)
    if term.known:
        values = np.asarray(term.value, dtype=np.float64)
        wrong = ~np.isfinite(values)
        if wrong.any():
            raise Failed(mistakes.factor_not_finite(span, show_value(term, tuple(np.argwhere(wrong)[0]))))
        notes.append(f"`{text}` depends on no latent: it adds {values.sum():g} to the log density, and nothing else")
    return Factor(text, None, None, term, span)
