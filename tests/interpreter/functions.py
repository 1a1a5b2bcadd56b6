"""The functions of the language on numbers and numpy arrays, from numpy, scipy and the textbooks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import interpolate, linalg, special, stats

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "log10": np.log10, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt,
    "abs": np.abs, "floor": np.floor, "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh,
    "inv_logit": special.expit, "logit": special.logit, "softplus": lambda x: np.logaddexp(0.0, x),
    "relu": lambda x: x if x > 0 else 0.0, "erf": special.erf, "Phi": stats.norm.cdf,
    "lgamma": special.gammaln, "digamma": special.digamma, "lbeta": special.betaln,
    "lchoose": lambda n, k: special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1),
}  # fmt: skip

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum, "mean": np.mean, "prod": np.prod, "min": np.min, "max": np.max,
    "sd": lambda x, axis=None: np.std(x, axis=axis, ddof=1),
    "var": lambda x, axis=None: np.var(x, axis=axis, ddof=1),
    "logsumexp": special.logsumexp,
}  # fmt: skip

ALONG: dict[str, Callable[..., Any]] = {
    "cumsum": np.cumsum, "cumprod": np.cumprod, "diff": lambda x, axis: np.diff(x, axis=axis),
    "softmax": special.softmax, "log_softmax": special.log_softmax,
}  # fmt: skip

POINTS: dict[str, Callable[[float, float], float]] = {"min": min, "max": max}


def centred(x: np.ndarray) -> np.ndarray:
    return x - np.mean(x, axis=0)


def standardised(x: np.ndarray) -> np.ndarray:
    return centred(x) / np.std(x, axis=0, ddof=1)


# -- matrices ---------------------------------------------------------------------------------------------------------


def of_matrices(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """The last two axes of an array are its matrices."""

    def apply(x: np.ndarray) -> Any:
        if x.ndim <= 2:
            return function(x)
        return np.array([apply(part) for part in x])

    return apply


def concat(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate([np.atleast_1d(part) for part in parts])


def side_by_side(*parts: np.ndarray) -> np.ndarray:
    """Vectors as columns, and numbers as columns of that number."""
    rows = max(part.shape[0] if part.ndim else 1 for part in parts)
    return np.hstack([part if part.ndim == 2 else np.full((rows, 1), 1.0) * part.reshape(-1, 1) for part in parts])


def on_top(*parts: np.ndarray) -> np.ndarray:
    return side_by_side(*(part.T for part in parts)).T


def one_hot(x: np.ndarray, count: Any = None) -> np.ndarray:
    kinds = np.unique(x) if count is None else np.arange(1, int(count) + 1)
    return (kinds == np.asarray(x)[..., None]).astype(float)


def sequence(first: Any, last: Any, length: Any = None) -> np.ndarray:
    if length is None:
        return first + np.arange(int(np.floor(last - first + 1e-9)) + 1)
    return np.linspace(float(first), float(last), int(length))


def repeated(x: np.ndarray, times: Any) -> np.ndarray:
    return np.concatenate([np.atleast_1d(x)] * int(times))


# -- kernels ----------------------------------------------------------------------------------------------------------


def _kernel(count: int, of_distance: Callable[..., float]) -> Callable[..., np.ndarray]:
    """Of a set of points with itself or another; of the `count` numbers the second is one length, or one a column."""

    def kernel(x: np.ndarray, *rest: Any) -> np.ndarray:
        numbers = list(rest[-count:])
        other = rest[0] if len(rest) > count else x
        if np.size(numbers[1]) > 1:
            x, other, numbers[1] = x / numbers[1], other / numbers[1], 1.0
        points, others = (a.reshape(-1, 1) if a.ndim == 1 else a for a in (x, other))
        plain = [np.asarray(number).item() for number in numbers]
        return np.array([[of_distance(math.dist(a, b), *plain) for b in others] for a in points])

    return kernel


def exp_quad(r: float, sd: float, length: float) -> float:
    return sd**2 * math.exp(-(r**2) / (2 * length**2))


def matern32(r: float, sd: float, length: float) -> float:
    return sd**2 * (1 + math.sqrt(3) * r / length) * math.exp(-math.sqrt(3) * r / length)


def matern52(r: float, sd: float, length: float) -> float:
    scaled = math.sqrt(5) * r / length
    return sd**2 * (1 + scaled + scaled**2 / 3) * math.exp(-scaled)


def periodic(r: float, sd: float, length: float, period: float) -> float:
    return sd**2 * math.exp(-2 * math.sin(math.pi * r / period) ** 2 / length**2)


# -- bases ------------------------------------------------------------------------------------------------------------


def bspline(x: np.ndarray, given: np.ndarray, degree: Any = 3) -> np.ndarray:
    """R's `bs`: so many columns, inner knots at quantiles, or these inner knots; the first column is left out."""
    k = int(degree)
    inner = np.asarray(given, dtype=float)
    if inner.ndim == 0:
        between = int(inner) - k
        inner = np.quantile(x, [(i + 1) / (between + 1) for i in range(between)])
    full = np.concatenate([[x.min()] * (k + 1), np.sort(inner), [x.max()] * (k + 1)])
    count = len(full) - k - 1
    columns = [interpolate.BSpline(full, np.eye(count)[i], k)(x) for i in range(count)]
    return np.stack(columns[1:], axis=-1)


def poly(x: np.ndarray, degree: Any) -> np.ndarray:
    """R's `poly`: powers made orthogonal to all lower ones (Gram and Schmidt, twice over), of length one."""
    found = [np.full(len(x), 1 / math.sqrt(len(x)))]
    for _ in range(int(degree)):
        power = found[-1] * centred(x)
        for _ in range(2):
            for lower in found:
                power = power - (power @ lower) * lower
        found.append(power / math.sqrt(power @ power))
    return np.stack(found[1:], axis=-1)


def _counts(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


WHOLE: dict[str, Callable[..., Any]] = {
    "transpose": of_matrices(np.transpose), "diag": of_matrices(np.diag), "eye": lambda n: np.eye(int(n)),
    "inv": of_matrices(np.linalg.inv), "det": of_matrices(np.linalg.det), "cholesky": of_matrices(np.linalg.cholesky),
    "logdet": of_matrices(lambda a: np.linalg.slogdet(a)[1]), "solve": linalg.solve, "kron": np.kron,
    "outer": np.outer, "zeros": lambda *shape: np.zeros(_counts(shape)), "ones": lambda *shape: np.ones(_counts(shape)),
    "seq": sequence, "concat": concat, "hcat": side_by_side, "vcat": on_top, "repeat": repeated,
    "flatten": np.ravel, "onehot": one_hot, "exp_quad": _kernel(2, exp_quad), "matern32": _kernel(2, matern32),
    "matern52": _kernel(2, matern52), "periodic": _kernel(3, periodic), "bspline": bspline, "poly": poly,
    "center": centred, "standardize": standardised,
}  # fmt: skip
