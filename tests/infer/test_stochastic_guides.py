"""Guides of the stochastic path: densities, draws and gradients against witnesses that share no code with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from ppl.infer.stochastic import kl
from ppl.infer.stochastic.flow import Flow
from ppl.infer.stochastic.guide import Guide, WithDensity, drawn, negative_elbo
from ppl.infer.stochastic.table import NAMED
from tests.infer.targets import Gumbels

SMOOTH = [name for name in NAMED if name != "point"]
SIGMA = np.array([0.5, 2.0, 1.0])


def bent(name: str, dimension: int = 3, seed: int = 4) -> tuple[Guide, np.ndarray]:
    """A guide with parameters away from where it starts."""
    rng = np.random.default_rng(seed)
    guide = NAMED[name](dimension)
    phi = guide.start(np.arange(dimension) - 1.0, SIGMA[:dimension], rng)
    return guide, phi + (0.07 if isinstance(guide, Flow) else 0.3) * rng.normal(size=len(phi))


@pytest.mark.parametrize("name", list(NAMED))
def test_starts_where_it_is_told(name: str) -> None:
    guide = NAMED[name](3)
    phi = guide.start(np.array([1.0, -2.0, 30.0]), SIGMA, np.random.default_rng(0))
    z, log_q = guide.draw(phi, guide.noise(np.random.default_rng(1), 2000))
    assert z.shape == (2000, 3) and log_q.shape == (2000,)
    assert z.mean(axis=0) == pytest.approx([1.0, -2.0, 30.0], abs=0.1)
    assert z.std(axis=0) == pytest.approx(0 * SIGMA if name == "point" else SIGMA, rel=0.05)


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "lowrank"])
def test_log_q_is_the_base_less_the_log_jacobian(name: str) -> None:
    """The Jacobian by central differences, its determinant by numpy."""
    guide, phi = bent(name)
    eps = guide.noise(np.random.default_rng(2), 7)
    z, log_q = guide.draw(phi, eps)
    assert z.shape == eps.shape
    jacobian = np.empty((7, 3, 3))
    for j, unit in enumerate(1e-5 * np.eye(3)):
        jacobian[:, :, j] = (guide.draw(phi, eps + unit)[0] - guide.draw(phi, eps - unit)[0]) / 2e-5
    base = stats.norm.logpdf(eps).sum(axis=1)
    assert log_q == pytest.approx(base - np.linalg.slogdet(jacobian)[1], abs=1e-6)


def test_a_low_rank_log_q_is_that_of_scipy() -> None:
    guide, phi = bent("lowrank")
    mu, sigma, factors = phi[:3], np.exp(phi[3:6]), phi[6:].reshape(3, 3)
    covariance = sigma * sigma[:, None] * (np.eye(3) + factors @ factors.T)
    z, log_q = guide.draw(phi, guide.noise(np.random.default_rng(2), 9))
    assert log_q == pytest.approx(stats.multivariate_normal(mu, covariance).logpdf(z))


@pytest.mark.parametrize("name", SMOOTH)
def test_draws_have_the_density_they_say(name: str) -> None:
    """E[f / q] over draws is the integral of f, here a Gaussian's: 1 for itself, its mean and variance."""
    guide, phi = bent(name, 2)
    z, log_q = guide.draw(phi, guide.noise(np.random.default_rng(3), 40_000))
    inner = stats.multivariate_normal(np.median(z, axis=0), 0.25 * np.cov(z, rowvar=False))
    ratio = np.exp(inner.logpdf(z) - log_q)
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert ratio @ z / len(z) == pytest.approx(inner.mean, abs=0.05)
    assert ratio @ (z - inner.mean) ** 2 / len(z) == pytest.approx(np.diag(inner.cov), rel=0.05)


@pytest.mark.parametrize("name", SMOOTH)
def test_log_prob_is_log_q_at_the_draws(name: str) -> None:
    guide, phi = bent(name)
    if isinstance(guide, WithDensity):
        z, log_q = guide.draw(phi, guide.noise(np.random.default_rng(2), 9))
        assert guide.log_prob(phi, z) == pytest.approx(log_q)


@pytest.mark.parametrize("name", list(NAMED))
def test_the_way_back_against_finite_differences(name: str) -> None:
    guide, phi = bent(name)
    rng = np.random.default_rng(5)
    eps = guide.noise(rng, 6)
    made = drawn(guide, phi, eps)
    by_z, by_log_q = rng.normal(size=made.z.shape), rng.normal(size=len(made.z))

    def value(phi: np.ndarray) -> float:
        z, log_q = guide.draw(phi, eps)
        return float((by_z * z).sum() + by_log_q @ log_q)

    found = made.pull_back(by_z, by_log_q)
    some = np.unique(np.concatenate([np.arange(12), rng.integers(len(phi), size=60)]) % len(phi))
    units = 1e-5 * np.eye(len(phi))[some]
    expected = [(value(phi + unit) - value(phi - unit)) / 2e-5 for unit in units]
    assert found[some] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_scores_against_finite_differences(name: str) -> None:
    """Along a draw's own path: d log q / d eps through z is J' times the score."""
    guide, phi = bent(name)
    if not isinstance(guide, WithDensity):
        pytest.skip("it has no score")
    made = drawn(guide, phi, guide.noise(np.random.default_rng(2), 6))
    assert made.score is not None
    score = made.score()
    for j, unit in enumerate(1e-5 * np.eye(3)):
        slope = (guide.log_prob(phi, made.z + unit) - guide.log_prob(phi, made.z - unit)) / 2e-5
        assert score[:, j] == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_path_derivatives_have_the_same_mean(name: str) -> None:
    """The gradient with and without the part whose mean is zero."""
    guide, phi = bent(name, 2)
    eps = guide.noise(np.random.default_rng(6), 20_000)
    phi = 0.5 * phi
    whole, path = (negative_elbo(Gumbels(2), guide, phi, eps, path)[1] for path in (False, True))
    assert path == pytest.approx(whole, abs=0.05 * np.abs(whole).max())


def test_no_density_gives_no_gradient() -> None:
    class Nowhere(Gumbels):
        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.where(z[:, 0] > np.median(z[:, 0]), -np.inf, 0.0), z

    guide, phi = bent("meanfield")
    value, gradient = negative_elbo(Nowhere(3), guide, phi, guide.noise(np.random.default_rng(0), 8))
    assert value == np.inf and not gradient.any()


@pytest.mark.parametrize(("mu", "sigma", "prior_mu", "prior_sigma"), [(0.3, 0.5, 0.0, 1.0), (-2.0, 1.5, 1.0, 0.7)])
def test_kl_of_normals_against_quadrature(mu: float, sigma: float, prior_mu: float, prior_sigma: float) -> None:
    q, p = stats.norm(mu, sigma), stats.norm(prior_mu, prior_sigma)
    expected = integrate.quad(lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), mu - 12 * sigma, mu + 12 * sigma)[0]
    assert kl.normals(mu, sigma, np.log(sigma), prior_mu, prior_sigma) == pytest.approx(expected)
    assert kl.normals(np.full(3, mu), sigma, np.log(sigma), prior_mu, prior_sigma).shape == (3,)
    assert kl.normals(0.0, 1.0, 0.0, 0.0, 1.0) == 0.0
