"""values of all latents -> the log joint density there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ppl.compile.joint import LogJoint
from ppl.language.errors import UsageError
from ppl.model.graph import Model
from ppl.model.program import compile_terms


def log_density(model: Model, joint: LogJoint, values: Mapping[str, Any], whole: bool = True) -> float:
    """As `Posterior.log_density`. Raises `UsageError`, also where not the `whole` of the data is in memory."""
    if not whole:
        raise UsageError("log_density: of a stream only some rows are in memory; `fit.evaluate` reads all of a file")
    known = {latent.name: latent for latent in (*model.latents, *model.simulated)}
    unknown = [name for name in values if name not in known]
    missing = [latent.name for latent in model.latents if latent.name not in values]
    if unknown or missing:
        told = [f"`{name}` is no latent" for name in unknown] + [f"`{name}` is missing" for name in missing]
        raise UsageError(f"log_density: {', '.join(told)}; the latents are {', '.join(known)}")
    arrays = {name: _one_draw(name, value, known[name].shape) for name, value in values.items()}
    total = float(joint.log_density({b.name: arrays[b.name] for b in joint.blocks})[0])
    for latent in model.simulated:
        if latent.name in arrays:
            found = compile_terms([piece.log_prob for piece in latent.pieces]).run(arrays)
            total += sum(float(np.sum(part)) for part in found)
    return total


def _one_draw(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        given = np.asarray(value)
    except ValueError:  # ragged
        given = np.array(None)
    if given.dtype.kind not in "biuf":
        raise UsageError(f"log_density: the value of `{name}` must be numbers, not {value!r}"[:200]) from None
    array = given.astype(np.float64)
    if array.shape != shape:
        if array.size != int(np.prod(shape)) or array.size != 1:
            raise UsageError(f"log_density: `{name}` has shape {shape}, and a value of shape {array.shape} was given")
        array = array.reshape(shape)
    return array[None]
