"""model -> warnings of predictors that are constant, say the same, or separate what is observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppl.compile.symmetry import listed
from ppl.model.graph import Factor, Model
from ppl.model.terms import Term
from ppl.values import dataclass

_WIDE = 10.0  # scale of a prior of a coefficient, in log odds for each unit, that does little against separation
_TINY = 1e-9  # of the largest singular value
_MOST_CELLS = 2_000_000  # that are looked at at once
_SAMPLED = 200_000  # cells of evenly spaced rows that are looked at of more, and all only where these raise a suspicion
_SCALES = {"Normal": 1, "StudentT": 2, "Cauchy": 1, "Laplace": 1, "Logistic": 1}  # where the scale stands


@dataclass(frozen=True, slots=True)
class Column:
    """Known numbers (n,) that an element of a latent is multiplied with, ones for an intercept; `name` is that of the
    element.
    """

    values: np.ndarray
    name: str
    latent: str


def same_predictors(model: Model) -> list[str]:
    """Columns of one linear predictor that are constant beside an intercept, or a combination of others."""
    found = []
    for factor in model.factors:
        for columns in _designs(factor):
            found += _dependent(factor, columns)
    return list(dict.fromkeys(found))


def separation(model: Model) -> list[str]:
    """0 and 1 that a combination of predictors tells apart without a mistake, where priors do little about it.

    A linear program (Konis 2007) finds whether some b has s x b >= 0 in all rows, s = 1 or -1, and > 0 in one.
    """
    found = []
    for factor in model.observed:
        distribution = factor.distribution
        assert distribution is not None and factor.value is not None
        if distribution.family.name != "Bernoulli" or distribution.form.parameters[0].name != "logit":
            continue
        for columns in _designs(factor):
            wide = [column for column in columns if _is_wide(model, column.latent)]
            y = np.asarray(factor.value.value).reshape(-1)
            if not wide or len(y) != len(wide[0].values) or factor.missing is not None:
                continue
            some = _some_rows(wide)  # what is separated is so in any rows
            guilty = _separating(_matrix(wide, some), y[some])
            if guilty.any() and len(range(*some.indices(len(y)))) < len(y):
                continue  # a linear program over all rows is too large
            names = list(dict.fromkeys(c.latent for c, at_fault in zip(wide, guilty, strict=True) if at_fault))
            if names:
                found.append(
                    f"`{factor.name}` is separated: a sum of what {listed(names)} multiply tells 0 from 1 in"
                    " every row, and the likelihood grows without end; give tighter priors, such as Normal(0, 2)"
                )
    return found


def _separating(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which columns take part in a direction that separates y; none where there is no such direction."""
    from scipy.optimize import linprog

    scale = np.abs(x).max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    signed = np.where(y > 0, 1.0, -1.0)[:, None] * (x / scale)
    done = linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=[(-1.0, 1.0)] * x.shape[1], method="highs"
    )
    if not done.success or -done.fun < 1e-6:
        return np.zeros(x.shape[1], dtype=bool)
    return np.asarray(np.abs(done.x) > 1e-9)


def _is_wide(model: Model, name: str) -> bool:
    pieces = next(latent.pieces for latent in model.latents if latent.name == name)
    for piece in pieces:
        family, parameters = piece.distribution.family, piece.distribution.parameters
        if family.name == "Flat":
            continue
        scale = parameters[_SCALES[family.name]] if family.name in _SCALES else None
        if scale is None or not scale.known or float(np.min(np.asarray(scale.value))) < _WIDE:
            return False
    return True


