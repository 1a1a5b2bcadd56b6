"""Hamiltonian chains: diagnostics against arviz and loops, draws against known moments, what must be flagged."""

from __future__ import annotations

import arviz
import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.infer import convergence
from ppl.infer.chains import Chains, sample_chains
from ppl.infer.hamiltonian import at, move
from ppl.report import tables
from tests.infer.targets import Gaussian, Gumbels, random_gaussian

SUPERCHAINS = 16


def autoregressive(seed: int, iterations: int, chains: int, quantities: int) -> np.ndarray:
    """AR(1) chains of different persistence, one of them antithetic, one with long tails."""
    rng = np.random.default_rng(seed)
    draws = rng.normal(size=(iterations, chains, quantities))
    for t in range(1, iterations):
        draws[t] += np.linspace(-0.4, 0.95, quantities) * draws[t - 1]
    draws[..., -1] = np.sinh(draws[..., -1])
    return draws


def split_rhat(draws: np.ndarray) -> np.ndarray:
    """R-hat of the halves of chains (Vehtari et al. 2021, equation 3) from the nested one of chains each by itself."""
    half = len(draws) // 2
    halves = np.concatenate([draws[:half], draws[len(draws) - half :]], axis=1)
    return np.asarray(np.sqrt(convergence.nested_rhat(halves, halves.shape[1]) ** 2 - 1 / half))


@pytest.mark.parametrize("iterations", [10, 25, 100, 101])
def test_diagnostics_are_those_of_arviz(iterations: int) -> None:
    draws = autoregressive(1, iterations, 6, 5)
    draws[:, 0, 2] += 1
    for j in range(5):
        theirs = draws[..., j].T
        assert split_rhat(draws)[j] == pytest.approx(arviz.rhat(theirs, method="split"), rel=1e-10)
        assert convergence.ess(draws)[j] == pytest.approx(arviz.ess(theirs, method="mean"), rel=1e-10)
        assert convergence.sd_ess(draws)[j] == pytest.approx(
            arviz.ess((theirs - theirs.mean()) ** 2, method="mean"), rel=1e-10
        )
        tail = float(arviz.ess(theirs, method="tail"))  # at quantiles by another definition
        assert convergence.tail_ess(draws)[j] == pytest.approx(tail, rel=0.1)
    ranked = convergence.by_rank(convergence.folded(draws))
    folded = [arviz.rhat(draws[..., j].T, method="folded") for j in range(5)]
    if iterations % 2 == 0:  # arviz leaves the middle iteration out before it ranks
        np.testing.assert_allclose(split_rhat(ranked), folded, rtol=1e-10)
        bulk = [arviz.ess(draws[..., j].T, method="bulk") for j in range(5)]
        np.testing.assert_allclose(convergence.ess(convergence.by_rank(draws)), bulk, rtol=1e-10)


def test_ranks_are_those_of_scipy() -> None:
    draws = np.random.default_rng(1).integers(0, 12, (40, 3)).astype(float)
    np.testing.assert_array_equal(convergence._ranks(draws), stats.rankdata(draws, axis=0))


def test_nested_rhat_by_loops() -> None:
    """Margossian et al. 2024, definition 2.2, as it is written there."""
    draws = autoregressive(2, 20, 12, 3)
    draws[:, :3] += 0.5
    for j in range(3):
        means, within = [], []
        for k in range(4):
            chains = [draws[:, 3 * k + m, j] for m in range(3)]
            of_chains = [float(chain.mean()) for chain in chains]
            centre = sum(of_chains) / 3
            between = sum((mean - centre) ** 2 for mean in of_chains) / 2
            inside = sum(sum((chain - chain.mean()) ** 2) / 19 for chain in chains) / 3
            means.append(centre)
            within.append(between + inside)
        b = sum((mean - sum(means) / 4) ** 2 for mean in means) / 3
        expected = np.sqrt(1 + b / (sum(within) / 4))
        assert convergence.nested_rhat(draws, 4)[j] == pytest.approx(expected, rel=1e-12)


