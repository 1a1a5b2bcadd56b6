"""record -> every rule of the verdict with its number, and the scalars whose own numbers cannot be relied on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ppl.language.errors import FileError
from ppl.report.record import Checked, Record
from ppl.values import dataclass

FEWEST_BEHIND_MEAN = 400.0  # effective draws: the Monte Carlo error of the mean is then 5 % of the sd
FEWEST_BEHIND_SD = 100.0
_MOST_LISTED = 40  # scalars
_HEADINGS = ("rule", "number", "good to", "usable to", "says", "names")
_SAYS = {"good": "ok"}


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A scalar with the effective numbers of draws behind its mean and its sd, and the error of its mean in sds."""

    label: str
    behind_mean: float
    behind_sd: float
    error: float


def doubtful(record: Record, everything: bool = False) -> Iterator[Doubtful]:
    """The scalars whose mean or sd rests on too few draws, or is not finite.

    The draws behind a mean are (sd / mcse)^2: as many independent ones would have the same error.
    """
    for quantity in record.shown(everything):
        if quantity.role == "point":
            continue
        mean, sd, mcse, behind = (
            np.asarray(getattr(quantity, statistic), dtype=np.float64).reshape(-1)
            for statistic in ("mean", "sd", "mcse", "behind_sd")
        )
        with np.errstate(all="ignore"):
            error = mcse / sd
            behind_mean = 1 / error**2
        moves = ~((sd == 0) & np.isfinite(mean))
        wrong = moves & (
            ~np.isfinite(mean) | ~np.isfinite(sd) | (behind_mean < FEWEST_BEHIND_MEAN) | (behind < FEWEST_BEHIND_SD)
        )
        labels = quantity.labels() if wrong.any() else []
        for i in np.flatnonzero(wrong):
            yield Doubtful(labels[i], float(behind_mean[i]), float(behind[i]), float(error[i]))


def as_text(record: Record, name: str, everything: bool = False) -> str:
    """The table of rules, what those say that speak against the fit, and the doubtful scalars.

    Raises `FileError` for a fit, read from file `name`, that does not hold its rules.
    """
    rules = _rules(record, name)
    lines = [f"verdict: {record.verdict}", "", *_table([_HEADINGS, *(_row(rule) for rule in rules)])]
    for rule in rules:
        if rule.verdict != "good":
            lines += ["", f"{rule.name}: {rule.sentence}", f"  remedy: {rule.remedy}"]
            lines += [f"  along: {rule.edges}"] if rule.edges else []
    found = list(doubtful(record, everything))
    if found:
        lines += ["", f"rest on few draws (mean on fewer than {FEWEST_BEHIND_MEAN:.0f}, sd {FEWEST_BEHIND_SD:.0f}):"]
        rows = [(scalar.label, *_numbers(scalar)) for scalar in found[:_MOST_LISTED]]
        lines += _table([("", "draws behind mean", "behind sd", "mcse/sd"), *rows])
        if len(found) > _MOST_LISTED:
            lines.append(f"... {len(found) - _MOST_LISTED} more (--json lists them)")
    return "\n".join(lines)


def as_json(record: Record, name: str, everything: bool = False) -> str:
    """The same as one JSON object; numbers that JSON cannot hold are null. Raises `FileError` as `as_text` does."""
    rules = [{key: _plain(value) for key, value in asdict(rule).items()} for rule in _rules(record, name)]
    scalars = {
        scalar.label: {key: _plain(value) for key, value in asdict(scalar).items() if key != "label"}
        for scalar in doubtful(record, everything)
    }
    found = {"model": record.model, "verdict": record.verdict, "rules": rules, "unreliable": scalars}
    return json.dumps(found, ensure_ascii=False, indent=1)


def _rules(record: Record, name: str) -> tuple[Checked, ...]:
    if not record.rules:
        raise FileError(
            f"{name}: written by ppl {record.version}, which did not keep the numbers of the rules;"
            f" fit again: ppl fit {record.model} {' '.join(record.sources)} -o {name}"
        )
    return record.rules


def _row(rule: Checked) -> tuple[str, ...]:
    number = "-" if rule.number is None else _short(rule.number)
    says = "not looked at" if rule.number is None else _SAYS.get(rule.verdict, rule.verdict)
    return (rule.name, number, _limit(rule.good), _limit(rule.usable), says, rule.names)


def _numbers(scalar: Doubtful) -> tuple[str, ...]:
    return (f"{scalar.behind_mean:.0f}", f"{scalar.behind_sd:.0f}", _short(scalar.error))


def _short(number: float) -> str:
    return f"{number:.3g}"


def _limit(number: float) -> str:
    return "any" if number == math.inf else _short(number)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
