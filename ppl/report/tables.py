"""record -> text: the summary as a table, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from ppl.report import deep
from ppl.report.record import STATISTICS, Quantity, Record, Tried, label_all

_MOST_OF_ONE = 60  # elements of one name that a table shows unless all are asked for
_MOST_VALUES = 12  # of a discrete latent, whose probabilities a table shows
_HEADINGS = ("", "mean", "sd", "5%", "50%", "95%", "mcse")


def as_json(record: Record, everything: bool = False) -> str:
    """The fit as one JSON object; numbers that JSON cannot hold are null."""
    variables = {
        label: {statistic: _plain(value) for statistic, value in statistics.items()}
        for quantity in record.shown(everything)
        for label, statistics in scalars(quantity)
    }
    return json.dumps(
        {
            "model": record.model,
            "verdict": record.verdict,
            "reasons": list(record.reasons),
            "pareto_k": _plain(record.pareto_k),
            "elbo": _plain(record.elbo),
            "seconds": round(record.seconds, 4),
            "evaluations": record.evaluations,
            "draw_error": _plain(record.draw_error),
            "rungs": [
                {**_told(tried), "pareto_k": _plain(tried.pareto_k), "elbo": _plain(tried.elbo)}
                for tried in record.tried
            ],
            "seed": record.seed,
            **({} if record.deep is None else {"stochastic": deep.as_words(record.deep)}),
            "left_out": list(record.left_out),
            "variables": variables,
            "probabilities": {
                label: dict(zip(found.values, map(_plain, column), strict=True))
                for found in record.probabilities.values()
                for label, column in zip(
                    label_all(found.name, found.axes), found.probability.reshape(len(found.values), -1).T, strict=True
                )
            },
        },
        ensure_ascii=False,
        indent=1,
    )


def _told(tried: Tried) -> dict[str, Any]:
    """A rung without its path, which is for plots."""
    return {key: value for key, value in asdict(tried).items() if key != "path"}


def scalars(quantity: Quantity) -> Iterator[tuple[str, dict[str, float]]]:
    """Each element's label and statistics."""
    values = _flat(quantity)
    for i, label in enumerate(quantity.labels()):
        yield label, {statistic: float(values[statistic][i]) for statistic in STATISTICS}