def test_scale_alone_is_seen_by_folded_draws() -> None:
    draws = np.random.default_rng(3).normal(size=(100, 32, 1))
    draws[:, :8] *= 3
    assert convergence.nested_rhat(convergence.by_rank(draws), 4)[0] < 1.01
    assert convergence.robust(draws, 4)[0][0] > 1.05


def test_energies_that_momenta_cannot_carry() -> None:
    slow = np.cumsum(np.random.default_rng(4).normal(size=(1000, 4)), axis=0)
    assert convergence.e_bfmi(slow) < 0.1
    assert convergence.e_bfmi(np.random.default_rng(4).normal(size=(1000, 4))) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("full", [True, False])
def test_trajectories_keep_energy_and_can_be_turned_back(full: bool) -> None:
    """The error of energy falls with the square of the step; backwards from the end leads to the start."""
    target = random_gaussian(5, 100, 1)
    root = np.linalg.cholesky(target.covariance + 0.1 * np.eye(5)) if full else np.linspace(0.5, 1, 5)
    start = at(target, target.mean + np.random.default_rng(1).normal(size=(40, 5)))
    gains = []
    for steps in (20, 40):
        step = np.full(40, 0.4 / steps)
        made = move(target, start, root, step, steps, np.random.default_rng(2))
        energy = 0.5 * (made.velocity**2).sum(axis=1) - target.value(made.proposed)
        gains.append(np.abs(energy - made.energy).max())
        velocity, z = -made.velocity, made.proposed
        scale = np.diag(root) if root.ndim == 1 else root
        for _ in range(steps):
            velocity = velocity + 0.5 * step[0] * target.value_and_gradient(z)[1] @ scale
            z = z + step[0] * velocity @ scale.T
            velocity = velocity + 0.5 * step[0] * target.value_and_gradient(z)[1] @ scale
        np.testing.assert_allclose(z, start.z, atol=1e-9)
    assert gains[1] == pytest.approx(gains[0] / 4, rel=0.1)


def run(target: Gaussian | Gumbels, starts: np.ndarray, seed: int = 1, most: int = 1_000_000) -> Chains:
    rng = np.random.default_rng(seed)
    return sample_chains(target, np.repeat(starts, 8, axis=0), np.ones(target.dimension), rng, SUPERCHAINS, most)


@pytest.mark.parametrize("seed", [1, 2])
def test_correlated_gaussian_from_a_poor_covariance(seed: int) -> None:
    """Condition number 10,000, of which the root given knows nothing; starts tens of sds away."""
    target = random_gaussian(10, 1e4, 3)
    starts = target.mean + np.random.default_rng(seed).normal(size=(SUPERCHAINS, 10))
    chains = run(target, starts, seed)
    z, sds = chains.z.reshape(-1, 10), np.sqrt(np.diag(target.covariance))
    assert chains.rhat.max() < 1.01 and chains.ess.min() > 1000 and chains.divergent == 0
    errors = np.abs(z.mean(axis=0) - target.mean) / sds
    assert (errors < 4.5 / np.sqrt(chains.ess[:-1])).all()
    np.testing.assert_allclose(z.std(axis=0) / sds, 1, atol=0.08)
    assert 0.7 < chains.acceptance < 0.95


def test_skewed_coordinates() -> None:
    chains = run(Gumbels(30), np.random.default_rng(1).normal(size=(SUPERCHAINS, 30)))
    z = chains.z.reshape(-1, 30)
    assert chains.rhat.max() < 1.01
    np.testing.assert_allclose(z.mean(axis=0), 0.5772, atol=0.15)
    np.testing.assert_allclose(z.std(axis=0), 1.2825, atol=0.12)


