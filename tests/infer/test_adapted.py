"""Proposals adapted to their own weights: bends, funnels, far higher modes, and what they must not cover up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ppl
from ppl.infer import adapted, pipeline
from ppl.infer.draws import generator
from ppl.infer.importance import Weights
from ppl.infer.verdict import Verdict, judge

BANANA = "x ~ Flat()\ny ~ Flat()\nfactor -x^2/200\nfactor -0.5*(y + 0.1*x^2 - 10)^2"
FUNNEL = "v ~ Flat()\nx ~ Flat()\nfactor -0.5*(v/3)^2\nfactor -0.5*x^2*exp(-v) - 0.5*v"
TWO = "x[4] ~ Flat()\nfactor logsumexp([-2*sum((x - 4)^2), -0.5*sum((x + 4)^2) - 30])"


def fit(text: str, **options: object) -> ppl.Fit:
    return ppl.from_text(text, "test.ppl").condition({}).fit(**options)  # type: ignore[arg-type]


def approximation(text: str) -> pipeline.Approximation:
    return pipeline.approximate(ppl.from_text(text, "test.ppl").condition({}).joint, 1, 1000)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_banana(seed: int) -> None:
    """x ~ Normal(0, 10), y ~ Normal(10 - 0.1 x^2, 1): moments in closed form."""
    found = fit(BANANA, seed=seed)
    assert found.record.tried[-1].rung == "adapted mixture" and found.verdict == "good", found.reasons
    x, y = (found.record.quantities[name] for name in "xy")
    assert abs(float(x.mean)) < 1.0 and abs(float(y.mean)) < 0.1 * np.sqrt(201)
    assert (float(x.sd), float(y.sd)) == pytest.approx((10.0, np.sqrt(201)), rel=0.1)


def test_a_funnel() -> None:
    """v ~ Normal(0, 3), x ~ Normal(0, exp(v/2)): the sd of x is e^2.25, but rests on draws that are too far and few."""
    found = fit(FUNNEL, guide="adapted")
    v, x = (found.record.quantities[name] for name in "vx")
    assert float(v.mean) == pytest.approx(0.0, abs=0.1)
    assert float(v.sd) == pytest.approx(3.0, rel=0.03)
    rng = np.random.default_rng(1)
    exact = np.quantile(np.exp(1.5 * rng.normal(size=1_000_000)) * rng.normal(size=1_000_000), [0.05, 0.95])
    draws = np.asarray(found.draws["x"]).ravel()
    assert np.quantile(draws, [0.05, 0.95]) == pytest.approx(exact, rel=0.15)
    assert float(x.sd) < 1.2 * np.exp(2.25)


def test_what_has_no_integral_stays_refused() -> None:
    found = ppl.from_text("a ~ Flat()\nb ~ Flat()\ny ~ Normal(a*b, 1)", "test.ppl").condition({"y": 1.0})
    assert found.fit(guide="adapted").verdict == "do not use"


class Pinnacle:
    """A standard Gaussian, but that the proposal furthest to the right of each set has 10,000 nats more."""

    dimension = 2
    draws_at_once = 100_000

    def value(self, z: np.ndarray) -> np.ndarray:
        self.highest = z[np.argmax(z[:, 0])]
        return np.asarray(-0.5 * (z**2).sum(axis=1) + 1e4 * (z[:, 0] == self.highest[0]))


def test_a_proposal_that_outweighs_all_others() -> None:
    target = Pinnacle()
    z = generator(1, 0).standard_normal((1000, 2))
    found = replace(approximation(FUNNEL), z=z, weights=Weights(np.full(1000, 1e-3), 0.9))
    with pytest.raises(adapted.Outweighed) as higher:
        adapted.rounds(target, found.z, found.weights, 1, 1000)  # type: ignore[arg-type]
    assert np.array_equal(higher.value.z, target.highest)


def test_a_far_higher_mode_is_gone_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is the lower of two modes; a point on the slope of the other makes all begin again from there."""
    joint = ppl.from_text(TWO, "test.ppl").condition({}).joint
    found = pipeline.approximate(joint, 1, 1000)
    lower = replace(found, z=found.z - 8, evidence=replace(found.evidence, pareto_k=0.9))

    def slope(*_: object) -> object:
        raise adapted.Outweighed(np.full(4, 3.0))

    monkeypatch.setattr(adapted, "rounds", slope)
    again = adapted.adapted(joint, lower, 1, 1000)
    assert again is not None and judge(again.evidence)[0] == Verdict.GOOD
    mean = again.weights.weights @ again.z
    sd = np.sqrt(again.weights.weights @ (again.z - mean) ** 2)
    assert mean == pytest.approx(np.full(4, 4.0), rel=0.02)
    assert sd == pytest.approx(np.full(4, 0.5), rel=0.05)


def test_a_far_higher_mode_with_rivals_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun again goes on to the mixture over modes, not the lower mode that it was left for."""
    joint = ppl.from_text(TWO, "test.ppl").condition({}).joint
    found = pipeline.approximate(joint, 1, 1000)
    higher = replace(found, evidence=replace(found.evidence, rivals=1))

    def slope(*_: object) -> object:
        raise adapted.Outweighed(np.full(4, 3.0))

    monkeypatch.setattr(adapted, "rounds", slope)
    monkeypatch.setattr(adapted, "approximate", lambda *_, **__: higher)
    lower = replace(found, z=found.z - 8, evidence=replace(found.evidence, pareto_k=0.9))
    assert adapted.adapted(joint, lower, 1, 1000) is higher


def test_where_it_has_nothing_to_offer() -> None:
    joint = ppl.from_text("x[13] ~ Flat()\nfactor -0.5*x^2", "test.ppl").condition({}).joint
    assert adapted.adapted(joint, pipeline.approximate(joint, 1, 1000), 1, 1000) is None  # among too many coordinates
    joint = ppl.from_text(FUNNEL, "test.ppl").condition({}).joint
    found = approximation(FUNNEL)
    rivals = replace(found, evidence=replace(found.evidence, rivals=1))
    assert adapted.adapted(joint, rivals, 1, 1000) is None  # other modes are for the mixture over modes


def test_few_proposals_are_at_best_usable() -> None:
    """What a hasty rung leaves is no good verdict, even where Pareto k is below its limit."""
    evidence = pipeline.approximate(ppl.from_text(BANANA, "test.ppl").condition({}).joint, 1, hasty=True).evidence
    assert evidence.few == 1 and evidence.draws == 20_000 and evidence.pareto_k > 0.5
    mended = replace(evidence, pareto_k=0.6, effective=1000.0, wider=0.0)
    assert judge(mended)[0] == Verdict.USABLE
    assert judge(replace(mended, few=0))[0] == Verdict.GOOD


def test_components_have_the_moments_of_what_they_are_fitted_to() -> None:
    """Two Gaussian clouds: the mixture's mean and covariance are theirs, but for the widening."""
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(size=(1500, 2)) - 4, 0.5 * rng.normal(size=(1500, 2)) + [4, 0]])
    components = adapted.fitted(points, generator(1, 1))
    shares = np.array([one.share for one in components])
    means = np.array([one.mean for one in components])
    assert shares.sum() == pytest.approx(1.0)
    assert shares @ means == pytest.approx(points.mean(axis=0), abs=0.02)
    within = sum(share * one.root @ one.root.T for share, one in zip(shares, components, strict=True))
    between = np.cov(means, rowvar=False, aweights=shares, bias=True)
    assert np.diag(within + between) == pytest.approx(points.var(axis=0), rel=0.06)
