"""record -> draws whose axes have names and labels: as arrays, for xarray, and for ArviZ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ppl.data.axes import Axis
from ppl.language.errors import UsageError, nearest
from ppl.report.record import Quantity, Record


class Draws(np.ndarray):
    """Draws (S, *shape) of one name: an array like any other, that also knows its axes.

    `dims` are the names of its axes, "draw" first, `coords` the labels of those that have any. `draws["Choate"]` picks
    the draws (S,) of one element by its label, `draws["Choate", "2"]` where there are two axes. What is computed from
    it is a plain array.
    """

    _name: str
    _axes: tuple[Axis, ...]

    @staticmethod
    def of(quantity: Quantity) -> Draws:
        found = quantity.draws.view(Draws)
        found._name, found._axes = quantity.name, quantity.axes
        return found

    def __array_finalize__(self, other: Any) -> None:
        self._name, self._axes = "", ()

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        plain = np.asarray(array)
        return plain[()] if return_scalar or not plain.ndim else plain

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()

    @property
    def dims(self) -> tuple[str, ...]:
        return ("draw", *_unlike([axis.name for axis in self._axes], ("draw",)))

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        return {dim: axis.labels for dim, axis in zip(self.dims[1:], self._axes, strict=True) if axis.labels}

    def __getitem__(self, key: Any) -> Any:
        labels = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(label, str) for label in labels):
            return np.asarray(self)[key]
        if len(labels) != len(self._axes) or not all(isinstance(label, str) for label in labels):
            raise KeyError(f"`{self._name}` has {len(self._axes)} axes with labels: {', '.join(self.dims[1:])}")
        where: Any = tuple(_place(axis, label) for axis, label in zip(self._axes, labels, strict=True))
        return np.asarray(self)[(slice(None), *where)]


def _place(axis: Axis, label: str) -> int:
    known = [axis.label(i) for i in range(axis.length)]
    if label not in known:
        likely = nearest(label, known)
        raise KeyError(f"axis {axis.name} has no {label!r}" + (f"; did you mean {likely!r}?" if likely else ""))
    return known.index(label)


def _unlike(names: list[str], taken: tuple[str, ...]) -> list[str]:
    """Names of which no two are alike, nor like one that is taken: `school`, `school_2`."""
    found: list[str] = []
    for name in names:
        number, own = 1, name
        while own in found or own in taken:
            number += 1
            own = f"{name}_{number}"
        found.append(own)
    return found


def as_dataset(quantities: Mapping[str, Quantity], leading: tuple[str, ...] = ("draw",)) -> Any:
    """An xarray.Dataset with a variable a name. Raises `UsageError` where xarray is missing."""
    try:
        import xarray
    except ImportError:
        raise UsageError("this needs xarray, which is not installed: pip install 'ppl[notebook]'") from None
    dimensions = _Dimensions(tuple(quantities), {})
    variables = {}
    for name, quantity in quantities.items():
        dims = dimensions.of(quantity.axes)
        values = quantity.draws if len(leading) == 1 else quantity.draws[None]
        variables[name] = xarray.Variable((*leading, *dims), values, {"role": quantity.role})
    coordinates = {
        name: [axis.label(i) for i in range(axis.length)] if axis.labels else np.arange(1, axis.length + 1)
        for name, axis in dimensions.known.items()
    }
    return xarray.Dataset(variables, coordinates)


class _Dimensions:
    """A name for every axis: another one of the same name but other elements gets a number."""

    def __init__(self, taken: tuple[str, ...], known: dict[str, Axis]):
        self.taken, self.known = taken, known

    def of(self, axes: tuple[Axis, ...]) -> list[str]:
        found: list[str] = []
        for axis in axes:
            number, name = 1, axis.name
            while name in found or name in self.taken or not self._same(name, axis):
                number += 1
                name = f"{axis.name}_{number}"
            self.known[name] = axis
            found.append(name)
        return found

    def _same(self, name: str, axis: Axis) -> bool:
        known = self.known.get(name)
        return name not in ("chain", "draw") and (known is None or (known == axis and known.labels == axis.labels))


def as_inference_data(record: Record) -> Any:
    """An arviz.InferenceData of posterior and observed data. Raises `UsageError` where ArviZ is missing."""
    try:
        from arviz import InferenceData
    except ImportError:
        raise UsageError("this needs ArviZ before version 1: pip install 'ppl[notebook]'") from None
    from xarray import Dataset

    posterior = as_dataset(record.quantities, ("chain", "draw"))
    dimensions = _Dimensions(tuple(record.observed), {})
    observed = Dataset({found.name: (dimensions.of(found.axes), found.values) for found in record.observed.values()})
    return InferenceData(posterior=posterior, observed_data=observed)
