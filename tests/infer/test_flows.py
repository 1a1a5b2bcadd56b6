"""Flow guides as rungs: what they find, how what they miss is judged, that they are resumed to the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ppl
from ppl.infer import flows
from ppl.infer.flows import Mapped, Whitened
from ppl.infer.proposals import correct
from ppl.infer.stochastic.guide import negative_elbo
from ppl.infer.stochastic.table import FLOWS
from tests.infer.targets import Gaussian, random_gaussian
from tests.infer.test_interruption import assert_same, at_every_step, stops_at

__all__ = ["at_every_step"]
BENT = "x ~ Flat()\ny ~ Flat()\nfactor -x^2/2\nfactor -2*(y - x^2)^2\n"
LOG_EVIDENCE = np.log(2 * np.pi * 0.5)


def fit(text: str, **options: object) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition({}).fit(**options)  # type: ignore[arg-type]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_RATES", (0.01,))
    monkeypatch.setattr(flows, "_MOST_STEPS", 1000)


@pytest.mark.usefixtures("short")
def test_a_flow_bends() -> None:
    """x ~ Normal(0, 1), y ~ Normal(x^2, 0.5): in 1,000 steps, to moments in closed form."""
    found = fit(BENT, guide="flow")
    assert found.record.tried[0].rung == "RealNVP flow"
    assert -0.01 < LOG_EVIDENCE - found.elbo < 0.15 < LOG_EVIDENCE - fit(BENT, guide="fullrank").elbo
    assert found.verdict == "good", found.reasons
    x, y = (found.record.quantities[name] for name in "xy")
    assert (float(x.mean), float(y.mean)) == pytest.approx((0.0, 1.0), abs=0.06)
    assert (float(x.sd), float(y.sd)) == pytest.approx((1.0, np.sqrt(2.25)), rel=0.06)


@pytest.mark.parametrize("name", list(FLOWS))
def test_proposals_through_any_flow_are_weighed_right(name: str) -> None:
    """A flow that was never trained, and what is proposed beside it: the weights make it the Gaussian all the same."""
    target = random_gaussian(2, 10, seed=3)
    whitened = Whitened(target, target.mean + 0.1, np.linalg.cholesky(1.2 * target.covariance))
    flow = FLOWS[name](2)
    rng = np.random.default_rng(1)
    phi = flow.start(np.zeros(2), np.ones(2), rng)
    mapped = Mapped(whitened, flow, phi + 0.05 * rng.normal(size=len(phi)))
    shown = mapped.through(rng.normal(size=(4000, 2)))[0]
    eps, weights = correct(mapped, rng, flows._components(mapped, shown), 4000)
    z = whitened.place(mapped.through(eps)[0])
    mean = weights.weights @ z
    sds = np.sqrt(np.diag(target.covariance))
    assert mean == pytest.approx(target.mean, abs=0.05 * sds.max())
    assert np.sqrt(weights.weights @ (z - mean) ** 2) == pytest.approx(sds, rel=0.05)


@pytest.mark.parametrize("name", list(FLOWS))
def test_draws_further_out_do_not_move_what_fits(name: str) -> None:
    """Where the flow is the target, its value is the log evidence and no draw has a path derivative."""
    target = Gaussian(np.array([1.0, -2.0]), np.diag([4.0, 0.25]))
    flow = FLOWS[name](2)
    rng = np.random.default_rng(2)
    phi = flow.start(target.mean, np.array([2.0, 0.5]), rng)
    eps, beyond = rng.normal(size=(2, 16, 2))
    value, gradient = flows.tailed_elbo(target, flow, phi, eps, 1.5 * beyond)
    if name != "planar":  # whose first planes bend a little
        assert value == pytest.approx(-target.log_evidence)
        assert np.abs(gradient).max() < 1e-12
    moved = phi + 0.05 * rng.normal(size=len(phi))
    narrow = flows.tailed_elbo(target, flow, moved, eps, np.zeros((0, 2)))
    assert narrow[0] == pytest.approx(negative_elbo(target, flow, moved, eps)[0])
    assert narrow[1] == pytest.approx(negative_elbo(target, flow, moved, eps)[1])


def test_what_a_flow_leaves_out_is_seen() -> None:
    """A flow that maps all to a narrow part: what is proposed beside it shows that."""
    target = Gaussian(np.zeros(2), np.eye(2))
    whitened = Whitened(target, np.zeros(2), np.eye(2))
    flow = FLOWS["realnvp"](2)
    phi = flow.start(np.zeros(2), np.full(2, 0.1), np.random.default_rng(0))
    mapped = Mapped(whitened, flow, phi)
    shown = mapped.through(np.random.default_rng(1).normal(size=(4000, 2)))[0]
    proposed = flows._components(mapped, shown)
    eps, weights = correct(mapped, np.random.default_rng(2), proposed, 1000)
    w = mapped.through(eps)[0]
    assert np.sqrt(weights.weights @ w**2) == pytest.approx(np.ones(2), rel=0.1)
    assert weights.effective < 0.1 * len(w)
    assert correct(mapped, np.random.default_rng(2), proposed[:1], 1000)[1].pareto_k > 0.7


@pytest.mark.usefixtures("short")
def test_far_modes_are_rivals_still() -> None:
    found = fit("x ~ Flat()\nfactor log(exp(-0.5*(x - 20)^2) + exp(-0.5*(x + 20)^2))\n", guide="realnvp")
    assert found.verdict != "good"


@pytest.mark.usefixtures("short", "at_every_step")
def test_a_flow_under_way_is_resumed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(flows, "_MOST_STEPS", 300)
    posterior = ppl.from_text(BENT, "test.ppl").condition({})
    whole = posterior.fit(guide="realnvp", draws=500)
    file = tmp_path / "fit.checkpoint"
    watch = stops_at("flow, step 150", 1)
    cut = posterior.fit(guide="realnvp", draws=500, checkpoint=file, watch=watch)
    assert watch.stopped and cut.verdict != "good" and "interrupted" in " ".join(cut.reasons)
    assert_same(posterior.fit(guide="realnvp", draws=500, resume=file), whole)
