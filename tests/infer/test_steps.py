"""Every step of inference against a closed form: draws, objective, optimiser, ways up, linear response, weights."""

from __future__ import annotations

import arviz
import numpy as np
import pytest
from scipy import optimize, stats

from ppl.infer import curvature, importance, meanfield, objective
from ppl.infer.climb import climb
from ppl.infer.draws import antithetic, generator, student
from ppl.infer.objective import Counted, MeanField
from ppl.infer.optimise import lbfgs
from tests.infer.targets import Gumbels, random_gaussian


def full(dimension: int) -> curvature.Directions:
    return curvature.plan(np.ones((dimension, dimension), dtype=bool))


# -- draws ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("draws", "dimension"), [(64, 3), (64, 32), (64, 50), (32, 200), (4000, 10)])
def test_draws_are_balanced(draws: int, dimension: int) -> None:
    eps = antithetic(generator(1, 0), draws, dimension)
    assert eps.shape == (draws, dimension)
    np.testing.assert_array_equal(eps[: draws // 2], -eps[draws // 2 :])
    np.testing.assert_allclose((eps**2).mean(axis=0), 1, rtol=1e-9)
    if draws >= 2 * dimension:
        np.testing.assert_allclose(eps.T @ eps / draws, np.eye(dimension), atol=1e-9)


def test_draws_are_normal_and_repeatable() -> None:
    eps = antithetic(generator(7, 3), 4000, 4)
    assert min(stats.kstest(column[:2000], "norm").pvalue for column in eps.T) > 1e-3
    np.testing.assert_array_equal(eps, antithetic(generator(7, 3), 4000, 4))
    assert not np.array_equal(eps, antithetic(generator(7, 4), 4000, 4))
    assert not np.array_equal(eps, antithetic(generator(8, 3), 4000, 4))


# -- objective --------------------------------------------------------------------------------------------------------


def test_elbo_of_a_gaussian_is_exact() -> None:
    """ELBO = log evidence - KL, with the KL of two Gaussians in closed form."""
    target = random_gaussian(5, 100, seed=1)
    guide = MeanField(target.mean + 0.3, np.log(np.linspace(0.2, 1, 5)))
    value, _ = objective.negative_elbo(target, guide, antithetic(generator(1), 64, 5))
    precision, r = np.linalg.inv(target.covariance), guide.mu - target.mean
    logdets = np.linalg.slogdet(target.covariance)[1] - 2 * guide.log_sigma.sum()
    divergence = 0.5 * (np.trace(precision * guide.sigma**2) + r @ precision @ r - 5 + logdets)
    assert value == pytest.approx(divergence - target.log_evidence, rel=1e-10)


def test_gradient_and_hessian_of_the_objective() -> None:
    target = Gumbels(3)
    eps = antithetic(generator(2), 16, 3)
    packed = np.array([0.2, 0.5, 1.0, -0.3, 0.1, -1.0])

    def value(x: np.ndarray) -> float:
        return objective.negative_elbo(target, MeanField.unpack(x), eps)[0]

    _, gradient = objective.negative_elbo(target, MeanField.unpack(packed), eps)
    np.testing.assert_allclose(gradient, optimize.approx_fprime(packed, value, 1e-7), rtol=1e-5, atol=1e-6)

    def slope(x: np.ndarray) -> np.ndarray:
        return objective.negative_elbo(target, MeanField.unpack(x), eps)[1]

    expected = np.array([(slope(packed + h) - slope(packed - h)) / 2e-5 for h in 1e-5 * np.eye(6)])
    found = objective.hessian(target, MeanField.unpack(packed), eps, np.ones(3), full(3))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_hessian_of_a_coupled_density_over_few_directions() -> None:
    """An arrow: one coordinate is tied to all, the others to none among themselves."""
    dimension = 6
    precision = np.diag(np.linspace(2, 5, dimension))
    precision[0, 1:] = precision[1:, 0] = 0.3
    target = random_gaussian(dimension, 10, 1)
    target = type(target)(target.mean, np.linalg.inv(precision))
    directions = curvature.plan(precision != 0)
    assert len(directions) == 2
    eps = antithetic(generator(3), 32, dimension)
    guide = MeanField(target.mean, np.full(dimension, -0.5))
    few = objective.hessian(target, guide, eps, np.ones(dimension), directions)
    np.testing.assert_allclose(
        few, objective.hessian(target, guide, eps, np.ones(dimension), full(dimension)), atol=1e-6
    )
    np.testing.assert_allclose(few[:dimension, :dimension], precision, atol=1e-6)


def test_counting() -> None:
    counted = Counted(Gumbels(2))
    counted.value_and_gradient(np.zeros((5, 2)))
    counted.value(np.zeros((9, 2)))
    counted.value_and_gradient(np.zeros((3, 2)))
    assert counted.gradients == 8


# -- plans of directions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_any_pattern_is_shown_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dimension = int(rng.integers(1, 40))
    interacts = rng.random((dimension, dimension)) < rng.choice([0.02, 0.1, 0.5])
    interacts[0] |= seed % 2 == 0
    interacts = interacts | interacts.T | np.eye(dimension, dtype=bool)
    matrix = np.where(interacts, rng.normal(size=(dimension, dimension)), 0)
    matrix = matrix + matrix.T
    points = rng.normal(size=(2, dimension))
    found = curvature.hessians(lambda z: z @ matrix, points, np.ones(dimension), curvature.plan(interacts), 1000)
    np.testing.assert_allclose(found, [matrix, matrix], atol=1e-9)


def test_independent_groups_need_few_directions() -> None:
    """A thousand groups under two hyperparameters: three directions, in batches as small as asked."""
    dimension = 1002
    interacts = np.eye(dimension, dtype=bool)
    interacts[:2] = interacts[:, :2] = True
    assert len(curvature.plan(interacts)) == 3


# -- optimiser --------------------------------------------------------------------------------------------------------


def test_lbfgs_on_a_whitened_quadratic_needs_one_step() -> None:
    target = random_gaussian(20, 1e8, seed=3)
    precision = np.linalg.inv(target.covariance)

    def minus(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = target.value_and_gradient(x[None])
        return -float(value[0]), -gradient[0]

    found = lbfgs(minus, np.zeros(20), lambda g: np.linalg.solve(precision, g), 1e-12, 50)
    np.testing.assert_allclose(found.x, target.mean, rtol=1e-6)
    assert len(found.trace) <= 4


def test_lbfgs_finds_rosenbrocks_valley() -> None:
    found = lbfgs(lambda x: (optimize.rosen(x), optimize.rosen_der(x)), np.zeros(6), lambda g: 1e-2 * g, 1e-14, 500)
    np.testing.assert_allclose(found.x, 1, atol=1e-5)
    assert all(later <= earlier for earlier, later in zip(found.trace, found.trace[1:], strict=False))


def test_lbfgs_steps_back_from_the_infinite() -> None:
    def barrier(x: np.ndarray) -> tuple[float, np.ndarray]:
        if x[0] <= 0:
            return np.inf, np.zeros(1)
        return float(x[0] - np.log(x[0])), 1 - 1 / x

    assert lbfgs(barrier, np.array([30.0]), lambda g: 100 * g, 1e-14, 200).x[0] == pytest.approx(1, abs=1e-5)


# -- ways up ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1, 1e4, 1e9])
def test_climb_does_not_mind_the_scale(condition: float) -> None:
    target = random_gaussian(12, condition, seed=4)
    [summit] = climb(target, np.zeros((1, 12)), full(12), antithetic(generator(1), 32, 12))
    assert summit is not None
    assert summit.arrived
    sds = np.sqrt(np.diag(target.covariance))
    np.testing.assert_allclose((summit.guide.mu - target.mean) / sds, 0, atol=1e-3)


def test_many_ways_up_are_each_their_own() -> None:
    """Climbing together changes nothing: two modes, each found from its side."""

    class TwoModes:
        dimension, draws_at_once = 1, 1000

        def value(self, z: np.ndarray) -> np.ndarray:
            return -0.25 * (z[:, 0] ** 2 - 9) ** 2

        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.value(z), -z * (z**2 - 9)

    starts, eps = np.array([[1.0], [-0.5], [8.0], [-3.0]]), antithetic(generator(1), 32, 1)
    together = climb(TwoModes(), starts, full(1), eps)
    for start, summit in zip(starts, together, strict=True):
        assert summit is not None and summit.arrived
        assert summit.guide.mu[0] == pytest.approx(3 * np.sign(start[0]), abs=0.05)
        [alone] = climb(TwoModes(), start[None], full(1), eps)
        assert alone is not None and alone.elbo == pytest.approx(summit.elbo, abs=1e-9)


def test_climb_turns_back_where_the_density_has_no_mode() -> None:
    """A funnel, log v ~ N(0, 3) and x ~ N(0, v) five times, grows without bound as v goes to 0."""

    class Funnel:
        dimension, draws_at_once = 6, 1000

        def value(self, z: np.ndarray) -> np.ndarray:
            return self.value_and_gradient(z)[0]

        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            with np.errstate(over="ignore"):
                t, x = z[:, :1], z[:, 1:]
                value = -0.5 * (t[:, 0] / 3) ** 2 - 0.5 * ((x**2) * np.exp(-t)).sum(1) - 2.5 * t[:, 0]
                by_t = -t / 9 + 0.5 * ((x**2) * np.exp(-t)).sum(1, keepdims=True) - 2.5
                return value, np.concatenate([by_t, -x * np.exp(-t)], axis=1)

    [summit] = climb(Funnel(), np.array([[1.0, 3, -2, 1, 2, -1]]), full(6), antithetic(generator(1), 32, 6))
    assert summit is not None
    assert abs(summit.guide.mu[0]) < 25  # the mode lies at t = -22.5 with x = 0; nothing runs away


def test_climb_needs_a_finite_start() -> None:
    class Nowhere:
        dimension, draws_at_once = 1, 10

        def value(self, z: np.ndarray) -> np.ndarray:
            return np.full(len(z), -np.inf)

        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.value(z), np.zeros_like(z)

    assert climb(Nowhere(), np.zeros((1, 1)), full(1), antithetic(generator(1), 8, 1)) == [None]


# -- mean field and linear response -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_linear_response_is_exact_for_a_gaussian(seed: int) -> None:
    """Whatever the draws: the guide's sds are those of the conditionals, the corrected covariance the true one."""
    target = random_gaussian(8, 1e6, seed)
    start = MeanField(target.mean + 0.01, np.full(8, -3.0))
    precision = np.linalg.inv(target.covariance)
    eps = antithetic(generator(seed), 64, 8)
    found = meanfield.maximise(target, start, precision, eps, full(8), 64)
    assert found.newton_step < meanfield.CONVERGED
    assert found.covariance is not None
    np.testing.assert_allclose(found.guide.sigma**2, 1 / np.diag(precision), rtol=1e-3)
    sds = np.sqrt(np.diag(target.covariance))
    np.testing.assert_allclose((found.guide.mu - target.mean) / sds, 0, atol=0.01)
    np.testing.assert_allclose(found.covariance / sds / sds[:, None], target.covariance / sds / sds[:, None], atol=1e-4)
    evidence_gap = target.log_evidence - found.elbo
    logdets = np.linalg.slogdet(target.covariance)[1] - 2 * found.guide.log_sigma.sum()
    assert evidence_gap == pytest.approx(0.5 * logdets, rel=1e-4)


def test_indefinite_hessians_are_refused() -> None:
    assert meanfield.linear_response(np.diag([1.0, -1.0, 1.0, 1.0])) is None
    assert meanfield.newton_step(np.diag([1.0, -1.0]), np.ones(2)) is None
    assert meanfield.newton_step(np.full((2, 2), np.nan), np.ones(2)) is None
    np.testing.assert_allclose(meanfield.newton_step(np.diag([2.0, 4.0]), np.array([2.0, 2.0])), [-1, -0.5])


# -- importance weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nats", "is_trusted"), [(0.0, True), (5.0, True), (20.0, False), (300.0, False)])
def test_one_draw_that_outweighs_all_others_is_not_smoothed_away(nats: float, is_trusted: bool) -> None:
    """Among 12,000 even weights one has e^20 times more: 40,000 times all others together."""
    log_ratios = np.random.default_rng(1).normal(0, 0.3, 12_000)
    log_ratios[7] += nats
    found = importance.smooth(log_ratios)
    assert (found.pareto_k < 0.7) == is_trusted
    raw = np.exp(log_ratios - log_ratios.max())
    assert found.largest == pytest.approx(1 / raw.sum())


@pytest.mark.parametrize("spread", [1, 2, 5])
@pytest.mark.parametrize("draws", [100, 1000, 4000])
def test_pareto_smoothing_against_arviz(spread: float, draws: int) -> None:
    log_ratios = np.random.default_rng(3).standard_t(5, draws) * spread
    ours = importance.smooth(log_ratios.copy())
    theirs, k = arviz.psislw(log_ratios.copy())
    assert ours.pareto_k == pytest.approx(float(k), rel=1e-9)
    np.testing.assert_allclose(ours.weights, np.exp(np.asarray(theirs)), rtol=1e-9)


def test_weights_of_equal_and_of_impossible_draws() -> None:
    equal = importance.smooth(np.full(500, -3.0))
    np.testing.assert_allclose(equal.weights, 1 / 500)
    assert equal.pareto_k < 0
    nowhere = importance.smooth(np.full(500, -np.inf))
    assert nowhere.pareto_k == np.inf
    few = np.full(500, -np.inf)
    few[:3] = 0.0
    assert importance.smooth(few).pareto_k == np.inf
    ratios = np.zeros(500)
    ratios[:100] = -np.inf
    some = importance.smooth(ratios)
    assert some.weights[:100].sum() == 0
    assert some.effective == pytest.approx(400)


def test_bounded_weights_are_left_alone() -> None:
    """A tail in two steps, none of it large: a Pareto fitted to it has a k above 2, and nothing is wrong."""
    rng = np.random.default_rng(2)
    log_ratios = np.concatenate([-1e-5 * rng.random(1900), rng.random(100)])
    assert float(arviz.psislw(log_ratios.copy())[1]) > 1
    found = importance.smooth(log_ratios)
    assert found.pareto_k <= 0
    np.testing.assert_allclose(found.weights, np.exp(log_ratios) / np.exp(log_ratios).sum())


def test_resampling_keeps_the_weights() -> None:
    weights = np.random.default_rng(1).dirichlet(np.full(50, 0.3))
    chosen = importance.resample(weights, 100_000, generator(1))
    np.testing.assert_allclose(np.bincount(chosen, minlength=50) / 100_000, weights, atol=2e-5)


@pytest.mark.parametrize("dimension", [1, 3, 12])
def test_student_draws(dimension: int) -> None:
    draws = student(generator(4), 20_000, dimension, 7.0)
    np.testing.assert_array_equal(draws[:10_000], -draws[10_000:])
    assert min(stats.kstest(column[:10_000], stats.t(7).cdf).pvalue for column in draws.T) > 1e-3
    np.testing.assert_allclose((draws**2).mean(axis=0), 7 / 5, rtol=0.02)
    radius = (draws[:10_000] ** 2).sum(axis=1) / dimension
    assert stats.kstest(radius, stats.f(dimension, 7).cdf).pvalue > 1e-3
