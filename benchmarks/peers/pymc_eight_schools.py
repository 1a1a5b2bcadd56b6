"""Eight schools by PyMC: `fit` as it comes (ADVI, 10,000 steps), no progress bar, and its posterior's means."""

import csv
import sys

import numpy as np
import pymc as pm

with open(sys.argv[1], encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
observed, sigma = (np.array([float(row[name]) for row in rows]) for name in ("y", "sigma"))

with pm.Model():
    mu = pm.Normal("mu", 0, 5)
    tau = pm.HalfCauchy("tau", 5)
    raw = pm.Normal("theta_raw", 0, 1, shape=len(observed))
    pm.Normal("y", mu + tau * raw, sigma, observed=observed)
    found = pm.fit(random_seed=1, progressbar=False)
    posterior = found.sample(4000, random_seed=2).posterior
print(*(f"{name} {float(posterior[name].mean()):.2f} {float(posterior[name].std()):.2f}" for name in ("mu", "tau")))
