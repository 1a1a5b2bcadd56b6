"""NumPyro, long runs, and exact.py -> benchmarks/hard/NAME.reference.json.

The models are written here by hand and share nothing with ppl but the tables. Priors and likelihoods are those of the
.ppl files; the coordinates are those that a sampler likes best. Every long run is checked against something known.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpyro

numpyro.set_host_device_count(4)
numpyro.enable_x64()

import exact  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import numpyro.distributions as dist  # noqa: E402
import scipy  # noqa: E402
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin  # noqa: E402
from numpyro.infer import MCMC, NUTS  # noqa: E402
from scipy import stats  # noqa: E402

CHAINS = 4
WARMUP = 2_000
GIBBS_ROUNDS = 40_000
DIGITS = 6  # of the sd; the other numbers get as many decimals

Scalars = dict[str, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """`model` takes nothing; `names` are the sites to keep, with the labels of their elements, none for a scalar.

    `check` takes the draws (chain, draw) by label, raises where they contradict what is known, and says what was seen.
    """

    model: Callable[[], None]
    names: Mapping[str, Sequence[str] | None]
    check: Callable[[Scalars], str]
    draws: int
    symmetric: bool = False
    dense: bool = True
    target: float = 0.95


def eight_schools_centred() -> Problem:
    """theta = mu + tau raw."""
    table = exact.read("eight_schools_centred")

    def model() -> None:
        mu = numpyro.sample("mu", dist.Normal(0, 5))
        tau = numpyro.sample("tau", dist.HalfCauchy(5))
        raw = numpyro.sample("raw", dist.Normal(0, 1).expand([8]).to_event(1))
        theta = numpyro.deterministic("theta", mu + tau * raw)
        numpyro.sample("y", dist.Normal(theta, table["sigma"]), obs=table["y"])

    names = {"mu": None, "tau": None, "theta": table["school"]}
    return Problem(model, names, against(exact.eight_schools_centred, "a grid of log tau"), 50_000)


def local_level() -> Problem:
    """level[t] = level[1] + s_level (raw[1] + ... + raw[t - 1])."""
    y = exact.read("local_level")["y"]

    def model() -> None:
        s_level = numpyro.sample("s_level", dist.HalfNormal(1))
        s_obs = numpyro.sample("s_obs", dist.HalfNormal(1))
        first = numpyro.sample("first", dist.Normal(0, 5))
        raw = numpyro.sample("raw", dist.Normal(0, 1).expand([len(y) - 1]).to_event(1))
        walk = jnp.concatenate([jnp.zeros(1), jnp.cumsum(raw)])
        level = numpyro.deterministic("level", first + s_level * walk)
        numpyro.sample("y", dist.Normal(level, s_obs), obs=y)

    names = {"s_level": None, "s_obs": None, "level": _numbered(len(y))}
    check = against(exact.local_level, "a grid of log s_level and log s_obs")
    return Problem(model, names, check, 8_000, dense=False, target=0.8)


def mixture_unordered() -> Problem:
    """With mu in order; every draw then counts once as it is and once with its labels changed."""
    y = exact.read("mixture_unordered")["y"]

    def model() -> None:
        w = numpyro.sample("w", dist.Dirichlet(5 * jnp.ones(2)))
        low = numpyro.sample("low", dist.Normal(0, 5))
        gap = numpyro.sample("gap", dist.ImproperUniform(dist.constraints.positive, (), ()))
        mu = numpyro.deterministic("mu", jnp.stack([low, low + gap]))
        numpyro.factor("high", dist.Normal(0, 5).log_prob(low + gap))
        sigma = numpyro.sample("sigma", dist.HalfNormal(2))
        each = dist.Normal(mu, sigma).log_prob(y[:, None]) + jnp.log(w)
        numpyro.factor("y", jax.nn.logsumexp(each, axis=1).sum())

    names = {"w": _numbered(2), "mu": _numbered(2), "sigma": None}
    return Problem(model, names, check_mixture, 50_000, symmetric=True)


def check_mixture(scalars: Scalars) -> str:
    """Against weighted draws from a t fitted to the draws, in other coordinates and with a density of scipy's."""
    y = exact.read("mixture_unordered")["y"]
    flat = {label: draws.ravel() for label, draws in scalars.items()}
    places = np.column_stack([stats.logistic.ppf(flat["w[1]"]), flat["mu[1]"], flat["mu[2]"], np.log(flat["sigma"])])
    proposal = stats.multivariate_t(places.mean(axis=0), np.cov(places.T), df=5, seed=1)
    drawn = proposal.rvs(100_000)
    logit, low, high, log_sigma = drawn.T
    w, sigma = stats.logistic.cdf(logit), np.exp(log_sigma)
    lows = np.log(w)[:, None] + stats.norm.logpdf(y, low[:, None], sigma[:, None])
    highs = np.log1p(-w)[:, None] + stats.norm.logpdf(y, high[:, None], sigma[:, None])
    logs = np.logaddexp(lows, highs).sum(axis=1) + stats.beta.logpdf(w, 5, 5) + np.log(w * (1 - w))
    logs += stats.norm.logpdf(low, 0, 5) + stats.norm.logpdf(high, 0, 5) + stats.halfnorm.logpdf(sigma, scale=2)
    logs += log_sigma - proposal.logpdf(drawn) + np.where(low < high, 0, -np.inf)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    labels = {"w[1]": w, "mu[1]": low, "mu[2]": high, "sigma": sigma}
    known = {}
    for label, values in labels.items():
        mean = shares @ values
        known[label] = {"mean": mean, "sd": np.sqrt(shares @ (values - mean) ** 2)}
    return compared(scalars, known, "100,000 weighted draws from a t (mu in order)")


