"""The trainer: what it finds, when it stops and why, and that it goes on from a checkpoint to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ppl.infer import watch
from ppl.infer.draws import generator
from ppl.infer.stochastic import adam
from ppl.infer.stochastic import train as training
from ppl.infer.stochastic.adam import Moments
from ppl.infer.stochastic.guide import negative_elbo
from ppl.infer.stochastic.table import NAMED
from ppl.infer.stochastic.train import Options, Trained, train
from ppl.infer.watch import Piece, Watch
from tests.infer.targets import Gaussian

OPTIONS = Options(seed=1, stream=50)
CORRELATED = Gaussian(np.array([1.0, 2.0, 3.0]), np.array([[1.0, 0.9, 0.2], [0.9, 1.0, 0.1], [0.2, 0.1, 2.0]]))


def objective_of(name: str, draws: int = 32) -> tuple[training.Objective, np.ndarray]:
    guide = NAMED[name](3)

    def objective(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        return negative_elbo(CORRELATED, guide, phi, guide.noise(rng, draws))

    return objective, guide.start(np.zeros(3), np.ones(3), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["fullrank", "lowrank"])
def test_a_correlated_gaussian_is_found(name: str) -> None:
    objective, phi = objective_of(name, 16)
    found = train(objective, phi, replace(OPTIONS, rates=(0.1,), most=900))
    guide = NAMED[name](3)
    z, _ = guide.draw(found.phi, guide.noise(np.random.default_rng(1), 20_000))
    assert not found.diverged
    assert found.elbo == pytest.approx(CORRELATED.log_evidence, abs=1e-4)
    assert z.mean(axis=0) == pytest.approx(CORRELATED.mean, abs=0.02)
    assert np.cov(z, rowvar=False) == pytest.approx(CORRELATED.covariance, abs=0.05)


def test_a_mean_field_has_the_sds_of_the_conditionals() -> None:
    objective, phi = objective_of("meanfield")
    found = train(objective, phi, OPTIONS)
    assert found.phi[:3] == pytest.approx(CORRELATED.mean, abs=0.02)
    assert np.exp(-2 * found.phi[3:]) == pytest.approx(np.diag(np.linalg.inv(CORRELATED.covariance)), rel=0.02)


def noisy(size: float) -> training.Objective:
    """A bowl about 3, whose value and gradient are seen through noise."""

    def objective(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        return float(0.5 * (phi - 3) @ (phi - 3) + size * rng.normal()), phi - 3 + size * rng.normal(size=len(phi))

    return objective


def test_noise_is_averaged_away() -> None:
    """To a fraction of where one rate would leave it."""
    found = train(noisy(3.0), np.zeros(4), replace(OPTIONS, rates=(0.1,)))
    assert found.reason == training.FLAT
    assert np.abs(found.phi - 3).max() < 0.15


def test_a_short_search_finds_the_rate() -> None:
    """In a narrow valley a high rate leads nowhere; where the way is long it leads furthest."""

    def objective(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        return 1e6 * float(phi @ phi), 2e6 * phi

    assert train(objective, np.full(3, 1e-3), OPTIONS).rate == 0.001
    assert train(noisy(0.1), np.full(3, -100.0), replace(OPTIONS, most=200)).rate == 0.1


def test_validation_decides() -> None:
    """What is validated is flat at once, though the steps go on to gain."""

    def endless(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        return -float(phi.sum()), -np.ones(len(phi))

    options = replace(OPTIONS, most=4000)
    stopped = train(endless, np.zeros(2), options, lambda phi, rng: -float(rng.random() * 0))
    assert stopped.reason == training.FLAT and stopped.steps < 2000
    assert train(endless, np.zeros(2), options).reason == training.LIMIT


def test_divergence_gives_the_last_good_state() -> None:
    def breaks(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        value, gradient = noisy(0.1)(phi, step, rng)
        return (np.nan, gradient) if step >= 500 else (value, gradient)

    found = train(breaks, np.zeros(2), replace(OPTIONS, rates=(0.05,)))
    assert found.reason == training.NO_NUMBERS and found.diverged
    assert found.phi == pytest.approx(np.full(2, 3.0), abs=0.2)

    def falls(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        value, gradient = noisy(0.1)(phi, step, rng)
        return (value, gradient) if step < 500 else (value, -gradient)

    found = train(falls, np.zeros(2), replace(OPTIONS, rates=(0.05,)))
    assert found.reason == training.FELL and found.diverged
    assert found.phi == pytest.approx(np.full(2, 3.0), abs=0.2)


def test_a_few_steps_without_numbers_are_skipped() -> None:
    def gaps(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        value, gradient = noisy(0.1)(phi, step, rng)
        return (np.inf, 0 * gradient) if step % 7 == 3 and step < 700 else (value, gradient)

    found = train(gaps, np.zeros(2), replace(OPTIONS, rates=(0.05,)))
    assert found.reason == training.FLAT
    assert found.phi == pytest.approx(np.full(2, 3.0), abs=0.1)


class Shelf:
    """A store in memory, that stops the fit after so many pieces."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.pieces: dict[str, Piece] = {}
        self.left = stop_after

    def get(self, key: str) -> Piece | None:
        return self.pieces.get(key)

    def put(self, key: str, make: Callable[[], Piece], eager: bool) -> None:
        self.pieces[key] = make()
        self.left -= 1
        now = watch.current()
        if self.left == 0 and now is not None:
            now.stopped = True
            raise KeyboardInterrupt

    def drop(self, key: str) -> None:
        self.pieces.pop(key, None)

    def damaged(self) -> Exception:
        return ValueError("damaged")


