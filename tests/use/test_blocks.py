"""New rows evaluated and encoded in blocks: the same numbers as all at once, the same bits whatever holds the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import ppl
from ppl.data.blocks import blocks
from tests.use.conftest import run

RNG = np.random.default_rng(4)
N, NEW = 400, 2500
LEVELS = "s ~ HalfNormal(1)\na[g] ~ Normal(0, s)\nb ~ Normal(0, 1)\ny ~ Normal(a[g] + b * x, 0.5)\n"
FACTOR = """X = columns("x_*")
W[1, X] ~ Param(); b[X] ~ Param(); s ~ Param(1) > 0
z[rows, 1] ~ Normal(0, 1)
X ~ Normal(b + z @ W, s)
"""


def rows(count: int, levels: str) -> dict[str, Any]:
    x, g = RNG.normal(size=count), RNG.choice(list(levels), count)
    return {"x": x, "g": g, "y": x + np.array([ord(level) - 100.0 for level in g]) + RNG.normal(0, 0.5, count)}


def factors(count: int) -> dict[str, Any]:
    x = RNG.normal(size=(count, 1)) @ np.array([[1.0, -1.0, 0.5]]) + RNG.normal(0, 0.5, (count, 3))
    return {f"x_{i}": x[:, i] for i in range(3)}


def files_of(data: dict[str, Any], folder: Path) -> list[Path]:
    """The same rows as CSV, and as Parquet in short and in long groups."""
    pd.DataFrame(data).to_csv(folder / "new.csv", index=False)
    found = [folder / "new.csv"]
    for size in (170, 10_000):
        found.append(folder / f"new_{size}.parquet")
        pq.write_table(pa.table(data), found[-1], row_group_size=size)
    return found


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("evaluate", "encode"):
        monkeypatch.setattr(f"ppl.use.{module}._FEWEST", 300)
        monkeypatch.setattr(f"ppl.use.{module}._CELLS", 1)


def test_blocks_are_those_of_any_file(tmp_path: Path) -> None:
    data = rows(700, "abc")
    for file in files_of(data, tmp_path):
        parts = list(blocks([file], {}, 300, "x g y"))
        assert [(part.start, part.data.rows.length) for part in parts if part.data.rows] == [
            (0, 300),
            (300, 300),
            (600, 100),
        ]
        np.testing.assert_array_equal(np.concatenate([part.data.columns["y"].values for part in parts]), data["y"])
        texts = [np.array(part.data.columns["g"].levels)[part.data.columns["g"].values] for part in parts]
        np.testing.assert_array_equal(np.concatenate(texts), data["g"])
        assert parts[2].data.columns["y"].where(3).endswith("row 604, column y")
    rare = {"g": ["a"] * 300 + ["b"], "x": np.arange(301.0)}
    assert [part.data.columns["g"].levels for part in blocks([pd.DataFrame(rare)], {}, 300, "g x")] == [("a",), ("b",)]


def test_rows_with_a_closed_form_in_blocks(small_blocks: None, tmp_path: Path) -> None:
    """Nothing of a row is drawn: the log mean over the fit's own draws, by scipy; levels the fit has not seen stay."""
    fit = ppl.from_text(LEVELS).condition(pd.DataFrame(rows(N, "abc"))).fit(draws=200)
    data = rows(NEW, "abc")
    a, b = fit.draws["a"], fit.draws["b"]
    codes = np.array([ord(level) - ord("a") for level in data["g"]])
    logs = stats.norm.logpdf(data["y"], a[:, codes] + b[:, None] * data["x"], 0.5)
    expected = np.log(np.exp(logs).mean(axis=0))
    for file in files_of(data, tmp_path):
        np.testing.assert_allclose(fit.evaluate(file, draws=200).by_row, expected, rtol=1e-8)


@pytest.mark.parametrize("levels", ["abc", "abcd"])
def test_the_bits_are_those_of_any_file(levels: str, small_blocks: None, tmp_path: Path) -> None:
    fit = ppl.from_text(LEVELS).condition(pd.DataFrame(rows(N, "abc"))).fit(draws=200)
    data = rows(NEW, levels)
    first, *others = [fit.evaluate(file, draws=50) for file in (*files_of(data, tmp_path), pd.DataFrame(data))]
    assert len(first.by_row) == NEW and np.isfinite(first.by_row).all()
    for other in others:
        np.testing.assert_array_equal(other.by_row, first.by_row)
        np.testing.assert_array_equal(other.errors, first.errors)


def test_encoded_rows_in_blocks(small_blocks: None, tmp_path: Path) -> None:
    """Evaluated and encoded to the same bits; the likelihood is that of the Gaussian with z integrated out."""
    fit = ppl.from_text(FACTOR).condition(pd.DataFrame(factors(N))).fit(amortise="z", encoder=(), epochs=60, draws=100)
    data = factors(NEW)
    files = files_of(data, tmp_path)
    first, *others = [fit.evaluate(file, draws=300) for file in files]
    encoded, *again = [fit.encode(file) for file in files]
    for other in others:
        np.testing.assert_array_equal(other.by_row, first.by_row)
        np.testing.assert_array_equal(other.bounds, first.bounds)
    for one in again:
        np.testing.assert_array_equal(one["z[1]_mean"], encoded["z[1]_mean"])
    assert encoded["row"][-1] == NEW == len(encoded["z[1]_mean"])
    w, b, s = (fit.draws[name][0] for name in ("W", "b", "s"))
    x = np.column_stack([data[f"x_{i}"] for i in range(3)])
    exact = stats.multivariate_normal(np.asarray(b), np.asarray(w).T @ np.asarray(w) + np.eye(3) * float(s) ** 2)
    np.testing.assert_allclose(first.by_row, exact.logpdf(x), atol=0.3)
    assert first.by_row.mean() == pytest.approx(exact.logpdf(x).mean(), abs=0.01)


def test_a_bad_cell_in_a_later_block_has_its_own_row(small_blocks: None, tmp_path: Path) -> None:
    data = rows(NEW, "abc")
    data["x"][1234] = np.nan
    fit = ppl.from_text(LEVELS).condition(pd.DataFrame(rows(N, "abc"))).fit(draws=100)
    fit.save(tmp_path / "fit.nc")
    for file in files_of(data, tmp_path):
        done = run("evaluate", tmp_path / "fit.nc", file)
        assert done.code == 5 and "row 1235, column x" in done.err
