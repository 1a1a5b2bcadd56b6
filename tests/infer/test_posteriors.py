"""Whole fits against closed forms and against themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl


def fit(text: str, *data: object, seed: int = 1, **options: int) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition(*data).fit(seed=seed, **options)


def assert_close(found: dict[str, float], mean: float, sd: float, sds: float = 0.01, relative: float = 0.01) -> None:
    assert abs(found["mean"] - mean) < sds * sd, (found, mean, sd)
    assert abs(found["sd"] / sd - 1) < relative, (found, mean, sd)


@pytest.mark.parametrize("seed", range(1, 6))
def test_normal_mean(seed: int) -> None:
    y = np.array([1.2, 3.1, 0.4, 2.2, 5.0])
    found = fit("mu ~ Normal(0, 2)\ny ~ Normal(mu, 1.5)", {"y": y}, seed=seed)
    precision = 1 / 4 + 5 / 2.25
    assert found.verdict == "good"
    assert_close(found.summary()["mu"], y.sum() / 2.25 / precision, precision**-0.5)


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(("hits", "trials"), [(3, 10), (0, 5), (50, 60)])
def test_beta_binomial(seed: int, hits: int, trials: int) -> None:
    found = fit("p ~ Beta(2, 3)\nk ~ Binomial(n, p)", {"k": hits, "n": trials}, seed=seed)
    exact = stats.beta(2 + hits, 3 + trials - hits)
    assert found.verdict == "good"
    statistics = found.summary()["p"]
    assert_close(statistics, exact.mean(), exact.std())
    for name, level in (("q5", 0.05), ("q50", 0.5), ("q95", 0.95)):
        assert abs(statistics[name] - exact.ppf(level)) < 0.08 * exact.std()


def test_normal_with_unknown_variance() -> None:
    """Jeffreys' prior: the mean is Student t with n - 1 degrees of freedom, the variance inverse gamma."""
    y = np.random.default_rng(2).normal(40, 6, 20)
    found = fit("mu ~ Flat()\nls ~ Flat()\ny ~ Normal(mu, exp(ls))\nv = exp(2*ls)", {"y": y})
    n, s2 = len(y), y.var(ddof=1)
    mean, variance = stats.t(n - 1, y.mean(), np.sqrt(s2 / n)), stats.invgamma((n - 1) / 2, scale=(n - 1) * s2 / 2)
    assert found.verdict == "good"
    assert_close(found.summary()["mu"], mean.mean(), mean.std(), 0.02, 0.02)
    assert_close(found.summary()["v"], variance.mean(), variance.std(), 0.02, 0.03)


def test_dirichlet_categorical() -> None:
    counts = [12, 3, 25]
    y = np.repeat([1, 2, 3], counts)
    found = fit("p[3] ~ Dirichlet(1)\ny ~ Categorical(p)", {"y": y})
    exact = stats.dirichlet(np.array(counts) + 1)
    assert found.verdict == "good"
    for i in range(3):
        assert_close(found.summary()[f"p[{i + 1}]"], exact.mean()[i], np.sqrt(exact.var()[i]), 0.02, 0.02)


def test_truncated_prior() -> None:
    """A half normal posterior by a bound that cuts: moments of the truncated normal."""
    found = fit("m ~ Normal(0, 1) > 0\ny ~ Normal(m, 1)", {"y": -0.5})
    exact = stats.truncnorm(0.25 / np.sqrt(0.5), np.inf, -0.25, np.sqrt(0.5))
    assert found.verdict == "good"
    assert_close(found.summary()["m"], exact.mean(), exact.std(), 0.02, 0.02)


def test_mv_normal_prior() -> None:
    text = "b[2] ~ MvNormal([0, 0], [[2, 1], [1, 3]])\ny ~ Normal(b[1] + b[2]*x, 1)"
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 3.0])
    found = fit(text, {"x": x, "y": y})
    design = np.stack([np.ones(3), x], axis=1)
    covariance = np.linalg.inv(design.T @ design + np.linalg.inv(np.array([[2.0, 1], [1, 3]])))
    mean = covariance @ design.T @ y
    for i in range(2):
        assert_close(found.summary()[f"b[{i + 1}]"], mean[i], np.sqrt(covariance[i, i]))


