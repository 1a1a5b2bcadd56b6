"""What a stochastic fit leaves behind beside its draws: ELBO in parts, how it was trained, what the encoder is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

FORMAT = 1
USED = 0.01  # nats a row, above which a coordinate counts as used
_MOST_SHOWN = 12  # coordinates


@dataclass(frozen=True, slots=True, eq=False)
class Deep:
    """`likelihood` less `divergence` (of what rows share), less the sum of `axes` (of each coordinate of the encoded
    latents, summed over rows) and `others` is the ELBO, in nats over all data. `cells` counts observed numbers. The
    ELBO of the rows `held_out`, and that of all others, are in nats a row, without what rows share.

    `labels` are discrete latents of the rows with so many combinations of `values`, of which the encoder gives the
    probabilities; in training that of a known label counted `label_weight` times beside the ELBO.

    Discrete latents of the names in `relax` were trained at weights of this `temperature`.

    `phi` are all numbers that were fitted; `kept`, `mean`, `scale` and `gaps` say how the encoder reads a row.
    """

    guide: str
    amortise: tuple[str, ...]
    hidden: tuple[int, ...]
    activation: str
    batch: int
    rows: int
    cells: int
    epochs: float
    steps: int
    rate: float
    rows_a_second: float
    ended: str
    why: str
    notes: tuple[str, ...]
    likelihood: float
    divergence: float
    others: float
    axes: Mapping[str, np.ndarray]
    phi: np.ndarray
    gaps: np.ndarray
    kept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    held_out: int = 0
    elbo_held_out: float | None = None
    elbo_of_others: float | None = None
    labels: tuple[str, ...] = ()
    values: int = 0
    label_weight: float = 0.0
    relax: tuple[str, ...] = ()
    temperature: float = 0.0

    @property
    def elbo(self) -> float:
        return self.likelihood - self.divergence - self.others - sum(float(kl.sum()) for kl in self.axes.values())

    @property
    def bits(self) -> float:
        """Bits an observed number: minus the ELBO, in base 2, a cell."""
        return -self.elbo / math.log(2) / max(1, self.cells)

    @property
    def by_coordinate(self) -> dict[str, np.ndarray]:
        """KL terms of the encoded latents, in nats a row."""
        return {name: kl / max(1, self.rows) for name, kl in self.axes.items()}


_ARRAYS = ("phi", "gaps", "kept", "mean", "scale")
_TUPLES = ("amortise", "hidden", "notes", "labels", "relax")


def lines(deep: Deep) -> list[str]:
    """What a summary says of it below the verdict."""
    kl = deep.likelihood - deep.elbo
    a_row = f"{deep.elbo / deep.rows:,.3f} a row, " if deep.rows > 1 else ""
    told = [
        f"  ELBO {deep.elbo:,.2f} nats ({a_row}{deep.bits:.4f} bits an observed number):"
        f" reconstruction {deep.likelihood:,.2f}, KL {kl:,.2f}"
    ]
    for name, found in deep.by_coordinate.items():
        used = int((found > USED).sum())
        order = np.argsort(-found)[:_MOST_SHOWN]
        shown = ", ".join(f"{found[i]:.3f}" for i in order)
        more = ", ..." if len(found) > _MOST_SHOWN else ""
        told.append(f"  KL of {name} in nats a row: {shown}{more}; {used} of {len(found)} coordinates are used")
    parts = [f"guide {deep.guide}"] if deep.guide else []
    if deep.amortise:
        layers = ", ".join(str(size) for size in deep.hidden) or "no hidden layer"
        parts.append(f"encoder of {', '.join(deep.amortise)}: {len(deep.kept)} numbers, {deep.activation} {layers}")
    if deep.relax:
        names = ", ".join(deep.relax)
        parts.append(
            f"{names} relaxed at temperature {deep.temperature:g}, biased: the ELBO is that of draws of values"
        )
    if deep.batch:
        parts.append(f"batches of {deep.batch:,} of {deep.rows:,} rows, {deep.rows_a_second:,.0f} rows a second")
    told.append("  " + "; ".join(parts))
    if deep.labels:
        names = ", ".join(deep.labels)
        counted = f"; known labels counted {deep.label_weight:g} times more than in the ELBO" * (deep.label_weight > 0)
        told.append(f"  the encoder gives {names} too: probabilities of {deep.values} values{counted}")
    told.append(f"  {deep.epochs:,.0f} epochs ({deep.steps:,} steps) at rate {deep.rate:g}, until {deep.ended}")
    if deep.held_out:
        told.append(
            f"  {deep.held_out:,} rows were held out: their ELBO, {deep.elbo_held_out:,.3f} nats a row, decided when to"
            f" stop; that of the others is {deep.elbo_of_others:,.3f}"
        )
    told += [f"  {note}" for note in (deep.why, *deep.notes) if note]
    return told


def as_words(deep: Deep) -> dict[str, Any]:
    """What JSON shows of it."""
    words = _words(deep)
    del words["why"], words["notes"]
    if not deep.relax:
        del words["relax"], words["temperature"]
    return {
        **words,
        "elbo": deep.elbo,
        "bits": deep.bits,
        "kl_by_coordinate": {name: kl.tolist() for name, kl in deep.by_coordinate.items()},
    }


def _words(deep: Deep) -> dict[str, Any]:
    return {f.name: getattr(deep, f.name) for f in fields(Deep) if f.name not in (*_ARRAYS, "axes")}


def write(file: Any, deep: Deep) -> None:
    """As the group `stochastic` of a fit file."""
    group = file.create_group("stochastic")
    group.attrs["format"] = FORMAT
    group.attrs["words"] = json.dumps(_words(deep))
    group.attrs["axes"] = json.dumps({name: [float(x) for x in kl] for name, kl in deep.axes.items()})
    for name in _ARRAYS:
        values = np.asarray(getattr(deep, name))
        group.dimensions[f"of_{name}"] = max(1, len(values))
        kind = np.float64 if values.dtype.kind == "f" else np.int64
        filled = values.astype(kind) if len(values) else np.zeros(1, dtype=kind)
        variable = group.create_variable(name, (f"of_{name}",), data=filled)
        variable.attrs["length"] = len(values)


def read(file: Any) -> Deep | None:
    """None where the fit was not a stochastic one. Raises `KeyError`, `TypeError` or `ValueError` for damaged ones."""
    group = file.groups.get("stochastic")
    if group is None:
        return None
    if int(group.attrs["format"]) != FORMAT:
        raise ValueError(f"format {group.attrs['format']}")
    words = json.loads(str(group.attrs["words"]))
    words |= {name: tuple(words[name]) for name in _TUPLES if name in words}
    axes = {name: np.array(kl) for name, kl in json.loads(str(group.attrs["axes"])).items()}
    for name in _ARRAYS:
        variable = group.variables[name]
        words[name] = np.asarray(variable[...])[: int(variable.attrs["length"])]
    words["gaps"] = words["gaps"].astype(bool)
    return Deep(**words, axes=axes)
