"""Guides beyond the mean field: covariances, mixtures over modes, partly centred coordinates, the mode alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.compile.blocks import Block, Centring
from ppl.compile.joint import compile_joint
from ppl.infer import affine, ladder
from ppl.infer.affine import Family, FullRank, LowRank
from ppl.infer.draws import antithetic
from ppl.infer.fullrank import could_help
from ppl.infer.mixture import mixture
from ppl.infer.pipeline import approximate
from ppl.infer.proposals import Component, correct
from tests.infer.targets import Gaussian, Gumbels, random_gaussian
from tests.infer.test_ladder import EFFECTS, ERRORS, FUNNEL, SCHOOLS, WEAK, funnel, worst


def fit(text: str, data: dict[str, object] | None = None, **options: object) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition(data or {}).fit(**options)  # type: ignore[arg-type]


def full(dimension: int, block: int) -> Family:
    gaussian = random_gaussian(dimension, 10, seed=2)
    return FullRank.of(np.zeros(dimension), gaussian.covariance, np.arange(1, block + 1))


def low(dimension: int, rank: int) -> Family:
    return LowRank.of(np.zeros(dimension), random_gaussian(dimension, 10, seed=2).covariance, rank)


@pytest.mark.parametrize("family", [full(4, 3), full(5, 2), low(5, 2)])
def test_objectives_against_finite_differences(family: Family) -> None:
    """Gradients, and the log determinant against numpy's of A A'."""
    rng = np.random.default_rng(1)
    packed = family.first(1.0) + 0.2 * rng.normal(size=len(family.first(1.0)))
    _, root = family.place(packed)
    volume, gradient = family.log_volume(packed)
    assert volume == pytest.approx(0.5 * np.linalg.slogdet(root @ root.T)[1])
    by_mu, by_root = rng.normal(size=len(root)), rng.normal(size=root.shape)

    def linear(packed: np.ndarray) -> float:
        mu, root = family.place(packed)
        return float(by_mu @ mu + (by_root * root).sum())

    pulled = family.pull_back(packed, by_mu, by_root)
    for i, unit in enumerate(1e-5 * np.eye(len(packed))):
        ahead, behind = packed + unit, packed - unit
        assert (family.log_volume(ahead)[0] - family.log_volume(behind)[0]) / 2e-5 == pytest.approx(
            gradient[i], abs=1e-7
        )
        assert (linear(ahead) - linear(behind)) / 2e-5 == pytest.approx(pulled[i], abs=1e-7)


def test_a_full_rank_guide_finds_a_gaussian() -> None:
    """Whitened by another covariance, in a block that is all of it."""
    target = random_gaussian(6, 1e3, seed=1)
    family = FullRank.of(target.mean + 0.1, np.diag(np.diag(target.covariance)), np.arange(6))
    optimum = affine.maximise(target, family, antithetic(np.random.default_rng(0), 32, 6))
    assert optimum.mu == pytest.approx(target.mean, abs=1e-3)
    assert optimum.covariance == pytest.approx(target.covariance, abs=1e-3 * np.abs(target.covariance).max())
    assert optimum.elbo == pytest.approx(target.log_evidence, abs=1e-5)
    assert optimum.step < 0.01


def test_a_low_rank_guide_finds_one_factor() -> None:
    loadings = np.linspace(0.5, 2, 8)
    target = Gaussian(np.arange(8.0), np.outer(loadings, loadings) + np.diag(np.linspace(1, 0.2, 8)))
    family = LowRank.of(np.zeros(8), np.diag(np.diag(target.covariance)), 1)
    optimum = affine.maximise(target, family, antithetic(np.random.default_rng(0), 64, family.noise))
    assert optimum.mu == pytest.approx(target.mean, abs=1e-2)
    assert optimum.covariance == pytest.approx(target.covariance, abs=0.01)


def test_fresh_draws_move_what_is_not_gaussian() -> None:
    family = FullRank.of(np.zeros(3), np.eye(3), np.arange(3))
    few = antithetic(np.random.default_rng(0), 8, 3)
    optimum = affine.maximise(Gumbels(3), family, few)
    assert affine.mean_step(Gumbels(3), optimum, few) < 1e-3
    assert affine.mean_step(Gumbels(3), optimum, antithetic(np.random.default_rng(1), 8, 3)) > 0.01


@pytest.mark.parametrize("dimension", [2, 20])
def test_proposals_from_two_components(dimension: int) -> None:
    """Weights are those of the density of the whole: a mixture proposed with wrong shares comes out right."""
    apart = np.zeros(dimension)
    apart[0] = 12.0

    class Two:
        draws_at_once = 10_000

        def __init__(self) -> None:
            self.dimension = dimension

        def value(self, z: np.ndarray) -> np.ndarray:
            first, second = -0.5 * (z**2).sum(axis=1), -0.5 * (((z - apart) / 2) ** 2).sum(axis=1)
            return np.logaddexp(np.log(0.9) + first, np.log(0.1) + second - dimension * np.log(2))

        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            raise AssertionError

    components = [Component(0 * apart, np.eye(dimension), 1.0), Component(apart, 2 * np.eye(dimension), 2.0)]
    z, weights = correct(Two(), np.random.default_rng(0), components, 4000)
    assert weights.pareto_k < 0.3
    mean = weights.weights @ z
    variance = weights.weights @ (z - mean) ** 2
    assert mean[0] == pytest.approx(1.2, abs=0.05)
    assert variance[0] == pytest.approx(0.9 * 1 + 0.1 * 4 + 0.09 * 144, rel=0.03)
    assert variance[1] == pytest.approx(1.3, rel=0.05)


class Dear:
    """A standard Gaussian of which 100 draws are evaluated at once, as where there are many rows."""

    dimension = 40
    draws_at_once = 100

    def value(self, z: np.ndarray) -> np.ndarray:
        return -0.5 * (z**2).sum(axis=1)

    def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise AssertionError


def test_more_proposals_where_an_sd_rests_on_few() -> None:
    """As many as 120 batches, not 30: but only where weights are that uneven."""
    near, far = (Component(np.zeros(40), scale * np.eye(40)) for scale in (1.0, 1.3))
    assert len(correct(Dear(), np.random.default_rng(0), [near], 2000)[0]) == 3000
    assert len(correct(Dear(), np.random.default_rng(0), [far], 2000)[0]) == 12_000


def test_heavy_tails_in_a_few_leading_coordinates() -> None:
    """Of 20 coordinates the first is a t, the others Gaussian with its value for a mean: a t there covers it."""

    class Tail:
        dimension = 20
        draws_at_once = 10_000

        def value(self, z: np.ndarray) -> np.ndarray:
            return -4 * np.log1p(z[:, 0] ** 2 / 7) - 0.5 * ((z[:, 1:] - z[:, :1]) ** 2).sum(axis=1)

        def value_and_gradient(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            raise AssertionError

    root = np.eye(20)
    root[1:, 0] = 1.0
    plain, heavy = (
        correct(Tail(), np.random.default_rng(0), [Component(np.zeros(20), root, shared=shared)], 4000)[1]
        for shared in (0, 1)
    )
    assert plain.pareto_k > 0.3 > heavy.pareto_k
    assert heavy.effective == pytest.approx(len(heavy.weights), rel=1e-6)


def test_a_regression_by_each_guide() -> None:
    """Correlated columns far from zero, a known error: the posterior is Gaussian, in closed form."""
    rng = np.random.default_rng(3)
    x = 5 + rng.normal(size=30)
    y = 1 + 2 * x + rng.normal(size=30)
    text = "a ~ Normal(0, 10)\nb ~ Normal(0, 10)\ny ~ Normal(a + b*x, 1)"
    design = np.stack([np.ones(30), x], axis=1)
    covariance = np.linalg.inv(design.T @ design + np.eye(2) / 100)
    mean, sds = covariance @ design.T @ y, np.sqrt(np.diag(covariance))
    for guide, verdict in (("fullrank", "good"), ("lowrank", "good"), ("point", "usable")):
        found = fit(text, {"x": x, "y": y}, guide=guide)
        assert found.verdict == verdict
        for name, centre, sd in zip("ab", mean, sds, strict=True):
            summary = found.summary()[name]
            assert abs(summary["mean"] - centre) < 0.02 * sd and summary["sd"] == pytest.approx(sd, rel=0.02)
    assert found.reasons == (
        "this is the posterior mode with the curvature there, not the posterior;"
        " leave the guide to auto to see the posterior itself",
    )


def test_the_mode_is_the_median_of_its_draws() -> None:
    """Of log s, its Jacobian included: s ~ Gamma(3, 1) has the mode log 3 there, with curvature 3."""
    found = fit("s ~ Gamma(2, 1)\ny ~ Exponential(s)", {"y": 1e-9}, guide="point")
    assert found.verdict != "good"
    assert found.summary()["s"]["q50"] == pytest.approx(3, rel=0.01)
    assert np.log(found.draws["s"]).std() == pytest.approx(3**-0.5, rel=0.02)


def test_a_mode_that_is_none_is_said_to_be_wrong() -> None:
    """The density of centred schools grows without bound where tau goes to zero."""
    found = fit(SCHOOLS, {"y": EFFECTS, "sigma": ERRORS}, guide="point")
    assert found.verdict == "do not use"


BANANA = "x ~ Flat()\ny ~ Flat()\nfactor -0.5*x^2 - 0.5*((y - x^2)/0.5)^2"
NECK = "v ~ Flat()\nx ~ Flat()\nfactor -0.5*(v/3)^2 - 0.5*x^2*exp(-v) - 0.5*v"


@pytest.mark.parametrize("guide", ["fullrank", "lowrank", "partial", "mixture", "point"])
@pytest.mark.parametrize(
    ("text", "truth"), [(BANANA, {"x": (0.0, 1.0), "y": (1.0, 1.5)}), (NECK, {"v": (0.0, 3.0)})], ids=["banana", "neck"]
)
def test_no_guide_is_wrong_and_good(text: str, truth: dict[str, tuple[float, float]], guide: str) -> None:
    found = fit(text, guide=guide)
    mean, sd = worst(found, truth)
    assert found.verdict != "good" or (mean < 0.3 and sd < 0.26)


def two(shares: tuple[float, float], places: tuple[float, float], scales: tuple[float, float], n: int) -> str:
    def term(i: int) -> str:
        weight = np.log(shares[i]) - n * np.log(scales[i])
        return f"{weight} - 0.5*sum(((x - {places[i]})/{scales[i]})^2)"

    return f"x[{n}] ~ Flat()\nfactor logsumexp([{term(0)}, {term(1)}], 1)"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("dimension", [1, 5, 20])
def test_two_far_modes_with_unequal_weights(dimension: int, seed: int) -> None:
    scales = (1, 2) if dimension < 10 else (1, 1)  # else starts that are volumes apart all lead to one
    found = fit(two((0.8, 0.2), (-4, 6), scales, dimension), seed=seed)
    assert found.verdict == "good"
    assert found.record.tried[-1].rung == "mixture over modes"
    assert next(rule for rule in found.rules if rule.name == "rival modes").number == 0
    sd = float(np.sqrt(0.8 + 0.2 * scales[1] ** 2 + 0.16 * 100))
    mean, log_sd = worst(found, {f"x[{i + 1}]": (-2.0, sd) for i in range(dimension)})
    assert mean < 0.02 and log_sd < 0.02


def test_components_that_change_places_are_all_covered() -> None:
    """An unordered mixture of two Normals, by integration on a grid."""
    rng = np.random.default_rng(5)
    y = np.concatenate([rng.normal(-2, 1, 12), rng.normal(2, 1, 20)])
    text = "data y[rows]\nm[2] ~ Normal(0, 5)\nz[rows] ~ Bernoulli(0.4)\ny ~ Normal(m[z + 1], 1)"
    found = fit(text, {"y": y})
    assert found.verdict == "good"
    grid = np.linspace(-5, 5, 401)
    density = stats.norm(grid[:, None], 1).pdf(y)  # (grid, rows)
    log_density = np.add.outer(stats.norm(0, 5).logpdf(grid), stats.norm(0, 5).logpdf(grid))
    log_density += np.log(0.6 * density[:, None] + 0.4 * density[None]).sum(axis=2)
    weights = np.exp(log_density - log_density.max())
    truth = {}
    for i in (0, 1):
        own = weights.sum(axis=1 - i) / weights.sum()
        mean = own @ grid
        truth[f"m[{i + 1}]"] = (float(mean), float(np.sqrt(own @ (grid - mean) ** 2)))
    mean_error, sd_error = worst(found, truth)
    assert mean_error < 0.02 and sd_error < 0.02


def test_a_mode_left_out_is_found_again() -> None:
    """Three modes, of which the rung is told two."""
    text = "x ~ Normal(0, 40)\nfactor logsumexp([-0.5*(x + 30)^2, -0.5*(x - 10)^2, -0.5*((x - 70)/2)^2], 1)"
    posterior = ppl.from_text(text, "test.ppl").condition({})
    so_far = approximate(posterior.joint, 1)
    assert so_far.evidence.rivals == 2
    found = mixture(posterior.joint, replace(so_far, modes=so_far.modes[:2]), 1, 4000)
    assert found is not None and found.evidence.rivals == 0 and len(found.modes) == 3
    assert mixture(posterior.joint, replace(so_far, modes=so_far.modes[:1]), 1, 4000) is None


def test_what_no_other_covariance_mends() -> None:
    evidence = approximate(ppl.from_text("x ~ Normal(0, 1)\nfactor -x", "test.ppl").condition({}).joint, 1).evidence
    assert could_help(evidence)
    assert not could_help(replace(evidence, flat=1.0))
    assert not could_help(replace(evidence, rivals=1))
    assert could_help(replace(evidence, rivals=1, pareto_k=0.9))


HIERARCHIES = """ma ~ Normal(0, 5)
ta ~ HalfNormal(2)
a[4] ~ Normal(ma, ta)
mb ~ Normal(0, 5)
tb ~ HalfNormal(1)
b[4] ~ Normal(mb, tb)
ya ~ Normal(a, 0.05)
yb ~ Normal(b, 1)
"""


def hierarchy(y: np.ndarray, error: float, width: float) -> tuple[float, float]:
    """Mean and sd of the scale, by integration over it; the location is integrated in closed form."""
    scale = np.linspace(1e-4, 8 * width, 20_001)
    total = error**2 + scale**2
    n = len(y)
    precision = n / total + 1 / 25
    log_density = -0.5 * (scale / width) ** 2 - 0.5 * n * np.log(total) - 0.5 * np.log(precision)
    log_density += 0.5 * (y.sum() / total) ** 2 / precision - 0.5 * (y**2).sum() / total
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    mean = float(weights @ scale)
    return mean, float(np.sqrt(weights @ (scale - mean) ** 2))


def test_a_hierarchy_with_much_data_beside_one_with_little() -> None:
    rng = np.random.default_rng(4)
    ya, yb = rng.normal(2, 1.5, 4), rng.normal(0, 1, 4)
    found = fit(HIERARCHIES, {"ya": ya, "yb": yb})
    assert found.verdict == "good"
    tried = found.record.tried
    assert [one.rung for one in tried] == [
        "mean field", "non-centred (`a` and `b`)", "partly centred (`a` and `b`)"
    ]  # fmt: skip
    assert tried[2].elbo > max(one.elbo for one in tried[:2]) + 0.5
    mean, sd = worst(found, {"ta": hierarchy(ya, 0.05, 2.0), "tb": hierarchy(yb, 1.0, 1.0)})
    assert mean < 0.1 and sd < 0.1


def test_partly_centred_coordinates_are_a_map_of_the_same_density() -> None:
    """There and back; and the Jacobian, against differences."""
    model = (
        ppl.from_text("v ~ Normal(0, 1)\nm ~ Normal(0, 1)\nx[3] ~ Normal(m, exp(v))\nfactor -x[1]", "test.ppl")
        .condition({})
        .model
    )
    centring = Centring(np.array([0.0, 0.4, 1.0]), np.full(3, 0.3), np.full(3, 1.7))
    plain, partly = compile_joint(model), compile_joint(model, None, ["x"], {"x": centring})
    z = np.random.default_rng(0).normal(size=(4, 5))
    values = partly.constrain(z)
    assert partly.unconstrain(values) == pytest.approx(z)
    into: Callable[[np.ndarray], np.ndarray] = lambda z: plain.unconstrain(partly.constrain(z))  # noqa: E731
    columns = [(into(z + unit) - into(z - unit)) / 2e-6 for unit in 1e-6 * np.eye(5)]
    log_jacobian = np.log(np.abs(np.linalg.det(np.stack(columns, axis=2))))
    assert partly.value(z) == pytest.approx(plain.value(into(z)) + log_jacobian, abs=1e-6)


ELEMENTS = {"y": np.array([0.5, -1.0, 2.0, 0.3]), "s": np.array([0.01, 0.01, 10.0, 10.0])}


def blocks_partly_centred(text: str) -> dict[str, Block]:
    posterior = ppl.from_text(text, "test.ppl").condition(ELEMENTS)
    problem = ladder.Problem(posterior.model, posterior.summed, posterior.joint, 1, 4000)
    found = ladder.PARTLY_CENTRED.run(problem, None)
    assert found is not None and found.about == ("x",)
    return {block.name: block for block in found.joint.blocks}


def test_an_element_that_the_data_hold_stays_centred() -> None:
    block = blocks_partly_centred("t ~ HalfNormal(1)\nx[4] ~ LogNormal(0, t)\ny ~ Normal(log(x), s)")["x"]
    assert block.centring is not None
    assert (block.centring.share[:2] > 0.99).all() and (block.centring.share[2:] < 0.01).all()


def test_the_stand_in_of_a_gaussian_likelihood_is_that_likelihood() -> None:
    block = blocks_partly_centred("t ~ HalfNormal(1)\nx[4] ~ Normal(0, t)\ny ~ Normal(2*x, s)")["x"]
    assert block.conditional is not None
    stand_in = block.conditional.stand_in
    assert stand_in.precision == pytest.approx(ELEMENTS["s"] ** -2, rel=1e-5)
    assert stand_in.pull == pytest.approx(ELEMENTS["y"] * ELEMENTS["s"] ** -2, rel=1e-4)


OFFSETS = """m ~ Normal(0, 5)
t ~ HalfNormal(2)
raw[4] ~ Normal(0, 1)
x = m + t*raw
y ~ Normal(x, 0.05)
"""


def test_offsets_that_the_data_hold() -> None:
    """Offset times scale written by hand, with much data a group: by the coordinates of raw a thin ridge."""
    y = np.random.default_rng(4).normal(2, 1.5, 4)
    found = fit(OFFSETS, {"y": y})
    assert found.verdict == "good"
    assert [one.rung for one in found.record.tried][:2] == ["mean field", "partly centred (`raw`)"]
    mean, sd = worst(found, {"t": hierarchy(y, 0.05, 2.0)})
    assert mean < 0.05 and sd < 0.05


def test_a_factor_times_offsets_is_fitted_as_the_vector_it_makes() -> None:
    """A GP with a Gaussian likelihood, by `cholesky(K) @ raw`, beside its marginal likelihood in closed form."""
    x, rng = np.linspace(0, 4, 8), np.random.default_rng(1)
    data = {"x": x, "y": np.sin(x) + 0.1 * rng.normal(size=8)}
    head = "a ~ HalfNormal(1)\nr ~ InvGamma(4, 8)\n"
    kernel = "exp_quad(x, a, r) + 1e-6*eye(8)"
    by_hand = fit(
        f"{head}raw[8] ~ Normal(0, 1)\nf = cholesky({kernel}) @ raw\ny ~ Normal(f, 0.1)", data, guide="partial"
    )
    exact = fit(f"{head}y ~ MvNormal(zeros(8), {kernel} + 0.01*eye(8))", data).summary()
    assert by_hand.verdict == "good"
    assert by_hand.record.tried[-1].rung == "partly centred (`raw`)"
    mean, sd = worst(by_hand, {name: (exact[name]["mean"], exact[name]["sd"]) for name in ("a", "r")})
    assert mean < 0.08 and sd < 0.08


def test_a_rung_with_nothing_to_do_leaves_the_mean_field() -> None:
    for guide in ("mixture", "partial"):
        found = fit("x ~ Normal(0, 1)\ny ~ Normal(x, 0.5)", {"y": 10.0}, guide=guide)
        assert [one.rung for one in found.record.tried] == ["mean field"]
        assert found.verdict == "good" and found.summary()["x"]["mean"] == pytest.approx(8.0, abs=0.01)


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_a_funnel_partly_centred(scale: float) -> None:
    found = fit(FUNNEL, {"y": scale * WEAK}, guide="partial")
    mean, sd = worst(found, funnel(scale * WEAK))
    assert found.verdict == "good" and mean < 0.05 and sd < 0.06
