"""Every example in models/ fits, and its posterior is the one in its reference file.

The references come from closed forms and from long runs of NumPyro (benchmarks/references). Errors are in sds of the
reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppl

MODELS = Path(__file__).parent.parent / "models"
NAMES = sorted(path.stem for path in MODELS.glob("*.ppl"))
CONJUGATE = ("beta_binomial", "normal_mean")  # their references are exact
QUANTILES = {"q5": 0.05, "q50": 0.5, "q95": 0.95}


def read_reference(name: str) -> dict[str, Any]:
    return json.loads((MODELS / f"{name}.reference.json").read_text(encoding="utf-8"))


def fit_example(name: str, seed: int) -> ppl.Fit:
    return ppl.load(MODELS / f"{name}.ppl").condition(MODELS / f"{name}.csv").fit(seed=seed)


def too_far(errors: Mapping[str, float], limit: float) -> dict[str, float]:
    """The errors that are not within the limit, so that a failing assertion shows all of them."""
    return {label: error for label, error in errors.items() if not abs(error) < limit}


def check_moments(name: str, fit: ppl.Fit, mean_limit: float, sd_limit: float) -> None:
    """Means within `mean_limit` sds of the reference, sds within `sd_limit` as a share."""
    found, reference = dict(fit.summary()), read_reference(name)["params"]
    means = {label: (found[label]["mean"] - true["mean"]) / true["sd"] for label, true in reference.items()}
    sds = {label: found[label]["sd"] / true["sd"] - 1 for label, true in reference.items()}
    assert not too_far(means, mean_limit), "mean"
    assert not too_far(sds, sd_limit), "sd"


def columns_by_label(fit: ppl.Fit) -> dict[str, np.ndarray]:
    """The draws (S,) of every scalar that the summary shows."""
    labels: dict[str, list[str]] = {}
    for label, _ in fit.summary():
        labels.setdefault(label.split("[")[0], []).append(label)
    found: dict[str, np.ndarray] = {}
    for name, mine in labels.items():
        found |= zip(mine, fit.draws[name].reshape(-1, len(mine)).T, strict=True)
    return found


@pytest.fixture(scope="session", params=NAMES)
def example(request: pytest.FixtureRequest) -> tuple[str, ppl.Fit]:
    """A name and its fit with seed 1, made once."""
    return request.param, fit_example(request.param, seed=1)


def test_every_model_has_its_table_and_its_reference() -> None:
    assert len(NAMES) >= 8
    for ending in (".csv", ".reference.json"):
        assert sorted(path.name.removesuffix(ending) for path in MODELS.glob(f"*{ending}")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_reference_is_whole(name: str) -> None:
    """It says whose it is and where it comes from, and its numbers are in order."""
    reference = read_reference(name)
    assert reference["model"] == name
    assert ("Closed form" in reference["source"]) == (name in CONJUGATE)
    for label, numbers in reference["params"].items():
        assert list(numbers) == ["mean", "sd", "q5", "q50", "q95", "mcse_mean"], label
        assert numbers["q5"] < numbers["q50"] < numbers["q95"], label
        assert numbers["sd"] > 0, label
        assert 0 <= numbers["mcse_mean"] < 0.005 * numbers["sd"], label


def test_reference_covers_every_latent(example: tuple[str, ppl.Fit]) -> None:
    """Every label that a summary shows, latents and what is derived from them, and no other."""
    name, fit = example
    assert set(read_reference(name)["params"]) == {label for label, _ in fit.summary()}


def test_verdict(example: tuple[str, ppl.Fit]) -> None:
    _, fit = example
    assert (fit.verdict, fit.reasons) == ("good", ())


def test_moments(example: tuple[str, ppl.Fit]) -> None:
    name, fit = example
    check_moments(name, fit, *((0.01, 0.01) if name in CONJUGATE else (0.05, 0.05)))


def test_quantiles(example: tuple[str, ppl.Fit]) -> None:
    """Those of the summary, as far as the longest tail (tau in eight_schools) lets 4000 draws know them."""
    name, fit = example
    found, reference = dict(fit.summary()), read_reference(name)["params"]
    for statistic in QUANTILES:
        errors = {label: (found[label][statistic] - true[statistic]) / true["sd"] for label, true in reference.items()}
        assert not too_far(errors, 0.3), statistic


def test_share_of_draws_below_the_quantiles(example: tuple[str, ppl.Fit]) -> None:
    """The same on the scale of probability, where no tail is longer than another: within four standard errors.

    Each is that of so many independent draws, and of the weighted ones they were resampled from, at least 2.5 times as
    many in effect.
    """
    name, fit = example
    columns = columns_by_label(fit)
    for statistic, probability in QUANTILES.items():
        standard_error = np.sqrt(probability * (1 - probability) * (1 + 1 / 2.5) / 4000)
        shares = {
            label: np.mean(columns[label] <= true[statistic]) for label, true in read_reference(name)["params"].items()
        }
        errors = {label: float(share) - probability for label, share in shares.items()}
        assert not too_far(errors, 4 * standard_error), statistic


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", CONJUGATE)
def test_conjugate_ones_at_every_seed(name: str, seed: int) -> None:
    fit = fit_example(name, seed)
    assert fit.verdict == "good"
    check_moments(name, fit, 0.01, 0.01)
