"""Discrete latents of rows under an encoder: the ELBO with q(label | row) against sums and integrals done by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.compile.staged.step import plain as by_autograd
from ppl.infer.stochastic import rows as of_rows
from ppl.infer.stochastic.begin import begin
from ppl.infer.stochastic.build import Built, build
from ppl.infer.stochastic.drawn import Noise, noise
from ppl.infer.stochastic.objective import Objective, as_function, given
from ppl.infer.stochastic.wish import Wish
from ppl.report.plots.asked import Asked
from ppl.use.reliability import reliability_of

SHARE = np.array([0.2, 0.3, 0.5])
FEW_LABELS = """
V[3] ~ Param()
z[rows] ~ Normal(0, 1)
kind ~ Categorical([0.2, 0.3, 0.5])
y ~ Normal(V[kind] + z, 0.5)
u ~ Normal(V[kind], 1)
"""
MIXTURE = FEW_LABELS.replace("kind ~", "kind[rows] ~")
OPEN = FEW_LABELS.replace("Normal(0, 1)\nkind", "StudentT(5, 0, 1)\nkind")
CLASSES = FEW_LABELS.replace("Normal(0, 1)\nkind", "Normal(V[kind], 1)\nkind")


def table(path: Path, columns: dict[str, np.ndarray], name: str = "data.csv") -> Path:
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(",".join("" if x != x else f"{x:.12g}" for x in row))
    (path / name).write_text("\n".join(lines) + "\n")
    return path / name


def data(count: int, labelled: float = 0.4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    kind = rng.choice(3, count, p=SHARE)
    center = np.array([-3.0, 0.0, 3.0])[kind]
    known = np.where(rng.random(count) < labelled, kind + 1.0, np.nan)
    known[:3], kind[:3] = (1, 2, 3), (0, 1, 2)
    return {"y": center + rng.normal(0, 1.2, count), "u": center + rng.normal(0, 1, count), "kind": known}


def made(text: str, path: Path, labels: bool = True, **asked: object) -> tuple[Built, dict[str, np.ndarray]]:
    columns = data(12)
    used = columns if labels else {name: x for name, x in columns.items() if name != "kind"}
    posterior = ppl.from_text(text).condition(table(path, used))
    wish = Wish(amortise=("z",), hidden=(4,), **{"batch_size": 12, **asked})  # type: ignore[arg-type]
    return build(posterior.model, posterior.joint, wish), columns


def network(weights: np.ndarray, x: np.ndarray, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """One hidden layer of four tanh units, and the weights that are left."""
    sizes = np.cumsum([x.shape[1] * 4, 4, 4 * outputs, outputs])
    a, b, c, d = np.split(weights[: sizes[-1]], sizes[:-1])
    return np.tanh(x @ a.reshape(-1, 4) + b) @ c.reshape(4, outputs) + d, weights[sizes[-1] :]


def by_hand(phi: np.ndarray, columns: dict[str, np.ndarray], labels: bool) -> tuple[np.ndarray, np.ndarray]:
    """The ELBO of each row, every expectation in closed form, and the log probability of known labels."""
    center = phi[:3]
    y, u, kind = (columns[name] for name in ("y", "u", "kind"))
    kind = kind if labels else np.full(len(y), np.nan)
    x = np.column_stack([(y - y.mean()) / y.std(), (u - u.mean()) / u.std()])
    each, kls = [], []
    for k in range(3):
        told = np.column_stack([x, np.tile(np.eye(3)[k], (len(x), 1))])
        found, rest = network(phi[3:], told, 2)
        mean, sd = found[:, 0], np.exp(found[:, 1])
        expected = stats.norm(center[k] + mean, 0.5).logpdf(y) - sd**2 / (2 * 0.25)
        each.append(expected + stats.norm(center[k], 1).logpdf(u) + np.log(SHARE[k]))
        kls.append(0.5 * (sd**2 + mean**2 - 1) - np.log(sd))
    logits, rest = network(rest, x, 3)
    assert not len(rest)
    log_q = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    whole = np.column_stack(each) - np.column_stack(kls)
    found = (np.exp(log_q) * (whole - log_q)).sum(axis=1)
    seen = np.flatnonzero(~np.isnan(kind))
    own = kind[seen].astype(int) - 1
    found[seen] = whole[seen, own]
    return found, log_q[seen, own]


@pytest.mark.parametrize(("text", "labels"), [(FEW_LABELS, True), (MIXTURE, False)])
def test_the_elbo_is_that_of_a_sum_over_labels(text: str, labels: bool, tmp_path: Path) -> None:
    """A known label is not summed over; what the encoder says of it counts beside the ELBO, in training alone."""
    found, columns = made(text, tmp_path, labels)
    rng = np.random.default_rng(1)
    phi = begin(found, rng) + rng.normal(0, 0.5, sum(found.plan.sizes()))
    exact, log_known = by_hand(phi, columns, labels)
    bound = of_rows.bound(found, phi, np.random.default_rng(2), 20_000)
    np.testing.assert_allclose(bound.by_row, exact, atol=0.2)
    assert bound.elbo == pytest.approx(exact.sum(), abs=0.5)
    assert bound.elbo == pytest.approx(bound.by_row.sum())
    eps, at = noise(found.plan, rng, 1), np.arange(12)
    none = replace(found, plan=replace(found.plan, label_weight=0.0))
    apart = Objective(found, 1, 50).at(phi, at, eps)[0] - Objective(none, 1, 50).at(phi, at, eps)[0]
    assert found.plan.label_weight == 2.0  # numbers of a row beside its label
    assert apart == pytest.approx(-2.0 * log_known.sum(), abs=1e-9)


@pytest.mark.parametrize("text", [FEW_LABELS, OPEN, CLASSES])
def test_batches_have_the_mean_of_the_whole(text: str, tmp_path: Path) -> None:
    found, _ = made(text, tmp_path, label_weight=3.0)
    part, _ = made(text, tmp_path, label_weight=3.0, batch_size=4)
    rng = np.random.default_rng(0)
    phi = begin(found, rng) + rng.normal(0, 0.3, sum(found.plan.sizes()))
    eps = noise(found.plan, rng, 2)
    value, gradient = Objective(found, 1, 50).at(phi, np.arange(12), eps)
    pieces = []
    for rows in rng.permutation(12).reshape(3, 4):
        own = Noise(eps.closed, eps.opened, eps.rows[:, rows])
        pieces.append(by_autograd(as_function(part.plan), phi, given(part, rows, own, 1.0)))
    assert np.mean([piece[0] for piece in pieces]) == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(np.mean([piece[1] for piece in pieces], axis=0), gradient, rtol=1e-8, atol=1e-9)


def test_the_gradient_is_that_of_the_value(tmp_path: Path) -> None:
    found, _ = made(FEW_LABELS, tmp_path)
    rng = np.random.default_rng(0)
    phi = begin(found, rng) + rng.normal(0, 0.3, sum(found.plan.sizes()))
    objective, eps = Objective(found, 1, 50), noise(found.plan, rng, 2)
    gradient = objective.at(phi, np.arange(12), eps)[1]
    for i in range(len(phi)):
        step = np.eye(len(phi))[i] * 1e-5
        slope = (
            objective.at(phi + step, np.arange(12), eps)[0] - objective.at(phi - step, np.arange(12), eps)[0]
        ) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def densities(center: np.ndarray, y: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Of each row together with each label (rows, 3), the latent integrated out."""
    each = [stats.norm(c, np.sqrt(1.25)).pdf(y) * stats.norm(c, 1).pdf(u) for c in center]
    return np.column_stack(each) * SHARE


