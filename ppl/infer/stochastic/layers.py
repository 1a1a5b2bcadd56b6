"""points and a layer's parameters -> where an invertible layer maps them, its log determinant, and the ways back.

Each layer has four functions over S points x (S, D): `forward`; its adjoint `backward`; `carry`, from the gradient by x
of the log density of x to that by y of the log density of y, phi held; and the inverse. All are whole arrays of NumPy:
training runs them thousands of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ppl.numeric.ufuncs import special
from ppl.values import dataclass

_MOST_STRETCH = 3.0  # nats, by which a layer stretches a coordinate
_HALVINGS = 55  # of the bracket of a planar layer's inverse
_FIRST_BEND = 0.01  # size of a planar layer's first bend


class Layer(Protocol):
    """`kept` is what `forward` leaves for `backward` and `carry`; gradients by y and by log det (S,) come in."""

    @property
    def size(self) -> int: ...
    def first(self, rng: np.random.Generator) -> np.ndarray: ...
    def forward(self, theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]: ...
    def backward(self, kept: Any, by_y: np.ndarray, by_log_det: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
    def carry(self, kept: Any, score: np.ndarray) -> np.ndarray: ...
    def inverse(self, theta: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Net:
    """A masked affine layer at points x: its weights, masked, and what they gave."""

    inner: np.ndarray  # (D, H)
    outer: np.ndarray  # (H, 2D)
    x: np.ndarray
    hidden: np.ndarray  # (S, H)
    bend: np.ndarray  # (S, H), the slope of the hidden units
    stretch: np.ndarray  # (S, D), log
    shift: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class MaskedAffine:
    """y = x exp(s) + m, where s and m of a group of coordinates are a network's, of the groups before it alone.

    With two groups it is a coupling layer of RealNVP (Dinh, Sohl-Dickstein, Bengio 2017), with as many as coordinates
    that of an inverse autoregressive flow (Kingma et al. 2016). One hidden layer of a * expit(a): smooth, and straight
    far out, where tanh ends, so that a long bent arm is followed. Each unit sees the first few groups and tells those
    after them (Germain et al. 2015).
    """

    groups: tuple[np.ndarray, ...]
    see: np.ndarray  # (D, H), 0 or 1
    tell: np.ndarray  # (H, 2D)

    @staticmethod
    def of(groups: Sequence[Sequence[int]], hidden: int) -> MaskedAffine:
        place = np.empty(sum(len(group) for group in groups), dtype=int)
        for i, group in enumerate(groups):
            place[list(group)] = i
        level = np.arange(hidden) % max(1, len(groups) - 1)
        see = (place[:, None] <= level).astype(float)
        tell = (level[:, None] < place).astype(float)
        return MaskedAffine(tuple(np.array(group) for group in groups), see, np.concatenate([tell, tell], axis=1))

    @property
    def size(self) -> int:
        dimension, hidden = self.see.shape
        return dimension * hidden + hidden + 2 * dimension * hidden + 2 * dimension

    def first(self, rng: np.random.Generator) -> np.ndarray:
        """Random features, none of which is used: the identity."""
        dimension, hidden = self.see.shape
        inner = rng.normal(size=dimension * hidden) / np.sqrt(dimension)
        return np.concatenate([inner, rng.normal(size=hidden), np.zeros(2 * dimension * hidden + 2 * dimension)])

    def _at(self, theta: np.ndarray, x: np.ndarray) -> _Net:
        dimension, hidden = self.see.shape
        ends = np.cumsum([dimension * hidden, hidden, 2 * dimension * hidden])
        inner, offset, outer, last = np.split(theta, ends)
        inner = inner.reshape(dimension, hidden) * self.see
        outer = outer.reshape(hidden, 2 * dimension) * self.tell
        inside = x @ inner + offset
        share = special.expit(inside)
        units = inside * share
        found = units @ outer + last
        stretch = _MOST_STRETCH * np.tanh(found[:, :dimension] / _MOST_STRETCH)
        return _Net(
            inner, outer, x, units, share + units * (1.0 - share), stretch, found[:, dimension:], np.exp(stretch)
        )

    def forward(self, theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, _Net]:
        net = self._at(theta, x)
        return x * net.scale + net.shift, net.stretch.sum(axis=1), net

    def backward(self, kept: _Net, by_y: np.ndarray, by_log_det: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_found = self._by_found(kept, by_y, by_log_det[:, None])
        by_inside = (by_found @ kept.outer.T) * kept.bend
        by_outer = (kept.hidden.T @ by_found) * self.tell
        by_inner = (kept.x.T @ by_inside) * self.see
        by_theta = [by_inner.ravel(), by_inside.sum(axis=0), by_outer.ravel(), by_found.sum(axis=0)]
        return by_y * kept.scale + by_inside @ kept.inner.T, np.concatenate(by_theta)

    def _by_found(self, net: _Net, by_y: np.ndarray, by_stretch: Any) -> np.ndarray:
        """By what the network gives, (S, 2D)."""
        slope = 1.0 - (net.stretch / _MOST_STRETCH) ** 2
        return np.concatenate([(by_y * net.x * net.scale + by_stretch) * slope, by_y], axis=1)

    def carry(self, kept: _Net, score: np.ndarray) -> np.ndarray:
        """Solves J' h = score - d log det / dx from the last group to the first."""
        dimension = len(self.see)
        carried = np.zeros_like(score)
        told = np.zeros_like(kept.hidden)
        for group in reversed(self.groups):
            by_x = (told * kept.bend) @ kept.inner[group].T
            carried[:, group] = (score[:, group] - by_x) / kept.scale[:, group]
            by_found = self._by_found(kept, carried, 1.0)
            for columns in (group, dimension + group):
                told += by_found[:, columns] @ kept.outer[:, columns].T
        return carried

    def inverse(self, theta: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (S, D) and the log determinant there (S,)."""
        x = np.zeros_like(y)
        for group in self.groups:
            net = self._at(theta, x)
            x[:, group] = (y[:, group] - net.shift[:, group]) / net.scale[:, group]
        return x, net.stretch.sum(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Bend:
    """A planar layer at points x: w, its raw and its invertible u, w'u, tanh and its slope (S,)."""

    w: np.ndarray
    raw: np.ndarray
    u: np.ndarray
    along: float
    x: np.ndarray
    bend: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True, slots=True)
