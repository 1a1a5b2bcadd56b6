"""The families of single numbers: what their parameters are called, and scipy's distribution of one element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

Numbers = Mapping[str, Any]
_REAL = (-math.inf, math.inf)
_POSITIVE = (0.0, math.inf)


@dataclass(frozen=True)
class Law:
    """One distribution of one number, in the four things that are asked of it.

    `below(x)` is P(X <= x) and `above(x)` P(X > x). Values lie in `support`; `steps` says that they are whole.
    """

    log_density: Callable[[float], float]
    below: Callable[[float], float]
    above: Callable[[float], float]
    support: tuple[float, float]
    steps: bool = False


def _of_scipy(frozen: Any) -> Law:
    low, high = (float(end) for end in frozen.support())
    steps = not hasattr(frozen.dist, "pdf")
    log_density = frozen.logpmf if steps else frozen.logpdf

    def inside(x: float) -> float:
        return float(log_density(x)) if low <= x <= high else -math.inf

    return Law(inside, lambda x: float(frozen.cdf(x)), lambda x: float(frozen.sf(x)), (low, high), steps)


def _half(whole: Law) -> Law:
    """The distribution of the absolute value of a symmetric one around 0."""
    return Law(
        lambda x: whole.log_density(x) + math.log(2) if x >= 0 else -math.inf,
        lambda x: 2 * whole.below(x) - 1 if x > 0 else 0.0,
        lambda x: 2 * whole.above(x) if x > 0 else 1.0,
        _POSITIVE,
    )


def _finite(chances: np.ndarray) -> Law:
    """Of 1..K with these chances."""
    count = len(chances)

    def below(x: float) -> float:
        return float(np.sum(chances[: max(0, min(count, math.floor(x)))]))

    def log_chance(x: float) -> float:
        if not float(x).is_integer() or not 1 <= x <= count or chances[int(x) - 1] <= 0:
            return -math.inf
        return math.log(chances[int(x) - 1])

    return Law(log_chance, below, lambda x: 1 - below(x), (1, count), True)


def _flat() -> Law:
    def none(x: float) -> float:
        raise TypeError("Flat has no probabilities")

    return Law(lambda x: 0.0, none, none, _REAL)


def _negative_binomial(p: Numbers) -> Law:
    mean = p["mean"] if "mean" in p else math.exp(p["log"])
    return _of_scipy(stats.nbinom(p["size"], p["size"] / (p["size"] + mean)))


def _normal(p: Numbers) -> Law:
    """Written out, as are the chances of two outcomes: scipy takes a tenth of a millisecond for each number."""
    sd = p["sd"] if "sd" in p else math.sqrt(p["var"]) if "var" in p else 1 / math.sqrt(p["prec"])
    mean = p["mean"]
    return Law(
        lambda x: -0.5 * ((x - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi),
        lambda x: float(special.ndtr((x - mean) / sd)),
        lambda x: float(special.ndtr((mean - x) / sd)),
        _REAL,
    )


def _bernoulli(p: Numbers) -> Law:
    if "p" in p:
        logs = [math.log(chance) if chance > 0 else -math.inf for chance in (1 - p["p"], p["p"])]
    else:
        logs = [-float(np.logaddexp(0.0, sign * p["logit"])) for sign in (1, -1)]

    def below(x: float) -> float:
        return 0.0 if x < 0 else math.exp(logs[0]) if x < 1 else 1.0

    return Law(lambda x: logs[int(x)] if x in (0, 1) else -math.inf, below, lambda x: 1 - below(x), (0, 1), True)


def _chance(p: Numbers) -> float:
    return p["p"] if "p" in p else float(special.expit(p["logit"]))


def _chances(p: Numbers) -> np.ndarray:
    return np.asarray(p["p"]) if "p" in p else special.softmax(p["logit"])


def _cut_points(p: Numbers, cumulative: Callable[[Any], Any]) -> np.ndarray:
    """P(y = k) = F(cut[k] - eta) - F(cut[k-1] - eta)."""
    ends = np.concatenate([[-np.inf], np.asarray(p["cutpoints"]) - p["eta"], [np.inf]])
    low, high = ends[:-1], ends[1:]  # from the side where it is not a difference of numbers near one
    return np.where(high < 0, cumulative(high) - cumulative(low), cumulative(-low) - cumulative(-high))


def _binomial(p: Numbers) -> Law:
    """Log odds may lie where the chance is one to all digits."""
    law, n = _of_scipy(stats.binom(p["n"], _chance(p))), p["n"]
    if "p" in p:
        return law

    def log_density(x: float) -> float:
        if not 0 <= x <= n or not float(x).is_integer():
            return -math.inf
        ways = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
        return float(ways + x * special.log_expit(p["logit"]) + (n - x) * special.log_expit(-p["logit"]))

    return Law(log_density, law.below, law.above, law.support, True)


def _beta_binomial(p: Numbers) -> Law:
    a, b = (p["a"], p["b"]) if "a" in p else (p["mean"] * p["precision"], (1 - p["mean"]) * p["precision"])
    return _of_scipy(stats.betabinom(p["n"], a, b))


def _kumaraswamy(p: Numbers) -> Law:
    """Kumaraswamy 1980: F(x) = 1 - (1 - x^a)^b."""
    a, b = p["a"], p["b"]

    def log_density(x: float) -> float:
        if not 0 < x < 1:
            return -math.inf
        return math.log(a * b) + (a - 1) * math.log(x) + (b - 1) * math.log1p(-(x**a))

    def above(x: float) -> float:
        return (1 - min(max(x, 0.0), 1.0) ** a) ** b

    return Law(log_density, lambda x: 1 - above(x), above, (0.0, 1.0))


def _ex_gaussian(p: Numbers) -> Law:
    """Of Normal(mean, sd) + Exponential(rate)."""
    return _of_scipy(stats.exponnorm(1 / (p["sd"] * p["rate"]), p["mean"], p["sd"]))


def _von_mises(p: Numbers) -> Law:
    frozen = stats.vonmises(p["concentration"], p["mean"])

    def log_density(x: float) -> float:
        return float(frozen.logpdf(x)) if -math.pi <= x <= math.pi else -math.inf

    start = stats.vonmises(p["concentration"], p["mean"]).cdf(-math.pi)
    return Law(
        log_density, lambda x: float(frozen.cdf(x) - start), lambda x: float(1 + start - frozen.cdf(x)),
        (-math.pi, math.pi),
    )  # fmt: skip


LAWS: dict[str, Callable[[Numbers], Law]] = {
    "Normal": _normal,
    "StudentT": lambda p: _of_scipy(stats.t(p["df"], p["location"], p["scale"])),
    "Cauchy": lambda p: _of_scipy(stats.cauchy(p["location"], p["scale"])),
    "Laplace": lambda p: _of_scipy(stats.laplace(p["location"], p["scale"])),
    "Logistic": lambda p: _of_scipy(stats.logistic(p["location"], p["scale"])),
    "Gumbel": lambda p: _of_scipy(stats.gumbel_r(p["location"], p["scale"])),
    "SkewNormal": lambda p: _of_scipy(stats.skewnorm(p["shape"], p["location"], p["scale"])),
    "LogNormal": lambda p: _of_scipy(stats.lognorm(p["sd"], scale=math.exp(p["mean"]))),
    "HalfNormal": lambda p: _half(_of_scipy(stats.norm(0.0, p["sd"]))),
    "HalfCauchy": lambda p: _half(_of_scipy(stats.cauchy(0.0, p["scale"]))),
    "HalfStudentT": lambda p: _half(_of_scipy(stats.t(p["df"], 0.0, p["scale"]))),
    "Exponential": lambda p: _of_scipy(stats.expon(scale=1 / p["rate"])),
    "Gamma": lambda p: _of_scipy(stats.gamma(p["shape"], scale=1 / p["rate"])),
    "InvGamma": lambda p: _of_scipy(stats.invgamma(p["shape"], scale=p["scale"])),
    "Weibull": lambda p: _of_scipy(stats.weibull_min(p["shape"], scale=p["scale"])),
    "Pareto": lambda p: _of_scipy(stats.pareto(p["shape"], scale=p["scale"])),
    "ChiSquare": lambda p: _of_scipy(stats.chi2(p["df"])),
    "Rayleigh": lambda p: _of_scipy(stats.rayleigh(scale=p["scale"])),
    "InvGaussian": lambda p: _of_scipy(stats.invgauss(p["mean"] / p["shape"], scale=p["shape"])),
    "Beta": lambda p: _of_scipy(stats.beta(p["a"], p["b"])),
    "Kumaraswamy": _kumaraswamy,
    "Uniform": lambda p: _of_scipy(stats.uniform(p["lower"], p["upper"] - p["lower"])),
    "VonMises": _von_mises,
    "ExGaussian": _ex_gaussian,
    "Flat": lambda p: _flat(),
    "Bernoulli": _bernoulli,
    "Binomial": _binomial,
    "BetaBinomial": _beta_binomial,
    "Poisson": lambda p: _of_scipy(stats.poisson(p["rate"] if "rate" in p else math.exp(p["log"]))),
    "NegBinomial": _negative_binomial,
    "Geometric": lambda p: _of_scipy(stats.geom(_chance(p), loc=-1)),  # the failures before the first success
    "DiscreteUniform": lambda p: _of_scipy(stats.randint(p["low"], p["high"] + 1)),
    "Categorical": lambda p: _finite(_chances(p)),
    "OrderedLogistic": lambda p: _finite(_cut_points(p, special.expit)),
    "OrderedProbit": lambda p: _finite(_cut_points(p, special.ndtr)),
}


def law_of(family: str, p: Numbers) -> Law:
    """Nowhere any density, where a parameter is none."""
    required = {**REQUIRED, "shape": _number} if family == "SkewNormal" else REQUIRED
    fine = all(required.get(name, _number)(x) for name, x in p.items())
    if fine:
        return LAWS[family](p)
    least = 1 if family in ("Categorical", "OrderedLogistic", "OrderedProbit", "DiscreteUniform") else 0
    support = (least, least) if family in DISCRETE else _REAL
    return Law(lambda x: -math.inf, lambda x: 0.0, lambda x: 0.0, support, family in DISCRETE)


def _number(x: Any) -> bool:
    return not np.isnan(x).any()


def _positive(x: Any) -> bool:
    return bool(np.all(np.asarray(x) > 0) and np.all(np.isfinite(x)))


def _unit(x: Any) -> bool:
    return bool(np.all(np.asarray(x) >= 0) and np.all(np.asarray(x) <= 1))


REQUIRED: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("sd", "var", "prec", "scale", "df", "shape", "size", "a", "b", "concentration"), _positive),
    "p": _unit, "n": lambda n: float(n).is_integer() and n >= 0, "rate": lambda x: 0 <= x < math.inf,
}  # fmt: skip

DISCRETE = {
    "Bernoulli", "Binomial", "BetaBinomial", "Poisson", "NegBinomial", "Geometric", "DiscreteUniform", "Categorical",
    "OrderedLogistic", "OrderedProbit",
}  # fmt: skip

POSITIONAL: dict[str, tuple[str, ...]] = {
    "Normal": ("mean", "sd"), "StudentT": ("df", "location", "scale"), "Cauchy": ("location", "scale"),
    "Laplace": ("location", "scale"), "Logistic": ("location", "scale"), "Gumbel": ("location", "scale"),
    "SkewNormal": ("location", "scale", "shape"), "LogNormal": ("mean", "sd"), "HalfNormal": ("sd",),
    "HalfCauchy": ("scale",), "HalfStudentT": ("df", "scale"), "Exponential": ("rate",), "Gamma": ("shape", "rate"),
    "InvGamma": ("shape", "scale"), "Weibull": ("shape", "scale"), "Pareto": ("scale", "shape"), "ChiSquare": ("df",),
    "Rayleigh": ("scale",), "InvGaussian": ("mean", "shape"), "Beta": ("a", "b"), "Kumaraswamy": ("a", "b"),
    "Uniform": ("lower", "upper"), "VonMises": ("mean", "concentration"), "ExGaussian": ("mean", "sd", "rate"),
    "Flat": (), "Bernoulli": ("p",), "Binomial": ("n", "p"), "BetaBinomial": ("n", "a", "b"), "Poisson": ("rate",),
    "NegBinomial": ("mean", "size"), "Geometric": ("p",), "DiscreteUniform": ("low", "high"),
    "Categorical": ("p",), "OrderedLogistic": ("eta", "cutpoints"), "OrderedProbit": ("eta", "cutpoints"),
    "Multinomial": ("n", "p"), "DirichletMultinomial": ("n", "concentration"), "Dirichlet": ("concentration",),
    "MvNormal": ("mean", "cov"), "MvStudentT": ("df", "mean", "cov"), "LKJ": ("shape",),
    "LKJCholesky": ("shape",), "Wishart": ("df", "scale"), "InvWishart": ("df", "scale"),
    "GaussianRandomWalk": ("sd", "drift", "init"),
    "AR": ("coefficients", "sd", "constant", "init"), "ICAR": ("node1", "node2", "sd"), "GP": ("cov", "mean"),
    "Param": ("init",),
}  # fmt: skip
REPLACES = {"logit": "p", "var": "sd", "prec": "sd", "log": "rate", "chol": "cov"}  # by keyword: what it stands for
OTHERWISE = {"prec": "cov", "log": "mean", "chol": "scale"}  # where the family has no such parameter


def names_of(family: str, keywords: set[str]) -> list[str]:
    """What the arguments that stand by position are called."""
    own = POSITIONAL[family]
    replaced = set(keywords)
    for keyword in keywords - set(own):
        replaced |= {REPLACES.get(keyword, ""), OTHERWISE.get(keyword, "")}
    if "precision" in keywords:
        replaced |= {"a", "b"}
    if "adjacency" in keywords:
        replaced |= {"node1", "node2"}
    return [name for name in own if name not in replaced]
