"""Times the log joints of benchmarks/gradient.py written in JAX and compiled, in the peers' environment.

python benchmarks/peers/gradient_jax.py FILE --runs N      FILE is the npz that benchmarks/gradient.py --peers writes

Prints a line of JSON: the CPU seconds of each case, and the version. Values and gradients must be those in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"  # before jax is imported

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

jax.config.update("jax_enable_x64", True)
LOG_2 = jnp.log(2.0)


def eight_schools(z, d):
    mu, log_tau, eta = z[0], z[1], z[2:]
    tau = jnp.exp(log_tau)
    prior = norm.logpdf(mu, 0, 5) + jnp.log(2 / (5 * jnp.pi)) - jnp.log1p((tau / 5) ** 2) + log_tau
    return prior + norm.logpdf(eta).sum() + norm.logpdf(d["y"], mu + tau * eta, d["s"]).sum()


def regression(z, d):
    alpha, beta, log_sigma = z[0], z[1:-1], z[-1]
    sigma = jnp.exp(log_sigma)
    prior = norm.logpdf(alpha, 0, 10) + norm.logpdf(beta, 0, 5).sum() + norm.logpdf(sigma, 0, 5) + LOG_2 + log_sigma
    return prior + norm.logpdf(d["y"], alpha + d["X"] @ beta, sigma).sum()


def hierarchical(z, d):
    a, log_tau, alpha, beta, log_sigma = z[0], z[1], z[2:-2], z[-2], z[-1]
    tau, sigma = jnp.exp(log_tau), jnp.exp(log_sigma)
    prior = norm.logpdf(a, 0, 10) + norm.logpdf(beta, 0, 10) + norm.logpdf(tau) + norm.logpdf(sigma) + 2 * LOG_2
    prior += log_tau + log_sigma + norm.logpdf(alpha, a, tau).sum()
    return prior + norm.logpdf(d["y"], alpha[d["g"] - 1] + beta * d["x"], sigma).sum()


def logistic(z, d):
    eta = z[0] + d["X"] @ z[1:]
    prior = norm.logpdf(z[0], 0, 5) + norm.logpdf(z[1:], 0, 2).sum()
    return prior - jnp.logaddexp(0.0, jnp.where(d["y"] == 1, -eta, eta)).sum()


def gaussian_process(z, d):
    rho, alpha, sigma = jnp.exp(z)
    squares = (d["x"][:, None] - d["x"]) ** 2
    covariance = alpha**2 * jnp.exp(-0.5 * squares / rho**2) + sigma**2 * jnp.eye(len(d["x"]))
    root = jnp.linalg.cholesky(covariance)
    white = jax.scipy.linalg.solve_triangular(root, d["y"], lower=True)
    likelihood = norm.logpdf(white).sum() - jnp.log(jnp.diagonal(root)).sum()
    prior = norm.logpdf(z[0]) + norm.logpdf(alpha, 0, 2) + norm.logpdf(sigma) + 2 * LOG_2 + z[1] + z[2]
    return prior + likelihood


def garch(z, d):
    mu, alpha0, alpha1, beta1 = z[0], jnp.exp(z[1]), jax.nn.sigmoid(z[2]), jax.nn.sigmoid(z[3])
    shocks = alpha0 + alpha1 * (d["y"][:-1] - mu) ** 2

    def step(variance, shock):
        new = shock + beta1 * variance
        return new, new

    first = jnp.array(0.25)
    _, variances = jax.lax.scan(step, first, shocks)
    sd = jnp.sqrt(jnp.concatenate([first[None], variances]))
    jacobian = z[1] + jnp.log(alpha1 * (1 - alpha1) * beta1 * (1 - beta1))
    return norm.logpdf(mu, 0, 10) - alpha0 + jacobian + norm.logpdf(d["y"], mu, sd).sum()


TWINS = (eight_schools, regression, hierarchical, logistic, gaussian_process, garch)


def seconds(run, rounds, least=0.02):
    """CPU seconds of one run, the best of several rounds."""
    best = np.inf
    for _ in range(rounds):
        start, count = time.process_time(), 0
        while time.process_time() - start < least:
            run()
            count += 1
        best = min(best, (time.process_time() - start) / count)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with np.load(options.file) as held:
        arrays = dict(held)
    found = []
    for i, twin in enumerate(TWINS):
        own = {name.split(".")[1]: array for name, array in arrays.items() if name.startswith(f"{i}.")}
        z, value, gradient = (own.pop(name) for name in ("draws", "value", "gradient"))
        data = {name: jnp.asarray(array) for name, array in own.items()}
        both = jax.jit(jax.vmap(jax.value_and_grad(lambda z, twin=twin, data=data: twin(z, data))))
        for one, other in zip(both(z), (value, gradient), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8 * np.abs(other).max())
        found.append(seconds(lambda both=both, z=z: jax.block_until_ready(both(z)), options.runs))
    print(json.dumps({"seconds": found, "version": jax.__version__}))


if __name__ == "__main__":
    main()
