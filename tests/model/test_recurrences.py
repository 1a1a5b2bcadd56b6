"""Names with a past of their own: values beside a loop over time, gradients beside differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ppl
from ppl.model import linear_steps

T = 8
Y = np.array([0.4, -1.3, 2.2, 0.9, -0.2, 1.7, 3.0, -0.6])
DATA: dict[str, Any] = {"y": Y, "T": T, "w": np.array([0.5, 0.3, 0.2]), "M": np.array([[0.6, 0.2], [-0.1, 0.5]])}
MODELS = {
    "garch": """
a ~ Uniform(0, 1)
b ~ Uniform(0, 1)
s[1] = 0.5
for t in 2..T { s[t] = sqrt(0.1 + a*y[t-1]^2 + b*s[t-1]^2) }
y ~ Normal(0, s)""",
    "moving_average": """
mu ~ Normal(0, 1)
theta ~ Normal(0, 1)
err[1] = y[1] - mu
for t in 2..T { err[t] = y[t] - mu - theta*err[t-1] }
y[1] ~ Normal(mu, 1)
for t in 2..T { y[t] ~ Normal(mu + theta*err[t-1], 1) }""",
    "two_names": """
mu ~ Normal(0, 1)
theta ~ Normal(0, 1)
nu[1] = mu
nu[2] = 2*mu
err[1] = y[1] - nu[1]
err[2] = -y[2] / 3
for t in 3..T {
  nu[t] = mu + theta*err[t-1]/2
  err[t] = -(y[t] - nu[t])
}
y ~ Normal(nu, 1)""",
    "moving_factor": """
a ~ Normal(0, 1)
b ~ Normal(0, 1)
x[1] = a
for t in 2..T { x[t] = (x[t-1]*b - a) * y[t] + 0.1*t }
y ~ Normal(x, 1)""",
    "from_data": """
k ~ Beta(2, 2)
h[1] = 0
for t in 2..T { h[t] = k*h[t-1] + 0.1*y[t-1] }
y ~ Normal(h, 1)""",
    "moving_squares": """
a ~ Normal(0, 1)
b ~ Normal(0, 1)
s[1] = -0.5
for t in 2..T { s[t] = sqrt(s[t-1]^2*y[t]^2*exp(a) + exp(b)) }
for t in 2..T { e[t] = s[t-1] + s[t] }
e[1] = 1
y ~ Normal(e, abs(s))""",
    "two_states": """
a ~ Normal(0, 1)
u[1] = a
v[1] = 0.5
for t in 2..T {
  u[t] = 0.5*u[t-1] + tanh(v[t-1])
  v[t] = a*u[t] - 0.2*v[t-1]
}
y ~ Normal(u + v, 1)""",
    "two_lags": """
a ~ Normal(0, 1)
b ~ Normal(0, 1)
x[1] = a
x[2] = b
for t in 3..T { x[t] = 0.5*x[t-1] - b*x[t-2] + 0.1*t }
y ~ Normal(x, 1)""",
    "renewal": """
r ~ Normal(0, 1)
i[1..3] = 1
for t in 4..T { i[t] = exp(0.1*r)*sum(w[k]*i[t-k] for k in 1..3) }
y ~ Normal(i, 1)""",
    "vectors": """
a ~ Normal(0, 1)
x[1, 1..2] = [a, 1]
for t in 2..T { x[t, 1..2] = M @ x[t-1, :] + 0.1*a }
y ~ Normal(x[:, 1], 1)""",
}


@pytest.mark.parametrize("name", MODELS)
def test_gradient(name: str) -> None:
    joint = ppl.from_text(MODELS[name], name).condition(DATA).joint
    z = np.random.default_rng(1).normal(size=(3, joint.dimension)) * 0.5
    _, gradient = joint.value_and_gradient(z)
    for column in range(joint.dimension):
        step = np.zeros(joint.dimension)
        step[column] = 1e-5
        expected = (joint.value(z + step) - joint.value(z - step)) / 2e-5
        assert gradient[:, column] == pytest.approx(expected, rel=1e-6, abs=1e-7)


LINEAR = ("garch", "moving_average", "two_names", "moving_factor", "from_data", "moving_squares")


@pytest.mark.parametrize("name", MODELS)
def test_linear_steps_are_solved_and_give_what_a_scan_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = linear_steps.solved
    kinds = []

    def watched(*args: Any) -> Any:
        kinds.append(found := solve(*args))
        return found

    monkeypatch.setattr(linear_steps, "solved", watched)
    fast = ppl.from_text(MODELS[name], name).condition(DATA).joint
    assert [found is not None for found in kinds] == [name in LINEAR]
    monkeypatch.setattr(linear_steps, "solved", lambda *args: None)
    slow = ppl.from_text(MODELS[name], name).condition(DATA).joint
    z = np.random.default_rng(2).normal(size=(4, slow.dimension))
    for one, other in zip(fast.value_and_gradient(z), slow.value_and_gradient(z), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_values() -> None:
    """Two states that need each other, and a draw beside others."""
    posterior = ppl.from_text(MODELS["two_states"]).condition(DATA)
    found = []
    for a in (0.3, -1.2):
        u, v = [a], [0.5]
        for _ in range(1, T):
            u.append(0.5 * u[-1] + np.tanh(v[-1]))
            v.append(a * u[-1] - 0.2 * v[-1])
        mean = np.array(u) + np.array(v)
        found.append(-0.5 * (((Y - mean) ** 2).sum() + a**2 + (T + 1) * np.log(2 * np.pi)))
    assert posterior.joint.log_density({"a": np.array([0.3, -1.2])}) == pytest.approx(found)
