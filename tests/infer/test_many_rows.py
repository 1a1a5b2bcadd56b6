"""Very many rows: begun on some of them, few passes over all; against Newton's mode and curvature by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import ppl
from ppl.compile import row_blocks
from ppl.infer import many_rows, pipeline, proposals

N = 6000
MODEL = "a ~ Normal(0, 5)\nv[3] ~ Normal(0, 5)\ny ~ Bernoulli(logit = a + v[1]*x1 + v[2]*x2 + v[3]*x3)"


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "FEWEST_ROWS", 1000)
    monkeypatch.setattr(many_rows, "FEWEST", 1000)
    monkeypatch.setattr(many_rows, "_ROWS", 800)
    monkeypatch.setattr(many_rows, "_EVALUATIONS", 1)
    for name in ("_BATCHES_OF_PROPOSALS", "_MOST_BATCHES_OF_PROPOSALS"):
        monkeypatch.setattr(proposals, name, 1)  # as so few are evaluated at once


def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (3, N))
    y = (rng.random(N) < 1 / (1 + np.exp(-(0.4 + np.array([1.0, -0.5, 0.0]) @ x)))).astype(int)
    return {"x1": x[0], "x2": x[1], "x3": x[2], "y": y}


def by_hand(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mode and sds: with so many rows mean and sd of the posterior, to a hundredth of an sd."""
    x = np.stack([np.ones(N), columns["x1"], columns["x2"], columns["x3"]], axis=1)
    b = np.zeros(4)
    for _ in range(20):
        p = 1 / (1 + np.exp(-x @ b))
        precision = (x * (p * (1 - p))[:, None]).T @ x + np.eye(4) / 25
        b = b + np.linalg.solve(precision, x.T @ (columns["y"] - p) - b / 25)
    return b, np.sqrt(np.diag(np.linalg.inv(precision)))


def test_begun_on_some_rows(few_are_many: None) -> None:
    columns = data()
    fit = ppl.from_text(MODEL).condition(columns_of_table(columns)).fit(draws=1000)
    assert fit.verdict == "good"
    mode, sds = by_hand(columns)
    draws = np.column_stack([fit.draws["a"], fit.draws["v"]])
    assert np.abs((draws.mean(axis=0) - mode) / sds).max() < 0.15
    assert np.abs(np.log(draws.std(axis=0) / sds)).max() < 0.1


def columns_of_table(columns: Mapping[str, np.ndarray]) -> object:
    """A data frame: its columns are over rows."""

    class Table(dict[str, np.ndarray]):
        @property
        def columns(self) -> list[str]:
            return list(self)

    return Table(columns)


def test_as_few_passes_as_that(few_are_many: None) -> None:
    """No more full passes than eight draws of the guide, a Hessian at one point and 800 proposals need."""
    joint = ppl.from_text(MODEL).condition(columns_of_table(data())).joint
    found = pipeline.approximate(joint, 1, 1000)
    assert len(found.z) == 800
    assert found.evaluations * pipeline.GUIDE_DRAWS < 500


def test_same_bits(few_are_many: None) -> None:
    posterior = ppl.from_text(MODEL).condition(columns_of_table(data()))
    one, other = (posterior.fit(draws=200).draws["v"] for _ in range(2))
    assert np.array_equal(one, other)


def test_what_is_not_good_that_way_is_fitted_as_any_other(few_are_many: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    corrected = pipeline._corrected

    def noted(*args: object, sparing: bool = False, hasty: bool = False) -> object:
        asked.append(sparing)
        return corrected(*args, sparing=sparing, hasty=hasty)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "_corrected", noted)
    monkeypatch.setattr(pipeline, "judge", lambda evidence: ("do not use", []))
    joint = ppl.from_text(MODEL).condition(columns_of_table(data())).joint
    assert len(pipeline.approximate(joint, 1, 1000).z) == 1000
    assert asked == [True, False]


def test_a_rival_mode_is_found_from_some_rows(few_are_many: None) -> None:
    """Two signs of v give the same likelihood, and the prior prefers one by less than the rows could undo."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, N)
    columns = {"x": x, "y": rng.normal(0, 1, N) + 4 * x**2}
    text = "v ~ Normal(0.1, 3)\ny ~ Logistic(v^2 * x^2, 0.5)"
    fit = ppl.from_text(text).condition(columns_of_table(columns)).fit(draws=200, guide="meanfield")
    assert fit.verdict == "do not use"
    assert any("other mode" in reason for reason in fit.reasons)


def test_by_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear regression of many rows is fitted by sums over them, to the same posterior."""
    rng = np.random.default_rng(1)
    x = rng.normal(50, 2, N)
    columns = {"x": x, "y": 3 - 0.5 * x + rng.normal(0, 0.7, N)}
    text = "a ~ Normal(0, 100)\nb ~ Normal(0, 10)\ns ~ HalfNormal(5)\ny ~ Normal(a + b*x, s)"
    posterior = ppl.from_text(text).condition(columns_of_table(columns))
    usual = posterior.fit(draws=400)
    monkeypatch.setattr(row_blocks, "FEWEST_ROWS", 1000)
    other = ppl.from_text(text).condition(columns_of_table(columns))
    summed = other.fit(draws=400)
    assert other.joint.with_fewest_rows() is not other.joint
    for name in ("a", "b", "s"):
        np.testing.assert_allclose(summed.draws[name], usual.draws[name], rtol=1e-6, atol=1e-6)
