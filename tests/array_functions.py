"""What the interpreter takes for the functions of arrays: numpy and scipy, one element or one matrix at a time."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.interpolate import BSpline


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.sum((np.atleast_1d(a) - np.atleast_1d(b)) ** 2)))


def _covariances(kernel, count: int):  # type: ignore[no-untyped-def]
    """A kernel of a distance and numbers, over all pairs of points."""

    def apply(*given):  # type: ignore[no-untyped-def]
        x, y, numbers = given[0], given[-count - 1], list(given[-count:])
        if np.ndim(numbers[1]) == 1:
            x, y, numbers[1] = x / numbers[1], y / numbers[1], 1.0
        return np.array([[kernel(_distance(a, b), *(float(n) for n in numbers)) for b in y] for a in x])

    return apply


def _hcat(*parts: np.ndarray) -> np.ndarray:
    rows = max(np.shape(part)[0] if np.ndim(part) else 1 for part in parts)
    columns = [part if np.ndim(part) == 2 else np.broadcast_to(part, rows)[:, None] for part in parts]
    return np.hstack(columns)


def _vcat(*parts: np.ndarray) -> np.ndarray:
    return _hcat(*(part.T if np.ndim(part) == 2 else part for part in parts)).T


def _poly(x: np.ndarray, degree: np.ndarray) -> np.ndarray:
    q, r = np.linalg.qr(np.vander(x - x.mean(), int(degree) + 1, increasing=True))
    return (q * np.sign(np.diagonal(r)))[:, 1:]


def _bspline(x: np.ndarray, knots: np.ndarray, degree: int = 3) -> np.ndarray:
    x, degree = np.asarray(x, dtype=float), int(degree)
    if np.ndim(knots) == 0:
        knots = np.quantile(x, np.linspace(0, 1, int(knots) - degree + 2)[1:-1])
    ends = np.ones(degree + 1)
    at = np.concatenate([x.min() * ends, knots, x.max() * ends])
    return BSpline.design_matrix(x, at, degree).toarray()[:, 1:]


def _seq(low: np.ndarray, high: np.ndarray, count: int | None = None) -> np.ndarray:
    return np.arange(low, high + 0.5) if count is None else np.linspace(low, high, int(count))


def _onehot(x: np.ndarray, count: int | None = None) -> np.ndarray:
    kinds = np.unique(x) if count is None else 1 + np.arange(int(count))
    return np.array([[float(one == kind) for kind in kinds] for one in x])


ARRAY_FUNCTIONS = {
    "transpose": np.transpose,
    "diag": np.diag,
    "inv": lambda a: linalg.solve(a, np.eye(len(a))),
    "det": linalg.det,
    "logdet": lambda a: np.log(linalg.det(a)),
    "cholesky": lambda a: linalg.cholesky(a, lower=True),
    "solve": linalg.solve,
    "kron": np.kron,
    "outer": np.outer,
    "zeros": lambda *sizes: np.zeros([int(n) for n in sizes]),
    "ones": lambda *sizes: np.ones([int(n) for n in sizes]),
    "eye": lambda n: np.eye(int(n)),
    "seq": _seq,
    "concat": lambda *parts: np.concatenate([np.atleast_1d(part) for part in parts]),
    "hcat": _hcat,
    "vcat": _vcat,
    "repeat": lambda x, n: np.concatenate([np.atleast_1d(x)] * int(n)),
    "flatten": np.ravel,
    "onehot": _onehot,
    "exp_quad": _covariances(lambda d, a, r: a**2 * np.exp(-(d**2) / (2 * r**2)), 2),
    "matern32": _covariances(lambda d, a, r: a**2 * (1 + 3**0.5 * d / r) * np.exp(-(3**0.5) * d / r), 2),
    "matern52": _covariances(
        lambda d, a, r: a**2 * (1 + 5**0.5 * d / r + 5 * d**2 / (3 * r**2)) * np.exp(-(5**0.5) * d / r), 2
    ),
    "periodic": _covariances(lambda d, a, r, p: a**2 * np.exp(-2 * np.sin(np.pi * d / p) ** 2 / r**2), 3),
    "center": lambda x: x - np.mean(x, axis=0),
    "standardize": lambda x: (x - np.mean(x, axis=0)) / np.std(x, axis=0, ddof=1),
    "poly": _poly,
    "bspline": _bspline,
}
