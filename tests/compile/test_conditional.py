"""Conditional coordinates: another map to the same density, and independent of the other latents where they can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.compile.conditional import StandIn
from ppl.compile.images import Image
from ppl.compile.joint import LogJoint, compile_joint, images
from ppl.compile.sparsity import interactions
from ppl.infer.stand_in import stand_ins

GOOD = Path(__file__).parent.parent / "good"

DATA = {
    "y": np.array([0.3, -1.2, 2.5]),
    "counts": np.array([1, 0, 4]),
    "w": np.array([1.0, -2.0, 0.5]),
    "L": np.array([[1.0, 0, 0], [0.4, 0.8, 0], [-0.3, 0.2, 1.5]]),
    "x": np.array([0.5, 1.0, 2.0, -1.0, 0.3, 0.1, 0.2]),
    "k": np.array([0, 1, 2, 0, 0, 4, 2]),
    "g": np.array([1, 2, 3, 4, 4, 3, 1]),
    "partner": np.array([2, 1, 3, 4, 4, 3, 2]),
    "h": np.array([1, 1, 2, 2, 3, 3, 3]),
}
HEAD = "m ~ Normal(0, 2)\ns ~ HalfNormal(1)\nn = 3\n"
RAW = "z[n] ~ Normal(0, 1)\n"
KERNEL = "exp_quad(w, s, 1) + 0.1*eye(3)"
SLOPES = (
    "mu[2] ~ Normal(0, 2)\ntau[2] ~ HalfNormal(1)\nR[2, 2] ~ LKJCholesky(2)\nz[2, g] ~ Normal(0, 1)\n"
    "B = (diag(tau) @ R) @ z\nk ~ Poisson(log = mu[1] + B[1, g] + (mu[2] + B[2, g])*x)"
)
# the model, the latents that get conditional coordinates, and how many elements of each its image ties together
MODELS: dict[str, tuple[str, dict[str, int]]] = {
    "offsets times scale": (f"{HEAD}{RAW}t = m + s*z\ny ~ Normal(t, 1)", {"z": 1}),
    "offsets by precision": (f"{HEAD}{RAW}y ~ Normal(m + z/s, 1)", {"z": 1}),
    "a scale that is inferred": (f"{HEAD}z[n] ~ Normal(m, s)\ny ~ Normal(s*z, 1)", {"z": 1}),
    "by variance": (f"{HEAD}z[n] ~ Normal(0, var=s)\ny ~ Normal(z, 1)", {"z": 1}),
    "used as it is, and in a sum": (f"{HEAD}z[n] ~ Normal(0, s)\ny ~ Normal(exp(z) + m, 1)", {"z": 1}),
    "in a loop": (f"{HEAD}{RAW}for i in 1..n {{ t[i] = m + s*z[i] }}\ny ~ Normal(t, 1)", {"z": 1}),
    "running sums": (f"{HEAD}{RAW}y ~ Normal(m + cumsum(s*z), 1)", {"z": 3}),
    "a factor times a vector": (f"{HEAD}{RAW}y ~ Normal(m + s*(cholesky({KERNEL}) @ z), 1)", {"z": 3}),
    "solved for": (f"{HEAD}{RAW}y ~ Normal(solve({KERNEL}, z), 1)", {"z": 3}),
    "a GP": (f"{HEAD}z[n] ~ GP(exp_quad(w, s, 1))\ncounts ~ Poisson(log = m + z)", {"z": 3}),
    "vectors": (f"{HEAD}z[2, n] ~ MvNormal(w, chol = s*L)\ny ~ Normal(z[1, :], 1)\nw ~ Normal(z[2, :], 1)", {"z": 3}),
    "one mean": (f"{HEAD}z[n] ~ MvNormal(m, chol = s*L)\ncounts ~ Poisson(log = z)", {"z": 3}),
    "covariance": (f"{HEAD}z[n] ~ MvNormal(w, s*(L @ transpose(L)))\ncounts ~ Poisson(log = z)", {"z": 3}),
    "known covariance": (f"{HEAD}z[n] ~ MvNormal(m, L @ transpose(L))\ncounts ~ Poisson(log = z)", {"z": 3}),
    "student": (f"{HEAD}z[n] ~ MvStudentT(4 + s, m*w, L @ transpose(L))\ncounts ~ Poisson(log = z)", {"z": 3}),
    "intercepts and slopes": (SLOPES, {"z": 2}),
    "crossed": (f"{HEAD}a[g] ~ Normal(0, 1)\nz[n] ~ Normal(m, s)\nk ~ Poisson(log = s*a[g] + z[h])", {"a": 1, "z": 1}),
    "nested": (f"{HEAD}{RAW}u[n] ~ Normal(m + s*z, s)\ny ~ Normal(u, 1)", {"z": 1, "u": 1}),
    "groups of two sizes": (f"{HEAD}z[4] ~ Normal(0, 1)\nk ~ Poisson(log = m + s*(z[g] + z[partner]))", {"z": 2}),
    "a sum that is discrete": (f"{HEAD}{RAW}d ~ Bernoulli(0.3)\ny ~ Normal(m + s*z + d, 1)", {"z": 3}),
}  # fmt: skip


def conditioned(text: str) -> ppl.Posterior:
    model = ppl.from_text(text, "test.ppl")
    return model.condition({name: value for name, value in DATA.items() if name in text})


def all_images(posterior: ppl.Posterior) -> dict[str, Image]:
    return images(posterior.model, posterior.joint.parts, [latent.name for latent in posterior.model.latents])


def joint_of(posterior: ppl.Posterior, names: Mapping[str, int]) -> LogJoint:
    """With a stand-in at random."""
    rng = np.random.default_rng(0)
    plain = posterior.joint
    values = plain.constrain(rng.normal(size=(5, plain.dimension)))
    typical = {name: value.mean(axis=0) for name, value in values.items()}
    found = all_images(posterior)
    stand_ins = {}
    for name in names:
        rows = len(found[name].owner)
        stand_ins[name] = StandIn(rng.exponential(size=rows), rng.normal(size=rows), typical)
    return compile_joint(posterior.model, posterior.summed, (), stand_ins)


@pytest.mark.parametrize("name", MODELS)
def test_another_map_to_the_same_density(name: str) -> None:
    """There and back; the Jacobian and the gradient by differences; where the Hessian can have entries."""
    text, names = MODELS[name]
    posterior = conditioned(text)
    joint, plain = joint_of(posterior, names), posterior.joint
    assert {block.name for block in joint.blocks if block.conditional is not None} == set(names)
    z = np.random.default_rng(1).normal(0, 0.7, (4, joint.dimension))
    values = joint.constrain(z)
    np.testing.assert_allclose(joint.unconstrain(values), z, atol=1e-6)
    np.testing.assert_allclose(joint.log_density(values), plain.log_density(values), rtol=1e-10)
    steps = 1e-5 * np.eye(joint.dimension)
    above, below = (plain.unconstrain(joint.constrain(z[0] + sign * steps)) for sign in (1, -1))
    log_volume = np.linalg.slogdet((above - below) / 2e-5)[1]
    assert joint.value(z)[0] - plain.value(plain.unconstrain(values))[0] == pytest.approx(log_volume, abs=1e-5)
    slopes = (joint.value(z[0] + steps) - joint.value(z[0] - steps)) / 2e-5
    np.testing.assert_allclose(joint.value_and_gradient(z[:1])[1][0], slopes, rtol=1e-5, atol=1e-5)
    hessian = np.subtract(*(joint.value_and_gradient(z[0] + sign * steps)[1] for sign in (1, -1))) / 2e-5
    assert not ((interactions(joint) == 0) & (np.abs(hessian) > 1e-4 * np.abs(hessian).max())).any()


@pytest.mark.parametrize("name", MODELS)
def test_what_is_tied_together(name: str) -> None:
    text, names = MODELS[name]
    found = all_images(conditioned(text))
    if name != "a sum that is discrete":  # one sum over its values takes all rows
        assert {own: found[own].members.shape[1] for own in names} == names


GAUSSIAN = {
    "offsets times scale": (f"{HEAD}{RAW}t = m + s*z\ny ~ Normal(t, 0.5)", 4.0),
    "a factor times a vector": (f"{HEAD}{RAW}y ~ Normal(m + cholesky({KERNEL}) @ z, 0.5)", 4.0),
    "a GP": (f"{HEAD}z[n] ~ GP(exp_quad(w, s, 1))\ny ~ Normal(m + z, 0.5)", 4.0),
}


@pytest.mark.parametrize("name", GAUSSIAN)
def test_standard_normal_given_all_others_for_a_gaussian_likelihood(name: str) -> None:
    """With its own precision and pull: the log joint falls by |u|^2 / 2, wherever the other latents are."""
    text, precision = GAUSSIAN[name]
    posterior = conditioned(text)
    typical = posterior.joint.constrain(np.zeros((1, posterior.joint.dimension)))
    stand_in = StandIn(np.full(3, precision), precision * DATA["y"], {k: v[0] for k, v in typical.items()})
    joint = compile_joint(posterior.model, None, (), {"z": stand_in})
    assert joint.shared == 2
    z = np.random.default_rng(2).normal(0, 1.5, (6, joint.dimension))
    at_centre = np.where(np.arange(joint.dimension) < 2, z, 0.0)
    fallen = joint.value(at_centre) - joint.value(z)
    np.testing.assert_allclose(fallen, 0.5 * (z[:, 2:] ** 2).sum(axis=1), rtol=1e-6)


PROGRAMS = (
    "air", "bradley_terry", "cafes", "chimpanzees", "divorce", "dyes", "epilepsy", "gaussian_process", "gp_latent",
    "horseshoe", "kidney", "levels_of_columns_used", "linear_algebra", "matrix_products", "milk", "mv_student",
    "mvnormal", "nested", "radon_slopes", "rats", "skewed", "stops", "votes",
)  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_whole_programs_by_stand_ins_of_their_own(name: str) -> None:
    """There and back, and the same density, in the coordinates that draws of the latents lead to."""
    program = GOOD / f"{name}.ppl"
    files = [path for path in (program.with_suffix(".csv"), program.with_suffix(".json")) if path.exists()]
    posterior = ppl.load(program).condition(*(files or [GOOD / "t.csv", GOOD / "t.json"]))
    plain, rng = posterior.joint, np.random.default_rng(0)
    found = stand_ins(posterior.model, plain, plain.constrain(rng.normal(0, 0.5, (8, plain.dimension))))
    assert found
    joint = compile_joint(posterior.model, posterior.summed, (), found)
    z = rng.normal(0, 0.3, (3, joint.dimension))
    values = joint.constrain(z)
    np.testing.assert_allclose(joint.unconstrain(values), z, atol=1e-6)
    np.testing.assert_allclose(joint.log_density(values), plain.log_density(values), rtol=1e-12)


def test_the_image_is_the_last_that_is_affine() -> None:
    posterior = conditioned(f"{HEAD}{RAW}t = m + s*z\nu = t*t\ny ~ Normal(u + 2*t, 1)")
    found = all_images(posterior)["z"]
    assert len(found.terms) == 2 and found.scaled  # t, and twice that
    assert len(found.owner) == 6


NONE = {
    "cut": f"{HEAD}z[n] ~ Normal(m, s) > 0\ny ~ Normal(z, 1)",
    "not over all real numbers": f"{HEAD}z[n] ~ Exponential(s)\ny ~ Normal(m + z, 1)",
    "piece by piece": f"{HEAD}z[1] ~ Normal(0, s)\nz[2] ~ Normal(m, s)\nz[3] ~ Normal(m, s)\ny ~ Normal(z, 1)",
}


@pytest.mark.parametrize("name", NONE)
def test_what_has_no_image(name: str) -> None:
    assert "z" not in all_images(conditioned(NONE[name]))
