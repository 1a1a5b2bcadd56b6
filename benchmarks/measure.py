"""One fit in a process of its own: its seconds, its memory, and the summary it prints."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Linux counts the memory of the process that starts another as that one's until it runs its own program: a small one.
SMALL = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[2:]], os.environ)
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    json.dump([time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss], file)
sys.exit(status != 0)
"""
READ = "import sys; from ppl.data import dataset; dataset.read(sys.argv[1:])"


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock and of CPU, peak resident memory in MB, and what was printed."""

    wall: float
    cpu: float
    memory: float
    printed: str


def run(arguments: Sequence[str]) -> Cost:
    """Python with these arguments."""
    with tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile() as used:
        line = [sys.executable, "-c", SMALL, used.name, *arguments]
        if subprocess.run(line, stdout=out, stderr=subprocess.DEVNULL, check=False).returncode:
            raise SystemExit(f"{' '.join(arguments)} failed")
        out.seek(0)
        wall, cpu, memory = json.loads(used.read())
        return Cost(wall, cpu, memory / 1024, out.read().decode())


def fit(model: Path, data: Path) -> tuple[Cost, dict[str, Any]]:
    """`ppl fit --json`, as a user runs it, and what it found."""
    cost = run(["-m", "ppl", "fit", "--json", str(model), str(data)])
    return cost, json.loads(cost.printed)


def reading(data: Path) -> Cost:
    """A process that reads the data and does nothing else."""
    return run(["-c", READ, str(data)])


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of log value by log size, least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
