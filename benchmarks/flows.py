"""The Kullback-Leibler divergence left by each guide on posteriors that are bent: log Z, by quadrature, less the ELBO.

python benchmarks/flows.py [--seed N] [--only NAME]

The densities are written so that no other coordinates make them Gaussian. The ELBO of a flow is over 2,560 draws that
no training has seen; those of the mean field and the full covariance are over the draws they were fitted to.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import integrate

import ppl

GUIDES = ("meanfield", "fullrank", "planar", "realnvp", "iaf")


@dataclass(frozen=True, slots=True)
class Case:
    """A density in two flat latents, as text and as Python: its log, and ranges that hold all of it."""

    name: str
    text: str
    log_density: Callable[[float, float], float]
    first: float  # the range is from minus this to this
    second: Callable[[float], tuple[float, float]]


CASES = (
    Case(
        "banana (Haario et al.)",
        "x ~ Flat()\ny ~ Flat()\nfactor -x^2/200\nfactor -0.5*(y + 0.1*x^2 - 10)^2\n",
        lambda x, y: -(x**2) / 200 - 0.5 * (y + 0.1 * x**2 - 10) ** 2,
        120.0,
        lambda x: (10 - 0.1 * x**2 - 12, 10 - 0.1 * x**2 + 12),
    ),
    Case(
        "x ~ N(0, 1), y ~ N(x^2, 0.5)",
        "x ~ Flat()\ny ~ Flat()\nfactor -x^2/2\nfactor -2*(y - x^2)^2\n",
        lambda x, y: -0.5 * x**2 - 2 * (y - x**2) ** 2,
        12.0,
        lambda x: (x**2 - 6, x**2 + 6),
    ),
    Case(
        "funnel in two",
        "v ~ Flat()\nx ~ Flat()\nfactor -0.5*(v/3)^2\nfactor -0.5*x^2*exp(-v) - 0.5*v\n",
        lambda v, x: -(v**2) / 18 - 0.5 * x**2 * np.exp(-v) - 0.5 * v,
        36.0,
        lambda v: (-12 * np.exp(v / 2), 12 * np.exp(v / 2)),
    ),
)


def log_evidence(case: Case) -> float:
    """By quadrature of the density as it is written in Python."""

    def inner(first: float) -> float:
        inside = lambda second: np.exp(case.log_density(first, second))  # noqa: E731
        low, high = case.second(first)
        middle = 0.5 * (low + high)
        halves = ((low, middle), (middle, high))
        return sum(integrate.quad(inside, *half, epsabs=0, epsrel=1e-9)[0] for half in halves)

    whole = integrate.quad(inner, -case.first, case.first, epsabs=0, epsrel=1e-8, limit=500, points=[0.0])
    return float(np.log(whole[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="the cases whose name contains this")
    options = parser.parse_args()
    print(f"{'posterior':30}{'guide':12}{'KL, nats':>10}{'CPU s':>8}  Pareto k  verdict")
    for case in CASES:
        if options.only not in case.name:
            continue
        posterior = ppl.from_text(case.text, "bent.ppl").condition({})
        evidence = log_evidence(case)
        for guide in GUIDES:
            start = time.process_time()
            fit = posterior.fit(guide=guide, seed=options.seed)
            seconds = time.process_time() - start
            left = f"{evidence - fit.elbo:10.4f}{seconds:8.1f}"
            print(f"{case.name:30}{guide:12}{left}{fit.pareto_k:10.2f}  {fit.verdict}", flush=True)


if __name__ == "__main__":
    main()
