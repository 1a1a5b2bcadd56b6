"""Relaxed discrete latents at several temperatures, against enumeration: prints a table of the largest errors.

python benchmarks/deep/relax.py

Classes of six groups whose means are known: the posterior has no dependence, so all that the guide is off comes from
relaxing. A spike and slab with eight indicators, 40 rows, two predictors alike: the guide, which knows no dependence,
is off whatever the temperature, and weights mend that. A mixture of 200 rows, too many for weights, beside the fit that
sums out the classes.
"""

from __future__ import annotations

import tempfile
import time
from itertools import product
from pathlib import Path

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
TEMPERATURES = (0.1, 0.2, 0.5, 1.0)


MIXTURE = "m[2] ~ Normal([-1, 1], 2)\nk[rows] ~ Categorical([0.4, 0.6])\ny ~ Normal(m[k], 1)"


def classes() -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Data, the probabilities (6, 3) of classes, and the log evidence."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(1, 7), [2, 3, 4, 2, 3, 4])
    y = MEANS[rng.choice(3, 6, p=SHARES)][g - 1] + rng.normal(size=len(g))
    logs = stats.norm(MEANS, 1).logpdf(y[:, None])
    total = np.log(SHARES) + np.array([logs[g == i].sum(axis=0) for i in range(1, 7)])
    by_group = np.logaddexp.reduce(total, axis=1)
    return {"g": g, "y": y}, np.exp(total - by_group[:, None]), float(by_group.sum())


def spikes() -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Data, the probabilities (8, 2) of indicators over all 256 models, and the log evidence."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 8))
    x[:, 1] = 0.7 * x[:, 0] + 0.5 * x[:, 1]
    y = x @ [0.8, 0, 0, -0.5, 0.25, 0, 0, 0] + rng.normal(size=40)
    every = np.array(list(product((0, 1), repeat=8)))
    own = [np.eye(40) + (x * z) @ (x * z).T for z in every]
    logs = np.array([stats.multivariate_normal(np.zeros(40), cov).logpdf(y) for cov in own])
    logs += np.log(np.where(every, 0.3, 0.7)).sum(axis=1)
    evidence = float(np.logaddexp.reduce(logs))
    one = np.exp(logs - evidence) @ every
    return {"X": x, "y": y}, np.column_stack([1 - one, one]), evidence


def row(
    text: str, name: str, data: dict[str, np.ndarray], exact: np.ndarray, evidence: float, temperature: float
) -> str:  # fmt: skip
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
    below = evidence - fit.elbo
    return f"{temperature:g} | {off:.3f} | {weighed:.3f} | {k:.2f} | {below:.2f} | {fit.verdict} | {seconds:.1f}"


def mixture() -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200) < 0.6, 2.0, -2.0) + rng.normal(size=200)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text("y\n" + "\n".join(f"{v:.17g}" for v in y) + "\n")
        exact = ppl.from_text(MIXTURE).condition(path).fit(seed=1)
        mean, sd = exact.draws["m"].mean(axis=0), exact.draws["m"].std(axis=0)
        for temperature in TEMPERATURES:
            fit = ppl.from_text(MIXTURE).relax("k", temperature=temperature).condition(path).fit(seed=1)
            off = np.abs(fit.draws["m"].mean(axis=0) - mean) / sd
            apart = np.abs(fit.probabilities["k"] - exact.probabilities["k"])
            print(f"| {temperature:g} | {off.max():.2f} | {apart.mean():.3f} | {apart.max():.3f} | {fit.verdict} |")


def main() -> None:
    print("| model | temperature | guide off by | draws off by | Pareto k | ELBO below evidence | verdict | s of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for title, text, name, known in (
        ("classes of groups", CLASSES, "c", classes()),
        ("spike and slab", SPIKES, "z", spikes()),
    ):
        for temperature in TEMPERATURES:
            print(f"| {title} | {row(text, name, *known, temperature)} |")
    print("\n| temperature | means off by, posterior sds | probabilities, on average | at most | verdict |")
    print("|---|---|---|---|---|")
    mixture()


if __name__ == "__main__":
    main()
