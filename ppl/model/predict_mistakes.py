"""What can be fitted, but not predicted for new rows: one constructor each."""

from __future__ import annotations

from ppl.language.errors import Mistake
from ppl.language.source import Span


def mixes_rows(span: Span, operation: str) -> Mistake:
    message = f"`{operation}` works on all rows of the data at once: what it gives for new rows is not defined"
    return Mistake("mixes-rows", message, span, "define it by row, or add the new rows to the data and fit again")


def outside_knots(span: Span, text: str, value: float, low: float, high: float) -> Mistake:
    message = f"`{text}` is {value:g} in the new data, and a spline is defined between {low:g} and {high:g} alone"
    return Mistake("outside-knots", message, span, in_data=True)
