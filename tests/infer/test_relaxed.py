"""Fits of relaxed discrete latents, against enumeration, objectives worked out by hand, and interrupted twins."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import ppl
from ppl.cli import main
from ppl.compile.joint import compile_joint
from ppl.compile.staged.step import plain as by_autograd
from ppl.infer.stochastic import gumbel
from ppl.infer.stochastic import rows as of_rows
from ppl.infer.stochastic.begin import begin
from ppl.infer.stochastic.build import Built, build
from ppl.infer.stochastic.drawn import Noise, noise
from ppl.infer.stochastic.objective import Objective, as_function, given
from ppl.infer.stochastic.wish import Wish
from ppl.infer.watch import Watch
from ppl.rewrite.sum_out import sum_out
from tests.infer.test_stochastic_fit import Stopping, table

SPIKES = "z[4] ~ Bernoulli(0.3)\nbeta[4] ~ Normal(0, 1)\ny ~ Normal(X @ (z * beta), 1)"
CLASSES = "m = [-1, 0.2, 1.5]\nc[3] ~ Categorical([0.2, 0.3, 0.5])\ny ~ Normal(m[c[g]], 1)"
MIXTURE = "m[2] ~ Normal(0, 2)\nk[rows] ~ Categorical([0.4, 0.6])\ny ~ Normal(m[k], 0.8)"


def spikes(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 4))
    return {"X": x, "y": x @ [0.9, 0.0, -0.5, 0.25] + rng.normal(size=30)}


def classes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    g = np.repeat([1, 2, 3], [2, 3, 4])
    return {"g": g, "y": np.array([-0.6, 0.6, 1.0])[g - 1] + rng.normal(size=9)}


def relaxed(text: str, data: object, *names: str, temperature: float = 0.5) -> ppl.Posterior:
    return ppl.from_text(text).relax(*names, temperature=temperature).condition(data)


def made(posterior: ppl.Posterior, **asked: object) -> Built:
    assert posterior.relaxed is not None
    model = posterior.relaxed.model
    wish = Wish(**asked)  # type: ignore[arg-type]
    return build(model, compile_joint(model, sum_out(model)), wish, relaxed=posterior.relaxed)


def enumerated(data: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each indicator, and the means of the coefficients, over all 16 models."""
    x, y = data["X"], data["y"]
    logs, means = [], []
    every = np.array(list(product((0, 1), repeat=4)))
    for z in every:
        own = x * z
        logs.append(stats.multivariate_normal(np.zeros(len(y)), np.eye(len(y)) + own @ own.T).logpdf(y))
        logs[-1] += np.log(np.where(z, 0.3, 0.7)).sum()
        means.append(np.linalg.solve(np.eye(4) + own.T @ own, own.T @ y))
    weights = np.exp(np.array(logs) - np.logaddexp.reduce(logs))
    return weights @ every, weights @ np.array(means)


def test_weighed_draws_are_those_of_all_models() -> None:
    """A guide that knows no dependence is .1 and more off; its draws, weighed, are not."""
    data = spikes()
    probability, mean = enumerated(data)
    fit = relaxed(SPIKES, data, "z").fit()
    np.testing.assert_allclose(fit.probabilities["z"][1], probability, atol=0.03)
    np.testing.assert_allclose(fit.draws["z"].mean(axis=0), probability, atol=0.03)
    np.testing.assert_allclose(fit.draws["beta"].mean(axis=0), mean, atol=0.08)
    assert fit.verdict == "usable" and fit.record.effective_draws > 400
    assert any("relaxed at temperature 0.5 (Gumbel-softmax): it has a bias" in reason for reason in fit.reasons)
    rules = {rule.name: rule.number for rule in fit.rules}
    assert rules["relaxation"] == 0.5 and 0 <= (rules["relaxed draws"] or 0.0) < 0.7


def test_the_bias_is_less_at_a_low_temperature() -> None:
    """Where the posterior is made of independent elements its probabilities are what is estimated without bias."""
    data = classes()
    logs = stats.norm(np.array([-1, 0.2, 1.5]), 1).logpdf(data["y"][:, None])
    exact = np.log([0.2, 0.3, 0.5]) + np.array([logs[data["g"] == i].sum(axis=0) for i in (1, 2, 3)])
    exact = np.exp(exact - np.logaddexp.reduce(exact, axis=1, keepdims=True))
    off = {}
    for temperature in (0.1, 1.0):
        posterior = relaxed(CLASSES, data, "c", temperature=temperature)
        fit, plan = posterior.fit(epochs=2000), made(posterior).plan
        assert fit.record.deep is not None
        own = np.exp(gumbel.log_probabilities(plan, fit.record.deep.phi)["c"])
        off[temperature] = np.abs(own - exact).max()
        np.testing.assert_allclose(fit.probabilities["c"].T, exact, atol=0.02)  # draws are weighed
    assert off[0.1] < 0.06 < 0.1 < off[1.0]