def as_csv(record: Record, everything: bool = False) -> str:
    """One line a scalar, all digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("variable", *STATISTICS))
    for quantity in record.shown(everything):
        for label, statistics in scalars(quantity):
            known = [repr(value) if _counts(quantity, value) else "" for value in statistics.values()]
            writer.writerow((label, *known))
    return out.getvalue()


def as_text(record: Record, everything: bool = False) -> str:
    """The table for people, its digits chosen by the spread of each quantity."""
    headings, rows, note = cells(record, everything)
    lines = aligned([headings, *rows])
    for table in probabilities(record, everything):
        lines += ["", *aligned(table)]
    return "\n".join([*lines, *note])


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [_line(row, widths) for row in rows]


def probabilities(record: Record, everything: bool) -> list[list[tuple[str, ...]]]:
    """For each discrete latent a table of the probabilities of its values, where these are few: headings, then rows."""
    tables = []
    for found in record.probabilities.values():
        if len(found.values) > _MOST_VALUES:
            continue
        labels = label_all(found.name, found.axes)
        flat = found.probability.reshape(len(found.values), len(labels))
        most = len(labels) if everything or len(labels) <= _MOST_OF_ONE else _MOST_OF_ONE // 2
        rows = [(label, *(f"{p:.3f}" for p in flat[:, i])) for i, label in enumerate(labels[:most])]
        if most < len(labels):
            rows.append((f"... {len(labels) - most} more", *([""] * len(found.values))))
        tables.append([("probability of", *found.values), *rows])
    return tables


def cells(
    record: Record, everything: bool = False, most: int = _MOST_OF_ONE
) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """The headings, the rows (`most` of one name, unless `everything` is asked for) and the note below them."""
    rows: list[tuple[str, ...]] = []
    shown = record.shown(everything)
    for quantity in shown:
        rows += _rows(quantity, quantity.size if everything else most)
    hidden = [quantity.name for quantity in record.quantities.values() if quantity not in shown]
    if any(row[1] == "" for row in rows):  # "... 3 more"
        hidden.append("the rest of long names")
    note = _points(record)
    note += [f"not shown: {', '.join(hidden)} (--all shows them)"] if hidden else []
    if record.left_out:
        note.append(f"not kept, because too long: {', '.join(record.left_out)} (`ppl fit --all` keeps them)")
    return _HEADINGS, rows, note


def _points(record: Record) -> list[str]:
    """What a reader must know of point estimates."""
    points = [quantity for quantity in record.quantities.values() if quantity.role == "point"]
    if not points:
        return []
    names, several = ", ".join(quantity.name for quantity in points), len(points) > 1
    are = "are point estimates" if several else "is a point estimate"
    asked = not all(np.isnan(quantity.sd).all() for quantity in points)
    words = [f"{names} {are}" + (", the sd the standard error" if asked else ", without a distribution")]
    if not is_likelihood(record):
        words.append(f"all else is given {'them' if several else 'it'}")
    return ["; ".join(words)]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
    return "  ".join(cells).rstrip()


def _rows(quantity: Quantity, most: int) -> list[tuple[str, ...]]:
    values, labels = _flat(quantity), quantity.labels()
    shown = labels if len(labels) <= most else labels[: most // 2]
    rows = []
    for i, label in enumerate(shown):
        numbers = {statistic: float(values[statistic][i]) for statistic in STATISTICS}
        if quantity.role == "point" and math.isnan(numbers["sd"]):
            digits = decimals(0.01 * abs(numbers["mean"]))
        else:
            digits = decimals(numbers["sd"])
        cells = [number(value, digits) for value in list(numbers.values())[:-1]] + [f"{numbers['mcse']:.1g}"]
        counted = [_counts(quantity, value) for value in numbers.values()]
        rows.append((label, *(cell if there else "" for cell, there in zip(cells, counted, strict=True))))
    if len(shown) < len(labels):
        rows.append((f"... {len(labels) - len(shown)} more", *([""] * len(STATISTICS))))
    return rows


def _counts(quantity: Quantity, value: float) -> bool:
    """Point estimates have no quantiles, nor an sd where their standard errors were not asked for."""
    return quantity.role != "point" or not math.isnan(value)


def decimals(sd: float) -> int:
    """Decimals that show two digits and a bit of the sd."""
    if not math.isfinite(sd) or sd <= 0:
        return 3
    return int(np.clip(2 - math.floor(math.log10(sd)), 0, 12))


def number(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return str(value)
    if decimals >= 9 or abs(value) >= 1e9:
        return f"{value:.4g}"
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # no minus before a zero


def _flat(quantity: Quantity) -> dict[str, np.ndarray]:
    return {statistic: np.asarray(getattr(quantity, statistic)).reshape(-1) for statistic in STATISTICS}


def _plain(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def verdict_lines(record: Record) -> list[str]:
    """The verdict with its reasons, and what the fit cost, in a few sentences."""
    lines = [f"verdict: {record.verdict}"]
    lines += [f"  {reason}" for reason in record.reasons]
    rhat = next((rule.number for rule in record.rules if rule.name == "R-hat"), None)
    judged = f"Pareto k {record.pareto_k:.2f}" if rhat is None else f"R-hat {rhat:.3f}"
    likelihood = is_likelihood(record)
    worth = f"{'log likelihood' if likelihood else 'ELBO'} {record.elbo:.2f} nats"
    facts = [*([] if likelihood else [judged]), worth, f"{record.evaluations} evaluations"]
    facts += [f"draw error {record.draw_error:.2g} sd"] if rhat is None and not likelihood else []
    if any(rule.name == "no result" and rule.number for rule in record.rules):  # nothing was judged yet
        facts = [f"{record.evaluations} evaluations"]
    if record.deep is not None:
        lines += deep.lines(record.deep)
        facts = []
    facts += [f"{record.seconds:.2f} s", f"seed {record.seed}"]
    return [*lines, *_rungs(record), f"  {', '.join(facts)}"]


def is_likelihood(record: Record) -> bool:
    """Whether nothing was integrated over, by a guide, beside point estimates: the ELBO is the log likelihood."""
    roles = {q.role for name, q in record.quantities.items() if name not in record.probabilities}
    return "point" in roles and "latent" not in roles


def _rungs(record: Record) -> list[str]:
    """Which rung the fit comes from and what the others were worth, where more than the first was tried."""
    if len(record.tried) < 2:
        return []
    taken = next(tried.rung for tried in record.tried if tried.taken)
    others = [f"{tried.rung}: {tried.verdict}, {tried.seconds:.2g} s" for tried in record.tried if not tried.taken]
    return [f"  rung: {'; '.join([taken, *others])}"]
