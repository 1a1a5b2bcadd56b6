"""what is observed of a row -> mean and log sd of its latents' coordinates: a network, its weights a flat vector.

Tanh or relu layers (Kingma and Welling 2014); weights start from Glorot's draws (2010), small in the last layer, so
that the guide starts near zero with one sd for all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import autograd.numpy as np
import numpy

from ppl.numeric.gather import pick
from ppl.numeric.special import relu, tanh

ACTIVATIONS = {"tanh": tanh, "relu": relu}
_FIRST_LOG_SD = -1.0
_LAST_LAYER = 0.1  # times Glorot's scale


@dataclass(frozen=True, slots=True)
class Encoder:
    """`inputs` numbers of a row, layers of `hidden` units, and `outputs` coordinates, each with mean and log sd."""

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    activation: str = "tanh"

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the weights of each layer."""
        sizes = (self.inputs, *self.hidden, 2 * self.outputs)
        return tuple(pairwise(sizes))

    @property
    def size(self) -> int:
        """The number of weights and offsets."""
        return sum((rows + 1) * columns for rows, columns in self.layers)

    def start(self, rng: numpy.random.Generator) -> numpy.ndarray:
        parts = []
        for i, (rows, columns) in enumerate(self.layers):
            last = i == len(self.layers) - 1
            scale = numpy.sqrt(2.0 / (rows + columns)) * (_LAST_LAYER if last else 1.0)
            offset = numpy.zeros(columns)
            if last:
                offset[self.outputs :] = _FIRST_LOG_SD
            parts += [rng.normal(0.0, scale, rows * columns), offset]
        return numpy.concatenate(parts)

    def __call__(self, weights: Any, rows: Any) -> tuple[Any, Any]:
        """Weights (size,) and rows (M, inputs) -> means and log sds (M, outputs); differentiable by autograd."""
        at = 0
        found = rows
        function = ACTIVATIONS[self.activation]
        for i, (inputs, outputs) in enumerate(self.layers):
            matrix = np.reshape(pick(weights, (slice(at, at + inputs * outputs),)), (inputs, outputs))
            at += inputs * outputs
            found = np.matmul(found, matrix) + pick(weights, (slice(at, at + outputs),))
            at += outputs
            if i < len(self.layers) - 1:
                found = function(found)
        means, log_sds = (pick(found, (slice(None), part)) for part in self._halves())
        return means, log_sds

    def _halves(self) -> tuple[slice, slice]:
        return slice(0, self.outputs), slice(self.outputs, 2 * self.outputs)