def gp_poisson() -> Problem:
    """f = alpha cholesky(K) raw."""
    table = exact.read("gp_poisson")
    x, y = table["x"], table["y"]
    squares = (x[:, None] - x) ** 2

    def model() -> None:
        level = numpyro.sample("level", dist.Normal(1, 2))
        alpha = numpyro.sample("alpha", dist.HalfNormal(1))
        rho = numpyro.sample("rho", dist.InverseGamma(4, 8))
        raw = numpyro.sample("raw", dist.Normal(0, 1).expand([len(x)]).to_event(1))
        root = jnp.linalg.cholesky(jnp.exp(-0.5 * squares / rho**2) + 1e-9 * jnp.eye(len(x)))
        f = numpyro.deterministic("f", alpha * root @ raw)
        numpyro.sample("y", dist.Poisson(jnp.exp(level + f)), obs=y)

    def check(scalars: Scalars) -> str:
        """By parts: the mean of the likelihood's slope by the level is that of minus the prior's."""
        rates = sum(np.exp(scalars["level"] + scalars[f"f[{i + 1}]"]) for i in range(len(y)))
        slope = y.sum() - rates - (scalars["level"] - 1) / 4
        error = slope.std() / np.sqrt(effective_sample_size(slope))
        assert abs(slope.mean()) < 4 * error, (slope.mean(), error)
        return f"mean slope of the log density by the level {slope.mean():.3f}, standard error {error:.3f} (0 is right)"

    names = {"level": None, "alpha": None, "rho": None, "f": _numbered(len(x))}
    return Problem(model, names, check, 40_000, target=0.99)


def horseshoe() -> tuple[Scalars, str]:
    """Gibbs sampling (Makalic, Schmidt 2016): NUTS mixes too slowly (R-hat 1.05 after 4 x 8,000 draws)."""
    table = exact.read("horseshoe")
    labels = [f"x{j + 1}" for j in range(50)]
    x, y = np.column_stack([table[label] for label in labels]), table["y"]
    kept = np.stack([gibbs_horseshoe(x, y, GIBBS_ROUNDS, seed) for seed in range(CHAINS)])
    tau, sigma, lambdas, beta = kept[..., 0], kept[..., 1], kept[..., 2:52], kept[..., 52:]
    rest = ((y - beta @ x.T) ** 2).sum(axis=-1)
    slopes = {  # of the log density, by the logarithms of the scales: their means are 0 (integration by parts)
        "log sigma": rest / sigma**2 - len(y) + 1 - 2 * sigma**2 / (1 + sigma**2),
        "log tau": ((beta / lambdas) ** 2).sum(axis=-1) / tau**2 - 49 - 2 * tau**2 / (0.01 + tau**2),
        "log lambda[x1]": (beta / lambdas / tau[..., None])[..., 0] ** 2 - 2 * (lambdas**2 / (1 + lambdas**2))[..., 0],
    }
    seen = []
    for name, slope in slopes.items():
        error = slope.std() / np.sqrt(effective_sample_size(slope))
        assert abs(slope.mean()) < 4 * error, (name, slope.mean(), error)
        seen.append(f"{slope.mean():.3f} +- {error:.3f} by {name}")
    scalars = {"tau": tau, "sigma": sigma}
    scalars |= {f"lambda[{label}]": lambdas[..., j] for j, label in enumerate(labels)}
    scalars |= {f"beta[{label}]": beta[..., j] for j, label in enumerate(labels)}
    return scalars, "mean slopes of the log density, 0 being right: " + ", ".join(seen)


