"""Times Hamiltonian chains on a Gaussian, a banana and Neal's funnel, with what they are worth.

python benchmarks/chains.py [--seed N]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import ppl
from ppl.infer import chains_rung, pipeline
from ppl.infer.chains import sample_chains
from ppl.infer.draws import generator

MODELS = {
    "gaussian of 100": "x[100] ~ Flat()\nfactor -0.5*sum(x^2)",
    "banana": "x ~ Flat()\ny ~ Flat()\nfactor -x^2/2 - 50*(y - x^2)^2",
    "funnel of 2": "v ~ Flat()\nx ~ Flat()\nfactor -v^2/18 - v/2 - 0.5*exp(-v)*x^2",
    "funnel of 10": "v ~ Flat()\nx[9] ~ Flat()\nfactor -v^2/18 - 4.5*v - 0.5*exp(-v)*sum(x^2)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    print(f"{'':18s} {'s':>6s} {'gradients':>10s} {'draws':>8s} {'ESS':>6s} {'R-hat':>7s} {'diverge':>8s}")
    for name, text in MODELS.items():
        joint = ppl.from_text(text).condition({}).joint
        so_far = pipeline.approximate(joint, seed)
        start = time.perf_counter()
        starts, root = chains_rung.begin(so_far, generator(seed, 0))
        with np.errstate(all="ignore"):
            found = sample_chains(joint, np.repeat(starts, 8, axis=0), root, generator(seed, 1), len(starts), 2_500_000)
        seconds = time.perf_counter() - start
        print(
            f"{name:18s} {seconds:6.1f} {found.gradients:10,d} {found.log_density.size:8,d} {found.ess.min():6.0f}"
            f" {found.rhat.max():7.3f} {found.divergent:8.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