def trained(store: Shelf) -> Trained:
    objective, phi = objective_of("meanfield", 4)
    with watch.watched(Watch(store=store)):
        return train(objective, phi, replace(OPTIONS, rates=(0.1, 0.03), most=900), key="training")


@pytest.mark.parametrize("after", [1, 14])
def test_a_resumed_training_ends_in_the_same_bits(after: int) -> None:
    whole = trained(Shelf())
    store = Shelf(after)
    cut = trained(store)
    assert cut.reason == training.INTERRUPTED and cut.steps < whole.steps
    store.left = 10**9
    again = trained(store)
    np.testing.assert_array_equal(again.phi, whole.phi)
    np.testing.assert_array_equal(again.history, whole.history)
    assert (again.elbo, again.steps, again.reason) == (whole.elbo, whole.steps, whole.reason)
    assert not store.pieces


def test_large_gradients_are_clipped() -> None:
    """A gradient a thousand times the others' norm counts as five times that."""
    moments = Moments.none(np.zeros(2))
    for _ in range(50):
        _, moments = adam.step(np.zeros(2), np.array([3.0, 4.0]), 5.0, moments, 0.1)
    _, after = adam.step(np.zeros(2), np.array([3000.0, -4000.0]), 5000.0, moments, 0.1)
    assert after.first - 0.9 * moments.first == pytest.approx([1.5, -2.0])


def test_steps_have_streams_of_their_own() -> None:
    seen = []

    def objective(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
        seen.append((step, rng.random()))
        return 0.0, np.zeros(len(phi))

    train(objective, np.zeros(1), replace(OPTIONS, rates=(0.1,), most=100))
    jumped = generator(1, 50, 0).bit_generator.jumped(3)
    assert seen[3] == (3, np.random.Generator(jumped).random())


def by_heart(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """Steps go on to 3, though what is held out is best at 1."""
    return float(0.5 * (phi - 3) @ (phi - 3)), phi - 3


def test_the_best_on_data_held_out_is_taken() -> None:
    held_out = replace(OPTIONS, rates=(0.002,), window=20, by_chance=0.001)
    found = train(by_heart, np.zeros(2), held_out, lambda phi, rng: -float(((phi - 1) ** 2).sum()))
    assert not found.diverged
    assert found.phi == pytest.approx(np.ones(2), abs=0.03)
    assert found.elbo == found.history.max()


def test_a_fall_on_data_held_out_is_no_divergence() -> None:
    far = replace(OPTIONS, rates=(0.1,), window=20, by_chance=1.0, most=2000)
    found = train(by_heart, np.zeros(2), far, lambda phi, rng: -1e4 * float(((phi - 1) ** 2).sum()))
    assert not found.diverged
    assert train(by_heart, np.zeros(2), replace(far, by_chance=np.inf), lambda phi, rng: -1e4 * phi.sum()).diverged


@pytest.mark.parametrize("most", [7, 60, 333, 1000])
def test_no_more_steps_than_the_largest_number(most: int) -> None:
    found = train(
        noisy(0.1), np.full(2, -1e3), replace(OPTIONS, rates=(0.001,), window=max(1, min(50, most // 4)), most=most)
    )
    assert found.reason == training.LIMIT
    assert 0.8 * most < found.steps <= most


@pytest.mark.parametrize(("dtype", "near"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_adam_is_that_of_the_paper(dtype: type, near: float) -> None:
    """Algorithm 1 of Kingma and Ba, written down once more."""
    rng = np.random.default_rng(0)
    phi = rng.normal(size=5).astype(dtype)
    theta, m, v = phi.astype(float), np.zeros(5), np.zeros(5)
    moments = Moments.none(phi)
    for t in range(1, 30):
        g = rng.normal(size=5).astype(dtype)
        m, v = 0.9 * m + 0.1 * g.astype(float), 0.999 * v + 0.001 * g.astype(float) ** 2
        theta = theta - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        phi, moments = adam.step(phi, g, float(np.sqrt(g @ g)), moments, 0.01)
    assert phi.dtype == dtype
    np.testing.assert_allclose(phi, theta, rtol=near, atol=near)


def test_an_interruption_within_a_window_loses_no_step() -> None:
    """What is kept then goes on to the bits of the whole."""

    def cut(at: int) -> training.Objective:
        inner, _ = objective_of("meanfield", 4)

        def objective(phi: np.ndarray, step: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
            now = watch.current()
            if step == at and now is not None:
                now.stopped = True
                raise KeyboardInterrupt
            return inner(phi, step, rng)

        return objective

    options, (_, phi), store = replace(OPTIONS, rates=(0.1,), most=400), objective_of("meanfield", 4), Shelf()
    with watch.watched(Watch(store=store)):
        assert train(cut(123), phi, options, key="training").steps == 123
    with watch.watched(Watch(store=store)):
        again = train(cut(-1), phi, options, key="training")
    np.testing.assert_array_equal(again.phi, train(cut(-1), phi, options).phi)
