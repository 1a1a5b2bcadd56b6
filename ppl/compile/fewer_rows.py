"""log joint of many rows -> one of fewer that is the same function of the latents, where there is one.

Of y ~ Normal(known + X b, s) with one s for all rows, N and the factor R of the QR of [X y] say all there is to know.
Rows that are alike in all that the parts take from the data count as one, as many times as they occur. Both are worked
out once; what gradients cost from then on does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import autograd.numpy as np
import numpy

from ppl.compile.linear_terms import Linear, linear
from ppl.compile.rowwise import Rowwise
from ppl.data.axes import Axis
from ppl.model import functions as fn
from ppl.model import terms
from ppl.model.terms import Op, Term
from ppl.numeric.shape import join

if TYPE_CHECKING:
    from ppl.compile.joint import LogJoint

_CELLS = 1 << 20  # of what a QR takes at a time
_MOST_COLUMNS = 400
_MOST_COMPARED = 64  # columns by which rows are compared
_SAMPLE = 4096  # rows that show whether many are alike
_LOG_ROOT_TWO_PI = 0.5 * float(numpy.log(2 * numpy.pi))


def fewer_rows(split: Rowwise) -> LogJoint | None:
    """None where there is nothing to gain."""
    if split.local:
        return None
    quick = dict(zip(split.parts, split.templates.wanted, strict=True))
    summed = {i: found for i, term in quick.items() if (found := _sufficient(term, split.axis)) is not None}
    left = [i for i in split.parts if i not in summed]
    merged = _merged(split, [quick[i] for i in left]) if left else []
    if not summed and merged is None:
        return None
    changed = {**summed, **dict(zip(left, [] if merged is None else merged, strict=merged is not None))}
    joint = split.joint
    parts = tuple(replace(part, log_prob=changed[i]) if i in changed else part for i, part in enumerate(joint.parts))
    return joint.with_parts(parts)


# -- Normal with a linear predictor ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """n rows of [X y] by the factor R of their QR; with an offset, of X and y less their means."""

    rows: int
    x: numpy.ndarray  # (K + 1, K)
    y: numpy.ndarray  # (K + 1,)
    x_mean: numpy.ndarray  # (K,)
    y_mean: float

    def log_prob(self, sd: Any, offset: Any, b: Any) -> Any:
        """sd (S,) or one, offset (S,) or None, b (S, K) -> the sum of the log densities (S,), in nats."""
        residual = self.y - np.matmul(b, self.x.T)
        squares = np.sum(residual * residual, axis=-1)
        if offset is not None:
            mean = offset + np.matmul(b, self.x_mean) - self.y_mean
            squares = squares + self.rows * mean * mean
        return -self.rows * (np.log(sd) + _LOG_ROOT_TWO_PI) - 0.5 * squares / (sd * sd)


def _sufficient(term: Term, axis: Axis) -> Term | None:
    """The sum of a Normal log density over all rows as one term, from sums over the data."""
    if term.op is None or term.op.name != "Normal.log_prob" or term.op.options != ("mean", "sd"):
        return None
    value, mean, sd = term.args
    if not value.known or value.plates or len(value.axes) != 1 or sd.axes or sd.plates:
        return None
    found = linear(mean, axis)
    width = 0 if found is None else len(found.columns) + sum(x.shape[1] for _, x, _ in found.matrices)
    if found is None or width > _MOST_COLUMNS or not width + len(found.offsets):
        return None
    sums = _sums(found, terms.numeric(value), width)
    factors = numpy.array([s for s, _ in found.offsets])
    counts = len(found.offsets), len(found.columns), len(found.matrices)

    def apply(sd: Any, *given: Any) -> Any:
        offsets, columns, vectors = given[: counts[0]], given[counts[0] : counts[0] + counts[1]], given[-counts[2] :]
        offset = sum((s * a for s, a in zip(factors, offsets, strict=True)), 0.0) if offsets else None
        wide = [*(np.expand_dims(b, -1) for b in columns), *(vectors if counts[2] else ())]
        b = join(-1, *wide) if len(wide) > 1 else wide[0] if wide else np.zeros((1, 0))
        return sums.log_prob(sd, offset, b)

    singles = [a for _, a in found.offsets] + [b for _, b in found.columns]
    vectors = [c for _, _, c in found.matrices]
    op = Op("Normal by sums", apply, (0, *(0 for _ in singles), *(1 for _ in vectors)), (id(sums),))
    return terms.apply(op, (sd, *singles, *vectors), (), term.span)


def _sums(found: Linear, y: numpy.ndarray, width: int) -> _Sums:
    rows = len(y)
    step = max(1, _CELLS // (width + 1))
    parts = [slice(i, i + step) for i in range(0, rows, step)]
    mean = numpy.zeros(width + 1)
    if found.offsets:  # what is far from 0 is taken away first, in two steps that leave no error
        mean = _design(found, y, slice(0, step)).mean(axis=0)
        mean = mean + sum((_design(found, y, part) - mean).sum(axis=0) for part in parts) / rows
    triangle = numpy.zeros((0, width + 1))
    for part in parts:
        triangle = numpy.asarray(
            numpy.linalg.qr(numpy.concatenate([triangle, _design(found, y, part) - mean]), mode="r")
        )
    return _Sums(rows, triangle[:, :-1], triangle[:, -1], mean[:-1], float(mean[-1]))


def _design(found: Linear, y: numpy.ndarray, rows: slice) -> numpy.ndarray:
    """[X y] at some rows: columns first, then matrices."""
    known = found.known[rows] if numpy.ndim(found.known) else found.known
    columns = [x[rows, None] for x, _ in found.columns]
    return numpy.concatenate(
        [*columns, *(s * x[rows] for s, x, _ in found.matrices), (y[rows] - known)[:, None]], axis=1
    )


# -- rows that are alike -----------------------------------------------------------------------------------------------


def _merged(split: Rowwise, wanted: Sequence[Term]) -> list[Term] | None:
    """The terms over the distinct rows, times how often each occurs; None where most rows are distinct."""
    templates = replace(split.templates, wanted=tuple(wanted))
    rows = split.axis.length
    columns: list[numpy.ndarray] = []
    for whole, place in templates.of(1).sources.values():
        flat = numpy.moveaxis(whole, place, 0).reshape(rows, -1)
        if flat.shape[1] + len(columns) > _MOST_COMPARED:
            return None
        columns += list(flat.T)
    some = numpy.arange(0, rows, max(1, rows // _SAMPLE))
    if 2 * len(numpy.unique(_hashes([column[some] for column in columns], len(some)))) > len(some):
        return None
    _, first, which, counts = numpy.unique(
        _hashes(columns, rows), return_index=True, return_inverse=True, return_counts=True
    )
    if 2 * len(first) > rows or not all((column == column[first[which]]).all() for column in columns):
        return None
    found = []
    for term, short in zip(wanted, templates.at(first), strict=True):
        place = templates.places[id(term)]
        shape = tuple(len(first) if i == place else 1 for i in range(len(short.shape)))
        times = numpy.broadcast_to(counts.astype(float).reshape(shape), short.shape)
        count = terms.constant(times, short.axes, short.span, plates=short.plates)
        found.append(terms.apply(fn.MULTIPLY, (short, count), (), short.span))
    return found


def _hashes(columns: Sequence[numpy.ndarray], rows: int) -> numpy.ndarray:
    """A number of 64 bits a row, the same for rows that are the same in all columns."""
    found = numpy.zeros(rows, dtype=numpy.uint64)
    for column in columns:
        bits = numpy.ascontiguousarray(column, dtype=numpy.float64).view(numpy.uint64)
        found = (found ^ bits) * numpy.uint64(0x9E3779B97F4A7C15)
        found ^= found >> numpy.uint64(29)
    return found
