"""Non-centred coordinates: against the centred ones, and against programs that write offset times scale by hand."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.compile.blocks import candidates
from ppl.compile.joint import LogJoint, compile_joint
from ppl.compile.sparsity import interactions
from ppl.rewrite.sum_out import sum_out

GOOD = Path(__file__).parent.parent / "good"
Y = np.array([0.3, -1.2, 2.5])
LOWER = np.array([[1.0, 0, 0], [0.4, 0.8, 0], [-0.3, 0.2, 1.5]])


def noncentred(posterior: ppl.Posterior, names: Collection[str]) -> LogJoint:
    return compile_joint(posterior.model, sum_out(posterior.model), names)


def conditioned(text: str, data: dict[str, object]) -> ppl.Posterior:
    return ppl.from_text(text, "test.ppl").condition(data)


HEAD = "m ~ Normal(0, 2)\ns ~ HalfNormal(1)\nn = 3\n"
BY_HAND: dict[str, tuple[str, str, str]] = {  # the prior, that of the standard values `z`, the latent made of them
    "Normal": ("x[n] ~ Normal(m, s)", "z[n] ~ Normal(0, 1)", "m + s*z"),
    "variance": ("x[n] ~ Normal(m, var=s)", "z[n] ~ Normal(0, 1)", "m + sqrt(s)*z"),
    "precision": ("x[n] ~ Normal(m, prec=s)", "z[n] ~ Normal(0, 1)", "m + z/sqrt(s)"),
    "location alone": ("x[n] ~ Normal(2*m, 0.3)", "z[n] ~ Normal(0, 1)", "2*m + 0.3*z"),
    "scale by element": ("x[n] ~ Normal(w, s*v)", "z[n] ~ Normal(0, 1)", "w + s*v*z"),
    "StudentT": ("x[n] ~ StudentT(4, m, s)", "z[n] ~ StudentT(4, 0, 1)", "m + s*z"),
    "Cauchy": ("x[n] ~ Cauchy(m, s)", "z[n] ~ Cauchy(0, 1)", "m + s*z"),
    "Laplace": ("x[n] ~ Laplace(m, s)", "z[n] ~ Laplace(0, 1)", "m + s*z"),
    "Logistic": ("x[n] ~ Logistic(m, s)", "z[n] ~ Logistic(0, 1)", "m + s*z"),
    "Gumbel": ("x[n] ~ Gumbel(m, s)", "z[n] ~ Gumbel(0, 1)", "m + s*z"),
    "SkewNormal": ("x[n] ~ SkewNormal(m, s, 2)", "z[n] ~ SkewNormal(0, 1, 2)", "m + s*z"),
    "MvNormal": ("x[n] ~ MvNormal(w, chol=s*L)", "z[n] ~ Normal(0, 1)", "w + s*(L @ z)"),
    "one mean": ("x[n] ~ MvNormal(m, chol=L)", "z[n] ~ Normal(0, 1)", "m + L @ z"),
    "covariance": ("x[n] ~ MvNormal(w, s^2*(L @ transpose(L)))", "z[n] ~ Normal(0, 1)", "w + s*(L @ z)"),
    "MvStudentT": ("x[n] ~ MvStudentT(4, w, chol=s*L)", "z[n] ~ MvStudentT(4, 0*w, chol=eye(3))", "w + s*(L @ z)"),
    "GP": (
        "x[n] ~ GP(exp_quad(w, s, 1))",
        "z[n] ~ Normal(0, 1)",
        "cholesky(exp_quad(w, s, 1) + 1e-9*s^2*eye(3)) @ z",
    ),
    "LogNormal": ("x[n] ~ LogNormal(m, s)", "z[n] ~ Normal(0, 1)", "exp(m + s*z)"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_joint_is_that_of_offset_times_scale(name: str) -> None:
    prior, standard, made = BY_HAND[name]
    data = {"y": Y, "w": np.array([1.0, -2.0, 0.5]), "v": np.array([0.5, 1.0, 2.0]), "L": LOWER}
    centred = conditioned(f"{HEAD}{prior}\ny ~ Normal(x, 1)", data)
    by_hand = conditioned(f"{HEAD}{standard}\nx = {made}\ny ~ Normal(x, 1)", data)
    assert candidates(centred.model.latents) == ("x",)
    z = np.random.default_rng(1).normal(size=(6, 5))
    found, slopes = noncentred(centred, ["x"]).value_and_gradient(z)
    expected, expected_slopes = by_hand.joint.value_and_gradient(z)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(slopes, expected_slopes, rtol=1e-7, atol=1e-9)


HIERARCHIES = [
    program
    for program in sorted(GOOD.glob("*.ppl"))
    if program.stem
    in (
        "blocker", "by_level", "cafes", "dyes", "epilepsy", "football", "hierarchy", "kidney", "milk", "mv_student",
        "mvnormal", "nested", "orange",
        "pilots", "radon", "rats", "seeds", "skewed", "stops", "votes",
    )
]  # fmt: skip


@pytest.mark.parametrize("program", HIERARCHIES, ids=lambda path: path.stem)
def test_other_coordinates_of_the_same_density(program: Path) -> None:
    files = [path for path in (program.with_suffix(".csv"), program.with_suffix(".json")) if path.exists()]
    posterior = ppl.load(program).condition(*(files or [GOOD / "t.csv", GOOD / "t.json"]))
    names = candidates(posterior.model.latents)
    assert names
    joint, plain = noncentred(posterior, names), posterior.joint
    z = np.random.default_rng(1).normal(0, 0.5, (3, joint.dimension))
    values = joint.constrain(z)
    np.testing.assert_allclose(joint.unconstrain(values), z, atol=1e-6)
    np.testing.assert_allclose(joint.log_density(values), plain.log_density(values), rtol=1e-12)
    steps = 1e-5 * np.eye(joint.dimension)
    above, below = (plain.unconstrain(joint.constrain(z[0] + sign * steps)) for sign in (1, -1))
    log_volume = np.linalg.slogdet((above - below) / 2e-5)[1]
    apart = joint.value(z) - plain.value(plain.unconstrain(values))
    assert apart[0] == pytest.approx(log_volume, abs=1e-6)
    hessian = np.subtract(*(joint.value_and_gradient(z[0] + sign * steps)[1] for sign in (1, -1))) / 2e-5
    assert not ((interactions(joint) == 0) & (np.abs(hessian) > 1e-4 * np.abs(hessian).max())).any()


NONE = {
    "known parameters": "x ~ Normal(0, 1)\ny ~ Normal(x, 1)",
    "a walk": "s ~ HalfNormal(1)\nx[1] ~ Normal(0, s)\nfor t in 2..3 { x[t] ~ Normal(x[t-1], s) }\ny ~ Normal(x, 1)",
    "cut": "s ~ HalfNormal(1)\nx[3] ~ Normal(0, s) > 0\ny ~ Normal(x, 1)",
    "ordered": "s ~ HalfNormal(1)\nx[3] ~ Ordered(Normal(0, s))\ny ~ Normal(x, 1)",
    "another family": "s ~ HalfNormal(1)\nx[3] ~ Exponential(s)\ny ~ Normal(x, 1)",
    "discrete parents": "k ~ Bernoulli(0.3)\nx ~ Normal(k, 1)\ny ~ Normal(x, 1)",
}


@pytest.mark.parametrize("name", NONE)
def test_what_has_no_other_coordinates(name: str) -> None:
    assert candidates(conditioned(NONE[name], {"y": Y}).model.latents) == ()


def test_chains_of_hierarchies_stand_in_order() -> None:
    """Written children first; each needs the values of its parents."""
    posterior = conditioned(
        "y ~ Normal(low, 1)\nlow[3] ~ Normal(top, t)\ntop[3] ~ Normal(m, s)\nm ~ Normal(0, u)\nu ~ HalfNormal(1)\n"
        "s ~ HalfNormal(1)\nt ~ HalfNormal(u)",
        {"y": Y},
    )
    names = candidates(posterior.model.latents)
    assert set(names) == {"low", "top", "m"}
    joint = noncentred(posterior, names)
    place = {block.name: i for i, block in enumerate(joint.blocks)}
    for parent, child in (("m", "top"), ("s", "top"), ("top", "low"), ("t", "low"), ("u", "m")):
        assert place[parent] < place[child]
