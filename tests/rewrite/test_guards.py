"""A density is minus infinity where a parameter or the value is none; nothing guards what cannot go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import ppl
from ppl.model import terms
from ppl.model.density import Guarded

Y = np.array([0.3, -0.7, 1.1])


def _posterior(text: str, **data: Any) -> ppl.Posterior:
    return ppl.from_text(text).condition({"y": Y, **data})


def _guards(posterior: ppl.Posterior) -> int:
    """How many guards are left in all densities of a model."""
    model = posterior.model
    log_probs = [factor.log_prob for factor in model.factors]
    log_probs += [piece.log_prob for latent in (*model.latents, *model.simulated) for piece in latent.pieces]
    return sum(term.op is not None and isinstance(term.op.apply, Guarded) for term in terms.ancestors(log_probs))


def test_a_negative_scale_has_no_density() -> None:
    posterior = _posterior("a ~ Normal(0, 1)\nb ~ Normal(0, 1)\ny ~ Normal(0, a - b)")
    assert _guards(posterior) == 1
    assert posterior.log_density({"a": -1.0, "b": 1.0}) == -np.inf
    expected = stats.norm.logpdf([2.0, 0.5]).sum() + stats.norm.logpdf(Y, 0, 1.5).sum()
    assert posterior.log_density({"a": 2.0, "b": 0.5}) == pytest.approx(expected)


def test_probabilities_that_do_not_sum_to_one_have_no_density() -> None:
    posterior = _posterior("a ~ Uniform(0, 1)\nz ~ Categorical([a, 0.5])", z=np.array([1, 2, 2]))
    assert posterior.log_density({"a": 0.4}) == -np.inf
    assert posterior.log_density({"a": 0.5}) == pytest.approx(3 * np.log(0.5))


def test_one_draw_without_density_does_not_spoil_the_others() -> None:
    posterior = _posterior("a ~ Normal(0, 1)\ny ~ Normal(0, 2 * a)")
    found = posterior.joint.log_density({"a": np.array([-1.0, 1.0])})
    assert found[0] == -np.inf
    assert found[1] == pytest.approx(stats.norm.logpdf(1.0) + stats.norm.logpdf(Y, 0, 2).sum())


@pytest.mark.parametrize(
    "text",
    [
        "s ~ HalfNormal(1)\ny ~ Normal(0, s)",
        "s ~ HalfNormal(1)\nt ~ Exponential(1)\ny ~ Normal(0, sqrt(s^2 + t) + 0.1)",
        "u ~ Normal(0, 1)\ny ~ Normal(0, exp(u))",
        "p[3] ~ Dirichlet(1)\nz ~ Categorical(p)\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)",
        "e[3] ~ Normal(0, 1)\nz ~ Categorical(softmax(e))\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)",
        "u ~ Normal(0, 1)\nz2 ~ Bernoulli(inv_logit(u))",
    ],
)
def test_what_cannot_go_wrong_is_not_guarded(text: str) -> None:
    assert _guards(_posterior(text, z=np.array([1, 2, 3]), z2=np.array([0, 1, 1]))) == 0


@pytest.mark.parametrize(
    "text",
    [
        "s ~ Normal(0, 1)\ny ~ Normal(0, s^3)",
        "s ~ HalfNormal(1)\ny ~ Normal(0, s - 0.1)",
        "u ~ HalfNormal(1)\nz2 ~ Bernoulli(2 * u)",
        "e[3] ~ Uniform(0, 1)\nz ~ Categorical(e)",
    ],
)
def test_what_can_go_wrong_is_guarded(text: str) -> None:
    assert _guards(_posterior(text, z=np.array([1, 2, 3]), z2=np.array([0, 1, 1]))) == 1


def test_the_value_of_an_expression_keeps_to_its_bounds() -> None:
    posterior = _posterior("a ~ Normal(0, 1)\nb ~ Normal(0, 1)\na + b ~ Normal(0, 1) > 0\ny ~ Normal(a, 1)")
    assert posterior.log_density({"a": -1.0, "b": 0.5}) == -np.inf
    expected = stats.norm.logpdf([1.0, 0.5, 1.5]).sum() + np.log(2) + stats.norm.logpdf(Y, 1.0).sum()
    assert posterior.log_density({"a": 1.0, "b": 0.5}) == pytest.approx(expected)


def test_a_simulated_name_outside_its_bounds_has_no_density() -> None:
    posterior = _posterior("a ~ Normal(0, 1)\ny ~ Normal(a, 1)\nnew ~ Normal(a, 1) > 0")
    assert posterior.log_density({"a": 0.0, "new": -1.0}) == -np.inf
    assert np.isfinite(posterior.log_density({"a": 0.0, "new": 1.0}))
