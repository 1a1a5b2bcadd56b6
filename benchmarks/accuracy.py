"""Fits the hard models over many seeds, each in a fresh process, and writes the table of misses and false alarms.

python benchmarks/accuracy.py [NAME ...] [--seeds N] [--jobs N] [--posteriordb [DIR]] [--log FILE] [--out FILE]

All models: the table goes to docs/accuracy.md. Some of them: to the terminal alone, unless --out names a file.
With --log FILE every run is kept there as it ends, and what stands there is not run again: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
HARD = ROOT / "benchmarks" / "hard"
POSTERIORDB = ROOT.parent / "shared" / "posteriordb"
NORMAL_WIDTH = 2 * 1.6448536  # from the 5 % to the 95 % quantile of a Gaussian, in sds

RIGHT = (0.1, math.log(1.1))
WRONG = (0.3, 0.26)

OUTCOMES = {
    "right": "every mean within 0.1 sd, every sd within 10 %; called good (or usable, where an sd cannot be told)",
    "near": "good, neither right nor a silent failure",
    "silent": "**silent failure**: good, but a mean off by more than 0.3 sd or a log sd ratio beyond 0.26",
    "alarm": "false alarm: as right, but not called so",
    "flagged": "not right, and not called good",
    "time-out": "stopped by the time limit",
    "error": "no fit at all",
}


@dataclass(frozen=True)
class Case:
    """A model with its data and the reference of its scalars."""

    name: str
    model: Path
    data: tuple[Path, ...]
    params: Mapping[str, Mapping[str, float | str]]


@dataclass(frozen=True)
class Run:
    """One fit: errors are those of the worst scalar, infinite where there is no fit."""

    case: str
    seed: int
    outcome: str
    seconds: float
    mean: float = math.inf
    sd: float = math.inf
    worst: str = ""
    verdict: str = ""
    rung: str = ""
    reasons: tuple[str, ...] = ()


def hard_cases() -> list[Case]:
    cases = []
    for reference in sorted(HARD.glob("*.reference.json")):
        name = reference.name.removesuffix(".reference.json")
        data = tuple(HARD / f"{name}{end}" for end in (".csv", ".json") if (HARD / f"{name}{end}").exists())
        cases.append(Case(name, HARD / f"{name}.ppl", data, json.loads(reference.read_text())["params"]))
    return cases


def posteriordb_cases(folder: Path) -> list[Case]:
    cases = []
    for reference in sorted(folder.glob("*/reference.json")):
        data = tuple(reference.parent / file for file in ("data.csv", "data.json"))
        found = tuple(path for path in data if path.exists())
        params = json.loads(reference.read_text())["params"]
        cases.append(Case(reference.parent.name, reference.parent / "model.ppl", found, params))
    return cases


def errors(found: Mapping[str, float], known: Mapping[str, float | str]) -> tuple[float, float]:
    """Distance of the centres in sds of the reference, and |log ratio| of the widths.

    By mean and sd; where the reference says so, by the median and the width between the 5 % and the 95 % quantile.
    """
    if known.get("by") == "quantiles":
        width = (known["q95"] - known["q5"]) / NORMAL_WIDTH
        centre, spread = found["q50"] - known["q50"], (found["q95"] - found["q5"]) / NORMAL_WIDTH
    else:
        width, centre, spread = known["sd"], found["mean"] - known["mean"], found["sd"]
    if not (math.isfinite(centre) and math.isfinite(spread) and spread > 0):
        return math.inf, math.inf
    return abs(centre) / width, abs(math.log(spread / width))


def judged(case: Case, seed: int, seconds: float, summary: Mapping) -> Run:
    mean = sd = 0.0
    severity, worst = -1.0, ""
    for label, known in case.params.items():
        of_mean, of_sd = errors(summary["variables"][label], known)
        mean, sd = max(mean, of_mean), max(sd, of_sd)
        if max(of_mean / RIGHT[0], of_sd / RIGHT[1]) > severity:
            severity, worst = max(of_mean / RIGHT[0], of_sd / RIGHT[1]), label
    right = mean <= RIGHT[0] and sd <= RIGHT[1]
    wrong = mean > WRONG[0] or sd > WRONG[1]
    heavy = any(known.get("by") == "quantiles" for known in case.params.values())
    if right:
        outcome = "right" if summary["verdict"] in ("good", "usable")[: 1 + heavy] else "alarm"
    elif summary["verdict"] == "good":
        outcome = "silent" if wrong else "near"
    else:
        outcome = "flagged"
    rung = next((one["rung"] for one in summary["rungs"] if one["taken"]), "")
    rung = rung.partition(" (")[0]
    return Run(case.name, seed, outcome, seconds, mean, sd, worst, summary["verdict"], rung, tuple(summary["reasons"]))


def run(case: Case, seed: int, command: Sequence[str], limit: int) -> Run:
    """`limit` in seconds of CPU; ten times that by the clock, should the process sleep."""
    line = [str(word) for word in (*command, "fit", case.model, *case.data, "--seed", seed, "--json", "--all")]
    # one BLAS thread: jobs run side by side
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    used = cpu_of_children()
    try:
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            env=environment,
            timeout=10 * limit,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5)),
        )
    except subprocess.TimeoutExpired:
        return Run(case.name, seed, "time-out", limit)
    seconds = cpu_of_children() - used
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return Run(case.name, seed, "time-out", seconds)
    if not done.stdout.startswith("{"):  # where the verdict is "do not use" there is a fit, and the status is 3
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        return Run(case.name, seed, "error", seconds, reasons=(last,))
    return judged(case, seed, seconds, json.loads(done.stdout))


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kept(log: Path | None) -> dict[tuple[str, int], Run]:
    """The runs in a log, by model and seed."""
    if log is None or not log.exists():
        return {}
    runs = [Run(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]
    return {(one.case, one.seed): replace(one, reasons=tuple(one.reasons)) for one in runs}


def keep(log: Path | None, one: Run) -> None:
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")


def run_all(cases: Sequence[Case], seeds: int, options: argparse.Namespace) -> list[Run]:
    """All models with one seed, then the next; printed in that order."""
    command = shlex.split(options.ppl)
    known = kept(options.log)
    with ProcessPoolExecutor(options.jobs) as pool:  # processes, so that each tells the CPU of its own children
        todo = [
            (case, seed, None if (case.name, seed) in known else pool.submit(run, case, seed, command, options.limit))
            for seed in range(1, seeds + 1)
            for case in cases
        ]
        runs = []
        for case, seed, future in todo:
            one = known[case.name, seed] if future is None else future.result()
            runs.append(one)
            if future is not None:
                keep(options.log, one)
            print(
                f"{one.case:40s} seed {one.seed:2d} {one.seconds:6.1f} s  {one.outcome:8s} "
                f"mean {one.mean:8.3f} sd {one.sd:7.3f}  {one.verdict}, {one.rung}  {one.worst}",
                flush=True,
            )
    return runs


def table(cases: Iterable[Case], runs: Sequence[Run]) -> list[str]:
    head = ["model", "scalars", *OUTCOMES, "worst called good", "worst of all", "CPU s", "verdict, rung"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 2)}---|"]
    for case in cases:
        own = [one for one in runs if one.case == case.name]
        lines.append(row(case.name, str(len(case.params)), own))
    return [*lines, row("**all**", "", runs)]


def row(name: str, scalars: str, runs: Sequence[Run]) -> str:
    counts = Counter(one.outcome for one in runs)
    good = [one for one in runs if one.verdict == "good"]
    common = Counter(f"{one.verdict}, {one.rung}" for one in runs if one.verdict).most_common(1)
    cells = [
        name,
        scalars,
        *(str(counts[outcome] or "·") for outcome in OUTCOMES),
        worst(good),
        worst([one for one in runs if one.verdict]),
        f"{median(one.seconds for one in runs):.1f}",
        common[0][0] if common else "",
    ]
    return f"| {' | '.join(cells)} |"


def worst(runs: Sequence[Run]) -> str:
    """Mean in sds, and sd in log ratio."""
    return f"{max(one.mean for one in runs):.2f}, {max(one.sd for one in runs):.2f}" if runs else "·"


def details(runs: Sequence[Run]) -> list[str]:
    """One line for each run that is not as it should be, flagged ones left out."""
    lines = []
    for one in runs:
        if one.outcome in ("silent", "near"):
            lines.append(
                f"- {one.outcome}: {one.case}, seed {one.seed}: `{one.worst}`; the worst mean is off by {one.mean:.2f} "
                f"sd, the worst log sd ratio is {one.sd:.2f} ({one.rung})"
            )
        elif one.outcome in ("alarm", "error"):
            lines.append(f"- {one.outcome}: {one.case}, seed {one.seed}: {one.reasons[0] if one.reasons else ''}")
    return lines


def machine() -> str:
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "autograd"))
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"


def section(title: str, cases: Sequence[Case], seeds: int, runs: Sequence[Run]) -> list[str]:
    text = [f"## {title}, seeds 1 to {seeds}", "", *table(cases, runs), ""]
    misses = details(runs)
    return text + (["Run by run, what is silent, near, an alarm or an error:", "", *misses, ""] if misses else [])


def report(sections: Iterable[str]) -> str:
    head = [
        "# How accurate fits are, and how honest",
        "",
        f"Made by `python benchmarks/{Path(sys.argv[0]).name} {shlex.join(sys.argv[1:])}`".rstrip(" `") + "`.",
        f"Machine: {machine()}.",
        "",
        "Each fit is one fresh process of `ppl fit`, with the options as they come. References: "
        "[benchmarks/hard](../benchmarks/hard/README.md). Errors are those of a model's worst scalar: the mean's in "
        'sds of the reference, the sd\'s as |log ratio|. Where the reference says `"by": "quantiles"` (the kurtosis is '
        "above 40, so that no draws can tell the sd) the median stands for the mean, and the width between the 5 % and "
        "the 95 % quantile for the sd. Seconds are medians of CPU time, start of Python included.",
        "",
        *(f"- {name}: {meaning}" for name, meaning in OUTCOMES.items()),
        "",
    ]
    return "\n".join([*head, *sections])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models of benchmarks/hard; all without any")
    parser.add_argument("--seeds", type=int, default=20, help="seeds 1 to N (default 20)")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--limit", type=int, default=120, help="CPU seconds that a fit may take (default 120)")
    parser.add_argument(
        "--posteriordb",
        type=Path,
        nargs="?",
        const=POSTERIORDB,
        metavar="DIR",
        help=f"and those of DIR (default {POSTERIORDB}) that have a reference",
    )
    parser.add_argument("--posteriordb-seeds", type=int, default=5, help="seeds 1 to N of these (default 5)")
    parser.add_argument("--ppl", default=f"{shlex.quote(sys.executable)} -m ppl", help="the command")
    parser.add_argument("--log", type=Path, help="a file that keeps the runs, and says which are done")
    parser.add_argument("--out", type=Path, help="the file to write")
    options = parser.parse_args()
    cases = hard_cases()
    unknown = set(options.names) - {case.name for case in cases}
    if unknown:
        parser.error(f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(case.name for case in cases)}")
    cases = [case for case in cases if not options.names or case.name in options.names]
    sets = [("The hard set", cases, options.seeds)]
    if options.posteriordb:
        others = posteriordb_cases(options.posteriordb)
        if not others:
            parser.error(f"no NAME/reference.json in {options.posteriordb}")
        sets.append(("posteriordb", others, options.posteriordb_seeds))
    sections, silent = [], 0
    for title, chosen, seeds in sets:
        runs = run_all(chosen, seeds, options)
        silent += sum(one.outcome == "silent" for one in runs)
        sections += section(title, chosen, seeds, runs)
    out = options.out or (None if options.names else ROOT / "docs" / "accuracy.md")
    if out is None:
        print("\n".join(sections))
    else:
        out.write_text(report(sections), encoding="utf-8")
        print(f"written to {out}")
    return int(silent > 0)


if __name__ == "__main__":
    sys.exit(main())
