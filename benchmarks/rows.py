"""Fits a logistic regression with 20 predictors to 1e3 to 1e6 rows, each in a fresh process, from Parquet and from CSV.

python benchmarks/rows.py [--most N] [--formats parquet,csv]

Seconds, by the clock and of CPU, are those of the whole command `ppl fit`; `reading` those of a process that reads the
file and does nothing else. Means and sds are compared with the mode and the curvature there, found by Newton's method
written by hand, whose CPU seconds stand beside: with so many rows they differ from mean and sd by less than the errors
shown, but for the smallest tables.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import exponent, fit, reading

MODEL = 'X = columns("x*")\nalpha ~ Normal(0, 2.5)\nbeta[X] ~ Normal(0, 1)\ny ~ Bernoulli(logit = alpha + X @ beta)\n'
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def simulated(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, 20))
    return x, (rng.random(rows) < 1 / (1 + np.exp(-0.3 - x @ np.linspace(-0.5, 0.5, 20)))).astype(np.int64)


def written(x: np.ndarray, y: np.ndarray, path: Path) -> None:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    table = pyarrow.table({**{f"x{k + 1}": column for k, column in enumerate(x.T)}, "y": y})
    (pyarrow.parquet.write_table if path.suffix == ".parquet" else pyarrow.csv.write_csv)(table, path)


def by_hand(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mode and sds by the curvature there."""
    x = np.column_stack([np.ones(len(x)), x])
    prior = np.diag([1 / 2.5**2, *([1.0] * 20)])
    b = np.zeros(21)
    for _ in range(8):
        p = 1 / (1 + np.exp(-x @ b))
        precision = (x * (p * (1 - p))[:, None]).T @ x + prior
        b = b + np.linalg.solve(precision, x.T @ (y - p) - prior @ b)
    return b, np.sqrt(np.diag(np.linalg.inv(precision)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--formats", default="parquet,csv")
    options = parser.parse_args()
    sizes = [rows for rows in SIZES if rows <= options.most]
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores")
    print("\n| rows | format | clock s | CPU s | reading, clock | reading, CPU | Newton by hand, CPU ", end="")
    print("| peak MB | verdict | worst mean, sds | worst sd, ratio |\n" + 11 * "|---" + "|")
    exponents = []
    for ending in options.formats.split(","):
        used = [measured(rows, ending) for rows in sizes]
        if len(sizes) > 1:
            last = exponent(sizes[-2:], used[-2:])
            exponents.append(f"{ending} {exponent(sizes, used):.2f}, between the two largest {last:.2f}")
    if exponents:
        print(f"\nexponent of CPU seconds in rows: {'; '.join(exponents)}")


def measured(rows: int, ending: str) -> float:
    """CPU seconds of one fit; its line of the table is printed."""
    x, y = simulated(rows)
    start = time.process_time()
    mode, sds = by_hand(x, y)
    newton = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder, "logistic.ppl"), Path(folder, f"data.{ending}")
        model.write_text(MODEL)
        written(x, y, data)
        del x
        cost, found = fit(model, data)
        read = reading(data)
    table = list(found["variables"].values())
    off = np.abs((np.array([row["mean"] for row in table]) - mode) / sds).max()
    ratio = np.array([row["sd"] for row in table]) / sds
    worst = ratio[np.abs(np.log(ratio)).argmax()]
    seconds = " | ".join(f"{one:.1f}" for one in (cost.wall, cost.cpu, read.wall, read.cpu, newton))
    line = f"| {rows:,} | {ending} | {seconds} | {cost.memory:.0f} | {found['verdict']} | {off:.3f} | {worst:.3f} |"
    print(line, flush=True)
    return cost.cpu


if __name__ == "__main__":
    main()
