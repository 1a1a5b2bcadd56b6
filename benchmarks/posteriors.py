"""Fits the posteriors of posteriordb, each in a fresh process: seconds, errors against the reference draws, verdict.

python benchmarks/posteriors.py [NAME ...] [--root DIR] [--seed N] [--limit SECONDS]

`inside` is the fit alone, by the clock; `CPU` that of the whole process, imports and compilation included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from accuracy import POSTERIORDB, ROOT, Case, cpu_of_children, errors, posteriordb_cases


def fitted(case: Case, seed: int, limit: int) -> tuple[float, dict]:
    """CPU seconds of the process, and the summary it prints."""
    line = [sys.executable, "-m", "ppl", "fit", case.model, *case.data, "--seed", seed, "--json", "--all"]
    environment = os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    used = cpu_of_children()
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True, env=environment, timeout=limit)
    if not done.stdout.startswith("{"):  # "do not use" has a summary, and the status 3
        raise RuntimeError((done.stderr.strip().splitlines() or ["nothing on stderr"])[-1][:100])
    return cpu_of_children() - used, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--root", type=Path, default=POSTERIORDB)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=600, help="seconds by the clock for each")
    options = parser.parse_args()
    cases = [case for case in posteriordb_cases(options.root) if not options.names or case.name in options.names]
    if not cases:
        sys.exit(f"no posteriors in {options.root}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, seed {options.seed}")
    print(f"{'posterior':52s}{'inside s':>10s}{'CPU s':>8s}{'mean, sds':>11s}{'log sd':>8s}  verdict, rung")
    inside = whole = 0.0
    for case in cases:
        try:
            cpu, summary = fitted(case, options.seed, options.limit)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"{case.name:52s}  {type(error).__name__}: {str(error)[:80]}", flush=True)
            continue
        pairs = [errors(summary["variables"][name], known) for name, known in case.params.items()]
        mean, sd = (max(column) for column in zip(*pairs, strict=True))
        rung = next((one["rung"] for one in summary["rungs"] if one["taken"]), "")
        inside, whole = inside + summary["seconds"], whole + cpu
        numbers = f"{summary['seconds']:10.2f}{cpu:8.2f}{mean:11.3f}{sd:8.3f}"
        print(f"{case.name:52s}{numbers}  {summary['verdict']}, {rung}", flush=True)
    print(f"{'together':52s}{inside:10.2f}{whole:8.2f}")


if __name__ == "__main__":
    main()
