"""NumPyro, long runs -> models/NAME.reference.json: the examples that have no closed form.

The models are written here by hand and share nothing with ppl but the tables in models/. Priors and likelihoods are
those of the .ppl files; where a model is written in other coordinates, for the sampler's sake, it says so.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpyro

numpyro.set_host_device_count(4)
numpyro.enable_x64()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import numpyro.distributions as dist  # noqa: E402
import store  # noqa: E402
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin  # noqa: E402
from numpyro.infer import MCMC, NUTS  # noqa: E402

CHAINS = 4
WARMUP = 5_000
DRAWS = 100_000
TARGET_ACCEPT = 0.95


@dataclass(frozen=True)
class Problem:
    """`model` takes nothing; `names` are the sites to keep, each with the labels of its elements, none for a scalar."""

    model: Callable[[], None]
    names: Mapping[str, Sequence[str] | None]


Table = dict[str, np.ndarray]


def read(model: str) -> Table:
    """The columns of models/MODEL.csv, as numbers where all cells are."""
    with (store.MODELS / f"{model}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for name in rows[0]:
        cells = [row[name] for row in rows]
        try:
            columns[name] = np.array([float(cell) for cell in cells])
        except ValueError:
            columns[name] = np.array(cells)
    return columns


def linear_regression() -> Problem:
    """In terms of the line's height at the mean of the predictors; given beta its prior is that of alpha, shifted."""
    table = read("linear_regression")
    names = ["year", "march", "snow"]
    predictors = np.column_stack([table[name] for name in names])
    middle = predictors.mean(axis=0)

    def model() -> None:
        beta = numpyro.sample("beta", dist.Normal(0, 10).expand([3]).to_event(1))
        height = numpyro.sample("height", dist.Normal(middle @ beta, 1000))
        numpyro.deterministic("alpha", height - middle @ beta)
        sigma = numpyro.sample("sigma", dist.HalfNormal(10))
        numpyro.sample("breakup", dist.Normal(height + (predictors - middle) @ beta, sigma), obs=table["breakup"])

    return Problem(model, {"alpha": None, "beta": names, "sigma": None})


def eight_schools() -> Problem:
    table = read("eight_schools")
    schools, position = np.unique(table["school"], return_inverse=True)

    def model() -> None:
        mu = numpyro.sample("mu", dist.Normal(0, 5))
        tau = numpyro.sample("tau", dist.HalfCauchy(5))
        raw = numpyro.sample("theta_raw", dist.Normal(0, 1).expand([len(schools)]).to_event(1))
        theta = numpyro.deterministic("theta", mu + tau * raw)
        numpyro.sample("y", dist.Normal(theta[position], table["sigma"]), obs=table["y"])

    return Problem(model, {"mu": None, "tau": None, "theta_raw": schools, "theta": schools})


def varying_intercepts() -> Problem:
    table = read("varying_intercepts")
    villages, first, position = np.unique(table["village"], return_index=True, return_inverse=True)
    rain = table["rain"][first]

    def model() -> None:
        a = numpyro.sample("a", dist.Normal(0, 5))
        b = numpyro.sample("b", dist.Normal(0, 2))
        tau = numpyro.sample("tau", dist.HalfNormal(1))
        alpha = numpyro.sample("alpha", dist.Normal(a + b * (rain - 400) / 100, tau).to_event(1))
        beta = numpyro.sample("beta", dist.Normal(0, 1))
        sigma = numpyro.sample("sigma", dist.HalfNormal(2))
        mean = alpha[position] + beta * table["nitrogen"]
        numpyro.sample("harvest", dist.Normal(mean, sigma), obs=table["harvest"])

    return Problem(model, {"a": None, "b": None, "tau": None, "alpha": villages, "beta": None, "sigma": None})


def logistic() -> Problem:
    table = read("logistic")
    treated = np.where(table["treated"] == "yes", 1.0, 0.0)

    def model() -> None:
        alpha = numpyro.sample("alpha", dist.Normal(0, 5))
        mite = numpyro.sample("mite", dist.Normal(0, 1))
        honey = numpyro.sample("honey", dist.Normal(0, 1))
        treatment = numpyro.sample("treatment", dist.Normal(0, 2))
        logits = alpha + mite * table["mites"] + honey * table["stores"] + treatment * treated
        numpyro.sample("survived", dist.Bernoulli(logits=logits), obs=table["survived"])

    return Problem(model, dict.fromkeys(["alpha", "mite", "honey", "treatment"]))


