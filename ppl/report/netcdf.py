"""arrays over axes <-> the variables of a netCDF group."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import FileError

_SLASH, _STAND_IN = "/", "\u2215"  # HDF5 names hold no slash


def text(value: Any) -> str:
    """A string as it is, or `FileError` where no netCDF file can hold it."""
    found = str(value)
    if "\0" in found or any("\ud800" <= character <= "\udfff" for character in found):
        raise FileError(
            f"a fit with {found[:60]!r} cannot be written: files hold no NUL and no half of a surrogate pair"
        )
    return found


class Group:
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
            return not same(self.axes[name], axis)
        return name in self.group.variables

    def _coordinate(self, name: str, axis: Axis) -> None:
        import h5py

        if axis.labels is None:
            first = 0 if name in ("chain", "draw", "proposal") else 1
            self.group.create_variable(name, (name,), data=np.arange(first, axis.length + first))
        else:
            labels = np.array([text(label) for label in axis.labels], dtype=object)
            variable = self.group.create_variable(name, (name,), dtype=h5py.string_dtype(), data=labels)
            variable.attrs["labelled"] = 1
        self.group.variables[name].attrs["axis_name"] = axis.name
        self.group.variables[name].attrs["identity"] = axis.identity or ""

    def variable(
        self, name: str, leading: tuple[str, ...], axes: tuple[Axis, ...], values: np.ndarray, role: str
    ) -> Any:
        """The variable of a name, over dimensions for its axes."""
        import h5py

        dimensions = [self.axis(Axis(lead, n)) for lead, n in zip(leading, values.shape, strict=False)]
        for axis in axes:
            dimensions.append(self.axis(axis, taken=dimensions))
        key = text(name).replace(_SLASH, _STAND_IN)
        key = key if key.strip(".") else key.replace(".", "_")  # HDF5 takes dots for a folder
        while key in self.group.variables:  # a name that is also the name of an axis
            key = f"{key}_values"
        if values.dtype.kind == "U":
            kind = h5py.string_dtype()
            strings = np.array([text(value) for value in values.reshape(-1)], dtype=object).reshape(values.shape)
            variable = self.group.create_variable(key, tuple(dimensions), dtype=kind, data=strings)
        else:
            variable = self.group.create_variable(key, tuple(dimensions), data=np.ascontiguousarray(values))
        variable.attrs["ppl_name"] = name
        variable.attrs["role"] = role
        return variable


def same(first: Axis, second: Axis) -> bool:
    return first.length == second.length and first.identity == second.identity and first.labels == second.labels


def by_name(group: Any) -> dict[str, Any]:
    """The variables of a group, which an older file may lack, by the names they belong to."""
    found = [] if group is None else group.variables.values()
    return {str(variable.attrs["ppl_name"]): variable for variable in found if "ppl_name" in variable.attrs}


def axis_of(group: Any, dimension: str) -> Axis:
    coordinate = group.variables[dimension]
    values = coordinate[...]
    labels = None
    if "labelled" in coordinate.attrs:
        labels = tuple(str(value.decode() if isinstance(value, bytes) else value) for value in values)
    identity = str(coordinate.attrs["identity"]) or None
    return Axis(str(coordinate.attrs["axis_name"]), len(values), identity, labels)
