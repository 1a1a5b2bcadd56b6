"""Points (`Param`) in the log joint: coordinates without a Jacobian, or held at a value and without coordinates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.compile.joint import compile_joint
from ppl.compile.sparsity import interactions
from ppl.infer.draws import generator
from ppl.infer.start import first_point

GOOD = Path(__file__).parents[1] / "good"


@pytest.fixture(scope="module")
def posterior() -> ppl.Posterior:
    return ppl.load(GOOD / "points.ppl").condition(GOOD / "t.csv", GOOD / "t.json")


@pytest.fixture(scope="module")
def z(posterior: ppl.Posterior) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.7, (4, posterior.joint.dimension))


def test_the_mask_says_which_coordinates_are_points(posterior: ppl.Posterior) -> None:
    named = np.concatenate([[block.name] * (block.stop - block.start) for block in posterior.joint.blocks])
    assert set(named[~posterior.joint.points]) == {"theta", "inside"}
    assert {latent.name for latent in posterior.model.points} == set(named[posterior.joint.points])


def test_points_have_no_jacobian(posterior: ppl.Posterior, z: np.ndarray) -> None:
    """What the log joint adds to the density is the Jacobian of `inside` alone, by differences of its map."""
    joint, step = posterior.joint, 1e-6
    block = next(block for block in joint.blocks if block.name == "inside")
    move = np.zeros(joint.dimension)
    move[block.start] = step
    slope = (joint.constrain(z + move)["inside"] - joint.constrain(z - move)["inside"]) / (2 * step)
    added = joint.value(z) - joint.log_density(joint.constrain(z))
    np.testing.assert_allclose(added, np.log(slope), rtol=1e-6)


def test_held_points_have_no_coordinates_and_the_same_density(posterior: ppl.Posterior, z: np.ndarray) -> None:
    joint = posterior.joint
    values = joint.constrain(z[:1])
    held = {latent.name: values[latent.name][0] for latent in posterior.model.points}
    given = compile_joint(replace(posterior.model, held=held), posterior.summed)
    assert given.dimension == int((~joint.points).sum())
    own = joint.unconstrain({**joint.constrain(z), **{name: np.array([x] * len(z)) for name, x in held.items()}})
    rest = own[:, ~joint.points]
    np.testing.assert_allclose(given.value(rest), joint.value(own), rtol=1e-12)
    np.testing.assert_allclose(
        given.value_and_gradient(rest)[1], joint.value_and_gradient(own)[1][:, ~joint.points], rtol=1e-9
    )
    assert set(given.constrain(rest)) == set(values)
    np.testing.assert_allclose(given.unconstrain(given.constrain(rest)), rest, rtol=1e-9)
    assert (interactions(given) == interactions(joint)[np.ix_(~joint.points, ~joint.points)]).all()


def test_points_begin_where_they_are_told_and_arrays_at_random(posterior: ppl.Posterior) -> None:
    joint = posterior.joint
    first, again, other = (joint.constrain(first_point(joint, generator(seed, 9))[None]) for seed in (1, 1, 2))
    assert (first["s"], first["a"], first["top"]) == (1.0, 0.0, pytest.approx(10.5166667 / 2))
    np.testing.assert_allclose(first["W"], 0.1)
    np.testing.assert_allclose(first["p"][0], [1, 2, 3])
    assert (first["b"] == again["b"]).all() and (first["b"] != other["b"]).all()
    assert (np.diff(first["cut"][0]) > 0).all() and abs(first["e"][0].sum()) < 1e-12
    assert joint.log_density(first) > -np.inf


def test_a_matrix_begins_with_the_sd_that_keeps_sizes() -> None:
    x = np.random.default_rng(1).normal(size=(5, 400))
    posterior = ppl.from_text("W[400, 300] ~ Param()\ny ~ Normal((x @ W)[:, 1], 1)").condition({"x": x, "y": x[:, 0]})
    drawn = posterior.joint.constrain(first_point(posterior.joint, generator(1, 9))[None])["W"]
    assert drawn.std() == pytest.approx(1 / 20, rel=0.02)


@pytest.mark.parametrize(
    ("mean", "sd"), [("W[kind]", 1.0), ("x @ W[1..4]", 0.5), ("W[kind] + x @ W", 0.5), ("W[kind] @ V", 0.5)]
)
def test_rows_of_a_matrix_that_an_index_picks_begin_with_sd_1(mean: str, sd: float) -> None:
    rng = np.random.default_rng(1)
    data = {f"y_{i}": rng.normal(size=40) for i in range(400)} | {f"x_{i}": rng.normal(size=40) for i in range(4)}
    text = f"""
y = columns("y_*"); x = columns("x_*")
W[4, 400] ~ Param(){"; V[400, 400] ~ Param()" if "V" in mean else ""}
y ~ Normal({mean}, 1)
"""
    posterior = ppl.from_text(text).condition({**data, "kind": np.arange(40) % 4 + 1})
    drawn = posterior.joint.constrain(first_point(posterior.joint, generator(1, 9))[None])["W"]
    assert drawn.std() == pytest.approx(sd, rel=0.06)
