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
    return x - np.mean(x, axis=None if x.ndim == 1 else 0)


def standardised(x: np.ndarray) -> np.ndarray:
    return centred(x) / np.std(x, axis=None if x.ndim == 1 else 0, ddof=1)


# -- matrices ---------------------------------------------------------------------------------------------------------


def concat(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate([np.atleast_1d(part) for part in parts])


def side_by_side(*parts: np.ndarray) -> np.ndarray:
    return np.hstack([part.reshape(-1, 1) if part.ndim == 1 else part for part in parts])


def on_top(*parts: np.ndarray) -> np.ndarray:
    return np.vstack([part.reshape(1, -1) if part.ndim == 1 else part for part in parts])


def diagonal(x: np.ndarray) -> np.ndarray:
    return np.diag(x)


def one_hot(x: np.ndarray, count: Any = None) -> np.ndarray:
    levels = int(np.max(x)) if count is None else int(count)
    return (np.arange(1, levels + 1) == np.asarray(x)[..., None]).astype(float)


def sequence(first: Any, last: Any, length: Any) -> np.ndarray:
    return np.linspace(float(first), float(last), int(length))


def repeated(x: np.ndarray, times: Any) -> np.ndarray:
    return np.full(int(times), float(x)) if np.ndim(x) == 0 else np.concatenate([x] * int(times))


# -- kernels ----------------------------------------------------------------------------------------------------------


def _points(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, 1) if x.ndim == 1 else x


def _kernel(of_distance: Callable[..., float]) -> Callable[..., np.ndarray]:
    def kernel(x: np.ndarray, *rest: Any) -> np.ndarray:
        """`rest` is other points, where they are given, and then the numbers of the kernel."""
        other = _points(rest[0]) if np.ndim(rest[0]) else _points(x)
        numbers = [float(r) for r in (rest[1:] if np.ndim(rest[0]) else rest)]
        return np.array([[of_distance(math.dist(a, b), *numbers) for b in other] for a in _points(x)])

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


def bspline(x: np.ndarray, knots: np.ndarray, degree: Any = 3) -> np.ndarray:
    """The clamped B-spline basis: `knots` are the inner ones and both ends."""
    k = int(degree)
    ordered = np.sort(knots)
    full = np.concatenate([[ordered[0]] * k, ordered, [ordered[-1]] * k])
    count = len(full) - k - 1
    return np.stack([interpolate.BSpline(full, np.eye(count)[i], k)(x) for i in range(count)], axis=-1)


def poly(x: np.ndarray, degree: Any) -> np.ndarray:
    return np.stack([x ** (k + 1) for k in range(int(degree))], axis=-1)


def _counts(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


WHOLE: dict[str, Callable[..., Any]] = {
    "transpose": np.transpose, "diag": diagonal, "eye": lambda n: np.eye(int(n)), "inv": np.linalg.inv,
    "det": np.linalg.det, "logdet": lambda a: np.linalg.slogdet(a)[1], "cholesky": np.linalg.cholesky,
    "solve": linalg.solve, "kron": np.kron, "outer": np.outer,
    "zeros": lambda *shape: np.zeros(_counts(shape)), "ones": lambda *shape: np.ones(_counts(shape)),
    "seq": sequence, "concat": concat, "hcat": side_by_side, "vcat": on_top, "repeat": repeated,
    "flatten": np.ravel, "onehot": one_hot, "exp_quad": _kernel(exp_quad), "matern32": _kernel(matern32),
    "matern52": _kernel(matern52), "periodic": _kernel(periodic), "bspline": bspline, "poly": poly,
    "center": centred, "standardize": standardised,
}  # fmt: skip