def gibbs_horseshoe(x: np.ndarray, y: np.ndarray, rounds: int, seed: int) -> np.ndarray:
    """Draws (rounds, 102) of tau, sigma, lambda, beta; half Cauchys are inverse gammas of inverse gammas."""
    rng = np.random.default_rng(seed)
    n, p = x.shape
    inverse_gamma = lambda shape, scale: scale / rng.gamma(shape, size=np.shape(scale))  # noqa: E731
    lambdas, tau, noise = rng.gamma(1, size=p), 0.01, rng.gamma(2)  # squares, all of them
    of_lambdas, of_tau, of_noise = np.ones(p), 1.0, 1.0
    kept = np.empty((rounds, 2 * p + 2))
    for i in range(-WARMUP, rounds):
        scales = tau * lambdas  # beta by Bhattacharya, Chakraborty, Mallick (2016)
        u = rng.normal(size=p) * np.sqrt(scales)
        v = x @ u / np.sqrt(noise) + rng.normal(size=n)
        inner = (x * scales) @ x.T / noise + np.eye(n)
        beta = u + scales * (x.T @ np.linalg.solve(inner, y / np.sqrt(noise) - v)) / np.sqrt(noise)
        lambdas = inverse_gamma(1.0, 1 / of_lambdas + beta**2 / (2 * tau))
        of_lambdas = inverse_gamma(1.0, 1 + 1 / lambdas)
        tau = inverse_gamma((p + 1) / 2, 1 / of_tau + (beta**2 / lambdas).sum() / 2)
        of_tau = inverse_gamma(1.0, 1 / 0.1**2 + 1 / tau)
        noise = inverse_gamma((n + 1) / 2, 1 / of_noise + ((y - x @ beta) ** 2).sum() / 2)
        of_noise = inverse_gamma(1.0, 1 + 1 / noise)
        if i >= 0:
            kept[i] = np.sqrt(tau), np.sqrt(noise), *np.sqrt(lambdas), *beta
    return kept


def against(known: Callable[[], Mapping[str, exact.Numbers]], what: str) -> Callable[[Scalars], str]:
    return lambda scalars: compared(scalars, known(), what)


def compared(
    scalars: Scalars, known: Mapping[str, exact.Numbers], what: str, sds: float = 0.03, ratio: float = 0.03
) -> str:
    """The worst distance between draws and what is known; too far is an error."""
    mean = max(abs(scalars[label].mean() - one["mean"]) / one["sd"] for label, one in known.items())
    sd = max(abs(math.log(scalars[label].std() / one["sd"])) for label, one in known.items())
    seen = f"against {what} the worst mean is off by {mean:.3f} sd, the worst sd by {100 * sd:.1f} %"
    assert mean < sds and sd < ratio, seen
    return seen


def _numbered(n: int) -> list[str]:
    return [str(i + 1) for i in range(n)]


PROBLEMS = {
    problem.__name__: problem for problem in (eight_schools_centred, mixture_unordered, gp_poisson, local_level)
}


def sample(problem: Problem, seed: int) -> tuple[Scalars, int]:
    """The draws (chain, draw) of every scalar by its label, and how many transitions diverged."""
    kernel = NUTS(problem.model, target_accept_prob=problem.target, dense_mass=problem.dense)
    mcmc = MCMC(kernel, num_warmup=WARMUP, num_samples=problem.draws, num_chains=CHAINS, progress_bar=False)
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


def summarised(draws: np.ndarray) -> exact.Numbers:
    """mcse_mean is the sd over the root of the effective sample size."""
    ess = effective_sample_size(draws)
    numbers = {"mean": draws.mean(), "sd": draws.std()}
    numbers |= dict(zip(exact.LEVELS, np.quantile(draws, list(exact.LEVELS.values())), strict=True))
    numbers |= {"mcse_mean": draws.std() / np.sqrt(ess), "rhat": split_gelman_rubin(draws), "ess": ess}
    return numbers | ({"by": "quantiles"} if stats.kurtosis(draws, None, fisher=False) > exact.LIMIT else {})


