"""plan, phi, noise, rows -> draws of all latents with the KL terms that can be had from guides and Jacobians."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as np
import numpy

from ppl.compile.blocks import Block
from ppl.compile.local_products import MEAN, NOISE, SD
from ppl.infer.stochastic import gumbel as relaxed
from ppl.infer.stochastic import kl
from ppl.infer.stochastic.flow import Flow
from ppl.infer.stochastic.gaussians import HALF_LOG_TWO_PI
from ppl.infer.stochastic.guide import WithDensity
from ppl.infer.stochastic.plan import Local, Plan, size_of
from ppl.model import transforms
from ppl.numeric.chosen import held
from ppl.numeric.gather import pick


@dataclass(slots=True, eq=False)
class Drawn:
    """One estimate under way. `values` are constrained latents, the encoded ones at the rows of the batch alone.

    `shared`, `by_row` and `other` collect the KL terms, in nats and with a leading axis of draws: those of shared
    coordinates, each (S,) or one number; those of encoded ones, elementwise (S, M, coordinates of a row), by block; and
    what is known of these by row alone (S, M). Those of rows are there for each value of the rows' discrete latents,
    one where there are none; `log_q` (M, values) and `log_known` (M,) are the encoder's, of these values.
    """

    values: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)  # what stands for matrices of products that are drawn
    shared: list[Any] = field(default_factory=list)
    by_row: dict[int, list[Any]] = field(default_factory=dict)
    other: list[list[Any]] = field(default_factory=list)
    log_q: Any = None
    log_known: Any = None
    done: set[int] = field(default_factory=set)  # parts of the joint whose KL term is in closed form


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """What an estimate draws: `closed` (S, Dc), `opened` (S, E) for the guide, `rows` (S, M, values times coordinates
    of a row), for each product whose results are drawn (S, M, ...), and for relaxed latents `gumbel` (S, logits).
    """

    closed: Any
    opened: Any
    rows: Any
    products: tuple[Any, ...] = ()
    gumbel: Any = None  # None where nothing is relaxed


def noise(plan: Plan, rng: numpy.random.Generator, draws: int, dtype: Any = numpy.float64) -> Noise:
    shared = shared_noise(plan, rng, draws, dtype)
    rows = 0 if plan.batch is None or plan.encoder is None else plan.batch.count
    per_row = 0 if plan.encoder is None else plan.encoder.outputs * len(plan.at_values)
    own = rng.standard_normal((draws, rows, per_row), dtype)
    shapes = () if plan.batch is None else tuple(plan.batch.products.values())
    products = tuple(rng.standard_normal((draws, *shape), dtype) for shape in shapes)
    gumbel = relaxed.gumbel(plan, rng, draws, dtype) if plan.soft else None
    return Noise(shared.closed, shared.opened, own, products, gumbel)


def shared_noise(plan: Plan, rng: numpy.random.Generator, draws: int, dtype: Any = numpy.float64) -> Noise:
    """That of shared coordinates alone."""
    closed = rng.standard_normal((draws, plan.sizes()[0] // 2), dtype)
    opened = plan.guide.noise(rng, draws) if plan.guide.dimension else numpy.zeros((draws, 0))
    return Noise(closed, opened, numpy.zeros((draws, 0, 0)))


def drawn(
    plan: Plan, phi: Any, eps: Noise, features: Any, closed_form: bool = True, hard: bool = False
) -> Drawn:  # fmt: skip
    """Draws of all latents, with the KL terms that can be had from guides and Jacobians; without `closed_form` those of
    rows at the draws themselves; with `hard` relaxed latents have one of their values.
    """
    found = Drawn(other=[[] for _ in plan.at_values])
    closed, opened, points, logits, weights = plan.cut(phi)
    half = plan.sizes()[0] // 2
    mu, log_sd = (pick(closed, (slice(start, start + half),)) for start in (0, half))
    sd = np.exp(log_sd)
    z_closed = mu + sd * eps.closed
    z_open = None
    if plan.guide.dimension:
        z_open, log_q = plan.guide.draw(opened, eps.opened)
        if isinstance(plan.guide, WithDensity) and not isinstance(plan.guide, Flow):  # whose own is plain numpy
            log_q = plan.guide.log_prob(held(opened), z_open)
        found.shared.append(log_q)
    if plan.soft:
        found.shared.append(relaxed.put_in(plan, logits, eps.gumbel, found.values, hard))
    encoding = None
    if plan.encoder is not None:
        encoding = plan.encoder(weights, features)
        found.log_q, found.log_known = encoding.log_q, encoding.log_known
    parts: dict[str, list[Any]] = {}
    for block in plan.joint.blocks:
        if block.start in plan.local:
            _encode(plan, block, found, encoding, eps, closed_form)
            continue
        if block.start in plan.closed:
            own = slice(plan.closed[block.start], plan.closed[block.start] + size_of(block))
            theta = _shaped(z_closed, own, block)
            prior = plan.priors[block.start]
            location, scale = prior.at(found.values)
            own_mu, own_sd, own_log_sd = (np.reshape(pick(x, (own,)), (1, *block.shape)) for x in (mu, sd, log_sd))
            found.shared.append(each(kl.normals(own_mu, own_sd, own_log_sd, location, scale)))
            found.done.update(prior.parts)
            if plan.batch is not None and block.name in plan.batch.products:
                noise_of_rows = eps.products[list(plan.batch.products).index(block.name)]
                for word, value in ((MEAN, own_mu), (SD, own_sd), (NOISE, noise_of_rows)):
                    found.inputs[word.format(block.name)] = value
        else:
            part = _of_points(points, plan, block) if block.start in plan.points else _opened(z_open, plan, block)
            lower, upper = block.bounds_at(found.values)
            theta = block.transform.constrain(part, lower, upper)
            if block.transform is not transforms.IDENTITY and not block.latent.is_point:
                found.shared.append(-each(block.transform.log_jacobian(part, lower, upper)))
        pieces = parts.setdefault(block.name, [])
        pieces.append(theta)
        if len(pieces) == len(block.latent.pieces):
            assembly = plan.joint.assemblies.get(block.name)
            found.values[block.name] = theta if assembly is None else assembly(pieces)
    return found


def _encode(plan: Plan, block: Block, found: Drawn, encoding: Any, eps: Noise, closed_form: bool) -> None:
    """A block that the encoder gives, at the rows of the batch, and its KL term, or log q where there is none; at each
    value of discrete latents.
    """
    local = plan.local[block.start]
    assert plan.encoder is not None
    size = plan.encoder.outputs
    kls = found.by_row.setdefault(block.start, [])
    for number, name in enumerate(plan.names_of(block.name)):
        own = (slice(None), number, slice(local.start, local.stop))
        mean, log_sd = (
            np.reshape(pick(x, own), (1, -1, local.stop - local.start)) for x in (encoding.mean, encoding.log_sd)
        )
        sd = np.exp(log_sd)
        at = slice(number * size + local.start, number * size + local.stop)
        z = mean + sd * pick(eps.rows, (slice(None), slice(None), at))
        part = local.shaped(z)
        prior = plan.priors.get(block.start)
        if prior is not None and closed_form:
            location, scale = (_beside_rows(x, local, part) for x in prior.at(found.values))
            kls.append(kl.normals(mean, sd, log_sd, location, scale))
            found.done.update(prior.parts)
            found.values[name] = part
            continue
        away = (z - held(mean)) / np.exp(held(log_sd))
        kls.append(-0.5 * away * away - held(log_sd) - HALF_LOG_TWO_PI)
        lower, upper = block.bounds_at(found.values)
        if block.transform is not transforms.IDENTITY:
            log_jacobian = block.transform.log_jacobian(part, lower, upper)
            found.other[number].append(-by_row(log_jacobian, local.place, True))
        found.values[name] = block.transform.constrain(part, lower, upper)


def _beside_rows(x: Any, local: Local, part: Any) -> Any:
    """Location or scale of a block's prior, which lacks the rows, as (S, M, coordinates of a row)."""
    return local.by_row(x + np.zeros((1, *np.shape(part)[1:])))


def _shaped(z: Any, own: slice, block: Block) -> Any:
    return np.reshape(pick(z, (slice(None), own)), (len(z), *block.shape))


def _opened(z: Any, plan: Plan, block: Block) -> Any:
    start = plan.open[block.start]
    return _shaped(z, slice(start, start + size_of(block)), block)


def _of_points(points: Any, plan: Plan, block: Block) -> Any:
    """(1, *shape)."""
    start = plan.points[block.start]
    return np.reshape(pick(points, (slice(start, start + size_of(block)),)), (1, *block.shape))


def each(terms: Any) -> Any:
    """The sum of each draw's (S,)."""
    rank = np.ndim(terms)
    return terms if rank == 1 else np.sum(terms, axis=tuple(range(1, rank)))


def by_row(term: Any, place: int, over_draws: bool) -> Any:
    """Sums over all axes but that of draws, put in front where it is lacking, and that of the rows: (S, M)."""
    term = term if over_draws else np.reshape(term, (1, *np.shape(term)))
    axes = tuple(i for i in range(1, np.ndim(term)) if i != 1 + place)
    return np.sum(term, axis=axes) if axes else term
