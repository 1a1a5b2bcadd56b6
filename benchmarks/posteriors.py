"""Fits the posteriors of posteriordb, each in a fresh process: seconds, errors against the reference draws, verdict.

python benchmarks/posteriors.py [NAME ...] [--root DIR] [--seed N] [--limit SECONDS] [--log FILE]
python benchmarks/posteriors.py [NAME ...] --calls N

`inside` is the fit alone, by the clock; `CPU` that of the whole process, imports and compilation included. The table
that it prints is that of docs/performance.md. With --log FILE every fit is kept there as it ends, and what stands there
is not fitted again: the same command goes on. With --calls N there are no other processes: CPU seconds of calling `fit`
N times at each of the seeds 1 to 5, the first call of all and the cheapest of each seed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from accuracy import POSTERIORDB, ROOT, Case, cpu_of_children, errors, posteriordb_cases

import ppl

CALLED = range(1, 6)  # seeds


@dataclass(frozen=True)
class Fitted:
    """Seconds; the worst errors of all scalars, as `accuracy.errors` has them; `failed` says why there are none."""

    case: str
    seed: int
    inside: float = math.nan
    cpu: float = math.nan
    mean: float = math.inf
    sd: float = math.inf
    verdict: str = ""
    rung: str = ""
    failed: str = ""

    def row(self) -> str:
        if self.failed:
            return f"| {self.case} | | | | | no fit: {self.failed} |"
        seconds = f"{self.inside:.1f} | {self.cpu:.1f}"
        return f"| {self.case} | {seconds} | {self.mean:.3f} | {self.sd:.3f} | {self.verdict}, {self.rung} |"


def fitted(case: Case, seed: int, limit: int) -> Fitted:
    line = [sys.executable, "-m", "ppl", "fit", case.model, *case.data, "--seed", seed, "--json", "--all"]
    environment = os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    used = cpu_of_children()
    try:
        done = subprocess.run(
            [str(word) for word in line], capture_output=True, text=True, env=environment, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return Fitted(case.name, seed, failed=f"over {limit} s by the clock")
    if not done.stdout.startswith("{"):  # "do not use" has a summary, and the status 3
        return Fitted(case.name, seed, failed=(done.stderr.strip().splitlines() or ["nothing on stderr"])[-1][:100])
    summary = json.loads(done.stdout)
    pairs = [errors(summary["variables"][name], known) for name, known in case.params.items()]
    mean, sd = (max(column) for column in zip(*pairs, strict=True))
    rung = next((one["rung"] for one in summary["rungs"] if one["taken"]), "").partition(" (")[0]
    cpu = cpu_of_children() - used
    return Fitted(case.name, seed, summary["seconds"], cpu, mean, sd, summary["verdict"], rung)


def kept(log: Path | None) -> dict[tuple[str, int], Fitted]:
    """The fits in a log, by posterior and seed."""
    lines = log.read_text(encoding="utf-8").splitlines() if log is not None and log.exists() else []
    return {(one.case, one.seed): one for one in (Fitted(**json.loads(line)) for line in lines)}


def call(case: Case, times: int) -> str:
    """A row of CPU seconds of `fit` alone, the model compiled and everything imported."""
    posterior = ppl.load(case.model).condition(*case.data)
    spent: dict[int, list[float]] = {seed: [] for seed in CALLED}
    for _ in range(times):
        for seed in CALLED:
            begin = time.process_time()
            posterior.fit(seed=seed)
            spent[seed].append(time.process_time() - begin)
    cheapest = " | ".join(f"{min(spent[seed]):.2f}" for seed in CALLED)
    return f"| {case.name} | {spent[1][0]:.2f} | {cheapest} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--root", type=Path, default=POSTERIORDB)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=600, help="seconds by the clock for each")
    parser.add_argument("--log", type=Path, help="a file that keeps the fits, and says which are done")
    parser.add_argument("--calls", type=int, help="of fit inside this process, for each of five seeds")
    options = parser.parse_args()
    cases = [case for case in posteriordb_cases(options.root) if not options.names or case.name in options.names]
    if not cases:
        sys.exit(f"no posteriors in {options.root}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, seed {options.seed}\n")
    if options.calls:
        print(f"| | first | {' | '.join(f'seed {seed}' for seed in CALLED)} |\n|---|---|{'---|' * len(CALLED)}")
        for case in cases:
            print(call(case, options.calls), flush=True)
        return
    print("| | inside s | CPU s | mean, sds | log sd | verdict |\n|---|---|---|---|---|---|")
    known = kept(options.log)
    found = []
    for case in cases:
        one = known.get((case.name, options.seed))
        if one is None:
            one = fitted(case, options.seed, options.limit)
            if options.log is not None:
                with options.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(one)) + "\n")
        print(one.row(), flush=True)
        found.append(one)
    done = [one for one in found if not one.failed]
    if done:
        seconds = f"{sum(one.inside for one in done):.1f} | {sum(one.cpu for one in done):.1f}"
        worst = f"{max(one.mean for one in done):.3f} | {max(one.sd for one in done):.3f}"
        good = sum(one.verdict == "good" for one in done)
        print(f"| all {len(found)}: together, worst | {seconds} | {worst} | good: {good} |")


if __name__ == "__main__":
    main()
