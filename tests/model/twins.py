"""The twin of every family in scipy, with parameters and points for each of its forms: a form is a row of `TWINS`.

Parameters and points are random, and as wild as a number of decades says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

TAME, BROAD, WILD = 0.3, 2.0, 8.0  # decades
K = 4  # the length of an event
DIAGONAL = np.arange(K)

Rng = np.random.Generator
Shape = tuple[int, ...]
Law = Any  # a frozen distribution of scipy, its parameters arrays


# -- parameters: (rng, shape of the plates, decades) -> values --------------------------------------------------------


def scale(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return 10 ** rng.uniform(-decades, decades, shape)


def power_of_two(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return 2.0 ** rng.integers(-round(3 * decades), round(3 * decades), shape, endpoint=True)


def minus_power_of_two(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """scipy's upper end is lower + width: here that is exact."""
    return -power_of_two(rng, shape, decades)


def place(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return rng.standard_normal(shape) * scale(rng, shape, decades)


def exponent(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Up to 1,000: for far larger ones the logarithms of gamma functions cancel, here as in scipy."""
    return scale(rng, shape, min(decades, 3.0))


def count(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return np.floor(4 * exponent(rng, shape, decades))


def rate(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """With some zeros among the wild."""
    return exponent(rng, shape, decades) * (rng.random(shape) > 0.1 * (decades == WILD))


def log_rate(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return np.log(10) * rng.uniform(-10 * decades, min(decades, 3.0), shape)


def unit(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Near 0 or near 1, with some zeros and ones among the wild."""
    small = 0.5 * 10 ** rng.uniform(-decades, 0.0, shape) * (rng.random(shape) > 0.1 * (decades == WILD))
    return np.where(rng.random(shape) < 0.5, small, 1 - small)


def log_odds(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return place(rng, shape, min(decades, 3.0))


def log_scale(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return place(rng, shape, min(decades, 1.0))


def vector(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return place(rng, (*shape, K), decades)


def concentration(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return exponent(rng, (*shape, K), decades)


def probabilities(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """With some zeros among the wild."""
    p = special.softmax(vector(rng, shape, min(decades, 2.0)), axis=-1)
    p = np.where((p < 1e-3) & (decades == WILD), 0.0, p)
    return p / p.sum(axis=-1, keepdims=True)


def triangle(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Rows of very different sizes, but not far from orthogonal."""
    rows = np.tril(rng.standard_normal((*shape, K, K)), -1) + np.eye(K)
    return scale(rng, (*shape, K, 1), min(decades, 4.0)) * rows


def positive_definite(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    root = triangle(rng, shape, decades)
    product = root @ np.swapaxes(root, -1, -2)
    return 0.5 * (product + np.swapaxes(product, -1, -2))


# -- points: (rng, shape, law) -> values ------------------------------------------------------------------------------


def everywhere(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    """Typical values, both far tails, far beyond, between whole numbers, the ends of the support, outside it."""
    lower, upper = law.support()
    middle, width = law.median(), law.ppf(0.75) - law.ppf(0.25)
    small, large = 10 ** -rng.uniform(0, 150, shape), np.ceil(10 ** rng.uniform(0, 6, shape))
    typical = law.ppf(rng.random(shape))
    kinds = [typical, typical, typical, law.ppf(small), law.isf(small), middle + width * large, middle - width * large]
    kinds += [typical + 0.5, lower, upper, lower - large, upper + large]
    x = np.choose(rng.integers(0, len(kinds), shape), kinds)
    return np.where(np.isfinite(x), x, middle)


def within(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    """Typical values, none at the middle, where a density may have a kink."""
    u = rng.uniform(0.1, 0.45, shape)
    return law.ppf(np.where(rng.random(shape) < 0.5, u, 1 - u))


def small_counts(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    return np.floor(10 ** rng.uniform(-1, 3.5, shape)) - rng.choice([0, 0, 0, 0.5, 5], shape)


def categories(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    return rng.choice([-1, 0, 0.5, *range(1, K + 1)], shape)


def on_simplex(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    return special.softmax(10 * rng.standard_normal(shape) * rng.random(shape), axis=-1)


# -- scipy where it is the inaccurate side, or has no such law --------------------------------------------------------


class Categories:
    """The law of a number 0, 1, ... with probabilities along the last axis."""

    def __init__(self, p: np.ndarray):
        self.p = p

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.sum(self.p * (np.arange(K) <= x[..., None]), axis=-1)

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return np.sum(np.cumsum(self.p, axis=-1) < u[..., None], axis=-1)

    def logpmf(self, x: np.ndarray) -> np.ndarray:
        return np.log(np.sum(self.p * (np.arange(K) == x[..., None]), axis=-1))


class HalfStudent:
    """The law of |t|, whose square has an F distribution."""

    def __init__(self, df: np.ndarray, scale: np.ndarray):
        self.df, self.scale = df, scale
        self.whole, self.square = stats.t(df, 0, scale), stats.f(1, df)

    def support(self) -> tuple[float, float]:
        return 0.0, np.inf

    def median(self) -> np.ndarray:
        return self.ppf(0.5)

    def mean(self) -> np.ndarray:
        return np.where(self.df > 1, 2 * self.scale**2 * self.df / (self.df - 1) * self.whole.pdf(0), np.inf)

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, -np.inf, np.log(2) + self.whole.logpdf(x))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, 0.0, self.square.cdf((x / self.scale) ** 2))

    def sf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, 1.0, 2 * self.whole.sf(x))

    def logcdf(self, x: np.ndarray) -> np.ndarray:
        return np.log(self.cdf(x))

    def logsf(self, x: np.ndarray) -> np.ndarray:
        return np.log(self.sf(x))

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return self.scale * np.sqrt(self.square.ppf(u))

    def isf(self, u: np.ndarray) -> np.ndarray:
        return self.whole.isf(0.5 * u)


def log_category(x: np.ndarray, logit: np.ndarray) -> np.ndarray:
    hit = np.arange(K) == x[..., None]
    return np.where(hit.any(axis=-1), np.sum(special.log_softmax(logit, axis=-1), axis=-1, where=hit), -np.inf)


def log_laplace(x: np.ndarray, location: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """scipy's is the logarithm of a density that underflows; that of its asymmetric sister is not."""
    return stats.laplace_asymmetric(1.0, location, scale).logpdf(x)


def log_log_normal(x: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """scipy's goes through exp(mean), which rounds."""
    return np.where(x > 0, stats.norm(mean, sd).logpdf(np.log(x)) - np.log(x), -np.inf)


def log_binomial_by_logit(x: np.ndarray, n: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """The probability of a miss must not go through 1 - p."""
    choose = stats.binom(n, 0.5).logpmf(x) + n * np.log(2)
    return choose + x * special.log_expit(logit) + (n - x) * special.log_expit(-logit)


def log_negative_binomial(x: np.ndarray, mean: np.ndarray, size: np.ndarray) -> np.ndarray:
    """scipy's takes p, and 1 - p is lost where mean << size; this takes the product (size + i) / (1 + i), i < x."""
    i = np.arange(np.max(x) + 1)
    steps = np.log((size[..., None] + i) / (1 + i))
    choose = np.sum(steps, axis=-1, where=i < x[..., None])
    log_pmf = choose - size * np.log1p(mean / size) - x * np.log1p(size / mean)
    return np.where((x >= 0) & (x == np.floor(x)), log_pmf, -np.inf)


def uniform(lower: np.ndarray, upper: np.ndarray) -> Law:
    """scipy's upper tail is 1 - cdf; here it is the lower tail of the mirror image."""
    law = stats.uniform(lower, upper - lower)
    law.logsf = lambda x: stats.uniform(-upper, upper - lower).logcdf(-x)
    return law


def negative_binomial(mean: np.ndarray, size: np.ndarray) -> Law:
    return stats.nbinom(size, size / (size + mean))


log_dirichlet = np.vectorize(lambda x, a: stats.dirichlet(a).logpdf(x), signature="(k),(k)->()")


@np.vectorize(signature="(k),(k),(k,k)->()")
def log_mv_normal(x: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> float:
    """In units of the sds: scipy cuts off small eigenvalues."""
    sd = np.sqrt(np.diag(cov))
    return stats.multivariate_normal(cov=cov / np.outer(sd, sd)).logpdf((x - mean) / sd) - np.sum(np.log(sd))


def cov_of_chol(chol: np.ndarray) -> np.ndarray:
    return chol @ np.swapaxes(chol, -1, -2)


def cov_of_prec(prec: np.ndarray) -> np.ndarray:
    root = np.sqrt(prec[..., DIAGONAL, DIAGONAL])
    outer = root[..., None] * root[..., None, :]
    return np.linalg.inv(prec / outer) / outer


def marginals(mean: np.ndarray, cov: np.ndarray) -> Law:
    return stats.norm(mean, np.sqrt(cov[..., DIAGONAL, DIAGONAL]))


# -- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Twin:
    """The witness of a form.

    `law(*parameters)` is scipy's distribution; of a family of vectors, the marginal law of each element. `parameters`
    make values of the form's parameters. `log_prob(x, *parameters)` stands for the law's own density where need be.
    """

    law: Callable[..., Law]
    parameters: tuple[Callable[[Rng, Shape, float], np.ndarray], ...]
    log_prob: Callable[..., np.ndarray] | None = None
    points: Callable[[Rng, Shape, Law], np.ndarray] = everywhere
    covariance: Callable[..., np.ndarray] | None = None  # of a family of vectors


TWINS: dict[str, tuple[Twin, ...]] = {
    "Normal": (
        Twin(stats.norm, (place, scale)),
        Twin(lambda mean, var: stats.norm(mean, np.sqrt(var)), (place, scale)),
        Twin(lambda mean, prec: stats.norm(mean, 1 / np.sqrt(prec)), (place, scale)),
    ),
    "StudentT": (Twin(stats.t, (exponent, place, scale)),),
    "Cauchy": (Twin(stats.cauchy, (place, scale)),),
    "Laplace": (Twin(stats.laplace, (place, scale), log_laplace),),
    "Logistic": (Twin(stats.logistic, (place, scale)),),
    "Flat": (Twin(stats.norm, (), np.zeros_like),),
    "HalfNormal": (Twin(lambda sd: stats.chi(1, 0, sd), (scale,)),),
    "HalfCauchy": (Twin(lambda scale: stats.halfcauchy(0, scale), (scale,)),),
    "HalfStudentT": (Twin(HalfStudent, (exponent, scale)),),
    "LogNormal": (Twin(lambda mean, sd: stats.lognorm(sd, 0, np.exp(mean)), (log_scale, scale), log_log_normal),),
    "Exponential": (Twin(lambda rate: stats.expon(0, 1 / rate), (scale,)),),
    "Gamma": (Twin(lambda shape, rate: stats.gamma(shape, 0, 1 / rate), (exponent, scale)),),
    "InvGamma": (Twin(lambda shape, scale: stats.invgamma(shape, 0, scale), (exponent, scale)),),
    "Weibull": (Twin(lambda shape, scale: stats.weibull_min(shape, 0, scale), (exponent, scale)),),
    "Beta": (Twin(stats.beta, (exponent, exponent)),),
    "Uniform": (Twin(uniform, (minus_power_of_two, power_of_two)),),
    "Bernoulli": (
        Twin(stats.bernoulli, (unit,)),
        Twin(
            lambda logit: stats.bernoulli(special.expit(logit)),
            (log_odds,),
            lambda x, logit: log_binomial_by_logit(x, np.ones_like(x), logit),
        ),
    ),
    "Binomial": (
        Twin(stats.binom, (count, unit)),
        Twin(lambda n, logit: stats.binom(n, special.expit(logit)), (count, log_odds), log_binomial_by_logit),
    ),
    "Poisson": (
        Twin(stats.poisson, (rate,)),
        Twin(lambda log: stats.poisson(np.exp(log)), (log_rate,)),
    ),
    "NegBinomial": (
        Twin(negative_binomial, (exponent, exponent), log_negative_binomial, small_counts),
        Twin(
            lambda log, size: negative_binomial(np.exp(log), size),
            (log_rate, exponent),
            lambda x, log, size: log_negative_binomial(x, np.exp(log), size),
            small_counts,
        ),
    ),
    "Categorical": (
        Twin(Categories, (probabilities,), points=categories),
        Twin(lambda logit: Categories(special.softmax(logit, axis=-1)), (vector,), log_category, categories),
    ),
    "Dirichlet": (
        Twin(
            lambda a: stats.beta(a, np.sum(a, axis=-1, keepdims=True) - a),
            (concentration,),
            log_dirichlet,
            on_simplex,
            lambda a: stats.dirichlet(a).cov(),
        ),
    ),
    "MvNormal": (
        Twin(marginals, (vector, positive_definite), log_mv_normal, covariance=lambda mean, cov: cov),
        Twin(
            lambda mean, chol: marginals(mean, cov_of_chol(chol)),
            (vector, triangle),
            lambda x, mean, chol: log_mv_normal(x, mean, cov_of_chol(chol)),
            covariance=lambda mean, chol: cov_of_chol(chol),
        ),
        Twin(
            lambda mean, prec: marginals(mean, cov_of_prec(prec)),
            (vector, positive_definite),
            lambda x, mean, prec: log_mv_normal(x, mean, cov_of_prec(prec)),
            covariance=lambda mean, prec: cov_of_prec(prec),
        ),
    ),
}