@pytest.mark.parametrize(("text", "labels"), [(FEW_LABELS, True), (MIXTURE, False)])
def test_labels_of_new_rows_have_their_posterior(text: str, labels: bool, tmp_path: Path) -> None:
    columns = data(120, 0.2)
    if not labels:
        del columns["kind"]
    path = table(tmp_path, columns)
    asked = {"amortise": "z", "encoder": (8,), "batch_size": 60, "epochs": 150, "draws": 400, "learning_rate": 0.03}
    posterior = ppl.from_text(text).condition(path)
    fit = posterior.fit(**asked)  # type: ignore[arg-type]
    center = np.asarray(fit.draws["V"])[0]
    assert abs(np.sort(center) - [-3, 0, 3]).max() < 0.8
    joint = densities(center, columns["y"], columns["u"])
    own = joint.sum(axis=1)
    if labels:
        known = ~np.isnan(columns["kind"])
        own[known] = joint[known, columns["kind"][known].astype(int) - 1]
    exact = float(np.log(own).sum())
    assert exact - 20 < fit.elbo < exact + 0.5
    y, u = np.array([-3.0, 0.2, 1.7, 3.0]), np.array([-2.0, -1.4, 1.4, 3.5])
    new = table(tmp_path, {"y": y, "u": u}, "new.csv")
    told = densities(center, y, u)
    share = told / told.sum(axis=1, keepdims=True)
    encoded = fit.encode(new)
    q = np.column_stack([encoded[f"kind_p_{k}"] for k in (1, 2, 3)])
    np.testing.assert_allclose(q.sum(axis=1), 1.0)
    np.testing.assert_allclose(q, share, atol=0.25)
    evaluated = fit.evaluate(new, draws=1000)
    np.testing.assert_allclose(evaluated.by_row, np.log(told.sum(axis=1)), atol=0.05)
    if not labels:
        return
    for given_too in (new, table(tmp_path, {"y": y, "u": u, "kind": np.array([3.0, 3, 1, 1])}, "told.csv")):
        drawn = fit.predict(given_too, of="kind")["kind"]  # what the table says of it is not looked at
        np.testing.assert_allclose(np.stack([(drawn == k).mean(axis=0) for k in (1, 2, 3)], axis=1), share, atol=0.08)
    probabilities = fit.predict(new, of="kind", kind="probabilities")["kind"]
    np.testing.assert_allclose(probabilities.mean(axis=0), share, atol=0.03)
    summed = fit.predict(new, of="kind", kind="probabilities").summary()
    assert list(summed) == ["row", *(name for name in encoded if name.startswith("kind_p_"))]
    np.testing.assert_allclose(np.column_stack(list(summed.values())[1:]), probabilities.mean(axis=0))
    said = reliability_of(posterior.model, posterior.data, fit.record, Asked(names=("kind",)))
    hidden = densities(center, columns["y"], columns["u"])[known]
    hidden /= hidden.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(said.said, hidden.max(axis=1), atol=0.06)
    np.testing.assert_array_equal(said.came, hidden.argmax(axis=1) == columns["kind"][known] - 1)
    one = fit.evaluate(table(tmp_path, {"y": y, "u": u, "kind": np.array([1.0, 2, 2, 3])}, "told.csv"), draws=1000)
    np.testing.assert_allclose(one.by_row, np.log(told[np.arange(4), [0, 1, 1, 2]]), atol=0.05)
    restored = fit.predict(new, of="y", kind="mean")["y"]  # of z and the label given the row
    at = 0.8 * (y[:, None] - center) + center
    np.testing.assert_allclose(restored.mean(axis=0), (share * at).sum(axis=1), atol=0.35)
    saved = tmp_path / "fit.nc"
    fit.save(saved)
    again = ppl.read_fit(saved).encode(new)
    for name, column in encoded.items():
        np.testing.assert_array_equal(column, again[name])


def test_a_weight_of_labels_needs_labels(tmp_path: Path) -> None:
    path = table(tmp_path, {"y": np.arange(9.0)})
    posterior = ppl.from_text("z[rows] ~ Normal(0, 1)\ny ~ Normal(z, 1)").condition(path)
    with pytest.raises(ppl.UsageError, match="label-weight: no rows with an encoder have a discrete latent"):
        posterior.fit(amortise="z", label_weight=2.0)
    with pytest.raises(ppl.UsageError, match="label-weight: at least 0"):
        posterior.fit(amortise="z", label_weight=-2.0)
