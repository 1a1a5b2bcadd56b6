"""Times a fresh `ppl fit` of eight schools against importing its dependencies alone, and prints the ratio.

python benchmarks/startup.py [--runs N]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

MODELS = Path(__file__).parent.parent / "models"
IMPORTS = "import numpy, autograd.numpy, networkx, lark, scipy.special"


def cost(command: list[str]) -> tuple[float, float]:
    """CPU seconds and seconds on the clock of one process."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each; the cheapest counts, the machine being shared")
    runs = parser.parse_args().runs
    fit = [sys.executable, "-m", "ppl", "fit", str(MODELS / "eight_schools.ppl"), str(MODELS / "eight_schools.csv")]
    bare = [sys.executable, "-c", IMPORTS]
    costs = [(cost(fit), cost(bare)) for _ in range(runs)]  # in turns, so that both see the same neighbours
    best = [tuple(min(run[which][unit] for run in costs) for unit in range(2)) for which in range(2)]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, best of {runs}")
    print(f"{'':34s} {'CPU s':>8s} {'clock s':>8s}")
    for name, (cpu, clock) in zip(("ppl fit eight_schools", "its imports alone"), best, strict=True):
        print(f"{name:34s} {cpu:8.2f} {clock:8.2f}")
    print(f"{'ratio':34s} {best[0][0] / best[1][0]:8.2f} {best[0][1] / best[1][1]:8.2f}")


if __name__ == "__main__":
    main()
