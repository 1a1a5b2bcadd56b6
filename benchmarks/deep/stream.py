"""Fits to Parquet files of growing length, read as streams: peak memory, memory after each epoch, seconds.

python benchmarks/deep/stream.py [--rows 200000 2000000 20000000] [--model regression|autoencoder] [--epochs N]

20 columns, row groups of 100,000 rows, each fit in a process of its own. `--in-memory` reads the files whole instead.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS, GROUP = 20, 100_000
MODELS = {
    "regression": """X = columns("x_*")
b[X] ~ Normal(0, 1); a ~ Normal(0, 1)
y ~ Bernoulli(logit = a + X @ b)
""",
    "autoencoder": """X = columns("x_*")
W1[3, 32] ~ Param(); b1[32] ~ Param()
W2[32, X] ~ Param(); b2[X] ~ Param(); s[X] ~ Param(1) > 0
z[rows, 3] ~ Normal(0, 1)
X ~ Normal(b2 + tanh(b1 + z @ W1) @ W2, s)
""",
}


def write(path: Path, rows: int) -> None:
    """Three factors behind 20 columns, and a coin that depends on them; a group in memory at a time."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(1)
    loads, slopes = rng.normal(size=(3, COLUMNS)), rng.normal(0.0, 0.3, COLUMNS)
    writer = None
    for start in range(0, rows, GROUP):
        count = min(GROUP, rows - start)
        x = np.tanh(rng.normal(size=(count, 3))) @ loads + rng.normal(0.0, 0.5, (count, COLUMNS))
        y = rng.random(count) < 1 / (1 + np.exp(-(x @ slopes)))
        table = pyarrow.table({**{f"x_{i:02}": x[:, i] for i in range(COLUMNS)}, "y": y.astype(np.int64)})
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def resident() -> float:
    """MB of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def child(path: str, model: str, epochs: int, in_memory: bool) -> None:
    import ppl
    from ppl.infer.watch import Watch

    seen: list[float] = []

    class Looking(Watch):
        def tell(self) -> None:
            if "epoch" in self.step:
                seen.append(resident())

    begun = resident()
    start, used = time.perf_counter(), time.process_time()
    posterior = ppl.from_text(MODELS[model]).condition(path if in_memory else ppl.stream(path))
    asked = {"amortise": "z", "encoder": (32,)} if model == "autoencoder" else {"stochastic": True}
    fit = posterior.fit(**asked, epochs=epochs, draws=100, learning_rate=0.003, watch=Looking())
    deep = fit.record.deep
    assert deep is not None
    half = len(seen) // 2
    found = {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before": begun,
        "growth": float(np.max(seen[half:]) - np.max(seen[:half])) if half else float("nan"),
        "wall": time.perf_counter() - start, "cpu": time.process_time() - used, "epochs": deep.epochs,
        "steps": deep.steps, "elbo": deep.elbo / deep.rows, "verdict": fit.verdict,
    }  # fmt: skip
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 2_000_000])
    parser.add_argument("--model", choices=MODELS, default="regression")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.model, options.epochs, options.in_memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        for rows in options.rows:
            path = Path(folder) / f"{rows}.parquet"
            write(path, rows)
            command = [sys.executable, __file__, "--child", str(path), "--model", options.model]
            command += ["--epochs", str(options.epochs), *(["--in-memory"] if options.in_memory else [])]
            told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
            size = path.stat().st_size / 1e6
            path.unlink()
            print(
                f"{rows:>11,} rows, file of {size:,.0f} MB: peak {told['peak']:,.0f} MB ({told['before']:,.0f} before"
                f" anything was read), second half of the training {told['growth']:+.0f} MB;"
                f" {told['epochs']:.1f} epochs, {told['steps']:,} steps, {told['cpu']:.0f} s of CPU,"
                f" {told['wall']:.0f} by the clock; ELBO {told['elbo']:.4f} a row ({told['verdict']})",
                flush=True,
            )


if __name__ == "__main__":
    main()
