"""formulas -> models/{normal_mean,beta_binomial}.reference.json: the two conjugate examples, exactly."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import scipy
import store
from scipy import stats


def normal_mean() -> None:
    """Normal prior on a mean, normal data of known variance: precisions add."""
    weight = np.array([float(row["weight"]) for row in table("normal_mean")])
    prior_mean, prior_precision, data_precision = 1000.0, 1 / 10**2, len(weight) / 4**2
    precision = prior_precision + data_precision
    mean = (prior_precision * prior_mean + data_precision * weight.mean()) / precision
    formula = "Closed form: mu | weight ~ Normal(m, 1/sqrt(P)), P = 1/10^2 + n/4^2, m = (1000/10^2 + sum(weight)/4^2)/P"
    keep("normal_mean", formula, "mu", stats.norm(mean, 1 / np.sqrt(precision)))


def beta_binomial() -> None:
    """Beta prior on a proportion, binomial data: successes and failures add."""
    rows = table("beta_binomial")
    germinated = sum(int(row["germinated"]) for row in rows)
    sown = sum(int(row["sown"]) for row in rows)
    formula = "Closed form: p | germinated ~ Beta(2 + sum(germinated), 2 + sum(sown) - sum(germinated))"
    keep("beta_binomial", formula, "p", stats.beta(2 + germinated, 2 + sown - germinated))


def table(model: str) -> list[dict[str, str]]:
    with (store.MODELS / f"{model}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def keep(model: str, formula: str, label: str, posterior: Any) -> None:
    """`posterior` is a frozen distribution of scipy."""
    q5, q50, q95 = posterior.ppf([0.05, 0.5, 0.95])
    numbers = {"mean": posterior.mean(), "sd": posterior.std(), "q5": q5, "q50": q50, "q95": q95, "mcse_mean": 0.0}
    store.write(model, f"{formula}; quantiles by SciPy {scipy.__version__}.", {label: numbers})


if __name__ == "__main__":
    normal_mean()
    beta_binomial()
