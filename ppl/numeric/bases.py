"""Known numbers -> the columns that a curve through them is made of: B-splines and orthogonal polynomials."""

from __future__ import annotations

import numpy as np


def polynomials(x: np.ndarray, degree: int, first: int | None = None) -> np.ndarray:
    """x (n,) -> (n, degree): polynomials of degree 1, 2, ... that are orthogonal to each other and to a constant.

    Each has length 1 and grows with large x, as R's `poly(x, degree)`; needs more than `degree` different values.
    The recursion of three terms, Forsythe 1957. Where only the `first` elements are given, they alone decide which
    polynomials these are, and the others are where they are looked at.
    """
    given = x[:first]
    centred = (x - given.mean()) / np.ptp(given)
    before, current = np.zeros(len(x)), np.ones(len(x))
    columns: list[np.ndarray] = []
    for _ in range(degree):
        size = current[:first] @ current[:first]
        shift = (centred * current)[:first] @ current[:first] / size
        back = size / (before[:first] @ before[:first]) if columns else 0.0
        before, current = current, (centred - shift) * current - back * before
        for earlier in (np.full(len(x), len(given) ** -0.5), *columns):  # again, against rounding
            current = current - (earlier[:first] @ current[:first]) * earlier
        columns.append(current / np.sqrt(current[:first] @ current[:first]))
    return np.stack(columns, axis=-1)


def splines(x: np.ndarray, knots: np.ndarray, degree: int, ends: tuple[float, float] | None = None) -> np.ndarray:
    """x (n,) and inner knots (k,) -> (n, k + degree): the B-splines between two `ends` (those of x), without the
    first of them.

    With all of them a constant would be in their span, and the intercept of a model would be there twice: R's
    `bs(x, knots = , degree = )`. The recursion of de Boor 1978, chapter X (4).
    """
    low, high = (x.min(), x.max()) if ends is None else ends
    ones = np.ones(degree + 1)
    at = np.concatenate([low * ones, np.sort(knots), high * ones])
    count = len(at) - 1
    last = int(np.searchsorted(at, high)) - 1  # the last interval includes its upper end
    interval = np.minimum(np.searchsorted(at, x, side="right") - 1, last)
    basis = (interval[:, None] == np.arange(count)).astype(float)
    for k in range(1, degree + 1):
        count -= 1
        left, right = at[:count], at[k + 1 : k + 1 + count]
        rising = _share(x[:, None] - left, at[k : k + count] - left)
        falling = _share(right - x[:, None], right - at[1 : 1 + count])
        basis = rising * basis[:, :count] + falling * basis[:, 1 : count + 1]
    return basis[:, 1:]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """A part of the distance between two knots, 0 where they are one."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)


def knots_for(x: np.ndarray, count: int) -> np.ndarray:
    """`count` inner knots at the quantiles of x, as R's `bs(x, df = count + degree)` puts them."""
    return np.quantile(x, np.arange(1, count + 1) / (count + 1))
