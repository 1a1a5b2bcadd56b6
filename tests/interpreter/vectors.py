"""The log densities of vectors and matrices, by their formulas or by scipy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special, stats

Given = Mapping[str, Any]  # parameters, arrays without plates


def _spread(parameter: Any, x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.asarray(parameter, dtype=float), x.shape)


def _covariance(p: Given, name: str) -> np.ndarray:
    if "chol" in p:
        return np.asarray(p["chol"] @ p["chol"].T)
    return np.linalg.inv(p["prec"]) if "prec" in p else np.asarray(p[name])


def dirichlet(x: np.ndarray, p: Given) -> float:
    a = _spread(p["concentration"], x)
    if (x < 0).any() or abs(x.sum() - 1) > 1e-6:
        return -math.inf
    return float(special.gammaln(a.sum()) - special.gammaln(a).sum() + special.xlogy(a - 1, x).sum())


def multinomial(x: np.ndarray, p: Given) -> float:
    chances = p["p"] if "p" in p else special.softmax(p["logit"])
    if (x < 0).any() or x.sum() != p["n"]:
        return -math.inf
    return float(special.gammaln(p["n"] + 1) - special.gammaln(x + 1).sum() + special.xlogy(x, chances).sum())


def dirichlet_multinomial(x: np.ndarray, p: Given) -> float:
    a, n = _spread(p["concentration"], x), p["n"]
    if (x < 0).any() or x.sum() != n:
        return -math.inf
    ways = special.gammaln(n + 1) - special.gammaln(x + 1).sum()
    return float(
        ways
        + special.gammaln(a.sum())
        - special.gammaln(n + a.sum())
        + (special.gammaln(x + a) - special.gammaln(a)).sum()
    )


def mv_normal(x: np.ndarray, p: Given) -> float:
    return float(stats.multivariate_normal(_spread(p["mean"], x), _covariance(p, "cov")).logpdf(x))


def mv_student(x: np.ndarray, p: Given) -> float:
    return float(stats.multivariate_t(_spread(p["mean"], x), _covariance(p, "cov"), df=float(p["df"])).logpdf(x))


def lkj_constant(eta: float, size: int) -> float:
    """The log of the integral of det(R)^(eta - 1) over correlation matrices: Lewandowski, Kurowicka, Joe 2009, (16)."""
    total = 0.0
    for k in range(1, size):
        b = eta + (size - k - 1) / 2
        total += (size - k) * ((2 * eta - 2 + size - k) * math.log(2) + special.betaln(b, b))
    return float(total)


def lkj(x: np.ndarray, p: Given) -> float:
    eta = float(p["shape"])
    return float((eta - 1) * np.linalg.slogdet(x)[1] - lkj_constant(eta, len(x)))


def lkj_cholesky(x: np.ndarray, p: Given) -> float:
    """That of R = L L' times the Jacobian of the lower triangle of L: L[i, i]^(d - i), i = 2..d."""
    size = len(x)
    jacobian = sum((size - i) * math.log(x[i - 1, i - 1]) for i in range(2, size + 1))
    return lkj(x @ x.T, p) + jacobian


def wishart(x: np.ndarray, p: Given) -> float:
    return float(stats.wishart(float(p["df"]), _covariance(p, "scale")).logpdf(x))


def inverse_wishart(x: np.ndarray, p: Given) -> float:
    return float(stats.invwishart(float(p["df"]), _covariance(p, "scale")).logpdf(x))


def process(x: np.ndarray, p: Given) -> float:
    """With a billionth of the mean variance added to the diagonal."""
    jitter = 1e-9 * np.mean(np.diagonal(p["cov"]))
    return mv_normal(x, {"mean": p["mean"], "cov": p["cov"] + jitter * np.eye(len(x))})


def random_walk(x: np.ndarray, p: Given) -> float:
    """It stands at `init` before its first step; with `init_sd` that is how its first value is distributed."""
    before = np.concatenate([[p["init"]], x[:-1]]) + p["drift"]
    sds = np.full(len(x), p["sd"])
    if "init_sd" in p:
        before[0], sds[0] = p["init"], p["init_sd"]
    return float(stats.norm(before, sds).logpdf(x).sum())


def autoregression(x: np.ndarray, p: Given) -> float:
    """All values before the first are `init`; with `init_sd` that is how as many as there are lags are distributed."""
    lags = np.atleast_1d(p["coefficients"])
    padded = np.concatenate([np.full(len(lags), p["init"]), x])
    means = np.array([p["constant"] + lags @ padded[t : t + len(lags)][::-1] for t in range(len(x))])
    sds = np.full(len(x), p["sd"])
    if "init_sd" in p:
        means[: len(lags)], sds[: len(lags)] = p["init"], p["init_sd"]
    return float(stats.norm(means, sds).logpdf(x).sum())


def icar(x: np.ndarray, p: Given) -> float:
    """Besag 1974; the rank of the precision, n less the number of connected parts, says how often sd counts."""
    if "adjacency" in p:
        weights = np.asarray(p["adjacency"])
    else:
        weights = np.zeros((len(x), len(x)))
        for i, j in zip(np.asarray(p["node1"]).astype(int) - 1, np.asarray(p["node2"]).astype(int) - 1, strict=True):
            weights[i, j] += 1
            weights[j, i] += 1
    precision = np.diag(weights.sum(axis=0)) - weights
    rank = np.linalg.matrix_rank(precision)
    return float(-0.5 * x @ precision @ x / p["sd"] ** 2 - rank * math.log(p["sd"]))


DEFAULTS: dict[str, dict[str, float]] = {
    "GP": {"mean": 0.0}, "GaussianRandomWalk": {"drift": 0.0, "init": 0.0}, "AR": {"constant": 0.0, "init": 0.0},
    "ICAR": {"sd": 1.0},
}  # fmt: skip

VECTORS: dict[str, tuple[int, Callable[[np.ndarray, Given], float]]] = {  # how many axes a value has
    "Dirichlet": (1, dirichlet), "Multinomial": (1, multinomial), "DirichletMultinomial": (1, dirichlet_multinomial),
    "MvNormal": (1, mv_normal), "MvStudentT": (1, mv_student), "LKJ": (2, lkj), "LKJCholesky": (2, lkj_cholesky),
    "Wishart": (2, wishart), "InvWishart": (2, inverse_wishart), "GaussianRandomWalk": (1, random_walk),
    "AR": (1, autoregression), "ICAR": (1, icar), "GP": (1, process),
}  # fmt: skip

RANKS = {  # of parameters that are vectors or matrices
    ("Dirichlet", "concentration"): 1, ("Multinomial", "p"): 1, ("Multinomial", "logit"): 1,
    ("DirichletMultinomial", "concentration"): 1, ("MvNormal", "mean"): 1, ("MvNormal", "cov"): 2,
    ("MvNormal", "chol"): 2, ("MvNormal", "prec"): 2, ("MvStudentT", "mean"): 1, ("MvStudentT", "cov"): 2,
    ("MvStudentT", "chol"): 2, ("MvStudentT", "prec"): 2, ("Wishart", "scale"): 2, ("InvWishart", "scale"): 2,
    ("AR", "coefficients"): 1, ("ICAR", "node1"): 1, ("ICAR", "node2"): 1,
    ("ICAR", "adjacency"): 2,
    ("GP", "mean"): 1, ("GP", "cov"): 2, ("Categorical", "p"): 1, ("Categorical", "logit"): 1,
    ("OrderedLogistic", "cutpoints"): 1, ("OrderedProbit", "cutpoints"): 1,
}  # fmt: skip