def test_simulated_names_follow_the_posterior() -> None:
    """Predictive draws: variance of the mean plus variance of an observation; a prior without data stays a prior."""
    text = "m ~ Normal(0, 1)\ny ~ Normal(m, 1)\nnext ~ Normal(m, 2)\nfree ~ Beta(2, 2)\ntwice = 2*next"
    found = fit(text, {"y": np.array([1.0, 2.0])})
    summary = found.summary()
    assert_close(summary["next"], 1.0, np.sqrt(1 / 3 + 4), 0.05, 0.05)
    assert_close(summary["free"], 0.5, np.sqrt(0.05), 0.05, 0.05)
    np.testing.assert_array_equal(found.draws["twice"], 2 * found.draws["next"])


def test_a_model_with_nothing_to_infer() -> None:
    found = fit("y ~ Normal(1, 2)\nnew ~ Normal(3, 1)", {"y": np.zeros(4)})
    assert found.verdict == "good"
    assert_close(found.summary()["new"], 3.0, 1.0, 0.05, 0.05)


def test_two_far_modes_are_not_called_good() -> None:
    found = fit("m ~ Normal(0, 10)\ny ~ Normal(m^2, 1)", {"y": np.full(5, 25.0)})
    assert abs(found.summary()["m"]["mean"]) < 1 or found.verdict != "good"


def test_same_seed_same_bits_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "m.ppl").write_text("m ~ Normal(0, 1)\ns ~ HalfNormal(1)\ny ~ Normal(m, s)\nnew ~ Poisson(s)\n")
    (tmp_path / "d.csv").write_text("y\n1\n2.5\n0.3\n")
    code = (
        "import ppl, hashlib; f = ppl.load('m.ppl').condition('d.csv').fit(seed=5);"
        "print(hashlib.sha256(b''.join(f.draws[n].tobytes() for n in sorted(f.draws))).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    other = fit((tmp_path / "m.ppl").read_text(), tmp_path / "d.csv", seed=6)
    same = fit((tmp_path / "m.ppl").read_text(), tmp_path / "d.csv", seed=6)
    np.testing.assert_array_equal(other.draws["m"], same.draws["m"])


def test_same_seed_same_bits_with_one_and_two_blas_threads(tmp_path: Path) -> None:
    """With 84 coordinates OpenBLAS shares products out among threads, and their sums differ in the last bits."""
    rng = np.random.default_rng(1)
    group, x = rng.integers(0, 80, 600), rng.normal(size=(600, 3))
    y = rng.poisson(np.exp(0.3 * x[:, 0] + 0.5 * rng.normal(size=80)[group]))
    (tmp_path / "d.json").write_text(json.dumps({"y": y.tolist(), "g": (group + 1).tolist(), "x": x.tolist()}))
    (tmp_path / "m.ppl").write_text(
        "b[3] ~ Normal(0, 1)\ns ~ HalfNormal(1)\na[80] ~ Normal(0, s)\ny ~ Poisson(exp(a[g] + x @ b))\n"
    )
    code = (
        "import ppl, hashlib; f = ppl.load('m.ppl').condition('d.json').fit(seed=1);"
        "print(hashlib.sha256(b''.join(f.draws[n].tobytes() for n in sorted(f.draws))).hexdigest())"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2")
    )  # fmt: skip
    assert first == second


def test_number_of_draws() -> None:
    found = fit("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": 1.0}, draws=250)
    assert found.draws["m"].shape == (250,)
    with pytest.raises(ppl.UsageError, match="draws must be a whole number between 100"):
        fit("m ~ Normal(0, 1)\ny ~ Normal(m, 1)", {"y": 1.0}, draws=5)