def _dependent(factor: Factor, columns: list[Column]) -> list[str]:
    """What a linear predictor holds twice. That there are more columns than rows is no mistake."""
    count, some = len(columns[0].values), _some_rows(columns)
    x = _triangle(columns, [some])  # columns that depend on each other do so in any rows
    if len(range(*some.indices(count))) < count and _is_suspect(x):
        step = _MOST_CELLS // len(columns)
        x = _triangle(columns, [slice(i, i + step) for i in range(0, count, step)])
    norms = np.sqrt((x**2).sum(axis=0))
    zero = [column.name for column, norm in zip(columns, norms, strict=True) if norm == 0]
    if zero:
        return [f"what {listed(zero)} multiplies is 0 in every row of `{factor.name}`: only its prior tells of it"]
    if not 1 < len(columns) <= count:
        return []
    _, values, directions = np.linalg.svd(x / norms, full_matrices=False)
    weak = directions[values <= _TINY * values[0]]
    if not len(weak):
        return []
    shares = np.abs(weak).max(axis=0)
    names = [column.name for column, share in zip(columns, shares, strict=True) if share > 1e-6]
    return [
        f"the columns that {listed(names)} multiply in `{factor.name}` are not independent (an intercept counts as a"
        " column of ones): the data tell only of their sum, and priors alone tell them apart; leave one out"
    ]


def _is_suspect(triangle: np.ndarray) -> bool:
    """Whether a column is 0, or a combination of others, or a norm is so small that rounding decides."""
    norms = np.sqrt((triangle**2).sum(axis=0))
    return bool((norms == 0).any()) or bool(np.linalg.svd(triangle / norms, compute_uv=False).min() < 10 * _TINY)


def _triangle(columns: list[Column], parts: Sequence[slice]) -> np.ndarray:
    """R of the QR factors of the columns at these rows, some rows at a time: as far as lengths and angles go, the same
    matrix. Its columns are as many as there are, its rows no more.
    """
    found = np.zeros((0, len(columns)))
    for rows in parts:
        found = np.asarray(np.linalg.qr(np.concatenate([found, _matrix(columns, rows)]), mode="r"))
    return found


def _matrix(columns: list[Column], rows: slice) -> np.ndarray:
    return np.stack([np.asarray(column.values[rows], dtype=np.float64) for column in columns], axis=1)


def _some_rows(columns: list[Column]) -> slice:
    """All rows, or evenly spaced ones."""
    cells = len(columns) * len(columns[0].values)
    return slice(0, None, 1 if cells <= _MOST_CELLS else -(-cells // _SAMPLED))


# -- what a linear predictor is made of --------------------------------------------------------------------------------


def _designs(factor: Factor) -> list[list[Column]]:
    """The known columns in each parameter of a distribution that has a sum of known times unknown numbers in it."""
    if factor.distribution is None:
        return []
    found = []
    for term in factor.distribution.parameters:
        columns = [] if term.known or term.plates or len(term.axes) != 1 else _columns(term, term.axes[0].length)
        if columns and len(columns[0].values):
            found.append(columns)
    return found


def _columns(term: Term, rows: int) -> list[Column]:
    """The summands that are known numbers times a latent; others are left out."""
    if term.source is not None:
        return [] if term.axes else [Column(np.broadcast_to(1.0, rows), term.source, term.source)]
    name = "" if term.op is None else term.op.name
    if name in ("+", "-"):
        return [column for arg in term.args if not arg.known for column in _columns(arg, rows)]
    if name == "*":
        known = [arg for arg in term.args if arg.known and not arg.plates and len(arg.axes) == 1]
        single = [str(arg.source) for arg in term.args if arg.source is not None and not arg.axes]
        return [Column(_numbers(known[0]), single[0], single[0])] if known and single else []
    if name == "@" and term.args[0].known and term.args[1].source is not None:
        x, beta = term.args
        if len(x.axes) == 2 and len(beta.axes) == 1 and not x.plates:
            labels = [f"{beta.source}[{beta.axes[0].label(k)}]" for k in range(beta.axes[0].length)]
            return [Column(_numbers(x)[:, k], label, str(beta.source)) for k, label in enumerate(labels)]
    return []


def _numbers(term: Term) -> np.ndarray:
    return np.asarray(term.value)