def poisson() -> Problem:
    table = read("poisson")
    kinds, position = np.unique(table["kind"], return_inverse=True)

    def model() -> None:
        alpha = numpyro.sample("alpha", dist.Normal(0, 3).expand([len(kinds)]).to_event(1))
        beta = numpyro.sample("beta", dist.Normal(0, 1))
        rate = table["years"] * jnp.exp(alpha[position]) * table["traffic"] ** beta
        numpyro.sample("accidents", dist.Poisson(rate), obs=table["accidents"])

    return Problem(model, {"alpha": kinds, "beta": None})


def robust_regression() -> Problem:
    table = read("robust_regression")

    def model() -> None:
        alpha = numpyro.sample("alpha", dist.Normal(0, 100))
        beta = numpyro.sample("beta", dist.Normal(0, 10))
        sigma = numpyro.sample("sigma", dist.HalfNormal(10))
        nu = numpyro.sample("nu", dist.Gamma(2, 0.1))
        mean = alpha + beta * table["outside"]
        numpyro.sample("energy", dist.StudentT(nu, mean, sigma), obs=table["energy"])

    return Problem(model, dict.fromkeys(["alpha", "beta", "sigma", "nu"]))


PROBLEMS = {
    problem.__name__: problem
    for problem in (linear_regression, eight_schools, varying_intercepts, logistic, poisson, robust_regression)
}


def sample(problem: Problem, seed: int) -> tuple[dict[str, np.ndarray], int]:
    """The draws (chain, draw) of every scalar by its label, and how many transitions diverged."""
    kernel = NUTS(problem.model, target_accept_prob=TARGET_ACCEPT, dense_mass=True)
    mcmc = MCMC(kernel, num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS, progress_bar=False)
    mcmc.run(jax.random.PRNGKey(seed))
    found = mcmc.get_samples(group_by_chain=True)
    scalars = {}
    for name, levels in problem.names.items():
        draws = np.asarray(found[name])
        if levels is None:
            scalars[name] = draws
        else:
            scalars |= {f"{name}[{level}]": draws[:, :, i] for i, level in enumerate(levels)}
    return scalars, int(mcmc.get_extra_fields()["diverging"].sum())


def effective_in_tails(draws: np.ndarray) -> float:
    """The smaller of the effective sample sizes of the 5 % and the 95 % quantile (Vehtari et al. 2021)."""
    q5, q95 = np.quantile(draws, [0.05, 0.95])
    return min(effective_sample_size(1.0 * (draws <= q)) for q in (q5, q95))


def summarise(draws: np.ndarray) -> dict[str, float]:
    """mcse_mean is the sd over the root of the effective sample size."""
    q5, q50, q95 = np.quantile(draws, [0.05, 0.5, 0.95])
    sd = draws.std()
    mcse = sd / np.sqrt(effective_sample_size(draws))
    return {"mean": draws.mean(), "sd": sd, "q5": q5, "q50": q50, "q95": q95, "mcse_mean": mcse}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(PROBLEMS), metavar="MODEL", help=", ".join(PROBLEMS))
    for name in parser.parse_args().models:
        scalars, diverged = sample(PROBLEMS[name](), seed=20_000)
        rhat = max(split_gelman_rubin(draws) for draws in scalars.values())
        least = min(effective_sample_size(draws) for draws in scalars.values())
        tails = min(effective_in_tails(draws) for draws in scalars.values())
        source = (
            f"NumPyro {numpyro.__version__} NUTS, {CHAINS} chains x {DRAWS:,} draws after {WARMUP:,} of warm-up, "
            f"64 bits, target_accept {TARGET_ACCEPT}, dense mass matrix (benchmarks/references/run.py). "
            f"Worst R-hat {rhat:.5f}, least effective sample size {least:,.0f} ({tails:,.0f} in the tails), "
            f"divergent transitions {diverged}."
        )
        store.write(name, source, {label: summarise(draws) for label, draws in scalars.items()})
        print(f"{name}: {source}", flush=True)


if __name__ == "__main__":
    main()
