"""Point estimates (`Param`) against scipy's optimiser, closed forms, and marginal likelihoods written out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

import ppl

RNG = np.random.default_rng(7)
X = RNG.normal(size=40)
GROUP = np.repeat(np.arange(8), 5)
Y = 2 + RNG.normal(0, 1.5, 8)[GROUP] + 0.5 * X + RNG.normal(0, 0.7, 40)
HIT = (RNG.random(40) < 1 / (1 + np.exp(-(0.3 + 0.8 * X)))).astype(int)
LABELS = [f"g{i:02d}" for i in GROUP]
RANDOM_INTERCEPT = """
mu ~ Param()
b ~ Param()
tau ~ Param(1) > 0
s ~ Param() > 0
u[g] ~ Normal(mu, tau)
y ~ Normal(u[g] + b*x, s)
"""


def fitted(text: str, data: dict[str, object], **options: object) -> ppl.Fit:
    return ppl.from_text(text).condition(data).fit(draws=1000, **options)  # type: ignore[arg-type]


def estimates(fit: ppl.Fit, *names: str) -> np.ndarray:
    return np.concatenate([np.atleast_1d(fit.record.quantities[name].mean).reshape(-1) for name in names])


def errors(fit: ppl.Fit, *names: str) -> np.ndarray:
    return np.concatenate([np.atleast_1d(fit.record.quantities[name].sd).reshape(-1) for name in names])


def minimum(f: Callable[[np.ndarray], float], start: list[float]) -> tuple[np.ndarray, float, np.ndarray]:
    """Where scipy ends, the value there, and the inverse of the Hessian by plain differences."""
    found = optimize.minimize(f, start, method="BFGS", options={"gtol": 1e-7})
    x, n = found.x, len(found.x)
    steps = 1e-4 * np.eye(n)
    hessian = np.array(
        [[(f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b)) / 4e-8 for b in steps] for a in steps]
    )
    return x, float(found.fun), np.linalg.inv(hessian)


def test_linear_regression_is_the_closed_form() -> None:
    fit = fitted(
        "a ~ Param()\nb ~ Param()\ns ~ Param() > 0\ny ~ Normal(a + b*x, s)", {"x": X, "y": Y}, standard_errors=True
    )
    design = np.column_stack([np.ones(40), X])
    beta = np.linalg.lstsq(design, Y, rcond=None)[0]
    sigma = np.sqrt(np.mean((Y - design @ beta) ** 2))
    np.testing.assert_allclose(estimates(fit, "a", "b", "s"), [*beta, sigma], rtol=1e-7)
    information = design.T @ design / sigma**2
    expected = [*np.sqrt(np.diag(np.linalg.inv(information))), sigma / np.sqrt(2 * 40)]
    np.testing.assert_allclose(errors(fit, "a", "b", "s"), expected, rtol=1e-4)
    assert fit.elbo == pytest.approx(stats.norm(design @ beta, sigma).logpdf(Y).sum(), abs=1e-8)
    assert fit.verdict == "good" and np.ptp(fit.draws["a"]) == 0


def test_logistic_regression_is_scipys() -> None:
    fit = fitted("b[2] ~ Param()\ny ~ Bernoulli(logit = b[1] + b[2]*x)", {"x": X, "y": HIT}, standard_errors=True)
    x, value, inverse = minimum(
        lambda b: float(np.sum(np.logaddexp(0, b[0] + b[1] * X) - HIT * (b[0] + b[1] * X))), [0.0, 0.0]
    )
    np.testing.assert_allclose(estimates(fit, "b"), x, atol=1e-5)
    np.testing.assert_allclose(errors(fit, "b"), np.sqrt(np.diag(inverse)), rtol=1e-3)
    assert fit.elbo == pytest.approx(-value, abs=1e-8)


@pytest.mark.parametrize("em", [False, True], ids=["together", "in turn"])
def test_a_random_intercept_is_marginal_maximum_likelihood(em: bool) -> None:
    """Given the points the intercepts are independent and Gaussian, so that the ELBO is the marginal likelihood."""

    def minus_log_likelihood(p: np.ndarray) -> float:
        covariance = np.exp(2 * p[3]) * np.eye(40) + np.exp(2 * p[2]) * (GROUP[:, None] == GROUP)
        return -float(stats.multivariate_normal(p[0] + p[1] * X, covariance).logpdf(Y))

    fit = fitted(RANDOM_INTERCEPT, {"g": LABELS, "x": X, "y": Y}, standard_errors=True, em=em)
    p, value, inverse = minimum(minus_log_likelihood, [2.0, 0.5, 0.0, 0.0])
    np.testing.assert_allclose(estimates(fit, "mu", "b", "tau", "s"), [*p[:2], *np.exp(p[2:])], rtol=1e-5)
    assert fit.elbo == pytest.approx(-value, abs=1e-5)
    jacobian = np.array([1, 1, *np.exp(p[2:])])
    np.testing.assert_allclose(errors(fit, "mu", "b", "tau", "s"), jacobian * np.sqrt(np.diag(inverse)), rtol=0.01)
    # the intercepts, given the points: shrunk means of groups
    tau, s = np.exp(p[2:])
    residual = (Y - p[1] * X).reshape(8, 5).mean(axis=1)
    precision = 5 / s**2 + 1 / tau**2
    np.testing.assert_allclose(
        fit.record.quantities["u"].mean, (5 * residual / s**2 + p[0] / tau**2) / precision, rtol=1e-3
    )
    np.testing.assert_allclose(fit.record.quantities["u"].sd, precision**-0.5, rtol=0.02)
    assert fit.verdict == "good"


def test_the_same_seed_gives_the_same_bits() -> None:
    one, two = (fitted(RANDOM_INTERCEPT, {"g": LABELS, "x": X, "y": Y}, seed=3) for _ in range(2))
    assert all((one.draws[name] == two.draws[name]).all() for name in one.draws)


def test_points_by_level_and_between_bounds() -> None:
    fit = fitted("m[g] ~ -10 < Param() < 10\ny ~ Normal(m[g], 0.7)", {"g": LABELS, "y": Y})
    np.testing.assert_allclose(estimates(fit, "m"), Y.reshape(8, 5).mean(axis=1), atol=1e-5)


def test_a_mixture_is_summed_out_and_its_points_estimated() -> None:
    y = np.concatenate([RNG.normal(-2, 1, 20), RNG.normal(2, 1, 10)])
    text = "p ~ 0 < Param() < 1\nm[2] ~ Ordered(Param())\nz[30] ~ Bernoulli(p)\ny ~ Normal(m[z + 1], 1)"
    fit = fitted(text.replace("m[z + 1]", "m[1] + z*(m[2] - m[1])"), {"y": y})

    def minus_log_likelihood(v: np.ndarray) -> float:
        share = 1 / (1 + np.exp(-v[0]))
        parts = [np.log(1 - share) + stats.norm(v[1], 1).logpdf(y), np.log(share) + stats.norm(v[2], 1).logpdf(y)]
        return -float(np.logaddexp(*parts).sum())

    v, value, _ = minimum(minus_log_likelihood, [0.0, -1.0, 1.0])
    np.testing.assert_allclose(estimates(fit, "p", "m"), [1 / (1 + np.exp(-v[0])), v[1], v[2]], rtol=1e-4)
    assert fit.elbo == pytest.approx(-value, abs=1e-6)


def test_principal_components_have_the_closed_likelihood_and_are_not_unique() -> None:
    """Tipping and Bishop 1999: the noise is the mean of the smallest eigenvalues; the loadings can be turned."""
    y = RNG.normal(size=(20, 2)) @ RNG.normal(size=(2, 4)) + 0.5 * RNG.normal(size=(20, 4))
    y = y - y.mean(axis=0)
    fit = fitted("W[2, 4] ~ Param()\ns ~ Param() > 0\nz[20, 2] ~ Normal(0, 1)\ny ~ Normal(z @ W, s)", {"y": y})
    large, small = np.split(np.sort(np.linalg.eigvalsh(y.T @ y / 20))[::-1], [2])
    expected = -10 * (4 * np.log(2 * np.pi) + np.log(large).sum() + 2 * np.log(small.mean()) + 4)
    assert fit.elbo == pytest.approx(expected, abs=1e-4)
    assert estimates(fit, "s")[0] == pytest.approx(np.sqrt(small.mean()), rel=1e-5)
    assert fit.verdict == "usable" and "as good as those found" in fit.reasons[0] and "`W`" in fit.reasons[0]


@pytest.mark.parametrize(
    ("text", "data", "blamed"),
    [
        pytest.param(
            "a ~ Param()\nb ~ Param()\ny ~ Bernoulli(logit = a + b*x)",
            {"x": np.linspace(-1, 1, 20), "y": (np.linspace(-1, 1, 20) > 0).astype(int)},
            "`b`",
            id="separation",
        ),
        pytest.param(
            "mu ~ Param()\ntau ~ Param(5) > 0\ntheta[8] ~ Normal(mu, tau)\ny ~ Normal(theta, sigma)",
            {"y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]},
            "`tau`",
            id="a scale that goes to zero",
        ),
        pytest.param(
            "m[g] ~ Param()\ns[g] ~ Param() > 0\ny ~ Normal(m[g], s[g])",
            {"g": ["a", "a", "a", "b"], "y": [1.0, 2.0, 4.0, 3.0]},
            "`s`",
            id="a density without bounds",
        ),
        pytest.param("a ~ Param()\nb ~ Param()\ny ~ Normal(a + b, 1)", {"y": Y}, "`a`", id="only a sum"),
    ],
)
def test_what_nothing_holds_is_not_to_be_used(text: str, data: dict[str, object], blamed: str) -> None:
    fit = fitted(text, data)
    assert fit.verdict == "do not use"
    assert any(blamed in reason for reason in fit.reasons)


def test_the_mode_of_everything() -> None:
    """`guide="point"`: the largest joint density by points and the latents' coordinates."""
    data = {"x": X, "y": Y}
    fit = fitted("a ~ Normal(0, 1)\nb ~ Param()\ns ~ Param() > 0\ny ~ Normal(a + b*x, s)", data, guide="point")
    p, _, _ = minimum(
        lambda p: -float(stats.norm(p[0] + p[1] * X, np.exp(p[2])).logpdf(Y).sum() + stats.norm.logpdf(p[0])),
        [1.0, 0, 0],
    )
    np.testing.assert_allclose(estimates(fit, "b", "s"), [p[1], np.exp(p[2])], rtol=1e-5)
    assert fit.draws["a"].mean() == pytest.approx(p[0], abs=0.02)
    assert fit.verdict == "usable"


def test_no_standard_errors_unless_they_are_asked_for() -> None:
    fit = fitted("a ~ Param()\ny ~ Normal(a, 1)", {"y": Y})
    assert np.isnan(fit.summary()["a"]["sd"]) and fit.summary()["a"]["mean"] == pytest.approx(Y.mean())
