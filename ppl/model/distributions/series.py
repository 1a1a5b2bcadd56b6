"""Families of series and of fields: vectors whose elements hang together along time, or along the edges of a graph."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import autograd.numpy as np
import numpy

from ppl.model.distributions.family import POSITIVE, Family, Form, Parameter, Requirement, Support
from ppl.model.distributions.real_line import HALF_LOG_TWO_PI
from ppl.numeric import gather
from ppl.numeric.shape import join
from ppl.numeric.special import log


def _over_time(x: Any) -> Any:
    """A number for each series, lined up with its elements."""
    return np.expand_dims(x, -1)


def _normal(deviation: Any, sd: Any) -> Any:
    """The log density of independent deviations from 0 along the last axis, all of one sd."""
    number = np.shape(deviation)[-1]
    squares = np.sum((deviation / _over_time(sd)) ** 2, axis=-1)
    return -0.5 * squares - number * (log(sd) + HALF_LOG_TWO_PI)


def random_walk(x: Any, sd: Any, init_sd: Any, drift: Any, init: Any) -> Any:
    """x[1] ~ Normal(init, init_sd), x[t] ~ Normal(x[t-1] + drift, sd)."""
    steps = x[..., 1:] - x[..., :-1] - _over_time(drift)
    return _normal(x[..., :1] - _over_time(init), init_sd) + _normal(steps, sd)


def _walk_from_init(sd: Any, drift: Any, init: Any) -> tuple[Any, ...]:
    """A walk that stands at `init` before its first step."""
    return sd, sd, drift, init + drift


def _draw_random_walk(
    rng: numpy.random.Generator, shape: tuple[int, ...], sd: Any, init_sd: Any, drift: Any, init: Any
) -> numpy.ndarray:
    noise = rng.standard_normal(shape)
    first = _over_time(init) + _over_time(init_sd) * noise[..., :1]
    steps = _over_time(drift) + _over_time(sd) * noise[..., 1:]
    return numpy.cumsum(numpy.concatenate([numpy.broadcast_to(first, (*shape[:-1], 1)), steps], axis=-1), axis=-1)


def _behind(new: numpy.ndarray) -> int:
    """How many elements are known, ahead of all new ones. Raises `ValueError`."""
    n = int((~new).sum())
    if new[:n].any():
        raise ValueError("a series goes on behind its last element alone")
    return n


def _go_on_walking(
    rng: numpy.random.Generator, x: numpy.ndarray, new: numpy.ndarray, sd: Any, init_sd: Any, drift: Any, init: Any
) -> numpy.ndarray:
    n = _behind(new)
    noise = rng.standard_normal((*x.shape[:-1], x.shape[-1] - n))
    steps = numpy.cumsum(_over_time(drift) + _over_time(sd) * noise, axis=-1)
    return numpy.concatenate([x[..., :n], x[..., n - 1 : n] + steps], axis=-1)


def _autoregression(x: Any, before: Any, coefficients: Any, constant: Any) -> Any:
    """What is left of x (..., n) after the constant and its own past; `before` (..., p) is what went ahead of it."""
    n, lags = np.shape(x)[-1], np.shape(coefficients)[-1]
    past = join(-1, before, x)
    left = x - _over_time(constant)
    for lag in range(1, lags + 1):
        left = left - coefficients[..., lag - 1 : lag] * past[..., lags - lag : lags - lag + n]
    return left


def _many(x: Any, lags: int) -> Any:
    return _over_time(x) * numpy.ones(lags)


def ar_from_init(x: Any, coefficients: Any, sd: Any, constant: Any, init: Any) -> Any:
    """x[t] ~ Normal(constant + sum of coefficients[k] x[t-k], sd), where all x before the first are `init`."""
    before = _many(init, np.shape(coefficients)[-1])
    return _normal(_autoregression(x, before, coefficients, constant), sd)


def ar_from_first(x: Any, coefficients: Any, sd: Any, init_sd: Any, constant: Any, init: Any) -> Any:
    """The same, but the first values, as many as there are coefficients, are Normal(init, init_sd)."""
    lags = np.shape(coefficients)[-1]
    first, rest = x[..., :lags], x[..., lags:]
    left = _autoregression(rest, first, coefficients, constant)
    return _normal(first - _over_time(init), init_sd) + _normal(left, sd)


def _draw_ar(
    rng: numpy.random.Generator,
    shape: tuple[int, ...],
    coefficients: Any,
    sd: Any,
    init_sd: Any,
    constant: Any,
    init: Any,
) -> numpy.ndarray:
    """`init_sd` is NaN where the series begins from `init` itself."""
    return _ar_path(numpy.zeros(shape), 0, rng.standard_normal(shape), coefficients, sd, init_sd, constant, init)


def _go_on_autoregressing(
    rng: numpy.random.Generator, x: numpy.ndarray, new: numpy.ndarray, *parameters: Any
) -> numpy.ndarray:
    return _ar_path(x, _behind(new), rng.standard_normal(x.shape), *parameters)


def _ar_path(
    x: numpy.ndarray, known: int, noise: numpy.ndarray, coefficients: Any, sd: Any, init_sd: Any, constant: Any,
    init: Any,
) -> numpy.ndarray:  # fmt: skip
    """A series x (..., n) with all but its first `known` elements from standard normal noise, one after another."""
    lags, (*outer, n) = numpy.shape(coefficients)[-1], noise.shape
    path = numpy.concatenate([numpy.broadcast_to(_many(init, lags), (*outer, lags)), x], axis=-1)
    for t in range(known, n):
        past = path[..., t : t + lags][..., ::-1]
        follows = constant + numpy.sum(coefficients * past, axis=-1) + sd * noise[..., t]
        begins = init + init_sd * noise[..., t]
        path[..., lags + t] = numpy.where(numpy.isnan(init_sd) | (t >= lags), follows, begins)
    return path[..., lags:]


def few_lags(n: int, coefficients: Any, *others: Any) -> tuple[str, str] | None:
    """Known values, each None where it is not."""
    if coefficients is not None and numpy.ndim(coefficients) and numpy.shape(coefficients)[-1] > n:
        return "coefficients", f"a list of at most {n}, as many as the series has values"
    return None


# -- fields on graphs -------------------------------------------------------------------------------------------------


class Graph:
    """The edges of an undirected graph of n nodes as positions of their ends, and how many parts it falls into."""

    def __init__(self, first: numpy.ndarray, second: numpy.ndarray, n: int):
        from scipy import sparse
        from scipy.sparse import csgraph

        self.first, self.second = gather.Positions(first, n), gather.Positions(second, n)
        edges = sparse.coo_matrix((numpy.ones(len(first)), (first, second)), shape=(n, n))
        self.parts = int(csgraph.connected_components(edges, directed=False)[0])


@lru_cache(maxsize=32)
def _graph(first: bytes, second: bytes, n: int) -> Graph:
    ends = [numpy.frombuffer(positions, dtype=numpy.int64) for positions in (first, second)]
    return Graph(ends[0], ends[1], n)


def icar(x: Any, node1: Any, node2: Any, sd: Any) -> Any:
    """-sum (x_i - x_j)^2 / (2 sd^2) over the edges, less log(sd) for each element that is free.

    Morris et al. 2019; the sum over each connected part of the graph is not determined, and not counted.
    """
    n = np.shape(x)[-1]
    ends = [(numpy.asarray(node).reshape(-1).astype(numpy.int64) - 1).tobytes() for node in (node1, node2)]
    graph = _graph(ends[0], ends[1], n)
    differences = gather.gather(x, graph.first, -1) - gather.gather(x, graph.second, -1)
    squares = np.sum((differences / _over_time(sd)) ** 2, axis=-1)
    return -0.5 * squares - (n - graph.parts) * log(sd)


def icar_by_matrix(x: Any, adjacency: Any, sd: Any) -> Any:
    matrix = numpy.asarray(adjacency).reshape(numpy.shape(adjacency)[-2:])
    node1, node2 = numpy.nonzero(numpy.triu(matrix))
    return icar(x, node1 + 1, node2 + 1, sd)


POSITION = Requirement("positions of nodes, from 1", lambda x: (x >= 1) & (x == numpy.floor(x)), 1.0)
ADJACENCY = Requirement(
    "a symmetric matrix of zeros and ones, with zeros on the diagonal",
    lambda x: (
        ((x == 0) | (x == 1)) & (x == numpy.swapaxes(x, -1, -2)) & ~((x != 0) & numpy.eye(x.shape[-1], dtype=bool))
    ),
)


def known_edges(n: int, node1: Any, node2: Any, sd: Any) -> tuple[str, str] | None:
    for name, node in (("node1", node1), ("node2", node2)):
        if node is None or numpy.ndim(node) != 1:
            return name, "one list of positions that the data tell"
        if (numpy.asarray(node) > n).any():
            return name, f"positions from 1 to {n}, the length of the vector"
    if len(node1) != len(node2):
        return "node2", f"as long as `node1`, {len(node1)}: an edge has two ends"
    if (numpy.asarray(node1) == numpy.asarray(node2)).any():
        return "node2", "another node than `node1`, for each edge"
    return None


def known_matrix(n: int, adjacency: Any, sd: Any) -> tuple[str, str] | None:
    if adjacency is None or numpy.ndim(adjacency) != 2:
        return "adjacency", "one matrix that the data tell"
    return None


GAUSSIAN_RANDOM_WALK = Family(
    "GaussianRandomWalk",
    (
        Form(
            (Parameter("sd", POSITIVE), Parameter("drift", default=0.0), Parameter("init", default=0.0)),
            lambda x, sd, drift, init: random_walk(x, *_walk_from_init(sd, drift, init)),
            _walk_from_init,
        ),
        Form(
            (
                Parameter("sd", POSITIVE),
                Parameter("init_sd", POSITIVE),
                Parameter("drift", default=0.0),
                Parameter("init", default=0.0),
            ),
            random_walk,
        ),
    ),
    Support("real"),
    draw=_draw_random_walk,
    go_on=_go_on_walking,
    event_rank=1,
)
AR = Family(
    "AR",
    (
        Form(
            (
                Parameter("coefficients", event_rank=1, own_length=True),
                Parameter("sd", POSITIVE),
                Parameter("constant", default=0.0),
                Parameter("init", default=0.0),
            ),
            ar_from_init,
            lambda coefficients, sd, constant, init: (coefficients, sd, 0.0 * sd + numpy.nan, constant, init),
            misfit=few_lags,
        ),
        Form(
            (
                Parameter("coefficients", event_rank=1, own_length=True),
                Parameter("sd", POSITIVE),
                Parameter("init_sd", POSITIVE),
                Parameter("constant", default=0.0),
                Parameter("init", default=0.0),
            ),
            ar_from_first,
            misfit=few_lags,
        ),
    ),
    Support("real"),
    draw=_draw_ar,
    go_on=_go_on_autoregressing,
    event_rank=1,
)
ICAR = Family(
    "ICAR",
    (
        Form(
            (
                Parameter("node1", POSITION, event_rank=1, own_length=True),
                Parameter("node2", POSITION, event_rank=1, own_length=True),
                Parameter("sd", POSITIVE, default=1.0),
            ),
            icar,
            misfit=known_edges,
        ),
        Form(
            (Parameter("adjacency", ADJACENCY, event_rank=2), Parameter("sd", POSITIVE, default=1.0)),
            icar_by_matrix,
            misfit=known_matrix,
        ),
    ),
    Support("real"),
    draw=lambda rng, shape, *parameters: numpy.full(shape, numpy.nan),
    event_rank=1,
    renormalised=False,
)

FAMILIES = (GAUSSIAN_RANDOM_WALK, AR, ICAR)
