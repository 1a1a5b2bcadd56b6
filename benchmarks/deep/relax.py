"""Relaxed discrete latents at several temperatures, against enumeration: prints a table of the largest errors.

    python benchmarks/deep/relax.py

Two models. Classes of six groups whose means are known: the posterior has no dependence, so all that the guide is off
comes from relaxing. A spike and slab with eight indicators, 40 rows, two predictors alike: the guide, which knows no
dependence, is off whatever the temperature, and weights mend that.
"""

from __future__ import annotations

import time
from itertools import product

import numpy as np
from scipy import stats

import ppl
from ppl.compile.joint import compile_joint
from ppl.infer.stochastic import gumbel
from ppl.infer.stochastic.build import build
from ppl.infer.stochastic.wish import Wish
from ppl.rewrite.sum_out import sum_out

MEANS, SHARES = np.array([-1.0, 0.2, 1.5]), np.array([0.2, 0.3, 0.5])
CLASSES = "m = [-1, 0.2, 1.5]\nc[6] ~ Categorical([0.2, 0.3, 0.5])\ny ~ Normal(m[c[g]], 1)"
SPIKES = "z[8] ~ Bernoulli(0.3)\nbeta[8] ~ Normal(0, 1)\ny ~ Normal(X @ (z * beta), 1)"
TEMPERATURES = (0.1, 0.5, 1.0)


def classes() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Data, and the probabilities (6, 3) of classes."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(1, 7), [2, 3, 4, 2, 3, 4])
    y = MEANS[rng.choice(3, 6, p=SHARES)][g - 1] + rng.normal(size=len(g))
    logs = stats.norm(MEANS, 1).logpdf(y[:, None])
    total = np.log(SHARES) + np.array([logs[g == i].sum(axis=0) for i in range(1, 7)])
    return {"g": g, "y": y}, np.exp(total - np.logaddexp.reduce(total, axis=1, keepdims=True))


def spikes() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Data, and the probabilities (8, 2) of indicators: over all 256 models, the coefficients integrated out."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 8))
    x[:, 1] = 0.7 * x[:, 0] + 0.5 * x[:, 1]
    y = x @ [0.8, 0, 0, -0.5, 0.25, 0, 0, 0] + rng.normal(size=40)
    every = np.array(list(product((0, 1), repeat=8)))
    own = [np.eye(40) + (x * z) @ (x * z).T for z in every]
    logs = np.array([stats.multivariate_normal(np.zeros(40), cov).logpdf(y) for cov in own])
    logs += np.log(np.where(every, 0.3, 0.7)).sum(axis=1)
    one = np.exp(logs - np.logaddexp.reduce(logs)) @ every
    return {"X": x, "y": y}, np.column_stack([1 - one, one])


def row(text: str, name: str, data: dict[str, np.ndarray], exact: np.ndarray, temperature: float) -> str:
    began = time.process_time()
    posterior = ppl.from_text(text).relax(name, temperature=temperature).condition(data)
    fit = posterior.fit(seed=1)
    seconds = time.process_time() - began
    soft = posterior.relaxed
    assert soft is not None and fit.record.deep is not None
    plan = build(soft.model, compile_joint(soft.model, sum_out(soft.model)), Wish(), relaxed=soft).plan
    guide = np.exp(gumbel.log_probabilities(plan, fit.record.deep.phi)[name])
    k = next(rule.number for rule in fit.rules if rule.name == "relaxed draws")
    off, weighed = np.abs(guide - exact).max(), np.abs(fit.probabilities[name].T - exact).max()
    return f"{temperature:g} | {off:.3f} | {weighed:.3f} | {k:.2f} | {fit.elbo:.2f} | {fit.verdict} | {seconds:.1f}"


def main() -> None:
    print("| model | temperature | guide off by | draws off by | Pareto k | ELBO, nats | verdict | s of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for title, text, name, (data, exact) in (
        ("classes of groups", CLASSES, "c", classes()),
        ("spike and slab", SPIKES, "z", spikes()),
    ):
        for temperature in TEMPERATURES:
            print(f"| {title} | {row(text, name, data, exact, temperature)} |")


if __name__ == "__main__":
    main()
