"""what is observed of a row -> mean and log sd of its latents' coordinates: a network, its weights a flat vector.

Tanh or relu layers (Kingma and Welling 2014); weights start from Glorot's draws (2010), small in the last layer, so
that the guide starts near zero with one sd for all rows. Where rows have discrete latents, a second network gives the
probabilities of their values, and the first reads these too (Kingma, Mohamed, Rezende, Welling 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import autograd.numpy as np
import numpy
from autograd.core import VJPNode
from autograd.extend import primitive, register_notrace

from ppl.numeric.gather import pick
from ppl.numeric.reduce import logsumexp
from ppl.numeric.special import relu, tanh

ACTIVATIONS = {"tanh": tanh, "relu": relu}
_FIRST_LOG_SD = -1.0
_LAST_LAYER = 0.1  # times Glorot's scale
_ROWS_AT_ONCE = 4096
_NEVER = -1e9  # nats, instead of minus infinity: 0 times it is 0
LEAST_LOG_Q = -1e8  # of a value that counts


@primitive
def indicators(codes: Any, count: int) -> Any:
    """Whole numbers from 0, given as reals (...) -> (..., count), 1 where it is that number."""
    return (numpy.asarray(codes)[..., None] == numpy.arange(count)).astype(numpy.float64)


register_notrace(VJPNode, indicators)


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Means and log sds of a row's coordinates, each (M, values, coordinates), at each value of its discrete latents:
    at one, where it has none. `log_q` (M, values) are log probabilities of these that count, of others very low; and
    `log_known` (M,) the log probability of what is known.
    """

    mean: Any
    log_sd: Any
    log_q: Any = None
    log_known: Any = None


@dataclass(frozen=True, slots=True)
class Encoder:
    """`inputs` numbers of a row, layers of `hidden` units, and `outputs` coordinates, each with mean and log sd.

    With `values` of discrete latents a row has, behind its numbers, `codes` (values) and `counts` (values): which value
    it has where it is set to each, and whether that counts.
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    activation: str = "tanh"
    values: int = 0

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the weights of each layer."""
        return tuple(pairwise((self.inputs + self.values, *self.hidden, 2 * self.outputs)))

    @property
    def layers_of_values(self) -> tuple[tuple[int, int], ...]:
        """Likewise, of the network that tells the values apart."""
        return tuple(pairwise((self.inputs, *self.hidden, self.values))) if self.values else ()

    @property
    def size(self) -> int:
        """The number of weights and offsets."""
        return _size(self.layers) + _size(self.layers_of_values)

    def start(self, rng: numpy.random.Generator) -> numpy.ndarray:
        offset = numpy.zeros(2 * self.outputs)
        offset[self.outputs :] = _FIRST_LOG_SD
        parts = _start(self.layers, offset, rng)
        if self.values:
            parts += _start(self.layers_of_values, numpy.zeros(self.values), rng)
        return numpy.concatenate(parts)

    def __call__(self, weights: Any, rows: Any) -> Encoding:
        """Weights (size,) and rows (M, inputs) or (M, inputs + 2 values); differentiable by autograd."""
        layers = _cut(weights, self.layers, 0)
        if not self.values:
            mean, log_sd = self._halves(self._through(layers, rows))
            return Encoding(np.reshape(mean, (-1, 1, self.outputs)), np.reshape(log_sd, (-1, 1, self.outputs)))
        ends = (0, self.inputs, self.inputs + self.values, self.inputs + 2 * self.values)
        own, codes, counts = (pick(rows, (slice(None), slice(*both))) for both in pairwise(ends))
        known = indicators(codes, self.values)  # (M, values, values)
        log_q, log_known = self._log_q(_cut(weights, self.layers_of_values, _size(self.layers)), own, known, counts)
        (matrix, offset), *others = layers
        read = np.matmul(own, pick(matrix, (slice(0, self.inputs),)))
        told = np.matmul(known, pick(matrix, (slice(self.inputs, self.inputs + self.values),)))
        first = np.reshape(np.reshape(read, (-1, 1, np.shape(read)[1])) + told + offset, (-1, np.shape(read)[1]))
        mean, log_sd = self._halves(self._through(others, self._bent(first)) if others else first)
        shape = (-1, self.values, self.outputs)
        return Encoding(np.reshape(mean, shape), np.reshape(log_sd, shape), log_q, log_known)

    def _log_q(self, layers: Any, own: Any, known: Any, counts: Any) -> tuple[Any, Any]:
        every = self._through(layers, own)
        told = np.sum(np.reshape(every, (-1, 1, self.values)) * known, axis=2) + (1.0 - counts) * _NEVER
        whole = logsumexp(told, -1)
        return told - np.reshape(whole, (-1, 1)), whole - logsumexp(every, -1)

    def _through(self, layers: Sequence[tuple[Any, Any]], rows: Any) -> Any:
        found = rows
        for i, (matrix, offset) in enumerate(layers):
            found = np.matmul(found, matrix) + offset
            found = self._bent(found) if i < len(layers) - 1 else found
        return found

    def _bent(self, x: Any) -> Any:
        return ACTIVATIONS[self.activation](x)

    def _halves(self, found: Any) -> tuple[Any, Any]:
        ends = (0, self.outputs, 2 * self.outputs)
        mean, log_sd = (pick(found, (slice(None), slice(*own))) for own in pairwise(ends))
        return mean, log_sd


def _size(layers: Sequence[tuple[int, int]]) -> int:
    return sum((rows + 1) * columns for rows, columns in layers)


def _start(layers: Sequence[tuple[int, int]], offset: numpy.ndarray, rng: numpy.random.Generator) -> list[Any]:
    """Weights and offsets of each layer, the last offset as given."""
    parts = []
    for i, (rows, columns) in enumerate(layers):
        last = i == len(layers) - 1
        scale = numpy.sqrt(2.0 / (rows + columns)) * (_LAST_LAYER if last else 1.0)
        parts += [rng.normal(0.0, scale, rows * columns), offset if last else numpy.zeros(columns)]
    return parts


def _cut(weights: Any, layers: Sequence[tuple[int, int]], at: int) -> list[tuple[Any, Any]]:
    """Matrix and offset of each layer, from there on."""
    found = []
    for rows, columns in layers:
        end = at + rows * columns
        matrix = np.reshape(pick(weights, (slice(at, end),)), (rows, columns))
        found.append((matrix, pick(weights, (slice(end, end + columns),))))
        at = end + columns
    return found


def encoded(encoder: Encoder, weights: numpy.ndarray, rows: numpy.ndarray) -> Encoding:
    """Of any number of rows, some thousand at a time."""
    parts = [encoder(weights, rows[i : i + _ROWS_AT_ONCE]) for i in range(0, max(1, len(rows)), _ROWS_AT_ONCE)]
    arrays = ([part.mean for part in parts], [part.log_sd for part in parts])
    mean, log_sd = (numpy.concatenate(own) for own in arrays)
    if not encoder.values:
        return Encoding(mean, log_sd)
    own = ([part.log_q for part in parts], [part.log_known for part in parts])
    log_q, log_known = (numpy.concatenate(each) for each in own)
    return Encoding(mean, log_sd, log_q, log_known)
