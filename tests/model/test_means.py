"""Means between bounds beside scipy's integrals and sums, and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ppl.model.distributions.means import TooManyCounts, mean_between
from ppl.model.distributions.table import FAMILIES

NUMBERS = [
    ("Normal", (1.0, 2.0), 0, None, stats.norm(1, 2)),
    ("Normal", (1.0, 2.0), 12, None, stats.norm(1, 2)),  # far out in the tail
    ("Normal", (1.0, 2.0), None, -5, stats.norm(1, 2)),
    ("Normal", (1.0, 2.0), 0, 3, stats.norm(1, 2)),
    ("StudentT", (3.0, 0.0, 1.0), -1, None, stats.t(3)),
    ("Cauchy", (0.0, 1.0), -1, 40, stats.cauchy()),
    ("Gamma", (2.0, 0.5), None, 1, stats.gamma(2, scale=2)),
    ("Gamma", (2.0, 0.5), 1, 7, stats.gamma(2, scale=2)),
    ("LogNormal", (0.0, 1.0), 1, None, stats.lognorm(1)),
    ("Beta", (0.5, 0.5), 0.2, None, stats.beta(0.5, 0.5)),
    ("InvGamma", (0.8, 1.0), None, 5, stats.invgamma(0.8)),  # without a mean, but for the bound
]
COUNTS = [
    ("Poisson", (3.0,), 1, None, stats.poisson(3)),
    ("Poisson", (3.0,), 12, None, stats.poisson(3)),
    ("Poisson", (300.0,), None, 250, stats.poisson(300)),
    ("Binomial", (10.0, 0.3), 2, None, stats.binom(10, 0.3)),
    ("DiscreteUniform", (-3.0, 4.0), None, 2, stats.randint(-3, 5)),
    ("NegBinomial", (5.0, 0.7), 1, 30, stats.nbinom(0.7, 0.7 / 5.7)),
]


def found(name: str, parameters: tuple[float, ...], lower: float | None, upper: float | None) -> float:
    arrays = tuple(np.array([parameter]) for parameter in parameters)
    return float(mean_between(FAMILIES[name], (1,), arrays, lower, upper)[0])


@pytest.mark.parametrize(("name", "parameters", "lower", "upper", "theirs"), NUMBERS)
def test_numbers(name: str, parameters: tuple[float, ...], lower: float, upper: float, theirs: stats.rv_frozen) -> None:
    low, high = (end if given is None else given for end, given in zip(theirs.support(), (lower, upper), strict=True))
    expected = theirs.expect(lambda x: x, lb=low, ub=high, conditional=True, epsabs=1e-12, limit=500)
    assert found(name, parameters, lower, upper) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("name", "parameters", "lower", "upper", "theirs"), COUNTS)
def test_counts(name: str, parameters: tuple[float, ...], lower: float, upper: float, theirs: stats.rv_frozen) -> None:
    k = np.arange(-5, 2000)
    p = theirs.pmf(k) * (k >= (-9 if lower is None else lower)) * (k <= (9999 if upper is None else upper))
    assert found(name, parameters, lower, upper) == pytest.approx((k * p).sum() / p.sum(), rel=1e-9)


def test_heavy_tails() -> None:
    """A Pareto distribution cut from below is one, of the same shape: 2 * 1.2 / 0.2."""
    assert found("Pareto", (1.0, 1.2), 2, None) == pytest.approx(12, rel=1e-9)
    for name, parameters in (("Cauchy", (0.0, 1.0)), ("StudentT", (0.9, 0.0, 1.0)), ("Pareto", (1.0, 0.9))):
        assert np.isnan(found(name, parameters, 2, None)), name


def test_too_many_counts() -> None:
    with pytest.raises(TooManyCounts):
        found("Poisson", (3e6,), 1, None)