def test_the_objective_is_that_done_by_hand() -> None:
    """Weights by Gumbel noise, the divergence from the prior in closed form; its gradient by differences."""
    posterior = relaxed(SPIKES, spikes(), "z", temperature=0.4)
    found = made(posterior)
    rng = np.random.default_rng(0)
    phi = begin(found, rng) + rng.normal(0, 0.3, 16)
    eps = noise(found.plan, rng, 2)
    objective = Objective(found, 1, 50)
    nothing = np.arange(30)
    whole = noise(found.plan, rng, objective.draws)
    mu, log_sd, logits = phi[:4], phi[4:8], phi[8:].reshape(4, 2)
    log_q = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    noisy = (log_q + eps.gumbel.reshape(2, 4, 2)) / 0.4
    weight = 1 / (1 + np.exp(noisy[..., 0] - noisy[..., 1]))
    beta = mu + np.exp(log_sd) * eps.closed
    data = spikes()
    seen = stats.norm((weight * beta) @ data["X"].T, 1).logpdf(data["y"]).sum(axis=1).mean()
    divergence = (0.5 * (np.exp(2 * log_sd) + mu**2 - 1) - log_sd).sum()
    divergence += (np.exp(log_q) * (log_q - np.log([0.7, 0.3]))).sum()
    value, _ = by_autograd(as_function(found.plan), phi, given(found, nothing, eps, 1.0))
    assert value == pytest.approx(divergence - seen)
    value, gradient = objective.at(phi, nothing, whole)
    for i in range(len(phi)):
        step = 1e-5 * (np.arange(len(phi)) == i)
        slope = (objective.at(phi + step, nothing, whole)[0] - objective.at(phi - step, nothing, whole)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_the_elbo_is_that_of_draws_of_the_values() -> None:
    """Reported is what holds for the model as it is written: without other latents it is a sum over all values."""
    data = classes()
    found = made(relaxed(CLASSES, data, "c"))
    phi = np.random.default_rng(1).normal(size=9)
    q = np.exp(gumbel.log_probabilities(found.plan, phi)["c"])
    logs = stats.norm(np.array([-1, 0.2, 1.5]), 1).logpdf(data["y"][:, None])
    exact = (q[data["g"] - 1] * logs).sum() - (q * (np.log(q) - np.log([0.2, 0.3, 0.5]))).sum()
    bound = of_rows.bound(found, phi, np.random.default_rng(2), 100_000)
    assert bound.elbo == pytest.approx(exact, abs=0.05)


def test_batches_have_the_mean_of_the_whole(tmp_path: Path) -> None:
    """Latents of rows keep logits of their own; what a batch says of them counts N/M times."""
    data = table({"y": np.random.default_rng(0).normal(size=12)}, tmp_path)
    posterior = relaxed(MIXTURE, data, "k")
    whole, part = made(posterior, batch_size=12), made(posterior, batch_size=4)
    rng = np.random.default_rng(1)
    phi = begin(whole, rng) + rng.normal(0, 0.3, sum(whole.plan.sizes()))
    eps = noise(whole.plan, rng, 2)
    value, gradient = Objective(whole, 1, 50).at(phi, np.arange(12), eps)
    objective = Objective(part, 1, 50)
    own = Noise(eps.closed, eps.opened, np.zeros((2, 4, 0)), (), eps.gumbel)
    pieces = [by_autograd(as_function(part.plan), phi, given(part, rows, own, 1.0)) for rows in _batches(rng)]
    assert objective.batches == 3
    assert value == pytest.approx(np.mean([v for v, _ in pieces]), rel=1e-12)
    np.testing.assert_allclose(gradient, np.mean([g for _, g in pieces], axis=0), rtol=1e-8, atol=1e-9)


def _batches(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(12).reshape(3, 4)


def test_a_mixture_of_rows_is_found_in_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    k = rng.random(110) < 0.6
    data = table({"y": np.where(k, 2.0, -2.0) + rng.normal(0, 0.8, 110)}, tmp_path)
    text = MIXTURE.replace("Normal(0, 2)", "Normal([-1, 1], 2)")
    fit = relaxed(text, data, "k", temperature=0.1).fit(batch_size=40, epochs=200)
    exact = ppl.from_text(text).condition(data).fit()
    np.testing.assert_allclose(fit.draws["m"].mean(axis=0), exact.draws["m"].mean(axis=0), atol=0.1)
    off = np.abs(fit.probabilities["k"] - exact.probabilities["k"])
    assert off.mean() < 0.03 and fit.elbo < exact.elbo + 0.5
    assert any("were not weighed" in reason for reason in fit.reasons)


def test_values_that_the_data_rule_out_are_no_usable_guide() -> None:
    """An element between its values may have a likelihood where one of them has none."""
    rng = np.random.default_rng(0)
    text = "p ~ Beta(1, 1)\nz[120] ~ Bernoulli(0.5)\nfor i in 1..120, t in 1..2 { y[i, t] ~ Bernoulli(z[i] * p) }"
    fit = relaxed(text, {"y": (rng.random((120, 2)) < 0.4) * 1.0}, "z").fit(epochs=200)
    assert fit.elbo == -np.inf and fit.verdict == "do not use"
    assert any("that the rest of the model rules out" in reason for reason in fit.reasons)


def test_the_same_seed_gives_the_same_bits_and_resumes_to_them(tmp_path: Path) -> None:
    posterior = relaxed(SPIKES, spikes(), "z")
    whole = posterior.fit(epochs=300)
    kept = tmp_path / "kept.npz"
    posterior.fit(epochs=300, checkpoint=kept, watch=Stopping())
    again = posterior.fit(epochs=300, resume=kept, watch=Watch())
    for name in ("z", "beta"):
        np.testing.assert_array_equal(whole.draws[name], again.draws[name])
    with pytest.raises(ppl.UsageError, match="other settings"):
        relaxed(SPIKES, spikes(), "z", temperature=0.4).fit(epochs=300, resume=kept)


def test_a_fit_is_opened_again_and_predicts(tmp_path: Path) -> None:
    """Its model, settled anew, has draws of what was relaxed, and sums nothing out."""
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=30) for i in range(1, 21)}
    data = table(columns | {"y": columns["x1"] - columns["x3"] + rng.normal(size=30)}, tmp_path)
    text = "X = columns(x1..x20)\nz[X] ~ Bernoulli(0.2)\nb[X] ~ Normal(0, 1)\ny ~ Normal(X @ (z * b), 1)\nn = sum(z)"
    with pytest.raises(ppl.ModelError, match="--relax z"):
        ppl.from_text(text).condition(data)
    fit = relaxed(text, data, "z").fit(epochs=400)
    fit.save(tmp_path / "fit.nc")
    again = ppl.read_fit(tmp_path / "fit.nc")
    assert again.record.deep is not None and again.record.deep.relax == ("z",)
    assert again.record.deep.temperature == 0.5
    np.testing.assert_array_equal(again.draws["z"].sum(axis=1), again.draws["n"])
    np.testing.assert_array_equal(again.probabilities["z"], fit.probabilities["z"])
    seen = again.predict({**{name: x[:2] for name, x in columns.items()}})["y"]
    means = (again.draws["z"] * again.draws["b"]) @ np.array([x[:2] for x in columns.values()])
    np.testing.assert_allclose(seen.mean(axis=0), means.mean(axis=0), atol=0.1)
    assert again.loo().elpd.shape == (30,) and len(again.ppc()) > 0
    assert np.isfinite(again.evaluate(data, draws=50).total)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"amortise": "a"}, "relax: `k` goes by the rows, and an encoder gives discrete latents of these too"),
        ({"guide": "chains"}, "guide of a stochastic fit"),
        ({"em": True}, "no steps in turn"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, object], words: str, tmp_path: Path) -> None:
    data = table({"y": np.arange(6.0)}, tmp_path)
    text = "k[rows] ~ Bernoulli(0.5)\na[rows] ~ Normal(k, 1)\ny ~ Normal(a, 1)"
    with pytest.raises(ppl.UsageError) as caught:
        relaxed(text, data, "k").fit(**asked)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_streams_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": np.arange(600.0)}), tmp_path / "data.parquet", row_group_size=100)
    with pytest.raises(ppl.UsageError, match="relax: not of data that are read as a stream"):
        relaxed("z ~ Bernoulli(0.5)\ny ~ Normal(z, 1)", ppl.stream(tmp_path / "data.parquet"), "z").fit()


def test_the_command_says_what_was_relaxed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table({"y": np.array([0.2, 1.4, 0.9])}, tmp_path)
    Path("coin.ppl").write_text("w ~ Bernoulli(0.4)\nz ~ Bernoulli(0.5)\ny ~ Normal(z + w, 1)\n")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["ppl", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return int(str(end.value.code or 0)), told.out + told.err

    code, told = run("fit", "coin.ppl", "data.csv", "--temperature", "1")
    assert code == 2 and "temperature: of what is relaxed" in told
    asked = ("fit", "coin.ppl", "data.csv", "--relax", "z, w", "--temperature", "0.3", "--epochs", "300")
    code, told = run(*asked, "-o", "coin.nc")
    assert code == 0 and "relaxed at temperature 0.3, biased" in told and "verdict: usable" in told
    code, told = run("diagnose", "coin.nc")
    assert code == 0 and re.search(r"relaxation +0.3 +0 +any +usable +`[wz]` and `[wz]`", told)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf, True, "cold"])
def test_a_temperature_is_a_number_above_0(temperature: object) -> None:
    with pytest.raises(ppl.UsageError, match="temperature: a number above 0"):
        ppl.from_text(CLASSES).relax("c", temperature=temperature)  # type: ignore[arg-type]
