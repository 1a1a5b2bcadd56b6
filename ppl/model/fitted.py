"""Data with new rows behind those of a fit -> what the fit's rows alone decide: means, knots, counts of rows.

`Dataset.fitted` is the number of rows that the model was fitted to; None where there are no others. What works on all
rows of a column at once must not see the new ones: a prediction would shift with what is predicted beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ppl.data.axes import Axis
from ppl.data.column import Kind
from ppl.data.dataset import Dataset
from ppl.language.source import Span
from ppl.model import indexing, predict_mistakes
from ppl.model.scope import Failed
from ppl.model.terms import Op, Term

if TYPE_CHECKING:
    from ppl.model.expressions import Reader

# Operations on whole arrays in which a row (and a column) depends on none behind it.
_IN_ORDER = (
    "squared distances",
    "cholesky",
    "cumsum",
    "cumprod",
    "diff",
    "scan",
    "ode",
    "list",
    "collect",
    "onehot",
    "guard",
    "within",
    "sum over event",
)


def are_rows(data: Dataset, axis: Axis) -> bool:
    """Whether new rows stand along an axis."""
    return data.fitted is not None and data.rows is not None and axis.identity == data.rows.identity


def rows_of_fit(reader: Reader, term: Term, axes: list[int], span: Span) -> Term:
    """The term over the fit's rows alone, where one of these of its axes is that of the rows."""
    data = reader.env.data
    for axis in axes:
        if are_rows(data, term.axes[axis]):
            assert data.fitted is not None
            chosen = [slice(None)] * len(term.axes)
            chosen[axis] = slice(0, data.fitted)
            return _sliced(reader, term, axis - len(term.axes), list(chosen), span)
    return term


def _sliced(reader: Reader, term: Term, place: int, chosen: list[slice], span: Span) -> Term:
    """Known cells are known: the missing ones of new rows do not make them random. `place` counts from the right."""
    op = term.op
    if op is not None and not term.known:
        if op.name == "fill":
            known = _known_cells(term, tuple(chosen))
            if known is not None:
                axes = (*term.axes[:place], Axis(str(known.shape[place]), known.shape[place]), *term.axes[place:][1:])
                return Term(None, (), axes, term.kind, span, value=known)
        elif op.core_ranks is None and not term.plates:
            args = [
                rows_of_fit(reader, arg, [len(arg.axes) + place], span) if len(arg.axes) >= -place else arg
                for arg in term.args
            ]
            return reader.apply(op, args, (), span, term.kind)
    return indexing.picked(reader, term, list(chosen), span)


def _known_cells(term: Term, chosen: tuple[slice, ...]) -> np.ndarray | None:
    """The cells of a column with gaps, where none of those chosen is missing."""
    assert term.op is not None
    given, _ = term.args
    index, shape = term.op.options
    places = np.frombuffer(index, dtype=np.int64).reshape(shape)[chosen]
    values = np.asarray(given.value).reshape(-1)
    if (places >= values.size).any():
        return None
    found = values[places]
    return found.astype(np.int64) if term.kind is Kind.INTEGER else found


def check_by_rows(reader: Reader, op: Op, args: list[Term], span: Span) -> None:
    """Raises `Failed` for an operation that would mix new rows with those of the fit."""
    data = reader.env.data
    if data.fitted is None or op.core_ranks is None or op.moves or op.name in _IN_ORDER or "." in op.name:
        return
    if op.name == "@" and args[0].op is not None and args[0].op.name == "cholesky":
        return  # a lower triangle: its rows reach no further than themselves
    for i, arg in enumerate(args):
        rank = op.core_rank(i)
        core = arg.axes[len(arg.axes) - rank :] if rank else ()
        if op.name == "@":  # it sums over the last axis on the left, and the first that is left on the right
            core = core[-1:] if i == 0 else core[:1]
        if any(are_rows(data, axis) for axis in core):
            raise Failed(predict_mistakes.mixes_rows(span, op.name))
