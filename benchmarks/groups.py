"""Fits varying intercepts, normal and logistic, to 1e2 to 1e4 groups of 20 rows, each in a fresh process.

python benchmarks/groups.py [--most N]

Seconds and memory are those of the whole command `ppl fit`. `size.py` compares one such fit with quadrature by hand.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

import numpy as np
from measure import exponent, fit

HEAD = "m ~ Normal(0, 5)\ntau ~ HalfNormal(2)\nb ~ Normal(0, 2)\na[g] ~ Normal(m, tau)\n"
MODELS = {
    "normal": HEAD + "s ~ HalfNormal(2)\ny ~ Normal(a[g] + b*x, s)\n",
    "logistic": HEAD + "y ~ Bernoulli(logit = a[g] + b*x)\n",
}
SIZES = (100, 1_000, 10_000)
ROWS = 20  # of a group
TRUE = {"m": -0.5, "tau": 0.8, "b": 0.7}


def written(kind: str, groups: int, path: Path) -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(groups), ROWS)
    x = rng.standard_normal(len(g))
    eta = (TRUE["m"] + TRUE["tau"] * rng.standard_normal(groups))[g] + TRUE["b"] * x
    if kind == "normal":
        y = eta + rng.standard_normal(len(g))
    else:
        y = (rng.random(len(g)) < 1 / (1 + np.exp(-eta))).astype(int)
    lines = [f"g{group},{one!r},{other}" for group, one, other in zip(g, x.tolist(), y.tolist(), strict=True)]
    path.write_text("\n".join(["g,x,y", *lines]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most", type=int, default=SIZES[-1])
    sizes = [groups for groups in SIZES if groups <= parser.parse_args().most]
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores")
    print(
        "\n| | groups | rows | clock s | CPU s | peak MB | verdict | true less mean, sds: m, tau, b |\n"
        + 8 * "|---"
        + "|"
    )
    exponents = []
    for kind in MODELS:
        used = [measured(kind, groups) for groups in sizes]
        if len(sizes) > 1:
            exponents.append(f"{kind} {exponent(sizes, used):.2f}")
    if exponents:
        print(f"\nexponent of CPU seconds in groups: {', '.join(exponents)}")


def measured(kind: str, groups: int) -> float:
    """CPU seconds of one fit; its line of the table is printed."""
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder, "groups.ppl"), Path(folder, "data.csv")
        model.write_text(MODELS[kind])
        written(kind, groups, data)
        cost, found = fit(model, data)
    variables = found["variables"]
    off = ", ".join(f"{(true - variables[n]['mean']) / variables[n]['sd']:.1f}" for n, true in TRUE.items())
    line = f"| {kind} | {groups:,} | {groups * ROWS:,} | {cost.wall:.1f} | {cost.cpu:.1f} | {cost.memory:.0f}"
    print(f"{line} | {found['verdict']} | {off} |", flush=True)
    return cost.cpu


if __name__ == "__main__":
    main()