def exchanged(scalars: Scalars, params: Mapping[str, exact.Numbers]) -> dict[str, exact.Numbers]:
    """Two elements that may change places: each has the draws of both. R-hat and ESS stay those of the ordered ones."""
    found = dict(params)
    for name in ("w", "mu"):
        low, high = scalars[f"{name}[1]"], scalars[f"{name}[2]"]
        both = np.concatenate([low, high], axis=1)
        numbers = {"mean": both.mean(), "sd": both.std()}
        numbers |= dict(zip(exact.LEVELS, np.quantile(both, list(exact.LEVELS.values())), strict=True))
        middle = (low + high) / 2
        numbers["mcse_mean"] = middle.std() / np.sqrt(effective_sample_size(middle)) if middle.std() > 1e-9 else 0.0
        for label in (f"{name}[1]", f"{name}[2]"):
            found[label] = numbers | {key: params[label][key] for key in ("rhat", "ess")}
    return found


def write(model: str, source: str, params: Mapping[str, exact.Numbers]) -> None:
    lines = [f"  {json.dumps(label)}: {_rounded(numbers)}" for label, numbers in params.items()]
    head = [f' "model": {json.dumps(model)},', f' "source": {json.dumps(source)},', ' "params": {']
    text = "\n".join(["{", *head, ",\n".join(lines), " }", "}"]) + "\n"
    (exact.HERE / f"{model}.reference.json").write_text(text, encoding="utf-8")


def _rounded(numbers: exact.Numbers) -> str:
    decimals = DIGITS - 1 - math.floor(math.log10(numbers["sd"]))
    places = {"rhat": 5, "ess": 0}
    return json.dumps(
        {
            key: value if isinstance(value, str) else round(float(value), places.get(key, decimals))
            for key, value in numbers.items()
        }
    )


def by_chains(name: str) -> None:
    problem = PROBLEMS[name]()
    scalars, diverged = sample(problem, seed=30_000)
    params = {label: summarised(draws) for label, draws in scalars.items()}
    rhat, least = max(p["rhat"] for p in params.values()), min(p["ess"] for p in params.values())
    assert rhat < 1.01 and least > 400, (rhat, least)
    source = (
        f"NumPyro {numpyro.__version__} NUTS, {CHAINS} chains x {problem.draws:,} draws after {WARMUP:,} of warm-up, "
        f"64 bits, target_accept {problem.target}, {'dense' if problem.dense else 'diagonal'} mass matrix "
        f"(benchmarks/hard/references.py). Worst R-hat {rhat:.5f}, least effective sample size {least:,.0f}, "
        f"divergent transitions {diverged}. Check: {problem.check(scalars)}."
    )
    write(name, source, exchanged(scalars, params) if problem.symmetric else params)
    print(f"{name}: {source}", flush=True)


def by_gibbs() -> None:
    scalars, check = horseshoe()
    params = {label: summarised(draws) for label, draws in scalars.items()}
    rhat, least = max(p["rhat"] for p in params.values()), min(p["ess"] for p in params.values())
    assert rhat < 1.01 and least > 400, (rhat, least)
    source = (
        f"Gibbs sampling (Makalic, Schmidt 2016), {CHAINS} chains x {GIBBS_ROUNDS:,} rounds after {WARMUP:,} of "
        f"warm-up (benchmarks/hard/references.py). Worst R-hat {rhat:.5f}, least effective sample size {least:,.0f}. "
        f"Check: {check}."
    )
    write("horseshoe", source, params)
    print(f"horseshoe: {source}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    every = [*exact.REFERENCES, *PROBLEMS, "horseshoe"]
    parser.add_argument("models", nargs="*", default=every, metavar="MODEL", help=", ".join(every))
    for name in parser.parse_args().models:
        if name == "horseshoe":
            by_gibbs()
        elif name in PROBLEMS:
            by_chains(name)
        else:
            make, how = exact.REFERENCES[name]
            write(name, f"{how} (benchmarks/hard/exact.py, SciPy {scipy.__version__}).", make())
            print(f"{name}: {how}", flush=True)


if __name__ == "__main__":
    main()
