"""A joint by sums over the data, or of distinct rows alone, is the same function of the latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppl.compile.fewer_rows import fewer_rows
from ppl.compile.joint import LogJoint
from ppl.compile.linear_terms import together
from ppl.compile.rowwise import longest_axis, rowwise
from ppl.compile.staged import stage
from ppl.model.terms import ancestors
from tests.compile.test_rowwise import joint_of

SUMMED = {
    "regression": "a ~ Normal(0, 1)\nb1 ~ Normal(0, 1)\nc ~ Normal(0, 1)\ns ~ HalfNormal(1)\n"
    "y ~ Normal(2 + a - b1*x1 + c*standardize(x2), s)",
    "matrix": "X = columns(x1, x2)\nbeta[X] ~ Normal(0, 1)\na ~ Normal(0, 1)\ny ~ Normal(a + X @ beta - x2, 0.7)",
    "no intercept": "v[2] ~ Normal(0, 1)\ns ~ Exponential(1)\ny ~ Normal(v[1]*x1 + v[2]*x2, s)",
    "mean alone": "a ~ Normal(0, 1)\ns ~ Exponential(1)\ny ~ Normal(a, s)",
}
MERGED = {
    "flips": "p ~ Beta(1, 1)\nb ~ Bernoulli(p)",
    "counts": "c[g] ~ Normal(0, 1)\nn ~ Poisson(log = c[g])",
    "two columns": "a ~ Normal(0, 1)\nd ~ Normal(0, 1)\nb ~ Bernoulli(logit = a + d*n)",
}


def same(joint: LogJoint, fewer: LogJoint) -> None:
    z = np.random.default_rng(0).normal(0, 0.5, (5, joint.dimension))
    value, gradient = stage.plain(joint, z)
    found, slope = stage.plain(fewer, z)
    np.testing.assert_allclose(found, value, rtol=1e-11)
    np.testing.assert_allclose(slope, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    agreed = stage.staged(fewer, (5, joint.dimension))(z)
    np.testing.assert_allclose(agreed[1], gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize("name", [*SUMMED, *MERGED])
def test_same_function(name: str, tmp_path: Path) -> None:
    joint = joint_of({**SUMMED, **MERGED}[name], tmp_path, 300)
    split = rowwise(joint)
    assert split is not None
    fewer = fewer_rows(split)
    assert fewer is not None
    same(joint, fewer)
    axis = longest_axis(fewer.parts)
    assert (axis is None) if name in SUMMED else (axis is not None and axis.length < 60)


def test_distinct_rows_are_left_alone(tmp_path: Path) -> None:
    split = rowwise(joint_of("a ~ Normal(0, 1)\nb ~ Bernoulli(logit = a*x1)", tmp_path, 300))
    assert split is not None
    assert fewer_rows(split) is None


def test_far_from_zero(tmp_path: Path) -> None:
    """Means of 1e7 with an sd of 1: sums of squares as they stand would have lost all digits of the residuals."""
    text = "a ~ Normal(1e7, 10)\ns ~ Exponential(1)\ny + 1e7 ~ Normal(a + 1e7*0*x1, s)"
    joint = joint_of(text, tmp_path, 300)
    split = rowwise(joint)
    assert split is not None
    fewer = fewer_rows(split)
    assert fewer is not None
    values = {"a": 1e7 + np.array([0.1, -0.2]), "s": np.array([1.0, 0.9])}
    y = np.asarray(next(part.value.value for part in joint.parts if part.observed and part.value is not None))
    for i in range(2):
        expected = float(np.sum(-0.5 * ((y - values["a"][i]) / values["s"][i]) ** 2 - np.log(values["s"][i])))
        expected -= 0.5 * len(y) * np.log(2 * np.pi)
        one = {name: value[i : i + 1] for name, value in values.items()}
        part = next(part for part in fewer.parts if part.observed)
        found = fewer.program.run(one)[fewer.parts.index(part)]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_sums_of_products_become_one(tmp_path: Path) -> None:
    text = "a ~ Normal(0, 1)\nv[2] ~ Normal(0, 1)\nb ~ Bernoulli(logit = a - v[1]*x1 + v[2]*x2 + 0.5*n)"
    joint = joint_of(text, tmp_path, 40)
    part = next(part for part in joint.parts if part.observed)
    axis = longest_axis(joint.parts)
    assert axis is not None
    term = together(part.log_prob, axis)
    names = [each.op.name for each in ancestors([term]) if each.op is not None]
    assert names.count("@") == 1
    assert "*" not in names
    split = rowwise(joint)
    assert split is not None
    z = np.random.default_rng(0).normal(0, 0.5, (3, joint.dimension))
    everything = slice(0, 40)
    total = split.at(everything).total(joint.constrain(z)) + split.rest.value(z)
    np.testing.assert_allclose(total, joint.value(z), rtol=1e-11)