class Planar:
    """y = x + u tanh(w'x + b), Rezende and Mohamed 2015. Theta: w, raw u, b; u has w'u = log(1 + exp(w'raw)) - 1."""

    dimension: int

    @property
    def size(self) -> int:
        return 2 * self.dimension + 1

    def first(self, rng: np.random.Generator) -> np.ndarray:
        """A plane in a random direction, and the u that hardly bends along it."""
        w = rng.normal(size=self.dimension)
        w *= rng.uniform(0.5, 1.5) / np.sqrt(w @ w)
        raw = w * np.log(np.expm1(1.0)) / (w @ w) + _FIRST_BEND * rng.normal(size=self.dimension)
        return np.concatenate([w, raw, rng.normal(size=1)])

    def _at(self, theta: np.ndarray, x: np.ndarray) -> _Bend:
        w, raw, offset = np.split(theta, [self.dimension, 2 * self.dimension])
        given = w @ raw
        along = np.logaddexp(0.0, given) - 1.0
        u = raw + (along - given) * w / (w @ w)
        bend = np.tanh(x @ w + offset)
        return _Bend(w, raw, u, float(along), x, bend, 1.0 - bend**2)

    def forward(self, theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, _Bend]:
        at = self._at(theta, x)
        return x + at.bend[:, None] * at.u, np.log1p(at.slope * at.along), at

    def backward(self, kept: _Bend, by_y: np.ndarray, by_log_det: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w, raw, x = kept.w, kept.raw, kept.x
        of_det = by_log_det / (1.0 + kept.slope * kept.along)
        by_inside = (by_y @ kept.u - 2.0 * kept.bend * kept.along * of_det) * kept.slope
        by_u, by_along = kept.bend @ by_y, float(of_det @ kept.slope)
        squared, given = w @ w, w @ raw
        excess = kept.along - given
        by_along += float(by_u @ w) / squared
        by_given = by_along / (1.0 + np.exp(-given)) - float(by_u @ w) / squared
        by_w = x.T @ by_inside + by_given * raw + excess * (by_u - 2.0 * (by_u @ w) * w / squared) / squared
        by_theta = [by_w, by_u + by_given * w, [by_inside.sum()]]
        return by_y + by_inside[:, None] * w, np.concatenate(by_theta)

    def carry(self, kept: _Bend, score: np.ndarray) -> np.ndarray:
        """By the identity of Sherman and Morrison."""
        stretch = 1.0 + kept.slope * kept.along
        score = score + (2.0 * kept.bend * kept.slope * kept.along / stretch)[:, None] * kept.w
        return score - (kept.slope * (score @ kept.u) / stretch)[:, None] * kept.w

    def inverse(self, theta: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Along w, a = w'x solves a + w'u tanh(a + b) = w'y, whose left side grows: by bisection."""
        w, offset, at = theta[: self.dimension], theta[-1], self._at(theta, y)
        goal = y @ w
        low, high = goal - abs(at.along), goal + abs(at.along)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            above = middle + at.along * np.tanh(middle + offset) > goal
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        bend = np.tanh(0.5 * (low + high) + offset)
        return y - bend[:, None] * at.u, np.log1p((1.0 - bend**2) * at.along)
