"""The log densities of one vector or matrix for the slow interpreter: scipy's, or written out one number at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import special, stats

Given = Mapping[str, np.ndarray]

RANKS = {  # axes of one value, and of the parameters that are not single numbers
    "Dirichlet": (1, {"concentration": 1}),
    "MvNormal": (1, {"mean": 1, "cov": 2, "chol": 2, "prec": 2}),
    "MvStudentT": (1, {"mean": 1, "cov": 2, "chol": 2}),
    "GP": (1, {"mean": 1, "cov": 2}),
    "GaussianRandomWalk": (1, {}),
    "AR": (1, {"coefficients": 1}),
    "ICAR": (1, {"node1": 1, "node2": 1, "adjacency": 2}),
    "LKJ": (2, {}),
    "LKJCholesky": (2, {}),
    "Wishart": (2, {"scale": 2}),
    "InvWishart": (2, {"scale": 2}),
}
DEFAULTS = {
    "GP": {"mean": 0.0},
    "GaussianRandomWalk": {"drift": 0.0, "init": 0.0},
    "AR": {"constant": 0.0, "init": 0.0},
    "ICAR": {"sd": 1.0},
}


def log_density(family: str, found: np.ndarray, given: Given) -> float:
    """The sum over all vectors or matrices of an array."""
    rank, ranks = RANKS[family]
    total = 0.0
    for index in np.ndindex(found.shape[: found.ndim - rank]):
        here = {}
        for name, array in given.items():
            own = ranks.get(name, 0)
            plates = max(0, array.ndim - own)
            here[name] = array[index[len(index) - plates :]] if plates else array
        total += LAWS[family](found[index], here)
    return total


def _dirichlet(x: np.ndarray, p: Given) -> float:
    return float(stats.dirichlet(np.broadcast_to(p["concentration"], x.shape)).logpdf(x / x.sum()))


def _matrix(p: Given) -> np.ndarray:
    if "chol" in p:
        return p["chol"] @ p["chol"].T
    return np.linalg.inv(p["prec"]) if "prec" in p else p["cov"]


def _mv_normal(x: np.ndarray, p: Given) -> float:
    return float(stats.multivariate_normal(np.broadcast_to(p["mean"], x.shape), _matrix(p)).logpdf(x))


def _mv_student(x: np.ndarray, p: Given) -> float:
    return float(stats.multivariate_t(np.broadcast_to(p["mean"], x.shape), _matrix(p), df=float(p["df"])).logpdf(x))


def _gp(x: np.ndarray, p: Given) -> float:
    jitter = 1e-9 * np.trace(p["cov"]) / len(x) * np.eye(len(x))
    return _mv_normal(x, {"mean": p["mean"], "cov": p["cov"] + jitter})


def _walk(x: np.ndarray, p: Given) -> float:
    if "init_sd" in p:
        total = stats.norm(p["init"], p["init_sd"]).logpdf(x[0])
    else:
        total = stats.norm(p["init"] + p["drift"], p["sd"]).logpdf(x[0])
    for t in range(1, len(x)):
        total += stats.norm(x[t - 1] + p["drift"], p["sd"]).logpdf(x[t])
    return float(total)


def _ar(x: np.ndarray, p: Given) -> float:
    c = np.atleast_1d(p["coefficients"])
    total = 0.0
    for t in range(len(x)):
        if "init_sd" in p and t < len(c):
            total += stats.norm(p["init"], p["init_sd"]).logpdf(x[t])
            continue
        past = [x[t - 1 - k] if t - 1 - k >= 0 else p["init"] for k in range(len(c))]
        total += stats.norm(p["constant"] + sum(a * b for a, b in zip(c, past, strict=True)), p["sd"]).logpdf(x[t])
    return float(total)


def _icar(x: np.ndarray, p: Given) -> float:
    if "adjacency" in p:
        edges = [(i, j) for i in range(len(x)) for j in range(i) if p["adjacency"][i, j]]
    else:
        edges = [(int(i) - 1, int(j) - 1) for i, j in zip(p["node1"], p["node2"], strict=True)]
    part = list(range(len(x)))
    for i, j in edges:
        part = [part[i] if here == part[j] else here for here in part]
    sd = float(p["sd"])
    return -0.5 * sum((x[i] - x[j]) ** 2 for i, j in edges) / sd**2 - (len(x) - len(set(part))) * math.log(sd)


def _lkj(x: np.ndarray, p: Given) -> float:
    """Theorem 5 of Lewandowski, Kurowicka and Joe 2009."""
    n, eta = len(x), float(p["shape"])
    total = (eta - 1) * np.linalg.slogdet(x)[1]
    for k in range(1, n):
        b = eta + 0.5 * (n - k - 1)
        total -= (2 * eta - 2 + n - k) * (n - k) * math.log(2) + (n - k) * special.betaln(b, b)
    return float(total)


def _lkj_cholesky(x: np.ndarray, p: Given) -> float:
    return _lkj(x @ x.T, p) + sum((len(x) - 1 - i) * math.log(x[i, i]) for i in range(len(x)))


LAWS = {
    "Dirichlet": _dirichlet,
    "MvNormal": _mv_normal,
    "MvStudentT": _mv_student,
    "GP": _gp,
    "GaussianRandomWalk": _walk,
    "AR": _ar,
    "ICAR": _icar,
    "LKJ": _lkj,
    "LKJCholesky": _lkj_cholesky,
    "Wishart": lambda x, p: float(stats.wishart(float(p["df"]), p["scale"]).logpdf(x)),
    "InvWishart": lambda x, p: float(stats.invwishart(float(p["df"]), p["scale"]).logpdf(x)),
}
