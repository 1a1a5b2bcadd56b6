"""Eight schools by NumPyro: AutoNormal, Adam 0.01, 10,000 steps, no progress bar, and its posterior's means."""

import csv
import sys

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

with open(sys.argv[1], encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
y, sigma = (jnp.array([float(row[name]) for row in rows]) for name in ("y", "sigma"))


def model() -> None:
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("school", len(y)):
        raw = numpyro.sample("theta_raw", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + tau * raw, sigma), obs=y)


guide = AutoNormal(model)
svi = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
found = svi.run(jax.random.PRNGKey(1), 10_000, progress_bar=False)
draws = guide.sample_posterior(jax.random.PRNGKey(2), found.params, sample_shape=(4000,))
print(*(f"{name} {float(draws[name].mean()):.2f} {float(draws[name].std()):.2f}" for name in ("mu", "tau")))
