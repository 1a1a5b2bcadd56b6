"""A fresh `ppl fit` of eight schools against importing its dependencies alone, and against NumPyro and PyMC.

python benchmarks/startup.py [--runs N] [--threads] [--peers FOLDER]

FOLDER holds the peers' virtual environment; where it is missing it is made, from benchmarks/peers/requirements.txt
(about 1.5 GB). Each command runs once unmeasured, so that all find their bytecode, and PyMC its compiled functions,
where an installation has them; then in turns, and the cheapest run of each counts, the machine being shared. BLAS has
one thread, or as many as it takes with `--threads`: those of OpenBLAS spin, which counts as CPU time of whoever imports
numpy.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
MODEL, DATA = (str(HERE.parent / "models" / f"eight_schools.{end}") for end in ("ppl", "csv"))
IMPORTS = "import numpy, autograd.numpy, networkx, lark, scipy.special"
PEERS = {"NumPyro, AutoNormal, Adam, 10,000 steps": "numpyro", "PyMC, fit": "pymc"}
OURS = ("numpy", "scipy", "autograd", "networkx", "lark")


def cost(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """CPU seconds and seconds on the clock of one process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock


def surroundings(cache: str, threads: bool) -> dict[str, str]:
    """The environment of all commands: bytecode is kept, as where packages are installed, and found again."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept |= {"PYTHONPYCACHEPREFIX": f"{cache}/bytecode", "PYTENSOR_FLAGS": f"compiledir={cache}/pytensor"}
    return kept if threads else kept | {"OPENBLAS_NUM_THREADS": "1"}


def python_of(peers: Path) -> str:
    """The interpreter of the peers' environment, which is made where it is missing."""
    python = peers / "bin" / "python"
    if not python.exists():
        print(f"making {peers}, for the peers", file=sys.stderr)
        venv.create(peers, with_pip=True)
        wanted = ["-r", str(HERE / "peers" / "requirements.txt")]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
    return str(python)


def versions(python: str) -> str:
    names = "('numpyro', 'jax', 'pymc')"
    asked = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {names}), sep=', ')"
    return subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()


def processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="of each")
    parser.add_argument("--threads", action="store_true", help="BLAS takes as many threads as it likes")
    parser.add_argument(
        "--peers", type=Path, metavar="FOLDER", help="the peers' environment; without it they are left out"
    )
    options = parser.parse_args()
    commands = {
        "ppl fit eight_schools": [sys.executable, "-m", "ppl", "fit", MODEL, DATA],
        "its imports alone": [sys.executable, "-c", IMPORTS],
    }
    if options.peers is not None:
        python = python_of(options.peers)
        commands |= {
            title: [python, str(HERE / "peers" / f"{name}_eight_schools.py"), DATA] for title, name in PEERS.items()
        }
    with tempfile.TemporaryDirectory() as cache:
        environment = surroundings(cache, options.threads)
        costs: dict[str, list[tuple[float, float]]] = {title: [] for title in commands}
        first = {title: cost(command, environment) for title, command in commands.items()}
        for _ in range(options.runs):
            for title, command in commands.items():
                costs[title].append(cost(command, environment))
    best = {title: tuple(min(run[unit] for run in found) for unit in range(2)) for title, found in costs.items()}
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, best of {options.runs}")
    print(", ".join(f"{name} {version(name)}" for name in OURS) + (f"; {versions(python)}" if options.peers else ""))
    print(f"BLAS: {'as many threads as it takes' if options.threads else 'one thread'}\n")
    print(f"{'':40s} {'CPU s':>8s} {'clock s':>8s} {'CPU ratio':>10s} {'clock ratio':>12s}")
    if "PyMC, fit" in first:  # what it compiles for a model it has not seen, once
        best["PyMC, fit, of a new model"] = first["PyMC, fit"]
    own = best["ppl fit eight_schools"]
    for title, (cpu, clock) in best.items():
        print(f"{title:40s} {cpu:8.2f} {clock:8.2f} {cpu / own[0]:10.2f} {clock / own[1]:12.2f}")
    bare = best["its imports alone"]
    print(f"\nppl fit / its imports alone: {own[0] / bare[0]:.2f} of CPU, {own[1] / bare[1]:.2f} on the clock")


if __name__ == "__main__":
    main()
