"""record <-> netCDF file, in the layout that ArviZ opens: groups posterior, observed_data,
constant_data and sample_stats.

The group `summary` holds what the table shows, statistics along its first axis, and `effective_draws` what the sds rest
on; what else the fit says of itself stands in the attributes of the file.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import FileError
from ppl.report import deep, givenfile
from ppl.report.atomic import replacing
from ppl.report.netcdf import Group, axis_of, by_name, text
from ppl.report.record import STATISTICS, Checked, Observed, Probabilities, Quantity, Record, Tried

FORMAT = 3
_SCALARS = {
    "seed": int, "verdict": str, "pareto_k": float, "elbo": float, "evaluations": int, "seconds": float,
    "newton_step": float, "draw_error": float, "effective_draws": float, "version": str, "model": str,
    "model_text": str,
}  # fmt: skip


def write(record: Record, path: str | os.PathLike[str]) -> None:
    """Write to the side and rename: a file that stands there is replaced whole or not at all. Raises `FileError`."""
    import h5netcdf

    try:
        with replacing(path) as side, h5netcdf.File(str(side), "w") as file:
            _fill(file, record)
    except ValueError as error:  # a name that HDF5 does not take
        raise FileError(f"{os.fspath(path)}: cannot be written: {error}") from None


def _fill(file: Any, record: Record) -> None:
    file.attrs["ppl_format"] = FORMAT
    file.attrs["created_by"] = f"ppl {record.version}"
    for name, kind in _SCALARS.items():
        value = kind(getattr(record, name))
        file.attrs[name] = text(value) if kind is str else value
    file.attrs["reasons"] = json.dumps(record.reasons)
    file.attrs["left_out"] = json.dumps(record.left_out)
    file.attrs["sources"] = json.dumps(record.sources)
    file.attrs["tried"] = json.dumps([asdict(tried) for tried in record.tried])
    file.attrs["rules"] = json.dumps([asdict(rule) for rule in record.rules])
    posterior = Group(file.create_group("posterior"))
    summary = Group(file.create_group("summary"))
    summary.axis(Axis("statistic", len(STATISTICS), None, STATISTICS))
    behind = Group(file.create_group("effective_draws"))
    for quantity in record.quantities.values():
        posterior.variable(quantity.name, ("chain", "draw"), quantity.axes, quantity.draws[None], quantity.role)
        stacked = np.stack([getattr(quantity, statistic) for statistic in STATISTICS])
        summary.variable(quantity.name, ("statistic",), quantity.axes, stacked, quantity.role)
        behind.variable(quantity.name, (), quantity.axes, quantity.behind_sd, quantity.role)
    if record.probabilities:
        shares = Group(file.create_group("probabilities"))
        for known in record.probabilities.values():
            axis = Axis("value", len(known.values), None, known.values)
            shares.variable(known.name, (), (axis, *known.axes), known.probability, "probability")
    observed = Group(file.create_group("observed_data"))
    for found in record.observed.values():
        observed.variable(found.name, (), found.axes, found.values, "observed")
    stats = Group(file.create_group("sample_stats"))
    stats.variable("proposal_log_weight", ("chain", "proposal"), (), record.log_weights[None], "statistic")
    stats.variable("proposal_of_draw", ("chain", "draw"), (), record.chosen[None], "statistic")
    givenfile.write(file, record.given)
    if record.deep is not None:
        deep.write(file, record.deep)


def read(path: str | os.PathLike[str]) -> Record:
    """Raises `FileError` for a file that is missing, damaged, foreign or of another format."""
    import h5netcdf

    name = os.fspath(path)
    if not Path(name).exists():
        raise FileError(f"{name}: there is no such file")
    if Path(name).is_dir():
        raise FileError(f"{name} is a folder; name the file in it")
    try:
        with h5netcdf.File(name, "r") as file:
            return _take(file, name)
    except FileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise FileError(f"{name}: not a fit that ppl wrote, or a damaged one ({type(error).__name__})") from None


def _take(file: Any, name: str) -> Record:
    if "ppl_format" not in file.attrs:
        raise FileError(f"{name}: a netCDF file, but not a fit that ppl wrote")
    if int(file.attrs["ppl_format"]) != FORMAT:
        raise FileError(
            f"{name}: written in format {int(file.attrs['ppl_format'])}, and this ppl reads format {FORMAT}; fit again"
        )
    scalars = {key: kind(file.attrs[key]) for key, kind in _SCALARS.items()}
    posterior, summary = file.groups["posterior"], file.groups["summary"]
    quantities = {}
    summaries, behind = by_name(summary), by_name(file.groups.get("effective_draws"))
    for variable in posterior.variables.values():
        if "ppl_name" not in variable.attrs:
            continue
        own = str(variable.attrs["ppl_name"])
        statistics = np.asarray(summaries[own][...])
        axes = tuple(axis_of(posterior, dimension) for dimension in variable.dimensions[2:])
        values = dict(zip(STATISTICS, statistics, strict=True))
        values["behind_sd"] = np.asarray(behind[own][...]) if own in behind else np.full_like(values["sd"], np.nan)
        quantities[own] = Quantity(own, str(variable.attrs["role"]), axes, np.asarray(variable[...])[0], **values)
    observed = {}
    group = file.groups["observed_data"]
    for variable in group.variables.values():
        if "ppl_name" in variable.attrs:
            own = str(variable.attrs["ppl_name"])
            axes = tuple(axis_of(group, dimension) for dimension in variable.dimensions)
            observed[own] = Observed(own, axes, np.asarray(variable[...]))
    probabilities = {}
    shares = file.groups.get("probabilities")
    for variable in shares.variables.values() if shares is not None else ():
        if "ppl_name" in variable.attrs:
            own = str(variable.attrs["ppl_name"])
            first, *axes_of_one = (axis_of(shares, dimension) for dimension in variable.dimensions)
            values_of = first.labels or ()
            probabilities[own] = Probabilities(own, tuple(axes_of_one), values_of, np.asarray(variable[...]))
    stats = file.groups["sample_stats"].variables
    return Record(
        reasons=tuple(json.loads(str(file.attrs["reasons"]))),
        sources=tuple(json.loads(str(file.attrs["sources"]))),
        left_out=tuple(json.loads(str(file.attrs["left_out"]))),
        tried=tuple(_tried(tried) for tried in json.loads(str(file.attrs.get("tried", "[]")))),
        rules=tuple(Checked(**rule) for rule in json.loads(str(file.attrs.get("rules", "[]")))),
        quantities=quantities, observed=observed, log_weights=np.asarray(stats["proposal_log_weight"][...])[0],
        chosen=np.asarray(stats["proposal_of_draw"][...])[0], probabilities=probabilities, given=givenfile.read(file),
        deep=deep.read(file),
        **scalars,
    )  # fmt: skip


def _tried(kept: dict[str, Any]) -> Tried:
    return Tried(**{**kept, "path": tuple(kept.get("path", ()))})