def test_same_seed_same_bits_and_a_budget() -> None:
    starts = np.random.default_rng(1).normal(size=(SUPERCHAINS, 3))
    first, second, other = (run(Gumbels(3), starts, seed, 200_000) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.z, second.z)
    assert not np.array_equal(first.z[:5], other.z[:5])
    assert first.gradients <= 250_000


class Fenced(Gumbels):
    """No density below 0, no finite gradient above 3: a Gumbel cut off on both sides."""

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = super().value_and_gradient(z)
        inside = ((z > 0) & (z < 3)).all(axis=1)
        return np.where(inside, value, -np.inf), np.where(inside[:, None], gradient, np.nan)


def test_what_is_not_finite_is_never_entered() -> None:
    chains = run(Fenced(1), np.random.default_rng(1).uniform(-0.2, 2, size=(SUPERCHAINS, 1)))
    grid = np.linspace(0, 3, 100_001)
    density = np.exp(-grid - np.exp(-grid))
    mean = float(grid @ density / density.sum())
    assert chains.z.min() > 0 and chains.z.max() < 3
    assert chains.z.mean() == pytest.approx(mean, abs=0.08) or chains.rhat.max() > 1.01  # the fence slows chains


FUNNEL = "v ~ Flat()\nx[{d}] ~ Flat()\nfactor -v^2/18 - {d}/2*v - 0.5*exp(-v)*sum(x^2)"
HARD = {
    "funnel of 2": (FUNNEL.format(d=1), {}, "v", 0.0, 3.0),
    "banana": ("x ~ Flat()\ny ~ Flat()\nfactor -x^2/2 - 50*(y - x^2)^2", {}, "y", 1.0, np.sqrt(2.01)),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_shapes_are_right_or_flagged(name: str) -> None:
    text, data, label, mean, sd = HARD[name]
    found = ppl.from_text(text, "hard.ppl").condition(data).fit(seed=1)
    statistics = found.summary()[label]
    assert abs(statistics["mean"] - mean) < 0.3 * sd
    assert abs(np.log(statistics["sd"] / sd)) < 0.26
    assert found.verdict == "usable"  # each has a narrow part or long tails, and says so


def test_chains_in_far_modes_are_flagged() -> None:
    posterior = ppl.from_text("m ~ Normal(0, 10)\ny ~ Normal(m^2, 1)").condition({"y": np.full(5, 25.0)})
    assert "chains" not in [tried.rung for tried in posterior.fit(seed=1).record.tried]  # nothing to be won
    found = posterior.fit(seed=1, guide="chains")
    assert found.verdict == "do not use"
    assert any("chains from different starts do not agree on `m`" in reason for reason in found.reasons)
    assert abs(found.summary()["m"]["mean"]) < 1  # both were started in


def test_chains_can_be_asked_for() -> None:
    """They run although the mean field is good, and agree with the closed form; the table says R-hat, not Pareto k."""
    text = "x ~ Normal(0, 1)\ny ~ Normal(x, 0.5)"
    found = ppl.from_text(text, "normal.ppl").condition({"y": 10.0}).fit(guide="chains")
    statistics = found.summary()["x"]
    assert found.verdict == "good" and [tried.rung for tried in found.record.tried] == ["chains"]
    assert statistics["mean"] == pytest.approx(8.0, abs=4 * statistics["mcse"])
    assert statistics["sd"] == pytest.approx(0.2**0.5, rel=0.06)
    numbers = {rule.name: rule.number for rule in found.rules}
    assert numbers["Pareto k"] is None and numbers["R-hat"] < 1.01
    assert "R-hat" in tables.verdict_lines(found.record)[-1]


def test_chains_of_nothing() -> None:
    """Where chains cannot be sampled the other rungs stand."""
    found = ppl.from_text("a ~ Flat()\nb ~ Flat()\ny ~ Normal(a + b, 1)").condition({"y": [1.0]}).fit(guide="chains")
    assert found.verdict == "do not use"
