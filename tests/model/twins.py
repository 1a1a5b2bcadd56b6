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


def few(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Coefficients of an autoregression of two lags."""
    return rng.uniform(-0.8, 0.8, (*shape, 2))


def enough(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Degrees of freedom of matrices."""
    return K - 1 + scale(rng, shape, min(decades, 2.0))


def always(*values: object) -> Callable[[Rng, Shape, float], np.ndarray]:
    return lambda rng, shape, decades: np.array(values, dtype=float)


def fall(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Mostly fast enough for a mean."""
    return 0.7 + exponent(rng, shape, decades)


def modest(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Where scipy's own density cancels for larger ones."""
    return scale(rng, shape, min(decades, 1.5))


def small_place(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return place(rng, shape, min(decades, 0.5))


def modest_place(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return place(rng, shape, min(decades, 1.5))


def many(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """One number of trials for all: of vectors with a given sum the points serve many parameters."""
    return np.full(shape, 9.0)


def some(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Counts below 100."""
    return np.floor(4 * scale(rng, shape, min(decades, 1.4)))


def low_end(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    return -count(rng, shape, decades)


def probability(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Not 0."""
    return np.maximum(unit(rng, shape, decades), 1e-6)


def inner(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """Neither 0 nor 1."""
    return np.clip(unit(rng, shape, min(decades, 2.0)), 1e-3, 1 - 1e-3)


def cutpoints(rng: Rng, shape: Shape, decades: float) -> np.ndarray:
    """K - 1 of them, the last infinite now and then."""
    found = np.cumsum(0.1 + scale(rng, (*shape, K - 1), min(decades, 0.5)), axis=-1) - 2.0
    found[..., -1] = np.where((rng.random(shape) < 0.1) & (decades > TAME), np.inf, found[..., -1])
    return found


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


def correlations(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    rows = rng.standard_normal(shape) + 2 * np.eye(K)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    found = rows @ np.swapaxes(rows, -1, -2)
    found[..., DIAGONAL, DIAGONAL] = 1.0
    return found


def factors_of_correlations(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    return np.linalg.cholesky(correlations(rng, shape, law))


def covariances(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    return positive_definite(rng, shape[:-2], TAME)


def sums_of_nine(rng: Rng, shape: Shape, law: Law) -> np.ndarray:
    """Nearly all with the sum 9, some with a fraction or a negative element."""
    p = special.softmax(2 * rng.standard_normal(shape), axis=-1)
    x = np.stack([rng.multinomial(9, one) for one in p.reshape(-1, K)]).reshape(shape).astype(float)
    wrong = (rng.random(shape[:-1]) < 0.1) & (len(shape) > 1 and shape[0] == 1000)
    return x + wrong[..., None] * rng.choice([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [-10, 10, 0, 0]], shape[:-1])


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


class Trusted:
    """A law of scipy whose quantiles are not asked for where it cannot tell them."""

    def __init__(self, law: Law, least: float):
        self.law, self.least = law, least
        self.support, self.median, self.mean, self.logpdf = law.support, law.median, law.mean, law.logpdf
        self.cdf, self.sf, self.logcdf, self.logsf = law.cdf, law.sf, law.logcdf, law.logsf

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return self.law.ppf(np.clip(u, self.least, 1 - self.least))

    def isf(self, u: np.ndarray) -> np.ndarray:
        return self.law.isf(np.clip(u, self.least, 1 - self.least))


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


class Kumaraswamy:
    """The law of B^(1/a), where B is a Beta(1, b) variable."""

    def __init__(self, a: np.ndarray, b: np.ndarray):
        self.a, self.b, self.power = a, b, stats.beta(1, b)

    def support(self) -> tuple[float, float]:
        return 0.0, 1.0

    def median(self) -> np.ndarray:
        return self.ppf(0.5)

    def mean(self) -> np.ndarray:
        return np.exp(special.gammaln(1 + 1 / self.a) + special.gammaln(1 + self.b) - self.log_whole())

    def log_whole(self) -> np.ndarray:
        return special.gammaln(1 + 1 / self.a + self.b)

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        inside = np.log(self.a * self.b) + special.xlogy(self.a - 1, x)
        inside = inside + special.xlogy(self.b - 1, -np.expm1(self.a * np.log(x)))
        return np.where((x < 0) | (x > 1), -np.inf, inside)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return self.power.cdf(np.clip(x, 0, 1) ** self.a)

    def sf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, 1.0, np.where(x > 1, 0.0, (-np.expm1(self.a * np.log(x))) ** self.b))

    def logcdf(self, x: np.ndarray) -> np.ndarray:
        sf = self.sf(x)
        return np.where(sf < 0.5, np.log1p(-sf), self.power.logcdf(np.clip(x, 0, 1) ** self.a))

    def logsf(self, x: np.ndarray) -> np.ndarray:
        return np.log(self.sf(x))

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return self.power.ppf(u) ** (1 / self.a)

    def isf(self, u: np.ndarray) -> np.ndarray:
        return self.power.isf(u) ** (1 / self.a)


def ordered(noise: Law) -> Callable[[np.ndarray, np.ndarray], Categories]:
    """The law of how many cutpoints eta plus noise exceeds."""

    def law(eta: np.ndarray, cutpoints: np.ndarray) -> Categories:
        infinite = np.full((*cutpoints.shape[:-1], 1), np.inf)
        below = np.concatenate([-infinite, cutpoints], axis=-1) - eta[..., None]
        above = np.concatenate([cutpoints, infinite], axis=-1) - eta[..., None]
        return Categories(np.where(below > 0, noise.sf(below) - noise.sf(above), noise.cdf(above) - noise.cdf(below)))

    return law


def pareto(scale: np.ndarray, shape: np.ndarray) -> Law:
    """scipy's mean gets lost over arrays."""
    law = stats.pareto(shape, 0, scale)
    law.mean = lambda: np.where(shape > 1, scale * shape / (shape - 1), np.inf)
    return law


def von_mises(mean: np.ndarray, concentration: np.ndarray) -> Law:
    """Within half a turn of 0."""
    law = stats.vonmises(concentration, mean)
    turn = np.round(mean / (2 * np.pi))
    law.mean = lambda: mean - 2 * np.pi * turn + 0 * concentration
    law.support, start = lambda: (-np.pi, np.pi), law.cdf
    law.cdf = lambda x: start(x) - start(-np.pi)
    return law


def multinomial(n: np.ndarray, p: np.ndarray) -> Law:
    return stats.binom(n[..., None], p)


def multinomial_covariance(n: np.ndarray, p: np.ndarray) -> np.ndarray:
    return n * (np.diag(p) - np.outer(p, p))


def dirichlet_multinomial(n: np.ndarray, a: np.ndarray) -> Law:
    return stats.betabinom(n[..., None], a, np.sum(a, axis=-1, keepdims=True) - a)


log_multinomial = np.vectorize(lambda x, n, p: stats.multinomial(n, p).logpmf(x), signature="(k),(),(k)->()")


@np.vectorize(signature="(k),(),(k)->()")
def log_dirichlet_multinomial(x: np.ndarray, n: float, a: np.ndarray) -> float:
    """scipy's stops at what is no count."""
    possible = np.sum(x) == n and np.all(x >= 0) and np.all(x == np.floor(x))
    return stats.dirichlet_multinomial(a, int(n)).logpmf(x.astype(int)) if possible else -np.inf


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


@np.vectorize(signature="(k),(),(k),(k,k)->()")
def log_mv_student(x: np.ndarray, df: float, mean: np.ndarray, cov: np.ndarray) -> float:
    sd = np.sqrt(np.diag(cov))
    law = stats.multivariate_t(shape=cov / np.outer(sd, sd), df=df)
    return law.logpdf((x - mean) / sd) - np.sum(np.log(sd))


def student_marginals(df: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> Law:
    return stats.t(df[..., None], mean, np.sqrt(cov[..., DIAGONAL, DIAGONAL]))


def jittered(cov: np.ndarray) -> np.ndarray:
    return cov + 1e-9 * np.trace(cov, axis1=-2, axis2=-1)[..., None, None] / K * np.eye(K)


class Series:
    """A normal series of K values in which each follows from those before: `slopes` (..., K, K) is strictly lower."""

    def __init__(self, slopes: np.ndarray, constants: np.ndarray, sds: np.ndarray):
        self.slopes, self.constants, self.sds = np.broadcast_arrays(
            slopes, constants[..., None], sds[..., None], subok=False
        )
        self.constants, self.sds = self.constants[..., 0], self.sds[..., 0]

    def covariance(self) -> np.ndarray:
        through = np.linalg.inv(np.eye(K) - self.slopes)
        return (through * self.sds[..., None, :] ** 2) @ np.swapaxes(through, -1, -2)

    def marginals(self) -> Law:
        mean = np.linalg.solve(np.eye(K) - self.slopes, self.constants[..., None])[..., 0]
        return marginals(mean, self.covariance())

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        total = np.zeros(x.shape[:-1])
        for t in range(K):
            left = x[..., t] - np.sum(self.slopes[..., t, :] * x, axis=-1)
            total += stats.norm(self.constants[..., t], self.sds[..., t]).logpdf(left)
        return total


def walk(sd: np.ndarray, init_sd: np.ndarray, drift: np.ndarray, init: np.ndarray) -> Series:
    first = np.arange(K) == 0
    constants = np.where(first, init[..., None], drift[..., None])
    return Series(np.eye(K, k=-1), constants, np.where(first, init_sd[..., None], sd[..., None]))


def walk_from_init(sd: np.ndarray, drift: np.ndarray, init: np.ndarray) -> Series:
    return walk(sd, sd, drift, init + drift)


def autoregression(c: np.ndarray, sd: np.ndarray, constant: np.ndarray, init: np.ndarray) -> Series:
    """Two lags; what lies before the first two values goes into their constants."""
    one, two = c[..., 0], c[..., 1]
    slopes = one[..., None, None] * np.eye(K, k=-1) + two[..., None, None] * np.eye(K, k=-2)
    ahead = (
        np.array([1.0, 0, 0, 0]) * ((one + two) * init)[..., None] + np.array([0, 1.0, 0, 0]) * (two * init)[..., None]
    )
    return Series(slopes, constant[..., None] + ahead, sd[..., None] * np.ones(K))


def autoregression_from_first(
    c: np.ndarray, sd: np.ndarray, init_sd: np.ndarray, constant: np.ndarray, init: np.ndarray
) -> Series:
    whole = autoregression(c, sd, constant, 0.0 * init)
    begins = np.arange(K) < 2
    return Series(
        np.where(begins[:, None], 0.0, whole.slopes),
        np.where(begins, init[..., None], whole.constants),
        np.where(begins, init_sd[..., None], whole.sds),
    )


def series_twin(make: Callable[..., Series], *parameters: Callable[[Rng, Shape, float], np.ndarray]) -> Twin:
    """Not wild: where what went before cancels, witness and density lose the same digits in different ways."""
    tamer = [
        lambda rng, shape, decades, parameter=parameter: parameter(rng, shape, min(decades, BROAD))
        for parameter in parameters
    ]
    return Twin(
        lambda *given: make(*given).marginals(),
        tuple(tamer),
        lambda x, *given: make(*given).log_prob(x),
        covariance=lambda *given: make(*given).covariance(),
    )


EDGES = ((1, 2), (2, 3), (2, 4))


def log_icar(x: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """By the precision matrix of the tree of EDGES."""
    adjacency = np.zeros((K, K))
    for i, j in EDGES:
        adjacency[i - 1, j - 1] = adjacency[j - 1, i - 1] = 1.0
    precision = np.diag(adjacency.sum(axis=0)) - adjacency
    return -0.5 * np.einsum("...i,ij,...j->...", x, precision, x) / sd**2 - (K - 1) * np.log(sd)


def log_lkj(x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """With the constant of theorem 5 of Lewandowski, Kurowicka and Joe 2009."""
    log_constant = 0.0 * shape
    for k in range(1, K):
        b = shape + 0.5 * (K - k - 1)
        log_constant += (2 * shape - 2 + K - k) * (K - k) * np.log(2) + (K - k) * special.betaln(b, b)
    return (shape - 1) * np.linalg.slogdet(x)[1] - log_constant


def log_lkj_cholesky(x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """And the derivatives of the matrix by the factor, row by row."""
    logs = np.log(x[..., DIAGONAL, DIAGONAL])
    return log_lkj(x @ np.swapaxes(x, -1, -2), shape) + np.sum((K - 1 - DIAGONAL) * logs, axis=-1)


log_wishart = np.vectorize(lambda x, df, scale: stats.wishart(df, scale).logpdf(x), signature="(k,k),(),(k,k)->()")
log_inv_wishart = np.vectorize(
    lambda x, df, scale: stats.invwishart(df, scale).logpdf(x), signature="(k,k),(),(k,k)->()"
)


def off_diagonals(shape: np.ndarray) -> Law:
    """Each correlation is, from -1 to 1, a beta variable."""
    b = shape + 0.5 * (K - 2)
    return stats.beta(b, b, -1, 2)


# -- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Twin:
    """The witness of a form.

    `law(*parameters)` is scipy's distribution; of a family of vectors, the marginal law of each element; of matrices
    that of the elements on the diagonal, or, where these are 1, of all others. `parameters`
    make values of the form's parameters. `log_prob(x, *parameters)` stands for the law's own density where need be.
    Below the probability `least` the law's tails and quantiles are not accurate.
    """

    law: Callable[..., Law]
    parameters: tuple[Callable[[Rng, Shape, float], np.ndarray], ...]
    log_prob: Callable[..., np.ndarray] | None = None
    points: Callable[[Rng, Shape, Law], np.ndarray] = everywhere
    covariance: Callable[..., np.ndarray] | None = None  # of a family of vectors
    least: float = 1e-290


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
    "Param": (Twin(stats.norm, (place,), lambda x, init: np.zeros_like(x + init)),),
    "HalfNormal": (Twin(lambda sd: stats.chi(1, 0, sd), (scale,)),),
    "HalfCauchy": (Twin(lambda scale: stats.halfcauchy(0, scale), (scale,)),),
    "HalfStudentT": (Twin(HalfStudent, (exponent, scale)),),
    "LogNormal": (Twin(lambda mean, sd: stats.lognorm(sd, 0, np.exp(mean)), (log_scale, scale), log_log_normal),),
    "Exponential": (Twin(lambda rate: stats.expon(0, 1 / rate), (scale,)),),
    "Gamma": (Twin(lambda shape, rate: stats.gamma(shape, 0, 1 / rate), (exponent, scale)),),
    "InvGamma": (Twin(lambda shape, scale: stats.invgamma(shape, 0, scale), (exponent, scale)),),
    "Weibull": (Twin(lambda shape, scale: stats.weibull_min(shape, 0, scale), (exponent, scale)),),
    "Beta": (Twin(stats.beta, (exponent, exponent)),),
    "Gumbel": (Twin(stats.gumbel_r, (place, scale)),),
    "SkewNormal": (
        Twin(
            lambda location, scale, shape: Trusted(stats.skewnorm(shape, location, scale), 1e-3),
            (place, scale, modest_place),
            least=1e-3,
        ),
    ),
    "ExGaussian": (
        Twin(
            lambda mean, sd, rate: Trusted(stats.exponnorm(1 / (sd * rate), mean, sd), 1e-3),
            (modest_place, modest, modest),
            least=1e-3,
        ),
    ),
    "ChiSquare": (Twin(stats.chi2, (exponent,)),),
    "Rayleigh": (Twin(lambda scale: stats.rayleigh(0, scale), (scale,)),),
    "Pareto": (
        Twin(
            pareto,
            (power_of_two, fall),
            lambda x, scale, shape: np.where(
                x < scale, -np.inf, np.log(shape / scale) - (shape + 1) * np.log(np.maximum(x / scale, 1))
            ),
            least=1e-5,
        ),
    ),
    "InvGaussian": (
        Twin(lambda mean, shape: Trusted(stats.invgauss(mean / shape, 0, shape), 1e-3), (modest, modest), least=1e-3),
    ),
    "Kumaraswamy": (Twin(Kumaraswamy, (modest, modest)),),
    "VonMises": (Twin(von_mises, (place, exponent)),),
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
            least=1e-4,
        ),
    ),
    "Geometric": (
        Twin(lambda p: stats.geom(p, -1), (probability,)),
        Twin(
            lambda logit: stats.geom(special.expit(logit), -1),
            (log_odds,),
            lambda x, logit: np.where(
                (x >= 0) & (x == np.floor(x)), special.log_expit(logit) + x * special.log_expit(-logit), -np.inf
            ),
        ),
    ),
    "DiscreteUniform": (Twin(lambda low, high: stats.randint(low, high + 1), (low_end, count)),),
    "BetaBinomial": (
        Twin(stats.betabinom, (some, exponent, exponent)),
        Twin(
            lambda n, mean, precision: stats.betabinom(n, mean * precision, (1 - mean) * precision),
            (some, inner, exponent),
        ),
    ),
    "OrderedLogistic": (Twin(ordered(stats.logistic), (small_place, cutpoints), points=categories),),
    "OrderedProbit": (Twin(ordered(stats.norm), (small_place, cutpoints), points=categories),),
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
    "Multinomial": (
        Twin(multinomial, (many, probabilities), log_multinomial, sums_of_nine, multinomial_covariance),
        Twin(
            lambda n, logit: multinomial(n, special.softmax(logit, axis=-1)),
            (many, vector),
            lambda x, n, logit: (
                log_multinomial(x, n, np.full_like(logit, 1 / K))
                + n * np.log(K)
                + np.sum(x * special.log_softmax(logit, axis=-1), axis=-1)
            ),
            sums_of_nine,
            lambda n, logit: multinomial_covariance(n, special.softmax(logit)),
        ),
    ),
    "DirichletMultinomial": (
        Twin(
            dirichlet_multinomial,
            (many, concentration),
            log_dirichlet_multinomial,
            sums_of_nine,
            lambda n, a: stats.dirichlet_multinomial(a, int(n)).cov(),
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
    "MvStudentT": (
        Twin(student_marginals, (exponent, vector, positive_definite), log_mv_student),
        Twin(
            lambda df, mean, chol: student_marginals(df, mean, cov_of_chol(chol)),
            (exponent, vector, triangle),
            lambda x, df, mean, chol: log_mv_student(x, df, mean, cov_of_chol(chol)),
        ),
    ),
    "GP": (
        Twin(
            lambda cov, mean: marginals(mean, cov),
            (positive_definite, vector),
            lambda x, cov, mean: log_mv_normal(x, mean, jittered(cov)),
            covariance=lambda cov, mean: cov,
        ),
    ),
    "GaussianRandomWalk": (
        series_twin(walk_from_init, scale, place, place),
        series_twin(walk, scale, scale, place, place),
    ),
    "AR": (
        series_twin(autoregression, few, scale, place, place),
        series_twin(autoregression_from_first, few, scale, scale, place, place),
    ),
    "ICAR": (
        Twin(
            lambda node1, node2, sd: stats.norm(0, sd[..., None] * np.ones(K)),
            (always(1, 2, 4), always(2, 3, 2), scale),
            lambda x, node1, node2, sd: log_icar(x, sd),
        ),
        Twin(
            lambda adjacency, sd: stats.norm(0, sd[..., None] * np.ones(K)),
            (always([0, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]), scale),
            lambda x, adjacency, sd: log_icar(x, sd),
        ),
    ),
    "LKJ": (Twin(off_diagonals, (exponent,), log_lkj, correlations),),
    "LKJCholesky": (Twin(off_diagonals, (exponent,), log_lkj_cholesky, factors_of_correlations),),
    "Wishart": (
        Twin(
            lambda df, s: stats.chi2(df[..., None], 0, s[..., DIAGONAL, DIAGONAL]),
            (enough, positive_definite),
            log_wishart,
            covariances,
        ),
    ),
    "InvWishart": (
        Twin(
            lambda df, s: stats.invgamma(0.5 * (df[..., None] - K + 1), 0, 0.5 * s[..., DIAGONAL, DIAGONAL]),
            (enough, positive_definite),
            log_inv_wishart,
            covariances,
        ),
    ),
}
