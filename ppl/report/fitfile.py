"""record <-> netCDF file, in the layout that ArviZ opens: groups posterior, observed_data and sample_stats.

The group `summary` holds what the table shows, statistics along its first axis, and `effective_draws` what the sds rest
on; what else the fit says of itself stands in the attributes of the file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import FileError
from ppl.report.atomic import replacing
from ppl.report.record import STATISTICS, Checked, Observed, Probabilities, Quantity, Record, Tried

FORMAT = 2
_SCALARS = {
    "seed": int, "verdict": str, "pareto_k": float, "elbo": float, "evaluations": int, "seconds": float,
    "newton_step": float, "draw_error": float, "effective_draws": float, "version": str, "model": str,
    "model_text": str,
}  # fmt: skip
_SLASH, _STAND_IN = "/", "\u2215"  # HDF5 names hold no slash


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
        file.attrs[name] = _text(value) if kind is str else value
    file.attrs["reasons"] = json.dumps(record.reasons)
    file.attrs["left_out"] = json.dumps(record.left_out)
    file.attrs["sources"] = json.dumps(record.sources)
    file.attrs["tried"] = json.dumps([asdict(tried) for tried in record.tried])
    file.attrs["rules"] = json.dumps([asdict(rule) for rule in record.rules])
    posterior = _Group(file.create_group("posterior"))
    summary = _Group(file.create_group("summary"))
    summary.axis(Axis("statistic", len(STATISTICS), None, STATISTICS))
    behind = _Group(file.create_group("effective_draws"))
    for quantity in record.quantities.values():
        posterior.variable(quantity.name, ("chain", "draw"), quantity.axes, quantity.draws[None], quantity.role)
        stacked = np.stack([getattr(quantity, statistic) for statistic in STATISTICS])
        summary.variable(quantity.name, ("statistic",), quantity.axes, stacked, quantity.role)
        behind.variable(quantity.name, (), quantity.axes, quantity.behind_sd, quantity.role)
    if record.probabilities:
        shares = _Group(file.create_group("probabilities"))
        for known in record.probabilities.values():
            axis = Axis("value", len(known.values), None, known.values)
            shares.variable(known.name, (), (axis, *known.axes), known.probability, "probability")
    observed = _Group(file.create_group("observed_data"))
    for found in record.observed.values():
        observed.variable(found.name, (), found.axes, found.values, "observed")
    stats = _Group(file.create_group("sample_stats"))
    stats.variable("proposal_log_weight", ("chain", "proposal"), (), record.log_weights[None], "statistic")


def _text(value: Any) -> str:
    """A string as it is, or `FileError` where no netCDF file can hold it."""
    text = str(value)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise FileError(
            f"a fit with {text[:60]!r} cannot be written: files hold no NUL and no half of a surrogate pair"
        )
    return text


class _Group:
    """A group of the file, its dimensions and coordinates named after axes."""

    def __init__(self, group: Any):
        self.group = group
        self.axes: dict[str, Axis] = {}

    def axis(self, axis: Axis, taken: Iterable[str] = ()) -> str:
        """The dimension of an axis: another one of the same name but not the same elements gets a number."""
        stem = re.sub(r"\W+", "_", axis.name).strip("_") or "axis"
        stem = f"dim_{stem}" if stem[0].isdigit() else stem
        name, number = stem, 1
        while name in taken or self._is_other(name, axis):
            number += 1
            name = f"{stem}_{number}"
        if name not in self.axes:
            self.axes[name] = axis
            self.group.dimensions[name] = axis.length
            self._coordinate(name, axis)
        return name

    def _is_other(self, name: str, axis: Axis) -> bool:
        """Whether the name already belongs to a variable, or to an axis with other elements."""
        if name in self.axes:
            return not _same(self.axes[name], axis)
        return name in self.group.variables

    def _coordinate(self, name: str, axis: Axis) -> None:
        import h5py

        if axis.labels is None:
            first = 0 if name in ("chain", "draw", "proposal") else 1
            self.group.create_variable(name, (name,), data=np.arange(first, axis.length + first))
        else:
            labels = np.array([_text(label) for label in axis.labels], dtype=object)
            variable = self.group.create_variable(name, (name,), dtype=h5py.string_dtype(), data=labels)
            variable.attrs["labelled"] = 1
        self.group.variables[name].attrs["axis_name"] = axis.name
        self.group.variables[name].attrs["identity"] = axis.identity or ""

    def variable(
        self, name: str, leading: tuple[str, ...], axes: tuple[Axis, ...], values: np.ndarray, role: str
    ) -> None:
        import h5py

        dimensions = [self.axis(Axis(lead, n)) for lead, n in zip(leading, values.shape, strict=False)]
        for axis in axes:
            dimensions.append(self.axis(axis, taken=dimensions))
        key = _text(name).replace(_SLASH, _STAND_IN)
        key = key if key.strip(".") else key.replace(".", "_")  # HDF5 takes dots for a folder
        while key in self.group.variables:  # a name that is also the name of an axis
            key = f"{key}_values"
        if values.dtype.kind == "U":
            text = h5py.string_dtype()
            strings = np.array([_text(value) for value in values.reshape(-1)], dtype=object).reshape(values.shape)
            variable = self.group.create_variable(key, tuple(dimensions), dtype=text, data=strings)
        else:
            variable = self.group.create_variable(key, tuple(dimensions), data=np.ascontiguousarray(values))
        variable.attrs["ppl_name"] = name
        variable.attrs["role"] = role


def _same(first: Axis, second: Axis) -> bool:
    return first.length == second.length and first.identity == second.identity and first.labels == second.labels


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
    summaries, behind = _by_name(summary), _by_name(file.groups.get("effective_draws"))
    for variable in posterior.variables.values():
        if "ppl_name" not in variable.attrs:
            continue
        own = str(variable.attrs["ppl_name"])
        statistics = np.asarray(summaries[own][...])
        axes = tuple(_axis(posterior, dimension) for dimension in variable.dimensions[2:])
        values = dict(zip(STATISTICS, statistics, strict=True))
        values["behind_sd"] = np.asarray(behind[own][...]) if own in behind else np.full_like(values["sd"], np.nan)
        quantities[own] = Quantity(own, str(variable.attrs["role"]), axes, np.asarray(variable[...])[0], **values)
    observed = {}
    group = file.groups["observed_data"]
    for variable in group.variables.values():
        if "ppl_name" in variable.attrs:
            own = str(variable.attrs["ppl_name"])
            axes = tuple(_axis(group, dimension) for dimension in variable.dimensions)
            observed[own] = Observed(own, axes, np.asarray(variable[...]))
    probabilities = {}
    shares = file.groups.get("probabilities")
    for variable in shares.variables.values() if shares is not None else ():
        if "ppl_name" in variable.attrs:
            own = str(variable.attrs["ppl_name"])
            first, *axes_of_one = (_axis(shares, dimension) for dimension in variable.dimensions)
            values_of = first.labels or ()
            probabilities[own] = Probabilities(own, tuple(axes_of_one), values_of, np.asarray(variable[...]))
    weights = np.asarray(file.groups["sample_stats"].variables["proposal_log_weight"][...])[0]
    return Record(
        reasons=tuple(json.loads(str(file.attrs["reasons"]))),
        sources=tuple(json.loads(str(file.attrs["sources"]))),
        left_out=tuple(json.loads(str(file.attrs["left_out"]))),
        tried=tuple(Tried(**tried) for tried in json.loads(str(file.attrs.get("tried", "[]")))),
        rules=tuple(Checked(**rule) for rule in json.loads(str(file.attrs.get("rules", "[]")))),
        quantities=quantities, observed=observed, log_weights=weights, probabilities=probabilities, **scalars,
    )  # fmt: skip


def _by_name(group: Any) -> dict[str, Any]:
    """The variables of a group, which an older file may lack, by the names they belong to."""
    found = [] if group is None else group.variables.values()
    return {str(variable.attrs["ppl_name"]): variable for variable in found if "ppl_name" in variable.attrs}


def _axis(group: Any, dimension: str) -> Axis:
    coordinate = group.variables[dimension]
    values = coordinate[...]
    labels = None
    if "labelled" in coordinate.attrs:
        labels = tuple(str(value.decode() if isinstance(value, bytes) else value) for value in values)
    identity = str(coordinate.attrs["identity"]) or None
    return Axis(str(coordinate.attrs["axis_name"]), len(values), identity, labels)
