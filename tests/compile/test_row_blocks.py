"""Value and gradient of many rows, block by block, are those of the whole; the same bits with any number of threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppl.compile import row_blocks
from ppl.compile.row_blocks import RowBlocks
from ppl.compile.rowwise import rowwise
from ppl.compile.staged import stage
from tests.compile.test_rowwise import joint_of

MODELS = {
    "logistic": "X = standardize(columns(x1, x2))\na ~ Normal(0, 1)\nbeta[X] ~ Normal(0, 1)\n"
    "b ~ Bernoulli(logit = a + X @ beta)",
    "counts": "a ~ Normal(0, 1)\nc[g] ~ Normal(0, 1)\nn ~ Poisson(log = a + c[g] + 0.1*x2)",
    "normal": "a ~ Normal(0, 1)\nc[g] ~ Normal(0, 1)\ns ~ HalfNormal(1)\ny ~ StudentT(5, a + c[g]*x1, s)",
}


def blocks_of(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int = 700) -> RowBlocks:
    """With blocks of few rows, some left over."""
    monkeypatch.setattr(row_blocks, "_ELEMENTS", 512)
    split = rowwise(joint_of(text, tmp_path, rows))
    assert split is not None
    found = row_blocks.row_blocks(split)
    assert found is not None
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("draws", [1, 5, 70])
def test_same_as_the_whole(name: str, draws: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(MODELS[name], tmp_path, monkeypatch)
    joint = blocks.split.joint
    z = np.random.default_rng(0).normal(0, 0.5, (draws, joint.dimension))
    value, gradient = stage.plain(joint, z)
    found, slope = blocks.value_and_gradient(z)
    np.testing.assert_allclose(found, value, rtol=1e-11)
    np.testing.assert_allclose(slope, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    np.testing.assert_allclose(blocks.value(z), value, rtol=1e-11)


def test_same_bits_with_any_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(MODELS["logistic"], tmp_path, monkeypatch)
    z = np.random.default_rng(0).normal(0, 0.5, (70, blocks.split.joint.dimension))
    monkeypatch.setattr(row_blocks, "threads", lambda: 1)
    alone = blocks.value_and_gradient(z)
    row_blocks._pool.cache_clear()
    monkeypatch.setattr(row_blocks, "threads", lambda: 3)
    for _ in range(3):
        for one, other in zip(alone, blocks.value_and_gradient(z), strict=True):
            assert np.array_equal(one, other)
    row_blocks._pool.cache_clear()


def test_where_a_row_has_no_density(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At draws where a scale is 0 or a rate infinite the value is what the whole has; other draws are left alone."""
    blocks = blocks_of(MODELS["counts"], tmp_path, monkeypatch)
    z = np.random.default_rng(0).normal(0, 0.5, (3, blocks.split.joint.dimension))
    z[1] = 1e4
    expected = blocks.split.joint(z)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(blocks.value(z), expected, rtol=1e-11)
    assert not np.isfinite(expected[1])


def test_a_joint_of_many_rows_uses_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "FEWEST_ROWS", 100)
    monkeypatch.setattr(row_blocks, "_ROWS_A_COORDINATE", 10)
    joint = joint_of(MODELS["logistic"], tmp_path, 200)
    z = np.random.default_rng(0).normal(0, 0.5, (4, joint.dimension))
    value, gradient = joint.value_and_gradient(z)
    assert joint.many_rows.blocks is not None
    expected = stage.plain(joint, z)
    np.testing.assert_allclose(value, expected[0], rtol=1e-11)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-9)


def test_subset(tmp_path: Path) -> None:
    """A joint of some rows alone; its coordinates are those of the whole."""
    text = "a ~ Normal(0, 1)\nc[g] ~ Normal(0, 1)\ny ~ Normal(a + c[g] + standardize(x1), 1)"
    split = rowwise(joint_of(text, tmp_path, 50))
    assert split is not None
    z = np.random.default_rng(0).normal(0, 0.5, (3, split.joint.dimension))
    halves = np.arange(0, 50, 2), np.arange(1, 50, 2)
    total = sum(split.subset(rows).value(z) for rows in halves) - split.rest.value(z)
    np.testing.assert_allclose(total, split.joint.value(z), rtol=1e-11)
