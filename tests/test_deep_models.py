"""The models of models/deep, on small invented tables of the columns that theirs have: each has a finite gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ppl

FOLDER = Path(__file__).parent.parent / "models" / "deep"
ROWS = 12


def tables() -> dict[str, dict[str, object]]:
    rng = np.random.default_rng(1)
    digits = [f"d{i % 10}" for i in range(ROWS)]
    wine = [f"x_{name}" for name in ("alcohol", "flavanoids", "color_intensity", *(f"m{i}" for i in range(10)))]
    pixels = {f"px_{i}": rng.integers(0, 17, ROWS) for i in range(64)} | {
        f"bw_{i}": rng.integers(0, 2, ROWS) for i in range(64)
    }
    reals = {f"x_{name}": rng.normal(size=ROWS) for name in ("age", "bmi", "s1")}
    return {
        "digits": {"digit": digits, **pixels},
        "digits_few_labels": {"digit": [*digits[:-2], "", ""], **pixels},
        "diabetes": {"progression": rng.normal(150.0, 70.0, ROWS), **reals},
        "wine": {"cultivar": [*"ABC" * (ROWS // 3)], **{name: rng.normal(size=ROWS) for name in wine}},
        "wine_gaps": {"cultivar": [*"ABC" * (ROWS // 3)], **{name: ["", *rng.normal(size=ROWS - 1)] for name in wine}},
        "breast_cancer": {"benign": rng.integers(0, 2, ROWS), **reals},
        "words": {f"w_{i}": rng.integers(0, 9, ROWS) for i in range(7)},
    }


def data_of(model: Path) -> str:
    """The table that the second line of a model names."""
    return model.read_text().splitlines()[1].removeprefix("# Data: ").partition(".csv")[0]


@pytest.mark.parametrize("model", sorted(FOLDER.glob("*.ppl")), ids=lambda path: path.stem)
def test_has_a_finite_gradient(model: Path, tmp_path: Path) -> None:
    table = tables()[data_of(model)]
    lines = [",".join(table), *(",".join(str(cell) for cell in row) for row in zip(*table.values(), strict=True))]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    posterior = ppl.load(model).condition(tmp_path / "data.csv")
    z = 0.1 * np.random.default_rng(2).normal(size=(2, posterior.joint.dimension))
    value, gradient = posterior.joint.value_and_gradient(z)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert (np.abs(gradient).sum(axis=0) > 0).all()


def test_the_readme_lists_all() -> None:
    listed = (FOLDER / "README.md").read_text()
    assert [path.name for path in FOLDER.glob("*.ppl") if f"`{path.name}`" not in listed] == []
